"""Activations of a plan: in place, with what they need made beforehand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import ClassVar

import numpy as np

from numjaz.engine.runtime.forms import Form, moved
from numjaz.engine.runtime.layout import Array, Call, Single
from numjaz.records import record

Activation = str | Callable[[Array], Array]  # a name of `IN_PLACE`, softmax, or any function of one number
Constant = Callable[[float], Array]


def activated(layout: Single, activation: Activation, y: Array) -> Iterator[Call]:
    """An activation in place."""
    if callable(activation):
        yield partial(_apply, activation), (y,)
    elif activation == "softmax":
        yield from softmax(y, y, layout.CHANNELS)
    else:
        shape = y.shape[layout.CHANNELS], y.shape[layout.TIME]

        def constant(value: float) -> Array:
            return layout.each(np.full(shape[0], value), shape[1])

        yield from IN_PLACE[activation](y, constant)


def _apply(function: Callable[[Array], Array], y: Array) -> None:
    y[...] = function(y)


def _between(low: float, high: float, y: Array, constant: Constant) -> Iterator[Call]:
    yield partial(np.maximum, out=y), (y, constant(low))
    yield partial(np.minimum, out=y), (y, constant(high))


def _sigmoid(y: Array, constant: Constant) -> Iterator[Call]:
    yield np.negative, (y, y)
    yield np.exp, (y, y)
    yield np.add, (y, constant(1), y)
    yield np.reciprocal, (y, y)


def _hard_sigmoid(slope: float, y: Array, constant: Constant) -> Iterator[Call]:
    yield np.multiply, (y, constant(slope), y)
    yield np.add, (y, constant(0.5), y)
    yield from _between(0, 1, y, constant)


IN_PLACE: dict[str, Callable[[Array, Constant], Iterator[Call]]] = {
    "exponential": lambda y, constant: iter([(np.exp, (y, y))]),
    "hard_sigmoid": partial(_hard_sigmoid, 1 / 6),
    "hard_sigmoid_keras2": partial(_hard_sigmoid, 0.2),
    "hard_tanh": partial(_between, -1, 1),
    "linear": lambda y, constant: iter(()),
    "relu": lambda y, constant: iter([(partial(np.maximum, out=y), (y, constant(0)))]),
    "relu6": partial(_between, 0, 6),
    "sigmoid": _sigmoid,
    "tanh": lambda y, constant: iter([(np.tanh, (y, y))]),
}
"""Activations that need nothing beside the array itself."""


def softmax(x: Array, y: Array, axis: int) -> Iterator[Call]:
    """exp(x - max) / sum, along an axis."""
    reduced = np.zeros([1 if at == axis else n for at, n in enumerate(y.shape)], y.dtype)
    yield partial(np.maximum.reduce, axis=axis, out=reduced, keepdims=True), (x,)
    yield np.subtract, (x, reduced, y)
    yield np.exp, (y, y)
    yield partial(np.add.reduce, axis=axis, out=reduced, keepdims=True), (y,)
    yield np.divide, (y, reduced, y)


@record
class Activated(Form):
    """An activation that is a step of its own."""

    activation: Activation

    OVERWRITES: ClassVar[bool] = True

    def calls(
        self, layout: Single, xs: Sequence[Array], ys: Sequence[Array], scratch: Mapping[str, Array]
    ) -> Iterator[Call]:
        yield from moved(xs[0], ys[0])
        yield from activated(layout, self.activation, ys[0])
