"""What rounding alone can do to a layer: bounds that hold, for every layer, and are not empty."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_models import KINDS, cases

from numjaz.compare.rounding import UNITS, Arithmetic, arithmetic, rounded
from numjaz.layers import ACTIVATIONS, Activation, Input, Layer
from numjaz.layers.base import under
from numjaz.nodes import output_key

JUMPS = ("hard_shrink", "threshold")  # where a rounding may be a step


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
        if isinstance(node.layer, Input) or any(word in str(node.layer) for word in JUMPS):
            continue
        params = dict(under(single, node.owner))
        inputs = tuple(made[output_key(*source)] for source in node.inputs)
        with np.errstate(all="ignore"):
            exact = node.layer.forward(
                {n: a.astype(np.float64) for n, a in params.items()}, tuple(i.astype(np.float64) for i in inputs)
            ).outputs
        bounds = budget(node.layer, params, inputs)
        for k, (y, bound) in enumerate(zip(exact, bounds, strict=True)):
            np.testing.assert_allclose(bound.real, y, 1e-9, 1e-12, err_msg=str(node.layer))
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
