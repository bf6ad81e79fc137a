"""Where plans were wrong once: short windows, names that meet, interrupts, numbers that float32 cannot hold."""

from __future__ import annotations

import signal
import threading
import time
from typing import Any

import numpy as np
import pytest

import numjaz
from numjaz.architectures.initial import initial_parameters
from numjaz.layers import (
    GRU,
    AveragePooling1D,
    BatchNormalization,
    Conv1D,
    Cropping1D,
    Dense,
    DepthwiseConv1D,
    GlobalAveragePooling1D,
    GlobalMaxPooling1D,
    Input,
    Layer,
    MaxPooling1D,
    Reshape,
    SeparableConv1D,
)
from numjaz.nodes import Node, parameter_table


def chain(*layers: Layer, names: tuple[str, ...] = ()) -> numjaz.Model:
    """Layers one behind the other, ``n0``, ``n1``, … where no names are given."""
    nodes = [Node("x", layers[0])]
    for k, layer in enumerate(layers[1:]):
        nodes.append(Node(names[k] if names else f"n{k}", layer, ((nodes[-1].name, 0),)))
    return numjaz.Model(nodes, initial_parameters(parameter_table(nodes), 0))


def stated(model: numjaz.Model, x: Any) -> Any:
    return model.reference({model.inputs[0]: x.astype(np.float64)})[model.outputs[0]]


@pytest.mark.parametrize("batch", [1, 16])
@pytest.mark.parametrize(
    "layer",
    [
        Conv1D(4, 5, "valid"),
        MaxPooling1D(5),
        AveragePooling1D(5),
        DepthwiseConv1D(5),
        SeparableConv1D(4, 5),
        Cropping1D(3, 2),
    ],
    ids=str,
)
@pytest.mark.parametrize("samples", [1, 2, 3, 4, 5, 6])
def test_windows_shorter_than_a_kernel_are_refused_by_name(layer: Layer, samples: int, batch: int) -> None:
    model = chain(Input(2), layer, GlobalMaxPooling1D(), Dense(3))
    plan = numjaz.compile(model, batch, np.float64)
    rng = np.random.default_rng(0)
    plan.predict(rng.normal(size=(3, 40, 2)))  # what lies in memory must not be an answer
    x = rng.normal(size=(2, samples, 2))
    if model.shapes(samples)["n0"][0] > 0:
        np.testing.assert_allclose(plan.predict(x), stated(model, x), rtol=1e-12)
    else:
        with pytest.raises(numjaz.NumjazError, match=r"n0.*samples"):
            plan.predict(x)


@pytest.mark.parametrize(
    ("layers", "samples"),
    [
        ((Reshape((-1, 7)), Dense(2)), 21),
        ((Conv1D(2, 300, "valid"), Dense(2)), 400),
        ((Conv1D(2, 300, "valid"), GlobalMaxPooling1D()), 333),
    ],
    ids=str,
)
def test_networks_that_256_samples_do_not_fit(layers: tuple[Layer, ...], samples: int, tmp_path: Any) -> None:
    model, x = chain(Input(1), *layers), np.random.default_rng(0).normal(size=(3, samples, 1))
    np.testing.assert_allclose(model.predict(x), stated(model, x), rtol=1e-12)
    np.testing.assert_allclose(numjaz.compile(model, 16, np.float64).predict(x), stated(model, x), rtol=1e-12)
    model.save(tmp_path / "network.npz")
    np.testing.assert_array_equal(numjaz.load(tmp_path / "network.npz").predict(x), model.predict(x))


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timer signals here")
def test_interrupts_at_any_moment_leave_plans_usable() -> None:
    def interrupt(*args: Any) -> None:
        raise KeyboardInterrupt

    model, x, rng = chain(Input(2), Dense(3)), np.ones((1, 4, 2), np.float32), np.random.default_rng(0)
    plan = numjaz.compile(model, 1)
    expected = plan.predict(x)
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        for _ in range(1500):
            try:
                signal.setitimer(signal.ITIMER_REAL, float(rng.uniform(5e-5, 3e-4)))
                while True:
                    plan.predict(x)
                    model.predict(x)
            except KeyboardInterrupt:
                pass
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    np.testing.assert_array_equal(plan.predict(x), expected)
    np.testing.assert_array_equal(model.predict(x), expected)


