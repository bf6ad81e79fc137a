"""What a fault is: named alone and in pairs, in what nobody recorded, by its size; what is unknown stays so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from numjaz import Model, Node
from numjaz.compare.divergence import Comparison, compare, excite
from numjaz.compare.faults.estimated import is_stale
from numjaz.compare.runs import Run, run_model
from numjaz.layers import (
    GRU,
    LSTM,
    Activation,
    Add,
    Array,
    BatchNormalization,
    Bidirectional,
    Conv1D,
    Dense,
    Flatten,
    GlobalAveragePooling1D,
    Input,
    Layer,
    LayerNormalization,
)
from numjaz.nodes import parameter_table

Arrays = dict[str, Array]


def network(*layers: Layer, seed: int = 0) -> Model:
    """A chain of layers, n0 the input, with weights of every size."""
    nodes = [Node(f"n{k}", layer, ((f"n{k - 1}", 0),) if k else ()) for k, layer in enumerate(layers)]
    rng = np.random.default_rng(seed)
    arrays = {
        name: rng.uniform(0.3, 2, p.shape) if "variance" in name else 0.5 * rng.standard_normal(p.shape)
        for name, p in parameter_table(nodes).items()
    }
    return Model(nodes, {name: array.astype(np.float32) for name, array in arrays.items()})


CHAIN = network(
    Input(3, (20,)),
    Conv1D(6, 4, activation="relu", dilation=2),
    BatchNormalization(),
    Bidirectional(GRU(5), GRU(5)),
    GlobalAveragePooling1D(),
    Dense(4, "softmax"),
)
BIASES = ("n3/forward/bias", "n3/backward/bias")


def typed(name: str, layer: Layer, model: Model = CHAIN, **arrays: Array) -> Model:
    """A network with one layer that is another."""
    nodes = [replace(node, layer=layer) if node.name == name else node for node in model.nodes]
    kept = {key: arrays.get(key.replace("/", "__"), array) for key, array in model.parameters.items()}
    return Model(nodes, kept)


def moved(change: Callable[[Array], Array], *names: str, model: Model = CHAIN) -> Model:
    """A network with arrays that are others."""
    return model.replace({name: change(model.parameters[name]) for name in names})


def recorded(other: Model, model: Model = CHAIN, hidden: tuple[str, ...] = ()) -> Run:
    """What the other network's nodes made; its arrays stay with it."""
    run = run_model(other, excite(model))
    return replace(run, outputs={name: array for name, array in run.outputs.items() if name not in hidden})


def gates(array: Array) -> Array:
    """Torch's order, r, z, n, where z, r, h belong."""
    return np.concatenate([array[..., 5:10], array[..., :5], array[..., 10:]], axis=-1)


RECURRENT = tuple(name for name in CHAIN.parameters if name.startswith("n3/"))
PAIRS: dict[str, tuple[str, Model, tuple[str, ...]]] = {
    "in one convolution": (
        "n1",
        moved(lambda a: a[::-1] if a.ndim > 1 else 0 * a, "n1/kernel", "n1/bias"),
        ("bias forgotten", "kernel reversed"),
    ),
    "in one normalization": (
        "n2",
        typed(
            "n2",
            BatchNormalization(1e-5),
            n2__gamma=CHAIN.parameters["n2/beta"],
            n2__beta=CHAIN.parameters["n2/gamma"],
        ),
        ("epsilon 1e-05", "gamma and beta swapped"),
    ),
    "in both directions": (
        "n3",
        moved(lambda a: gates(a * [[1], [0]] if a.shape == (2, 15) else a), *RECURRENT),
        ("gate order rzh", "recurrent bias forgotten"),
    ),
    "one in each direction": (
        "n3",
        CHAIN.replace({BIASES[0]: CHAIN.parameters[BIASES[0]][::-1], BIASES[1]: 0 * CHAIN.parameters[BIASES[1]]}),
        ("forward: biases swapped", "backward: bias forgotten"),
    ),
}


@pytest.mark.parametrize("pair", PAIRS)
def test_two_faults_of_one_node(pair: str) -> None:
    node, other, causes = PAIRS[pair]
    found = compare(CHAIN, recorded(other))
    assert found.node == node
    assert all(cause in str(found.cause) for cause in causes), found.cause
    assert str(found.fix).startswith(f"{node}: ")


