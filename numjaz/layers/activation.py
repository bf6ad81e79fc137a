"""Activations as layers of their own: element by element, but for the softmaxes, which look along an axis."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from numjaz.errors import NumjazError
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
    check_choice,
    check_number,
    check_whole,
    one,
    only,
    summed_to,
)
from numjaz.layers.functions import ACTIVATIONS, activation_operations, derivative, elu, glu, softmax
from numjaz.layers.operations import Operations, elementary
from numjaz.records import frozen


@frozen
class Activation(Layer):
    """An activation that is a node of its own: any by name, or ``glu``, which halves the last axis."""

    OVERWRITES = True

    activation: str

    def __post_init__(self) -> None:
        check_choice(self, "activation", (*ACTIVATIONS, "glu"))

    def output_shapes(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        shape = one(shapes, self)
        if self.activation != "glu":
            return (shape,)
        if shape[-1] % 2:
            raise NumjazError(f"Activation: glu halves the last axis, and {shape} has an odd one")
        return ((*shape[:-1], shape[-1] // 2),)

    def forward(self, params: Parameters, inputs: Arrays, *, training: bool = False, rng: Rng = None) -> Forward:
        x = one(inputs, self)
        y = ACTIVATIONS.get(self.activation, glu)(x)
        return Forward((y,), (x, y))

    def backward(self, params: Parameters, saved: Any, d_outputs: tuple[Array | None, ...]) -> Backward:
        x, y = saved
        return Backward((derivative(self.activation)(x, y, only(d_outputs)),))

    def operations(self, shapes: tuple[Shape, ...], batch: Any = 1) -> Operations:
        (shape,) = self.output_shapes(shapes)
        numbers = batch * math.prod(shape)
        if self.activation == "glu":
            return activation_operations("sigmoid", numbers, 0) + elementary(multiplications=numbers)
        return activation_operations(self.activation, numbers, batch * math.prod(shape[:-1]))


@frozen
class ReLU(Layer):
    """y = x from ``threshold`` to ``max_value``, ``negative_slope`` (x - threshold) below, max_value above."""

    OVERWRITES = True

    max_value: float | None = None
    negative_slope: float = 0.0
    threshold: float = 0.0

    def __post_init__(self) -> None:
        check_number(self, "negative_slope", "threshold")
        if self.max_value is not None:
            check_number(self, "max_value", low=0.0)

    def forward(self, params: Parameters, inputs: Arrays, *, training: bool = False, rng: Rng = None) -> Forward:
        x = one(inputs, self)
        y = self._unbounded(x)
        return Forward((y if self.max_value is None else np.minimum(y, self.max_value),), x)

    def backward(self, params: Parameters, saved: Any, d_outputs: tuple[Array | None, ...]) -> Backward:
        d = only(d_outputs)
        d = np.where(saved > self.threshold, d, self.negative_slope * d)
        return Backward((d if self.max_value is None else d * (self._unbounded(saved) < self.max_value),))

    def _unbounded(self, x: Array) -> Array:
        return np.where(x >= self.threshold, x, self.negative_slope * (x - self.threshold)).astype(x.dtype)

    def operations(self, shapes: tuple[Shape, ...], batch: Any = 1) -> Operations:
        numbers = batch * math.prod(one(shapes, self))
        bounds = 1 if self.max_value is None else 2
        within = elementary(comparisons=bounds * numbers, additions=numbers, multiplications=numbers)
        return Operations(activations={"relu": numbers}) + within


@frozen
class PReLU(Layer):
    """y = x where positive, alpha x elsewhere; alpha is an array of the input's shape, 1 on ``shared_axes``."""

    OVERWRITES = True

    shared_axes: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        check_whole(self, "shared_axes", 1, 8)

    def parameters(self, shapes: tuple[Shape, ...]) -> dict[str, Parameter]:
        shape = enumerate(one(shapes, self), start=1)
        return {"alpha": Parameter(tuple(1 if axis in self.shared_axes else n for axis, n in shape), initial="zeros")}

    def forward(self, params: Parameters, inputs: Arrays, *, training: bool = False, rng: Rng = None) -> Forward:
        x = one(inputs, self)
        return Forward((np.maximum(x, 0) + params["alpha"] * np.minimum(x, 0),), x)

    def backward(self, params: Parameters, saved: Any, d_outputs: tuple[Array | None, ...]) -> Backward:
        x, d = saved, only(d_outputs)
        d_alpha = summed_to(d * np.minimum(x, 0), params["alpha"].shape)
        return Backward((np.where(x > 0, d, params["alpha"] * d),), {"alpha": d_alpha})

    def operations(self, shapes: tuple[Shape, ...], batch: Any = 1) -> Operations:
        numbers = batch * math.prod(one(shapes, self))
        within = elementary(comparisons=2 * numbers, additions=numbers, multiplications=numbers)
        return Operations(activations={"prelu": numbers}) + within


@frozen
class ELU(Layer):
    """y = x where positive, alpha (exp(x) - 1) elsewhere."""

    OVERWRITES = True

    alpha: float = 1.0

    def __post_init__(self) -> None:
        check_number(self, "alpha")

    def forward(self, params: Parameters, inputs: Arrays, *, training: bool = False, rng: Rng = None) -> Forward:
        x = one(inputs, self)
        y = elu(x, self.alpha)
        return Forward((y,), (x, y))

    def backward(self, params: Parameters, saved: Any, d_outputs: tuple[Array | None, ...]) -> Backward:
        x, y = saved
        return Backward((derivative("elu")(x, y, only(d_outputs), self.alpha),))

    def operations(self, shapes: tuple[Shape, ...], batch: Any = 1) -> Operations:
        return activation_operations("elu", batch * math.prod(one(shapes, self)), 0)


@frozen
class Softmax(Layer):
    """y = exp(x) / sum(exp(x)) over some axes, the batch being axis 0."""

    OVERWRITES = True

    axis: tuple[int, ...] = (-1,)

    def __post_init__(self) -> None:
        check_whole(self, "axis", -8, 8)
        if not self.axis or 0 in self.axis:
            raise NumjazError(f"Softmax: axis must be one or more axes but the batch's, 0, not {self.axis}")

    @property
    def reach(self) -> tuple[int | None, int | None]:
        return (0, 0) if self.axis in ((-1,), (2,)) else (None, None)

    def output_shapes(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        rank = len(one(shapes, self)) + 1
        if not all(-rank < axis < rank for axis in self.axis) or len({a % rank for a in self.axis}) < len(self.axis):
            raise NumjazError(f"Softmax: axis {self.axis} does not fit an input of {rank} axes")
        return (one(shapes, self),)

    def forward(self, params: Parameters, inputs: Arrays, *, training: bool = False, rng: Rng = None) -> Forward:
        x = one(inputs, self)
        y = softmax(x, self.axis)
        return Forward((y,), (x, y))

    def backward(self, params: Parameters, saved: Any, d_outputs: tuple[Array | None, ...]) -> Backward:
        x, y = saved
        return Backward((derivative("softmax")(x, y, only(d_outputs), self.axis),))

    def operations(self, shapes: tuple[Shape, ...], batch: Any = 1) -> Operations:
        shape = one(shapes, self)
        over = {axis % (len(shape) + 1) - 1 for axis in self.axis}
        rows = batch * math.prod(n for at, n in enumerate(shape) if at not in over)
        return activation_operations("softmax", batch * math.prod(shape), rows)
