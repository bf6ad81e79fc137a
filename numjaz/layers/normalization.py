"""Normalization by statistics of what is computed: a batch's, a sample's own."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

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
from numjaz.layers.operations import Operations, elementary
from numjaz.records import frozen


class Batch(NamedTuple):
    """What batch normalization saves: its input and, in training, the batch's statistics, (C,)."""

    x: Array
    mean: Array | None = None
    variance: Array | None = None  # the mean square


def kept_axes(axes: tuple[int, ...], shape: Shape, layer: Layer) -> tuple[int, ...]:
    """Where axes stand in a shape without the batch, from the first; -1 is the last."""
    rank = len(shape) + 1
    if any(not -rank < axis < rank for axis in axes):
        raise NumjazError(f"{type(layer).__name__}: axis {axes} does not fit {shape}")
    return tuple(sorted({axis % rank - 1 for axis in axes}))


def stretched(array: Array, kept: tuple[int, ...], shape: Shape) -> Array:
    """Statistics of some axes, shaped to meet an input of this shape."""
    return array.reshape([n if at in kept else 1 for at, n in enumerate(shape)])


def _collected(d: Array, kept: tuple[int, ...]) -> Array:
    """The derivatives by an array that was stretched so: sums over the other axes."""
    made: Array = d.sum(axis=tuple(at for at in range(d.ndim) if at - 1 not in kept))
    return made


def _through_statistics(d: Array, y: Array, deviation: Array, over: tuple[int, ...]) -> Array:
    """The derivatives by x of y = (x - mean) / deviation, both statistics x's own over some axes."""
    means = (v.mean(axis=over, keepdims=True) for v in (d, d * y))
    made: Array = (d - next(means) - y * next(means)) / deviation
    return made


