"""What rounding alone can do to a layer: bounds that hold, for every layer, and are not empty."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_models import KINDS, cases

from numjaz.compare.rounding import UNITS, Arithmetic, arithmetic, rounded
from numjaz.layers import ACTIVATIONS, Activation, Dense, Input, Layer, MultiHeadAttention
from numjaz.layers.base import under
from numjaz.nodes import output_key


def budget(layer: Layer, params: dict[str, np.ndarray], inputs: tuple[np.ndarray, ...], **kind: Any) -> tuple[Any, ...]:
    """A layer's outputs with their errors, for inputs and arrays that both sides hold exactly."""
    with arithmetic(Arithmetic(**kind)), np.errstate(all="ignore"):
        made = layer.forward({n: rounded(a) for n, a in params.items()}, tuple(map(rounded, inputs))).outputs
    return tuple(np.array(y, np.complex128) for y in made)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_no_layer_rounds_further_in_float32(kind: type[Layer], data: st.DataObject) -> None:
    model, x = data.draw(cases(kind))
    single = {name: array.astype(np.float32) for name, array in model.parameters.items()}
    x = {name: array.astype(np.float32) for name, array in (x if isinstance(x, dict) else {model.inputs[0]: x}).items()}
    made = model.replace(single).activations(x)
    for node in model.nodes:
        if isinstance(node.layer, Input):
            continue
        params = dict(under(single, node.owner))
        inputs = tuple(made[output_key(*source)] for source in node.inputs)
        with np.errstate(all="ignore"):
            exact = node.layer.forward(
                {n: a.astype(np.float64) for n, a in params.items()}, tuple(i.astype(np.float64) for i in inputs)
            ).outputs
        bounds = budget(node.layer, params, inputs)
        for k, (y, bound) in enumerate(zip(exact, bounds, strict=True)):
            known = bound.imag <= 0.1 * np.abs(y)  # of others the middle of what they may be is the value
            np.testing.assert_allclose(bound.real[known], y[known], 1e-9, 1e-12, err_msg=str(node.layer))
            error = np.abs(made[output_key(node.name, k)].astype(np.float64) - y)
            assert (error <= bound.imag).all(), (str(node.layer), (error - bound.imag).max())


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_has_its_rules(activation: str) -> None:
    x = np.random.default_rng(0).normal(0, 3, (4, 7, 6)).astype(np.float32)
    layer = Activation(activation)
    (bound,) = budget(layer, {}, (x,))
    error = np.abs(layer.forward({}, (x,)).outputs[0].astype(np.float64) - bound.real)
    assert (error <= bound.imag).all()
    assert bound.imag.max() < 1e-4 * max(np.abs(bound.real).max(), 1)


def test_any_order_of_summation_is_inside() -> None:
    """Sums forwards, backwards, in pairs and at random, of numbers that cancel."""
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(50, 300)).astype(np.float32), rng.normal(size=(300, 1)).astype(np.float32)
    with arithmetic(Arithmetic()):
        bound = np.array(rounded(a) @ rounded(b))
    for order in (np.arange(300), np.arange(300)[::-1], rng.permutation(300), np.argsort(np.abs(b[:, 0]))):
        total = np.zeros((50, 1), np.float32)
        for k in order:
            total += a[:, k : k + 1] * b[k]
        assert (np.abs(total - bound.real) <= bound.imag).all()
    exact = a.astype(np.float64) @ b.astype(np.float64)
    np.testing.assert_allclose(bound.real, exact, rtol=1e-12)


def test_a_unit_is_half_of_the_last_place() -> None:
    for dtype, unit in UNITS.items():
        assert unit == float(np.finfo(dtype).eps) / 2


def in_order(products: np.ndarray, start: np.ndarray, dtype: type) -> np.ndarray:
    """A sum kept in a dtype, one by one."""
    total = start.astype(dtype)
    for k in range(products.shape[-1]):
        total = (total + products[..., k].astype(dtype)).astype(dtype)
    return total


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("size", [0.01, 30.0])
def test_a_sum_may_begin_with_the_bias(dtype: type, size: float) -> None:
    """A large bias at the start loses a little at every product."""
    rng = np.random.default_rng(3)
    x, w = rng.normal(size=(40, 300)).astype(dtype), (size * rng.normal(size=(300, 6)) / 300).astype(dtype)
    bias = np.full(6, 1000, dtype)
    (bound,) = budget(Dense(6), {"kernel": w, "bias": bias}, (x,), unit=float(np.finfo(dtype).eps) / 2, terms=301)
    made = in_order((x[:, None] * w.T[None]), np.broadcast_to(bias, (40, 6)), dtype)
    error = np.abs(made.astype(np.float64) - bound.real)
    assert error.max() > 0
    assert (error <= bound.imag).all()


def test_float16_sums_are_inside_at_any_length() -> None:
    """Sums of ones stop at 2,048 in float16, however many there are."""
    x, w = np.ones((1, 5000), np.float16), np.ones((5000, 1), np.float16)
    with arithmetic(Arithmetic(unit=UNITS["float16"])):
        bound = np.array(rounded(x) @ rounded(w))
    made = in_order(x[:, None] * w.T[None], np.zeros((1, 1)), np.float16)
    assert made[0, 0] == 2048
    assert 5000 - 2048 <= bound.imag[0, 0] < np.inf


