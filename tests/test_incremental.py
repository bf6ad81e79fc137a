"""Causal networks a sample at a time: what `predict` gives of all samples at once, and refusals that name the node."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import numjaz
from numjaz.architectures.initial import initial_parameters
from numjaz.layers import (
    GRU,
    LSTM,
    Activation,
    Add,
    AveragePooling1D,
    BatchNormalization,
    Bidirectional,
    Concatenate,
    Conv1D,
    Dense,
    DepthwiseConv1D,
    Dropout,
    Flatten,
    GlobalAveragePooling1D,
    GlobalMaxPooling1D,
    Input,
    Layer,
    LayerNormalization,
    MultiHeadAttention,
    SeparableConv1D,
    SimpleRNN,
    TimeDistributed,
    UpSampling1D,
)
from numjaz.nodes import Node, parameter_table

LAYERS: list[Layer] = [
    Conv1D(4, 3, "causal"),
    Conv1D(4, 3, "causal", dilation=4, groups=2),
    Conv1D(4, 1, "same", "relu"),
    Conv1D(4, 1, "valid"),
    DepthwiseConv1D(5, padding="causal"),
    SeparableConv1D(4, 4, padding="causal"),
    GRU(4),
    GRU(4, reset_after=False),
    LSTM(4, recurrent_activation="hard_sigmoid"),
    SimpleRNN(4, "relu"),
    BatchNormalization(),
    LayerNormalization(),
    Activation("gelu"),
    Dropout(0.5),
    TimeDistributed(Dense(4, "tanh")),
]
ENDS: list[Layer] = [GlobalAveragePooling1D(), GlobalMaxPooling1D(keepdims=True), GRU(4, return_sequences=False)]


def network(layers: list[Layer], joined: bool = False) -> numjaz.Model:
    """Layers one after the other; ``joined``: beside a second branch of the same, added and put side by side."""
    nodes = [Node("x", Input(4))]

    def add(name: str, layer: Layer, *inputs: str) -> str:
        nodes.append(Node(name, layer, tuple((i, 0) for i in inputs)))
        return name

    last = "x"
    for k, layer in enumerate(layers):
        last = add(f"n{k}", layer, last)
    if joined:
        other = add("other", Conv1D(4, 2, "causal"), "x")
        both = add("both", Concatenate(), last, other)
        last = add("sum", Add(), both, both)
    rng = np.random.default_rng(0)
    arrays = initial_parameters(parameter_table(nodes), 0)
    return numjaz.Model(nodes, {name: np.abs(rng.normal(size=a.shape)) / 2 for name, a in arrays.items()})


def stepped(model: numjaz.Model, x: Any, cuts: list[int]) -> list[Any]:
    state, made = model.start(len(x), x.dtype), []
    for a, b in pairwise([0, *sorted(cuts), x.shape[1]]):
        if b > a:
            y, state = model.step(state, x[:, a:b])
            made.append(y)
    return made


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_each_layer(layer: Layer) -> None:
    x = np.random.default_rng(1).normal(size=(2, 23, 4))
    model = network([layer])
    made = np.concatenate(stepped(model, x, [1, 2, 3, 11]), axis=1)
    np.testing.assert_allclose(made, model.predict(x), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("layer", ENDS, ids=str)
def test_what_stands_for_all_samples_is_of_those_so_far(layer: Layer) -> None:
    x = np.random.default_rng(2).normal(size=(2, 23, 4))
    model = network([GRU(4), layer])
    for y, end in zip(stepped(model, x, [1, 9]), (1, 9, 23), strict=True):
        np.testing.assert_allclose(y, model.predict(x[:, :end]), rtol=1e-12)


@given(st.lists(st.sampled_from(LAYERS), max_size=4), st.booleans(), st.lists(st.integers(0, 19), max_size=8))
def test_random_networks_however_cut(layers: list[Layer], joined: bool, cuts: list[int]) -> None:
    x = np.random.default_rng(3).normal(size=(1, 19, 4))
    model = network(layers, joined)
    made = np.concatenate(stepped(model, x, cuts), axis=1)
    expected = model.predict(x)
    np.testing.assert_allclose(made, expected, rtol=0, atol=1e-11 * max(1, np.abs(expected).max()))


def test_a_state_is_not_written_into() -> None:
    model = network([GRU(4), Conv1D(2, 5, "causal"), GlobalAveragePooling1D()])
    x = np.random.default_rng(4).normal(size=(1, 6, 4)).astype(np.float32)
    _, state = model.step(model.start(), x)
    first, _ = model.step(state, x)
    again, _ = model.step(state, x)
    np.testing.assert_array_equal(first, again)


def test_a_mean_of_days_keeps_its_digits() -> None:
    model = network([GlobalAveragePooling1D()])
    state, x = model.start(), np.full((1, 100_000, 4), 0.1, np.float32)
    for _ in range(100):
        y, state = model.step(state, x)
    np.testing.assert_array_equal(y, np.float32(0.1))


@pytest.mark.parametrize(
    ("layer", "why"),
    [
        (Conv1D(4, 3), "node 'n0': looks 1 samples ahead"),
        (Conv1D(4, 3, "causal", strides=2), "gives another number of samples"),
        (AveragePooling1D(2), "looks 1 samples ahead"),
        (Bidirectional(GRU(4), GRU(4)), "looks at all samples"),
        (GRU(4, go_backwards=True), "reads from the end"),
        (GRU(4, return_state=True), "states go in or out"),
        (Flatten(), "node 'x': the input has no free length"),
        (UpSampling1D(2), "n0"),
        (LayerNormalization(axis=(1,)), "node 'x': the input has no free length"),
    ],
    ids=str,
)
def test_what_is_not_causal_is_named(layer: Layer, why: str) -> None:
    length = 8 if isinstance(layer, (Flatten, LayerNormalization)) else None
    nodes = [Node("x", Input(4, (length,)) if length else Input(4)), Node("n0", layer, (("x", 0),))]
    model = numjaz.Model(nodes, initial_parameters(parameter_table(nodes), 0))
    with pytest.raises(numjaz.NumjazError, match=why):
        model.start()


def test_attention_needs_the_past() -> None:
    nodes = [Node("x", Input(4)), Node("a", MultiHeadAttention(1, 2, causal=True), (("x", 0), ("x", 0)))]
    model = numjaz.Model(nodes, initial_parameters(parameter_table(nodes), 0))
    with pytest.raises(numjaz.NumjazError, match="looks at all samples before"):
        model.start()


def test_wrong_chunks() -> None:
    model = network([GRU(4)])
    with pytest.raises(numjaz.NumjazError, match="axis 2"):
        model.step(model.start(), np.zeros((1, 2, 3), np.float32))
    with pytest.raises(numjaz.NumjazError, match="2 sequences of as many samples"):
        model.step(model.start(2), np.zeros((1, 2, 4), np.float32))
    for batch in (0, True, 1.5):
        with pytest.raises(numjaz.NumjazError, match="batch must be a whole number"):
            model.start(batch)  # type: ignore[arg-type]
    with pytest.raises(numjaz.NumjazError, match="another network's"):
        model.step(network([GRU(4), GRU(4)]).start(), np.zeros((1, 2, 4), np.float32))
    with pytest.raises(numjaz.NumjazError, match=r"x holds 1e.300, which float32 cannot"):
        model.step(model.start(), np.full((1, 2, 4), 1e300))
    for dtype in (int, None, "float23"):
        with pytest.raises(numjaz.NumjazError, match="float32 or float64"):
            model.start(dtype=dtype)
