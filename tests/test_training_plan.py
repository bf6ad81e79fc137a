"""The fast way through a network and back, beside the layers as they are stated."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from random_models import KINDS, PATIENT, cases

import numjaz
from numjaz import Model, Node
from numjaz.engine.training import TrainingPlan
from numjaz.layers import (
    GRU,
    Add,
    BatchNormalization,
    Bidirectional,
    Conv1D,
    Dense,
    Dropout,
    GlobalAveragePooling1D,
    Input,
    Layer,
)
from numjaz.learn.backprop import backward_pass, forward_pass
from numjaz.nodes import output_shapes, source_of


def passes(model: Model, x: dict[str, np.ndarray], training: bool, seed: int = 0) -> tuple[TrainingPlan, dict, dict]:
    """The plan after both passes, its gradients and the reference's, for a random derivative by the first output."""
    arrays = {name: array.astype(np.float64) for name, array in model.parameters.items()}
    gradients = {n: np.zeros_like(arrays[n]) for n, p in model.parameter_table.items() if p.trainable}
    first = next(iter(x.values()))
    window = max((array.shape[1] for array in x.values() if array.ndim > 2), default=1)
    plan = TrainingPlan(model, arrays, gradients, width=len(first), window=window)
    done = forward_pass(model, arrays, x, training=training, rng=np.random.default_rng(seed))
    node, k = source_of(model.outputs[0])
    expected = done.outputs[node][k]
    y = plan.forward(x, training=training, rng=np.random.default_rng(seed))
    near(y, expected)
    d = np.random.default_rng(1).standard_normal(expected.shape)
    plan.backward(d)
    for name, array in done.buffers.items():
        near(plan.new_buffers[name], array)
    return plan, gradients, backward_pass(model, done, {model.outputs[0]: d}).parameters


def derived(model: Model) -> bool:
    """Whether the first output depends on anything that is trained."""
    moved = {name.rpartition("/")[0] for name, p in model.parameter_table.items() if p.trainable}
    met: set[str] = set()
    for node in model.nodes:
        if any(name == node.owner or name.startswith(f"{node.owner}/") for name in moved):
            met.add(node.name)
        if any(source in met for source, _ in node.inputs):
            met.add(node.name)
    return source_of(model.outputs[0])[0] in met


def near(a: np.ndarray, b: np.ndarray) -> None:
    assert a.shape == b.shape
    np.testing.assert_allclose(a, b, rtol=0, atol=1e-10 * max(float(np.abs(b).max(initial=0)), 1e-3))


def chain(*layers: Layer, features: int = 3) -> Model:
    nodes = [Node("x", Input(features))]
    for k, layer in enumerate(layers):
        nodes.append(Node(f"n{k}", layer, ((nodes[-1].name, 0),)))
    from numjaz.architectures.initial import initial_parameters
    from numjaz.nodes import parameter_table

    arrays = initial_parameters(parameter_table(nodes), seed=1)
    rng = np.random.default_rng(2)
    return Model(nodes, {n: a + rng.uniform(0.1, 0.3, a.shape).astype(a.dtype) for n, a in arrays.items()})


FAST = {
    "two GRUs": (GRU(4), GRU(5)),
    "a GRU's last step": (Conv1D(4, 3), GRU(5, return_sequences=False)),
    "without bias": (GRU(4, use_bias=False), Conv1D(3, 3, use_bias=False)),
    "both directions": (Conv1D(5, 1), Bidirectional(GRU(4), GRU(4)), Dense(3)),
    "last steps of both": (Bidirectional(GRU(4, return_sequences=False), GRU(4, return_sequences=False)), Dense(2)),
    "the older form": (GRU(4, reset_after=False), Dense(3, "relu")),
    "valid": (Conv1D(4, 5, "valid", "relu"), Conv1D(4, 2, "valid"), GlobalAveragePooling1D()),
    "causal": (Conv1D(4, 4, "causal", "relu"), Conv1D(4, 2, "same"), GlobalAveragePooling1D()),
    "strides": (Conv1D(4, 3, strides=2), Conv1D(6, 3, dilation=2), Conv1D(4, 3, groups=2)),
    "normalized": (BatchNormalization(), Conv1D(4, 3, activation="relu"), BatchNormalization(scale=False), Dense(2)),
    "dropped": (Conv1D(4, 3), Dropout(0.4), Dense(2)),
}