def test_two_faults_of_two_nodes() -> None:
    other = moved(lambda a: a[::-1], "n1/kernel").replace({"n5/bias": 0 * CHAIN.parameters["n5/bias"]})
    found = compare(CHAIN, recorded(other))
    assert [(fault.node, fault.cause) for fault in found.faults] == [
        ("n1", "kernel reversed"),
        ("n5", "bias forgotten"),
    ]
    assert (found.node, found.cause) == ("n1", "kernel reversed")


@pytest.mark.parametrize("hidden", [("n1",), ("n1", "n2"), ("n1", "n2", "n3")])
def test_a_fault_of_what_nobody_recorded(hidden: tuple[str, ...]) -> None:
    found = compare(CHAIN, recorded(moved(lambda a: a[::-1], "n1/kernel"), hidden=hidden))
    assert (found.node, found.cause) == ("n1", "kernel reversed")
    assert found.first is not None
    assert found.first.suspects == (*hidden, f"n{len(hidden) + 1}")


def test_another_number_of_steps() -> None:
    found = compare(CHAIN, recorded(typed("n1", Conv1D(6, 4, "valid", "relu", dilation=2))))
    assert (found.node, found.cause) == ("n1", "padding valid, not same")
    assert [fault.node for fault in found.faults] == ["n1"]


def test_what_the_inputs_do_not_tell_apart() -> None:
    """No number of a sigmoid's is below 0 or above 1: three functions are one on them."""
    model = network(Input(3, (20,)), Conv1D(4, 3, activation="sigmoid"), Activation("tanh"), Dense(2))
    found = compare(model, recorded(typed("n2", Activation("linear"), model), model))
    (fault,) = found.faults
    assert fault.cause == "activation forgotten"
    assert set(fault.others) >= {"activation is relu, not tanh", "activation is hard_tanh, not tanh"}
    assert fault.confidence == pytest.approx(1 / (1 + len(fault.others)))
    assert "times the bound" in fault.evidence


def test_names_of_one_function_are_said_together() -> None:
    model = network(Input(3, (20,)), Dense(4), Dense(2, use_bias=False))
    zero = model.replace({"n1/kernel": np.eye(3, 4, dtype=np.float32)})
    found = compare(zero, recorded(zero.replace({"n1/bias": 0 * zero.parameters["n1/bias"]}), zero))
    assert found.cause == "bias forgotten"
    found = compare(model, Run("x", *_scaled(model)))
    assert found.cause == "inputs scaled by 9.80665: m/s^2 for g"


def _scaled(model: Model) -> tuple[Arrays, Arrays]:
    x = excite(model)
    run = run_model(model, {name: np.float32(9.80665) * array for name, array in x.items()})
    return x, {name: array for name, array in run.outputs.items() if name != "n0"}


def test_a_normalization_on_the_other_side_of_an_activation() -> None:
    """Convolution, normalization, ReLU, where ReLU comes before the normalization: both as one recorded node."""
    x = excite(CHAIN)
    run = run_model(typed("n1", Conv1D(6, 4, dilation=2)), x)
    norm = np.maximum(run.outputs["n2"], 0)
    found = compare(CHAIN, Run("other", x, {"n1": run.outputs["n1"], "n2": norm}))
    assert (found.node, found.cause) == ("n2", "batch norm before the activation (relu), not after it")
    bare = network(Input(3, (20,)), Conv1D(6, 4), BatchNormalization(), Activation("relu"))
    x, made = excite(bare), run_model(bare, excite(bare)).outputs["n1"]
    p = {name: array.astype(np.float64) for name, array in bare.parameters.items()}
    normal = (np.maximum(made, 0) - p["n2/moving_mean"]) / np.sqrt(p["n2/moving_variance"] + 1e-3)
    there = (normal * p["n2/gamma"] + p["n2/beta"]).astype(np.float32)
    found = compare(bare, Run("other", x, {"n1": made, "n2": there}))
    assert (found.node, found.cause) == ("n2", "batch norm after the activation (relu), not before it")


