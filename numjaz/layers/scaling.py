"""Scaling by what is known before: statistics that were adapted to data once, constants."""

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
    check_flag,
    check_number,
    check_whole,
    one,
    only,
)
from numjaz.layers.normalization import kept_axes, stretched
from numjaz.layers.operations import Operations, elementary
from numjaz.records import frozen

Constant = float | tuple[float, ...]  # one number, or one a channel


@frozen
class Normalization(Layer):
    """y = (x - mean) / sqrt(variance), by statistics that were adapted to data once.

    ``axis`` are those that keep statistics of their own, the batch being axis 0: channels by default,
    ``()`` for one mean of everything. ``mean`` and ``variance`` given as options are constants, one
    number or one for each place on the last of the axes; otherwise they are arrays. ``invert`` turns
    it round: y = x sqrt(variance) + mean.
    """

    OVERWRITES = True

    axis: tuple[int, ...] = (-1,)
    mean: Constant | None = None
    variance: Constant | None = None
    invert: bool = False
    epsilon: float = 1e-7  # the least that sqrt(variance) counts as

    def __post_init__(self) -> None:
        check_whole(self, "axis", -8, 8)
        check_flag(self, "invert")
        check_number(self, "epsilon", low=0.0, high=1.0)
        if (self.mean is None) != (self.variance is None) or 0 in self.axis:
            raise NumjazError("Normalization: mean and variance go together, and no axis is the batch's, 0")
        for name in ("mean", "variance") if self.mean is not None else ():
            _check_constant(self, name)

    def output_shapes(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        shape = one(shapes, self)
        kept = kept_axes(self.axis, shape, self)
        for value in (self.mean, self.variance):
            if isinstance(value, tuple) and len(value) not in (1, shape[kept[-1]] if kept else 1):
                raise NumjazError(f"Normalization: {len(value)} numbers do not fit axis {self.axis} of {shape}")
        return (shape,)

    def constants(self, shape: Shape) -> tuple[Array, Array]:
        """Mean and variance where they are options, shaped to meet an input of this shape."""
        kept = kept_axes(self.axis, shape, self)

        def met(value: Constant | None) -> Array:
            array = np.asarray(value, float)
            if array.size == 1:
                return array.reshape(())
            return stretched(np.broadcast_to(array, [shape[at] for at in kept]), kept, shape)

        return met(self.mean), met(self.variance)

    def parameters(self, shapes: tuple[Shape, ...]) -> dict[str, Parameter]:
        shape = one(shapes, self)
        if self.mean is not None:
            return {}
        held = tuple(shape[at] for at in kept_axes(self.axis, shape, self))
        return {
            "mean": Parameter(held, trainable=False, initial="zeros"),
            "variance": Parameter(held, trainable=False, initial="ones", minimum=0.0),
        }

    def forward(self, params: Parameters, inputs: Arrays, *, training: bool = False, rng: Rng = None) -> Forward:
        x = one(inputs, self)
        mean, deviation = self._statistics(params, x)
        return Forward((x * deviation + mean if self.invert else (x - mean) / deviation,))

    def backward(self, params: Parameters, saved: Any, d_outputs: tuple[Array | None, ...]) -> Backward:
        d = only(d_outputs)
        _, deviation = self._statistics(params, d)
        return Backward((d * deviation if self.invert else d / deviation,))

    def _statistics(self, params: Parameters, x: Array) -> tuple[Array, Array]:
        """Mean and deviation, shaped and cast to meet x."""
        if self.mean is None:
            kept = kept_axes(self.axis, x.shape[1:], self)
            mean, variance = (stretched(params[name], kept, x.shape[1:]) for name in ("mean", "variance"))
        else:
            mean, variance = (value.astype(x.dtype) for value in self.constants(x.shape[1:]))
        return mean, np.maximum(np.sqrt(variance), np.asarray(self.epsilon, x.dtype))

    def operations(self, shapes: tuple[Shape, ...], batch: Any = 1) -> Operations:
        numbers = batch * math.prod(one(shapes, self))
        scaled = elementary(multiplications=numbers) if self.invert else elementary(divisions=numbers)
        held = math.prod(self.parameters(shapes)["variance"].shape) if self.mean is None else 0
        return scaled + elementary(additions=numbers, roots=held, comparisons=held)


@frozen
class Rescaling(Layer):
    """y = x scale + offset; each one number, or one a channel."""

    OVERWRITES = True

    scale: Constant
    offset: Constant = 0.0

    def __post_init__(self) -> None:
        _check_constant(self, "scale")
        _check_constant(self, "offset")

    def output_shapes(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        shape = one(shapes, self)
        for value in (self.scale, self.offset):
            if isinstance(value, tuple) and len(value) not in (1, shape[-1]):
                raise NumjazError(f"Rescaling: {len(value)} numbers for {shape[-1]} channels")
        return (shape,)

    def forward(self, params: Parameters, inputs: Arrays, *, training: bool = False, rng: Rng = None) -> Forward:
        x = one(inputs, self)
        return Forward((x * np.asarray(self.scale, x.dtype) + np.asarray(self.offset, x.dtype),))

    def backward(self, params: Parameters, saved: Any, d_outputs: tuple[Array | None, ...]) -> Backward:
        d = only(d_outputs)
        return Backward((d * np.asarray(self.scale, d.dtype),))

    def operations(self, shapes: tuple[Shape, ...], batch: Any = 1) -> Operations:
        numbers = batch * math.prod(one(shapes, self))
        return elementary(multiplications=numbers, additions=numbers)


def _check_constant(layer: Layer, name: str) -> None:
    value = getattr(layer, name)
    values = value if isinstance(value, tuple) else (value,)
    if not values or not all(type(v) in (int, float) and math.isfinite(v) for v in values):
        raise NumjazError(f"{type(layer).__name__}: {name} must be numbers, not {value!r:.60}")
