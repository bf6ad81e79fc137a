"""Pooling over time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from numjaz.errors import NumjazError
from numjaz.layers.base import (
    Array,
    Arrays,
    Backward,
    Forward,
    Layer,
    Parameters,
    Rng,
    Shape,
    check_choice,
    check_count,
    check_flag,
    one,
    only,
    sequence,
)
from numjaz.layers.convolution import output_time, reach_of, zeros_around
from numjaz.layers.operations import Operations, elementary
from numjaz.records import frozen


@frozen
class _Pooling(Layer):
    """What both poolings share; ``same`` pads with what changes nothing."""

    pool_size: int = 2
    strides: int = 0  # 0: the pool's size
    padding: str = "valid"

    def __post_init__(self) -> None:
        check_count(self, "pool_size")
        check_count(self, "strides", low=0)
        check_choice(self, "padding", ("valid", "same"))

    @property
    def stride(self) -> int:
        return self.strides or self.pool_size

    @property
    def reach(self) -> tuple[int | None, int | None]:
        return reach_of(self.pool_size, self.stride, self.padding)

    def output_shapes(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        time, channels = sequence(shapes, self)
        return ((output_time(time, self.pool_size, self.stride, self.padding), channels),)

    def _pools(self, x: Array, fill: float) -> Array:
        """Each step's samples, as a view of the padded x: (N, T, C) -> (N, steps, C, pool)."""
        before, behind = zeros_around(x.shape[1], self.pool_size, self.stride, self.padding)
        if output_time(x.shape[1], self.pool_size, self.stride, self.padding) < 1:
            raise NumjazError(
                f"{type(self).__name__}: {x.shape[1]} samples are fewer than the {self.pool_size} of a pool"
            )
        ends = (np.full((x.shape[0], n, x.shape[2]), fill, x.dtype) for n in (before, behind))
        x = np.concatenate((next(ends), x, next(ends)), axis=1)
        return sliding_window_view(x, self.pool_size, axis=1)[:, :: self.stride]

    def _put_back(self, d_pools: Array, time: int) -> Array:
        """The derivatives by x, for those by each step's samples: `_pools` transposed."""
        before, behind = zeros_around(time, self.pool_size, self.stride, self.padding)
        n, steps, channels, _ = d_pools.shape
        d = np.zeros((n, before + time + behind, channels), d_pools.dtype)
        for k in range(self.pool_size):
            d[:, k : k + (steps - 1) * self.stride + 1 : self.stride] += d_pools[..., k]
        return d[:, before : before + time]


class MaxPooling1D(_Pooling):
    """y[t] = the largest of ``pool_size`` samples, each ``strides`` further (the pool's size where 0)."""

    def forward(self, params: Parameters, inputs: Arrays, *, training: bool = False, rng: Rng = None) -> Forward:
        x = one(inputs, self)
        return Forward((self._pools(x, -np.inf).max(axis=-1),), x)

    def backward(self, params: Parameters, saved: Any, d_outputs: tuple[Array | None, ...]) -> Backward:
        """Of equal samples it is the first that the largest depends on."""
        pools = self._pools(saved, -np.inf)
        largest = pools.argmax(axis=-1)[..., None] == np.arange(self.pool_size)
        return Backward((self._put_back(largest * only(d_outputs)[..., None], saved.shape[1]),))

    def operations(self, shapes: tuple[Shape, ...], batch: Any = 1) -> Operations:
        numbers = batch * math.prod(self.output_shapes(shapes)[0])
        return elementary(comparisons=(self.pool_size - 1) * numbers)


class AveragePooling1D(_Pooling):
    """y[t] = the mean of ``pool_size`` samples; with ``same``, of those that are there."""

    def forward(self, params: Parameters, inputs: Arrays, *, training: bool = False, rng: Rng = None) -> Forward:
        x = one(inputs, self)
        return Forward((self._pools(x, 0).sum(axis=-1) / self._there(x),), x)

    def backward(self, params: Parameters, saved: Any, d_outputs: tuple[Array | None, ...]) -> Backward:
        each = (only(d_outputs) / self._there(saved))[..., None]
        return Backward((self._put_back(np.repeat(each, self.pool_size, axis=-1), saved.shape[1]),))

    def _there(self, x: Array) -> Array:
        """How many samples each step has: (1, steps, 1)."""
        made: Array = self._pools(np.ones((1, x.shape[1], 1), x.dtype), 0).sum(axis=-1)
        return made

    def operations(self, shapes: tuple[Shape, ...], batch: Any = 1) -> Operations:
        numbers = batch * math.prod(self.output_shapes(shapes)[0])
        return elementary(additions=(self.pool_size - 1) * numbers, divisions=numbers)


@frozen
class _GlobalPooling(Layer):
    keepdims: bool = False

    def __post_init__(self) -> None:
        check_flag(self, "keepdims")

    @property
    def reach(self) -> tuple[int | None, int | None]:
        return (None, None)

    def output_shapes(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        _, channels = sequence(shapes, self)
        return ((1, channels),) if self.keepdims else ((channels,),)


class GlobalAveragePooling1D(_GlobalPooling):
    """y = mean over time: (N, T, C) -> (N, C), or (N, 1, C) with ``keepdims``."""

    def forward(self, params: Parameters, inputs: Arrays, *, training: bool = False, rng: Rng = None) -> Forward:
        # With time as the last axis in memory NumPy adds in pairs; along another it adds one by one,
        # and float32 loses two digits over a window.
        x = one(inputs, self)
        y = x.swapaxes(1, 2).copy().mean(axis=-1)  # (N, T, C) -> (N, C, T) -> (N, C)
        return Forward((y[:, None] if self.keepdims else y,), x.shape)

    def backward(self, params: Parameters, saved: Any, d_outputs: tuple[Array | None, ...]) -> Backward:
        n, time, channels = saved
        each = only(d_outputs).reshape(n, 1, channels) / time
        return Backward((np.repeat(each, time, axis=1),))

    def operations(self, shapes: tuple[Shape, ...], batch: Any = 1) -> Operations:
        time, channels = sequence(shapes, self)
        return elementary(additions=batch * (time - 1) * channels, divisions=batch * channels)


class GlobalMaxPooling1D(_GlobalPooling):
    """y = the largest over time: (N, T, C) -> (N, C), or (N, 1, C) with ``keepdims``."""

    def forward(self, params: Parameters, inputs: Arrays, *, training: bool = False, rng: Rng = None) -> Forward:
        x = one(inputs, self)
        return Forward((x.max(axis=1, keepdims=self.keepdims),), x)

    def backward(self, params: Parameters, saved: Any, d_outputs: tuple[Array | None, ...]) -> Backward:
        """Of equal samples it is the first that the largest depends on."""
        n, time, channels = saved.shape
        largest = saved.argmax(axis=1)[:, None] == np.arange(time)[:, None]  # (N, T, C)
        return Backward((largest * only(d_outputs).reshape(n, 1, channels),))

    def operations(self, shapes: tuple[Shape, ...], batch: Any = 1) -> Operations:
        time, channels = sequence(shapes, self)
        return elementary(comparisons=batch * (time - 1) * channels)