def test_an_output_without_its_activation() -> None:
    """A step of its own in between may stay unrecorded; that of the network's output may not."""
    run = recorded(typed("n5", Dense(4)))
    assert (compare(CHAIN, run).node, compare(CHAIN, run).cause) == ("n5", "softmax forgotten")
    ending = run_model(CHAIN, run.inputs).outputs["n5"]
    assert compare(CHAIN, replace(run, outputs={**run.outputs, "probabilities": ending})).agree
    inner = recorded(CHAIN)
    plain = run_model(typed("n1", Conv1D(6, 4, dilation=2)), inner.inputs).outputs["n1"]
    assert compare(CHAIN, replace(inner, outputs={**inner.outputs, "n1": plain})).agree


def test_a_sum_without_one_of_its_inputs() -> None:
    nodes = [
        Node("x", Input(3, (20,))),
        Node("a", Conv1D(4, 3), (("x", 0),)),
        Node("b", Conv1D(4, 1), (("x", 0),)),
        Node("sum", Add(), (("a", 0), ("b", 0))),
    ]
    rng = np.random.default_rng(0)
    arrays = {name: rng.standard_normal(p.shape).astype(np.float32) for name, p in parameter_table(nodes).items()}
    model = Model(nodes, arrays)
    run = recorded(model, model)
    found = compare(model, replace(run, outputs={**run.outputs, "sum": run.outputs["a"]}))
    assert (found.node, found.cause) == ("sum", "input 1 not added")


def other_training(array: Array) -> Array:
    return array + 0.05 * np.random.default_rng(1).random(array.shape).astype(np.float32)


SOLVED = network(Input(3, (24,)), Conv1D(4, 3), BatchNormalization(), GRU(4), LSTM(4), Dense(3))


@pytest.mark.parametrize("name", [name for name in SOLVED.parameters if name != "n4/bias"])
def test_stale_weights(name: str) -> None:
    """Told from the other file, and from a recording alone: there the array is solved for."""
    other = moved(other_training, name, model=SOLVED)
    node, array = name.split("/")
    for there in (other, recorded(other, SOLVED)):
        found = compare(SOLVED, there)
        assert found.node == node
        assert f"{array} has other values: stale weights" in str(found.cause)


def test_what_the_recording_tells_of_a_constant() -> None:
    other = typed("n2", BatchNormalization(2.5e-4), SOLVED)
    assert compare(SOLVED, recorded(other, SOLVED)).cause == "epsilon 0.00025, not 0.001"
    other = moved(lambda a: a * np.float32(96 / 95), "n2/moving_variance", model=SOLVED)
    assert compare(SOLVED, recorded(other, SOLVED)).cause == "unbiased variance, of 96 numbers"


def one_number(array: Array) -> Array:
    made = array.copy()
    made.flat[0] *= 1.01
    return made


UNKNOWN: dict[str, Callable[[Array], Array]] = {
    "one number": one_number,
    "scaled": lambda a: np.float32(1.1) * a,
    "shifted": lambda a: a + np.float32(0.1),
    "shuffled": lambda a: np.random.default_rng(0).permutation(a.ravel()).reshape(a.shape),
}


@pytest.mark.parametrize("change", UNKNOWN)
@pytest.mark.parametrize("name", ["n1/kernel", "n2/gamma", "n3/forward/recurrent_kernel", "n1/bias"])
def test_an_unknown_fault_is_never_guessed(change: str, name: str) -> None:
    other = moved(UNKNOWN[change], name)
    for there in (other, recorded(other)):
        found = compare(CHAIN, there)
        assert (found.node, found.cause, found.fix) == (name.split("/")[0], "unknown", None)
        assert found.faults[0].confidence == 0


FIRST: dict[str, Layer] = {
    "dense": Dense(5, "tanh"),
    "convolution": Conv1D(4, 3, activation="relu"),
    "GRU": GRU(4),
    "both": Bidirectional(LSTM(4), LSTM(4)),
    "last": GRU(4, return_sequences=False),
}