def test_float16_summed_in_float32_is_told_from_summed_in_float16() -> None:
    rng = np.random.default_rng(4)
    x, w = rng.normal(size=(50, 500)).astype(np.float16), np.abs(rng.normal(size=(500, 4))).astype(np.float16)
    exact = x.astype(np.float64) @ w.astype(np.float64)
    fine = (x.astype(np.float32) @ w.astype(np.float32)).astype(np.float16)
    coarse = in_order(x[:, None] * w.T[None], np.zeros((50, 4)), np.float16)
    for sums, made, inside in ((UNITS["float32"], fine, True), (UNITS["float32"], coarse, False), (0.0, coarse, True)):
        with arithmetic(Arithmetic(unit=UNITS["float16"], sums=sums)):
            bound = np.array(rounded(x) @ rounded(w))
        assert bool((np.abs(made.astype(np.float64) - exact) <= bound.imag).all()) is inside


def test_a_jump_may_be_taken_on_the_other_side() -> None:
    """A sum that is a rounding away from where an activation jumps may end on either side; one further off not."""
    layer, kernel = Dense(1, "hard_shrink", False), np.ones((3, 1), np.float32)
    near, far = (np.array([[0.3, 0.1, 0.1 + off]], np.float32) for off in (0, 1e-3))
    for x, reached in ((near, 0.5), (far, 0.0)):
        (bound,) = budget(layer, {"kernel": kernel}, (x,), terms=3)
        assert bound.imag[0, 0] >= reached
        assert bound.imag[0, 0] < reached + 1e-5


def test_what_no_query_sees_is_exactly_nothing() -> None:
    """The masked scores of a causal attention are minus infinity on both sides, and its bound says something."""
    layer = MultiHeadAttention(2, 3, causal=True)
    x = np.random.default_rng(0).normal(size=(2, 6, 6)).astype(np.float32)
    params = {
        name: np.random.default_rng(1).normal(size=each.shape).astype(np.float32)
        for name, each in layer.parameters(((6, 6), (6, 6))).items()
    }
    (bound,) = budget(layer, params, (x, x))
    error = np.abs(layer.forward(params, (x, x)).outputs[0].astype(np.float64) - bound.real)
    assert (error <= bound.imag).all()
    assert bound.imag.max() < 1e-2


def test_constants_are_what_the_dtype_can_hold() -> None:
    """A slope of 0.2 is 0.19995 in float16."""
    x = -np.linspace(0.5, 3, 1000).astype(np.float16)[None]
    (bound,) = budget(Activation("leaky_relu"), {}, (x,), unit=UNITS["float16"])
    error = np.abs((np.float16(0.2) * x).astype(np.float64) - bound.real)
    assert (error > UNITS["float16"] * np.abs(bound.real)).any()
    assert (error <= bound.imag).all()


@pytest.mark.parametrize("terms", [10, 1000])
def test_the_expected_size_is_what_sums_err_by(terms: int) -> None:
    """One after the other in float32: the root mean square of what is lost is within three times of it."""
    rng = np.random.default_rng(5)
    a, b = rng.normal(size=(200, terms)).astype(np.float32), rng.normal(size=(terms, 5)).astype(np.float32)
    with arithmetic(Arithmetic(expected=True)):
        expected = np.array(rounded(a) @ rounded(b)).imag
    lost = in_order(a[:, None] * b.T[None], np.zeros((200, 5)), np.float32) - a.astype(np.float64) @ b.astype(
        np.float64
    )
    ratio = np.sqrt((expected**2).mean() / (lost**2).mean())
    assert 1 / 3 < ratio < 3


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "silu", "gelu"])
def test_functions_may_err_by_units_of_1(activation: str) -> None:
    """As in ONNX Runtime: a sigmoid that ends at -18, a small tanh from a sigmoid's, an erf of five terms."""
    x = np.concatenate([np.linspace(-40, 40, 4001), np.geomspace(1e-6, 1e-2, 200)]).astype(np.float32)[None]
    made: dict[str, Any] = {"sigmoid": lambda v: 1 / (1 + np.exp(-np.maximum(v, -18)))}
    made["silu"] = lambda v: v * made["sigmoid"](v)
    made["tanh"] = lambda v: (2 * (1 / (1 + np.exp(-2 * v))).astype(np.float32) - np.float32(1)).astype(np.float32)
    made["gelu"] = lambda v: 0.5 * v * (1 + polynomial_erf(v / np.sqrt(2)))
    (bound,) = budget(Activation(activation), {}, (x,))
    error = np.abs(made[activation](x.astype(np.float64)) - bound.real)
    assert (error > 16 * UNITS["float32"] * np.abs(bound.real)).any()
    assert (error <= bound.imag).all()


def polynomial_erf(x: np.ndarray) -> np.ndarray:
    """Abramowitz and Stegun 7.1.26, which is within 1.5e-7, in float32."""
    x = x.astype(np.float32)
    t = 1 / (1 + np.float32(0.3275911) * np.abs(x))
    p = np.float32(0)
    for factor in (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592):
        p = (p + np.float32(factor)) * t
    made: np.ndarray = np.sign(x) * (1 - p * np.exp(-x * x))
    return made
