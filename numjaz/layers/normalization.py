"""Normalization: by stored statistics, by a sample's own, by constants."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from numjaz.errors import NumjazError
from numjaz.layers.base import (
    Array,
    Arrays,
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
)
from numjaz.layers.operations import Operations, elementary
from numjaz.records import frozen

Constant = float | tuple[float, ...]  # one number, or one a channel


def _kept(axes: tuple[int, ...], shape: Shape, layer: Layer) -> tuple[int, ...]:
    """Where axes stand in a shape without the batch, from the first; -1 is the last."""
    rank = len(shape) + 1
    if any(not -rank < axis < rank for axis in axes):
        raise NumjazError(f"{type(layer).__name__}: axis {axes} does not fit {shape}")
    return tuple(sorted({axis % rank - 1 for axis in axes}))


def _stretched(array: Array, kept: tuple[int, ...], shape: Shape) -> Array:
    """Statistics of some axes, shaped to meet an input of this shape."""
    return array.reshape([n if at in kept else 1 for at, n in enumerate(shape)])


@frozen
class BatchNormalization(Layer):
    """y = (x - moving_mean) / sqrt(moving_variance + epsilon) * gamma + beta, channel by channel.

    ``momentum`` is Keras's: the share of the old statistic that a training step keeps. ``axis`` is the
    one with statistics of its own, the batch being axis 0.
    """

    OVERWRITES = True

    epsilon: float = 1e-3
    momentum: float = 0.99
    scale: bool = True
    center: bool = True
    axis: int = -1

    def __post_init__(self) -> None:
        check_number(self, "epsilon", "momentum", low=0.0, high=1.0)
        check_flag(self, "scale", "center")
        if type(self.axis) is not int or self.axis == 0 or abs(self.axis) > 8:
            raise NumjazError(
                f"BatchNormalization: axis must be one of the axes but the batch's, not {self.axis!r:.60}"
            )

    @property
    def reach(self) -> tuple[int | None, int | None]:
        return (0, 0)

    def parameters(self, shapes: tuple[Shape, ...]) -> dict[str, Parameter]:
        shape = one(shapes, self)
        (at,) = _kept((self.axis,), shape, self)
        held = (shape[at],)
        return {
            **({"gamma": Parameter(held, initial="ones")} if self.scale else {}),
            **({"beta": Parameter(held, initial="zeros")} if self.center else {}),
            "moving_mean": Parameter(held, trainable=False, initial="zeros"),
            "moving_variance": Parameter(held, trainable=False, initial="ones", minimum=0.0),
        }

    def forward(self, params: Parameters, inputs: Arrays, *, training: bool = False, rng: Rng = None) -> Forward:
        if training:
            raise NumjazError(
                "BatchNormalization: batch statistics are part of training, which this version does not do"
            )
        x = one(inputs, self)
        kept = _kept((self.axis,), x.shape[1:], self)
        p = {name: _stretched(array, kept, x.shape[1:]) for name, array in params.items()}
        y = (x - p["moving_mean"]) / np.sqrt(p["moving_variance"] + self.epsilon)
        if self.scale:
            y = y * p["gamma"]
        if self.center:
            y = y + p["beta"]
        return Forward((y,))

    def operations(self, shapes: tuple[Shape, ...], batch: Any = 1) -> Operations:
        shape = one(shapes, self)
        (at,) = _kept((self.axis,), shape, self)
        numbers, channels = batch * math.prod(shape), shape[at]
        return elementary(
            additions=channels + (2 if self.center else 1) * numbers,
            roots=channels,
            divisions=numbers,
            multiplications=numbers if self.scale else 0,
        )


@frozen
class LayerNormalization(Layer):
    """y = (x - mean) / sqrt(variance + epsilon) * gamma + beta, over a sample's own values (Ba et al. 2016).

    ``axis`` are those that mean and variance are taken over, the batch being axis 0: the channels.
    """

    OVERWRITES = True

    epsilon: float = 1e-3
    scale: bool = True
    center: bool = True
    axis: tuple[int, ...] = (-1,)

    def __post_init__(self) -> None:
        check_number(self, "epsilon", low=0.0, high=1.0)
        check_flag(self, "scale", "center")
        check_whole(self, "axis", -8, 8)
        if not self.axis or 0 in self.axis:
            raise NumjazError(f"LayerNormalization: axis must be axes but the batch's, 0, not {self.axis}")

    @property
    def reach(self) -> tuple[int | None, int | None]:
        return (0, 0) if self.axis in ((-1,), (2,)) else (None, None)

    def parameters(self, shapes: tuple[Shape, ...]) -> dict[str, Parameter]:
        shape = one(shapes, self)
        kept = _kept(self.axis, shape, self)
        if kept != tuple(axis % (len(shape) + 1) - 1 for axis in self.axis):  # Keras would mix their values up
            raise NumjazError(f"LayerNormalization: axis {self.axis} must name each axis once, the first one first")
        held = tuple(shape[at] for at in kept)
        return {
            **({"gamma": Parameter(held, initial="ones")} if self.scale else {}),
            **({"beta": Parameter(held, initial="zeros")} if self.center else {}),
        }

    def forward(self, params: Parameters, inputs: Arrays, *, training: bool = False, rng: Rng = None) -> Forward:
        x = one(inputs, self)
        kept = _kept(self.axis, x.shape[1:], self)
        over = tuple(at + 1 for at in kept)
        x = x - x.mean(axis=over, keepdims=True)
        y = x / np.sqrt((x * x).mean(axis=over, keepdims=True) + self.epsilon)
        if self.scale:
            y = y * _stretched(params["gamma"], kept, x.shape[1:])
        if self.center:
            y = y + _stretched(params["beta"], kept, x.shape[1:])
        return Forward((y,))

    def operations(self, shapes: tuple[Shape, ...], batch: Any = 1) -> Operations:
        shape = one(shapes, self)
        kept = _kept(self.axis, shape, self)
        numbers = batch * math.prod(shape)
        rows = batch * math.prod(n for at, n in enumerate(shape) if at not in kept)
        return elementary(  # two means: sums of a number less than a row has, and a division
            additions=(4 if self.center else 3) * numbers - rows,
            roots=rows,
            divisions=numbers + 2 * rows,
            multiplications=(2 if self.scale else 1) * numbers,
        )


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
        kept = _kept(self.axis, shape, self)
        for value in (self.mean, self.variance):
            if isinstance(value, tuple) and len(value) not in (1, shape[kept[-1]] if kept else 1):
                raise NumjazError(f"Normalization: {len(value)} numbers do not fit axis {self.axis} of {shape}")
        return (shape,)

    def constants(self, shape: Shape) -> tuple[Array, Array]:
        """Mean and variance where they are options, shaped to meet an input of this shape."""
        kept = _kept(self.axis, shape, self)

        def stretched(value: Constant | None) -> Array:
            array = np.asarray(value, float)
            if array.size == 1:
                return array.reshape(())
            return _stretched(np.broadcast_to(array, [shape[at] for at in kept]), kept, shape)

        return stretched(self.mean), stretched(self.variance)

    def parameters(self, shapes: tuple[Shape, ...]) -> dict[str, Parameter]:
        shape = one(shapes, self)
        if self.mean is not None:
            return {}
        held = tuple(shape[at] for at in _kept(self.axis, shape, self))
        return {
            "mean": Parameter(held, trainable=False, initial="zeros"),
            "variance": Parameter(held, trainable=False, initial="ones", minimum=0.0),
        }

    def forward(self, params: Parameters, inputs: Arrays, *, training: bool = False, rng: Rng = None) -> Forward:
        x = one(inputs, self)
        if self.mean is None:
            kept = _kept(self.axis, x.shape[1:], self)
            mean, variance = (_stretched(params[name], kept, x.shape[1:]) for name in ("mean", "variance"))
        else:
            mean, variance = (value.astype(x.dtype) for value in self.constants(x.shape[1:]))
        deviation = np.maximum(np.sqrt(variance), np.asarray(self.epsilon, x.dtype))
        return Forward((x * deviation + mean if self.invert else (x - mean) / deviation,))

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

    def operations(self, shapes: tuple[Shape, ...], batch: Any = 1) -> Operations:
        numbers = batch * math.prod(one(shapes, self))
        return elementary(multiplications=numbers, additions=numbers)


def _check_constant(layer: Layer, name: str) -> None:
    value = getattr(layer, name)
    values = value if isinstance(value, tuple) else (value,)
    if not values or not all(type(v) in (int, float) and math.isfinite(v) for v in values):
        raise NumjazError(f"{type(layer).__name__}: {name} must be numbers, not {value!r:.60}")