@pytest.mark.parametrize("first", FIRST)
def test_inputs_normalized_on_one_side(first: str) -> None:
    """By one number a channel: no array is stale."""
    model = network(Input(3, (20,)), FIRST[first], Dense(3))
    x = excite(model)
    scaled = {name: (array * [0.5, 2, 3] - [0.1, 0.2, -0.3]).astype(np.float32) for name, array in x.items()}
    outputs = {name: array for name, array in run_model(model, scaled).outputs.items() if name != "n0"}
    found = compare(model, Run("other", x, outputs))
    assert found.node == "n1"
    assert str(found.cause).startswith("normalization: inputs times (0.5, 2, 3) plus (-0.1, -0.2, 0.3)")


OWN = np.random.default_rng(0).standard_normal((12, 15))
STEP = np.abs(OWN).max() / 127
BY_RULE: dict[str, Array] = {
    "the same": OWN,
    "scaled": 2 * OWN,
    "shifted": OWN + 1,
    "turned round": OWN[::-1],
    "one row": OWN + np.eye(12)[:, :1],
    "columns scaled": OWN * np.linspace(0.5, 2, 15),
    "rows scaled": OWN * np.linspace(0.5, 2, 12)[:, None],
    "rows shifted": OWN + np.linspace(0.5, 2, 12)[:, None],
    "in eight bits": np.round(OWN / STEP) * STEP,
    "pruned": np.where(np.abs(OWN) > 1, 0.9 * OWN, 0),
    "shrunk": np.sign(OWN) * (np.abs(OWN) - 0.001),
    "of fewer digits": OWN * (1 + 1e-3 * np.sin(np.arange(180)).reshape(12, 15)),
    "not well known": OWN + 0.01 + 0.5j,
}


@pytest.mark.parametrize("rule", BY_RULE)
def test_what_was_changed_by_rule_is_not_stale(rule: str) -> None:
    assert not is_stale(OWN, BY_RULE[rule])


def test_what_is_stale() -> None:
    assert is_stale(OWN, OWN + 0.05 * np.random.default_rng(1).standard_normal(OWN.shape))
    assert is_stale(OWN, np.random.default_rng(1).standard_normal(OWN.shape))


def test_an_array_that_many_would_do_for_is_not_solved() -> None:
    """Eight channels made of three: what a bias does, a kernel could do as well."""
    model = network(Input(3, (20,)), Dense(8), Conv1D(8, 3), Dense(3))
    for change in (lambda a: 0.9 * a, lambda a: a + np.float32(0.1)):
        for name in ("n2/bias", "n2/kernel"):
            other = moved(change, name, model=model)
            assert compare(model, recorded(other, model)).cause == "unknown"


def test_faults_that_would_not_show_are_named() -> None:
    model = network(Input(3, (20,)), BatchNormalization(1e-7), LayerNormalization(1e-3), Flatten(), Dense(2))
    found = compare(model, recorded(model, model))
    assert found.agree
    assert ("n1", "epsilon 1e-08, not 1e-07") in found.undetectable
    assert not [cause for node, cause in found.undetectable if node == "n2"]
    tiny = compare(model, recorded(typed("n1", BatchNormalization(1e-8), model), model))
    assert tiny.agree
    assert compare(model, recorded(typed("n1", BatchNormalization(1e-5), model), model)).node == "n1"


def test_every_difference_says_how_large_it_is() -> None:
    found: Comparison = compare(CHAIN, recorded(moved(lambda a: a[::-1], "n1/kernel")))
    each: Any = found.first
    assert 0 < each.relative < 10
    assert each.ulp == pytest.approx(each.relative * 2**24, rel=1)
    assert 0.2 < each.share <= 1
    assert 0 < each.expected < each.bound


def test_both_directions_from_states_that_are_given() -> None:
    states = [Node(f"s{k}", Input(5, ())) for k in range(2)]
    both = Node("n1", Bidirectional(GRU(5), GRU(5)), (("n0", 0), ("s0", 0), ("s1", 0)))
    nodes = [Node("n0", Input(3, (20,))), *states, both]
    rng = np.random.default_rng(0)
    arrays = {name: rng.standard_normal(p.shape).astype(np.float32) * 0.5 for name, p in parameter_table(nodes).items()}
    model = Model(nodes, arrays)
    other = moved(gates, *(name for name in arrays), model=model)
    for there in (other, recorded(other, model)):
        found = compare(model, there)
        assert found.node == "n1"
        assert found.cause == "gate order rzh, not zrh"