def test_a_plan_that_explains_itself_is_busy() -> None:
    model = numjaz.jazbat()
    plan = numjaz.compile(model, 64)
    x = np.random.default_rng(0).normal(size=(64, 256, 1)).astype(np.float32)
    expected, said, over = plan.predict(x), [], threading.Event()

    def explain() -> None:
        while not over.is_set():
            try:
                plan.explain()
            except numjaz.NumjazError as error:
                said.append(str(error))

    thread = threading.Thread(target=explain)
    thread.start()
    try:
        until, right, busy = time.monotonic() + 2, 0, 0
        while time.monotonic() < until:
            try:
                np.testing.assert_array_equal(plan.predict(x), expected)
                right += 1
            except numjaz.NumjazError:
                busy += 1
    finally:
        over.set()
        thread.join()
    assert busy + len(said) > 0


@pytest.mark.parametrize("large", [1e300, 4e38])
def test_numbers_that_float32_cannot_hold(large: float) -> None:
    x = np.zeros((2, 256, 1))
    x[1, 7] = large
    plan = numjaz.compile(numjaz.jazbat(), 1)
    with pytest.raises(numjaz.NumjazError, match=f"x holds {large:g}, which float32 cannot".replace("+", r"\+")):
        plan.predict(x)
    plan.predict(np.zeros((1, 256, 1)))


NAMES = [
    ((GRU(4), Conv1D(4, 3)), ("gru", "gru:product")),
    ((GRU(4), Conv1D(4, 3)), ("gru", "gru:state")),
    ((BatchNormalization(), Conv1D(4, 1)), ("block", "block/conv")),
    ((SeparableConv1D(4, 3), Dense(3)), ("sep", "sep depthwise")),
    ((Dense(3), SeparableConv1D(4, 3)), ("sep depthwise", "sep")),
    ((Conv1D(4, 3), GlobalAveragePooling1D(), Dense(3)), ("c", "c plain", "c with 0 around")),
]


@pytest.mark.parametrize("batch", [1, 16])
@pytest.mark.parametrize(("layers", "names"), NAMES, ids=[names[1] for _, names in NAMES])
def test_names_that_the_engine_would_give_too(layers: tuple[Layer, ...], names: tuple[str, ...], batch: int) -> None:
    model = chain(Input(3), *layers, names=names)
    x = np.random.default_rng(0).normal(size=(2, 20, 3))
    np.testing.assert_allclose(numjaz.compile(model, batch, np.float64).predict(x), stated(model, x), rtol=1e-10)


def test_copies_are_told_from_nodes_of_their_name() -> None:
    nodes = [
        Node("x", Input(3)),
        Node("c", Conv1D(4, 3), (("x", 0),)),
        Node("c with 0 around", Dense(4), (("c", 0),)),
        Node("a", Conv1D(4, 3), (("c", 0),)),
        Node("b", MaxPooling1D(3, 1, "same"), (("c", 0),)),
    ]
    outputs = ["c with 0 around", "a", "b"]
    model = numjaz.Model(nodes, initial_parameters(parameter_table(nodes), 0), outputs=outputs)
    x = np.random.default_rng(0).normal(size=(2, 20, 3))
    expected = model.reference({"x": x})
    for batch in (1, 16):
        for name, y in numjaz.compile(model, batch, np.float64).predict(x).items():
            np.testing.assert_allclose(y, expected[name], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float23", None, int, np.float16])
def test_dtypes_that_plans_have_not(dtype: Any) -> None:
    with pytest.raises(numjaz.NumjazError, match="float32 or float64"):
        numjaz.compile(numjaz.jazbat(), 1, dtype)


def test_passes_may_be_named_by_any_iterable() -> None:
    model = numjaz.jazbat()
    one, other = (numjaz.compile(model, 1, without=names) for names in (["normalization"], iter(["normalization"])))
    assert one.explain().splitlines()[0] == other.explain().splitlines()[0]


def test_a_few_windows_go_one_after_the_other() -> None:
    model, x = numjaz.jazbat(), np.random.default_rng(0).normal(size=(4, 256, 1)).astype(np.float32)
    one = np.concatenate([model.predict(x[k : k + 1]) for k in range(4)])
    np.testing.assert_array_equal(model.predict(x), one)


def test_what_a_refused_block_leaves_behind_is_not_read() -> None:
    plan, x = numjaz.compile(numjaz.jazbat(), 16), np.zeros((16, 256, 1), np.float32)
    expected = plan.predict(x[:3])
    x[:, 5] = np.nan
    with pytest.raises(numjaz.NumjazError, match="not finite at axis 0"):
        plan.predict(x)
    np.testing.assert_array_equal(plan.predict(np.zeros((3, 256, 1), np.float32)), expected)