@pytest.mark.parametrize("layers", FAST.values(), ids=FAST)
@pytest.mark.parametrize("training", [True, False])
def test_fast_forms(layers: tuple[Layer, ...], training: bool) -> None:
    x = {"x": np.random.default_rng(0).standard_normal((3, 40, 3))}
    _, gradients, expected = passes(chain(*layers), x, training)
    for name, gradient in expected.items():
        near(gradients[name], gradient)


def test_jazbat_and_what_is_left_when_nodes_rest() -> None:
    model = numjaz.jazbat(features=3)
    x = {"input": np.random.default_rng(0).standard_normal((4, 70, 3))}
    _, gradients, expected = passes(model, x, True)
    assert set(gradients) == set(expected)
    for name, gradient in expected.items():
        near(gradients[name], gradient)
    arrays = {name: array.astype(np.float64) for name, array in model.parameters.items()}
    head = {name: np.zeros_like(arrays[name]) for name in ("classes/kernel", "classes/bias")}
    plan = TrainingPlan(model, arrays, head, width=4, window=70, resting=["norm"])
    made = plan.forward(x)
    near(made, model.predict(x["input"]))  # a normalization that rests goes by its statistics
    assert plan.new_buffers == {}
    plan.backward(np.ones((4, 6)))
    done = forward_pass(model, arrays, x)
    near(head["classes/bias"], backward_pass(model, done, {"classes": np.ones((4, 6))}).parameters["classes/bias"])


def test_values_that_several_read_and_shared_arrays() -> None:
    """A value that two convolutions pad differently, and a sum of a value with itself's convolution."""
    nodes = [
        Node("x", Input(3)),
        Node("a", Conv1D(4, 1, activation="relu"), (("x", 0),)),
        Node("wide", Conv1D(4, 5), (("a", 0),)),
        Node("narrow", Conv1D(4, 3), (("a", 0),)),
        Node("again", Conv1D(4, 3), (("wide", 0),), owner="narrow"),
        Node("flat", Dense(4), (("a", 0),)),
        Node("one", Conv1D(4, 1, activation="relu"), (("a", 0),)),
        Node("sum", Add(), (("wide", 0), ("again", 0), ("narrow", 0), ("flat", 0), ("one", 0), ("a", 0))),
        Node("end", GlobalAveragePooling1D(), (("sum", 0),)),
    ]
    from numjaz.architectures.initial import initial_parameters
    from numjaz.nodes import parameter_table

    model = Model(nodes, initial_parameters(parameter_table(nodes), seed=3))
    _, gradients, expected = passes(model, {"x": np.random.default_rng(0).standard_normal((2, 37, 3))}, True)
    for name, gradient in expected.items():
        near(gradients[name], gradient)


def test_statistics_that_two_nodes_share_are_moved_by_both() -> None:
    nodes = [
        Node("x", Input(3)),
        Node("first", BatchNormalization(), (("x", 0),)),
        Node("wide", Conv1D(3, 3, activation="relu"), (("first", 0),)),
        Node("second", BatchNormalization(), (("wide", 0),), owner="first"),
    ]
    from numjaz.architectures.initial import initial_parameters
    from numjaz.nodes import parameter_table

    model = Model(nodes, initial_parameters(parameter_table(nodes), seed=3))
    x = {"x": np.random.default_rng(0).standard_normal((2, 20, 3)) + 1}
    plan, gradients, expected = passes(model, x, True)  # which compares the statistics
    assert set(plan.new_buffers) == {"first/moving_mean", "first/moving_variance"}
    for name, gradient in expected.items():
        near(gradients[name], gradient)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_random_networks(kind: type[Layer]) -> None:
    @settings(max_examples=6, deadline=None, suppress_health_check=PATIENT)
    @given(cases(kind), st.booleans(), st.integers(0, 99))
    def holds(case: tuple[Model, Any], training: bool, seed: int) -> None:
        model, x = case
        given_x = {name: array.astype(np.float64) for name, array in model.checked(x).items()}
        lengths = {x.shape[1] for x in given_x.values() if x.ndim > 2}
        shapes = output_shapes(model.nodes, max(lengths, default=1))
        assume(any(p.trainable for p in model.parameter_table.values()) and derived(model))
        assume(all(shapes[name][0] == x.shape[1:] for name, x in given_x.items()))
        if any(getattr(node.layer, "kind", "") == "ActivityRegularization" for node in model.nodes):
            training = False
        try:
            _, gradients, expected = passes(model, given_x, training, seed)
        except numjaz.NumjazError as error:
            assert "training" in str(error) or "drawn" in str(error)
            return
        for name, gradient in expected.items():
            near(gradients[name], gradient)

    holds()
