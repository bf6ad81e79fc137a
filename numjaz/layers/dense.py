"""Dense: one matrix for every position."""

from __future__ import annotations

import math
from typing import Any

from numjaz.layers.base import (
    Array,
    Arrays,
    Backward,
    Forward,
    Layer,
    Parameter,
    Parameters,
    Rng,
    Shape,
    check_count,
    check_flag,
    one,
    only,
)
from numjaz.layers.functions import ACTIVATIONS, activation_operations, check_activation, derivative
from numjaz.layers.operations import Operations, biases
from numjaz.records import frozen


@frozen
class Dense(Layer):
    """y = activation(x W + b) over the last axis; W is (C, units)."""

    units: int
    activation: str = "linear"
    use_bias: bool = True

    def __post_init__(self) -> None:
        check_count(self, "units")
        check_activation(self, "activation")
        check_flag(self, "use_bias")

    def output_shapes(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        return ((*one(shapes, self)[:-1], self.units),)

    def parameters(self, shapes: tuple[Shape, ...]) -> dict[str, Parameter]:
        kernel = {"kernel": Parameter((one(shapes, self)[-1], self.units))}
        return kernel | ({"bias": Parameter((self.units,), initial="zeros")} if self.use_bias else {})

    def forward(self, params: Parameters, inputs: Arrays, *, training: bool = False, rng: Rng = None) -> Forward:
        x = one(inputs, self)
        y = ACTIVATIONS[self.activation](self._product(params, x))
        return Forward((y,), (x, y))

    def backward(self, params: Parameters, saved: Any, d_outputs: tuple[Array | None, ...]) -> Backward:
        x, y = saved
        d = derivative(self.activation)(self._product(params, x), y, only(d_outputs))
        rows = d.reshape(-1, self.units)  # (N …, units)
        d_params = {"kernel": x.reshape(-1, x.shape[-1]).T @ rows}
        if self.use_bias:
            d_params["bias"] = rows.sum(axis=0)
        return Backward((d @ params["kernel"].T,), d_params)

    def _product(self, params: Parameters, x: Array) -> Array:
        """What is activated: (N, …, C) -> (N, …, units)."""
        a: Array = x @ params["kernel"]
        return a + params["bias"] if self.use_bias else a

    def operations(self, shapes: tuple[Shape, ...], batch: Any = 1) -> Operations:
        *rows, channels = one(shapes, self)
        steps = batch * math.prod(rows)
        made = activation_operations(self.activation, steps * self.units, steps)
        return Operations({"kernel": steps * channels * self.units}) + biases(self.use_bias, steps * self.units) + made