@frozen
class BatchNormalization(Layer):
    """y = (x - moving_mean) / sqrt(moving_variance + epsilon) * gamma + beta, channel by channel.

    In training mean and variance are the batch's own, the variance its mean square, and the moving ones
    go towards them (Ioffe and Szegedy 2015). ``momentum`` is Keras's: the share of the old statistic that
    a training step keeps. ``axis`` is the one with statistics of its own, the batch being axis 0.
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
        (at,) = kept_axes((self.axis,), shape, self)
        held = (shape[at],)
        return {
            **({"gamma": Parameter(held, initial="ones")} if self.scale else {}),
            **({"beta": Parameter(held, initial="zeros")} if self.center else {}),
            "moving_mean": Parameter(held, trainable=False, initial="zeros"),
            "moving_variance": Parameter(held, trainable=False, initial="ones", minimum=0.0),
        }

    def forward(self, params: Parameters, inputs: Arrays, *, training: bool = False, rng: Rng = None) -> Forward:
        x = one(inputs, self)
        kept = kept_axes((self.axis,), x.shape[1:], self)
        p = {name: stretched(array, kept, x.shape[1:]) for name, array in params.items()}
        saved, moved = Batch(x), {}
        if training:
            over = tuple(at for at in range(x.ndim) if at - 1 not in kept)
            mean = x.mean(axis=over, keepdims=True)
            centred = x - mean
            variance = (centred * centred).mean(axis=over, keepdims=True)
            saved = Batch(x, mean.reshape(-1), variance.reshape(-1))
            moved = self.moved(params, saved)
        else:
            centred, variance = x - p["moving_mean"], p["moving_variance"]
        y = centred / np.sqrt(variance + self.epsilon)
        if self.scale:
            y = y * p["gamma"]
        if self.center:
            y = y + p["beta"]
        return Forward((y,), saved, moved)

    def backward(self, params: Parameters, saved: Any, d_outputs: tuple[Array | None, ...]) -> Backward:
        x, mean, variance = saved
        d = only(d_outputs)
        kept = kept_axes((self.axis,), x.shape[1:], self)
        p = {name: stretched(array, kept, x.shape[1:]) for name, array in params.items()}
        training = mean is not None
        if not training:
            mean, variance = params["moving_mean"], params["moving_variance"]
        mean, variance = (stretched(array, kept, x.shape[1:]) for array in (mean, variance))
        deviation = np.sqrt(variance + self.epsilon)
        y = (x - mean) / deviation
        d_params = {"gamma": _collected(d * y, kept)} if self.scale else {}
        d_params |= {"beta": _collected(d, kept)} if self.center else {}
        d = d * p["gamma"] if self.scale else d
        over = tuple(at for at in range(x.ndim) if at - 1 not in kept)
        return Backward((_through_statistics(d, y, deviation, over) if training else d / deviation,), d_params)

    def moved(self, params: Parameters, saved: Batch, unbiased: bool = False) -> dict[str, Array]:
        """The moving statistics after a training step, for what `forward` saved in it.

        Keras moves the variance towards the batch's mean square, and so does `forward`; torch, where
        ``unbiased``, towards the sum of squares over a number less than there are.
        """
        mean, variance = saved.mean, saved.variance
        assert mean is not None  # of a step in training
        assert variance is not None
        numbers = saved.x.size // variance.size
        if unbiased:
            if numbers < 2:
                raise NumjazError("BatchNormalization: one value a channel has no unbiased variance; give more windows")
            variance = variance * (numbers / (numbers - 1))
        batch = {"moving_mean": mean, "moving_variance": variance}
        return {n: params[n] * self.momentum + array * (1 - self.momentum) for n, array in batch.items()}

    def operations(self, shapes: tuple[Shape, ...], batch: Any = 1) -> Operations:
        shape = one(shapes, self)
        (at,) = kept_axes((self.axis,), shape, self)
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
        kept = kept_axes(self.axis, shape, self)
        if kept != tuple(axis % (len(shape) + 1) - 1 for axis in self.axis):  # Keras would mix their values up
            raise NumjazError(f"LayerNormalization: axis {self.axis} must name each axis once, the first one first")
        held = tuple(shape[at] for at in kept)
        return {
            **({"gamma": Parameter(held, initial="ones")} if self.scale else {}),
            **({"beta": Parameter(held, initial="zeros")} if self.center else {}),
        }

    def forward(self, params: Parameters, inputs: Arrays, *, training: bool = False, rng: Rng = None) -> Forward:
        x = one(inputs, self)
        kept = kept_axes(self.axis, x.shape[1:], self)
        over = tuple(at + 1 for at in kept)
        y, _ = self._normalized(x, over)
        if self.scale:
            y = y * stretched(params["gamma"], kept, x.shape[1:])
        if self.center:
            y = y + stretched(params["beta"], kept, x.shape[1:])
        return Forward((y,), x)

    def backward(self, params: Parameters, saved: Any, d_outputs: tuple[Array | None, ...]) -> Backward:
        d = only(d_outputs)
        kept = kept_axes(self.axis, d.shape[1:], self)
        over = tuple(at + 1 for at in kept)
        y, deviation = self._normalized(saved, over)
        d_params = {"gamma": _collected(d * y, kept)} if self.scale else {}
        d_params |= {"beta": _collected(d, kept)} if self.center else {}
        d = d * stretched(params["gamma"], kept, y.shape[1:]) if self.scale else d
        return Backward((_through_statistics(d, y, deviation, over),), d_params)

    def _normalized(self, x: Array, over: tuple[int, ...]) -> tuple[Array, Array]:
        """The input before it is scaled, and its deviations."""
        x = x - x.mean(axis=over, keepdims=True)
        deviation = np.sqrt((x * x).mean(axis=over, keepdims=True) + self.epsilon)
        return x / deviation, deviation

    def operations(self, shapes: tuple[Shape, ...], batch: Any = 1) -> Operations:
        shape = one(shapes, self)
        kept = kept_axes(self.axis, shape, self)
        numbers = batch * math.prod(shape)
        rows = batch * math.prod(n for at, n in enumerate(shape) if at not in kept)
        return elementary(  # two means: sums of a number less than a row has, and a division
            additions=(4 if self.center else 3) * numbers - rows,
            roots=rows,
            divisions=numbers + 2 * rows,
            multiplications=(2 if self.scale else 1) * numbers,
        )
