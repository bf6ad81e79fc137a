"""Activations: element by element, but for softmax, which normalises over the last axis."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from numjaz.layers.base import Array, Arrays, Forward, Layer, Parameters, Rng, Shape, check_choice, one


def linear(x: Array) -> Array:
    """Y = x."""
    return x


def relu(x: Array) -> Array:
    """Y = max(x, 0)."""
    return np.maximum(x, 0)


def sigmoid(x: Array) -> Array:
    """Y = 1 / (1 + exp(-x))."""
    with np.errstate(over="ignore"):  # exp(-x) overflows to infinity where y is 0
        return 1 / (1 + np.exp(-x))


def softmax(x: Array) -> Array:
    """Y = exp(x) / sum(exp(x)) over the last axis; the maximum taken off first changes nothing but overflow."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    y: Array = e / e.sum(axis=-1, keepdims=True)
    return y


ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "linear": linear,
    "relu": relu,
    "sigmoid": sigmoid,
    "softmax": softmax,
    "tanh": np.tanh,
}


def check_activation(layer: Layer, *names: str) -> None:
    """Raise unless the options of these names are known activations."""
    for name in names:
        check_choice(layer, name, tuple(ACTIVATIONS))


@dataclass(frozen=True)
class Activation(Layer):
    """An activation that is a node of its own."""

    activation: str

    def __post_init__(self) -> None:
        check_activation(self, "activation")

    def output_shapes(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        return (one(shapes, self),)

    def forward(self, params: Parameters, inputs: Arrays, *, training: bool = False, rng: Rng = None) -> Forward:
        return Forward((ACTIVATIONS[self.activation](one(inputs, self)),))
