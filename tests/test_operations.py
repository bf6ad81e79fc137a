"""What a layer says it computes is what the reference pass is seen to compute, to the last addition."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from instrumented import Counted, counted
from random_models import KINDS, cases

import numjaz
from numjaz.layers import ACTIVATIONS, Activation, Input, Layer
from numjaz.layers.base import under
from numjaz.nodes import output_key


def seen(layer: Layer, params: dict[str, np.ndarray], inputs: tuple[np.ndarray, ...]) -> Counter[str]:
    """What an execution of the layer computes."""
    Counted.tally = Counter()
    with np.errstate(all="ignore"):
        layer.forward({n: counted(a, n) for n, a in params.items()}, tuple(counted(x) for x in inputs))
    return +Counted.tally


def said(operations: Any, weights: set[str]) -> Counter[str]:
    """The inventory in the counter's words: a product of two tensors has no name there."""
    tally = Counter(dict(operations.elementary))
    for name, count in operations.macs.items():
        tally[f"macs {name if name in weights else ''}"] += count
    return +tally


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_every_layer_of_random_networks(kind: type[Layer], data: st.DataObject) -> None:
    model, x = data.draw(cases(kind))
    made = model.activations(x)
    for node in model.nodes:
        if isinstance(node.layer, Input):
            continue
        params = dict(under(model.parameters, node.owner))
        inputs = tuple(made[output_key(*source)] for source in node.inputs)
        operations = node.layer.operations(tuple(array.shape[1:] for array in inputs), len(inputs[0]))
        assert seen(node.layer, params, inputs) == said(operations, set(params)), node


@pytest.mark.parametrize("activation", [*ACTIVATIONS, "glu"])
def test_every_activation(activation: str) -> None:
    layer, x = Activation(activation), np.linspace(-4, 4, 60).reshape(2, 5, 6)
    assert seen(layer, {}, (x,)) == said(layer.operations((x.shape[1:],), len(x)), set())


def test_an_activation_within_a_layer_is_named() -> None:
    (gru,) = (node.layer for node in numjaz.jazbat(units=4).nodes if node.name == "bigru")
    operations = gru.operations(((10, 3),))
    assert operations.activations == {"sigmoid": 2 * 2 * 10 * 4, "tanh": 2 * 10 * 4}
    assert operations.macs == {
        f"{side}/{name}": 10 * rows * 12
        for side in ("forward", "backward")
        for name, rows in (("kernel", 3), ("recurrent_kernel", 4))
    }
