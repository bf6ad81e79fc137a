"""How a plan lays its numbers out: one window, or many windows side by side as the last axis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

Array = NDArray[Any]
Call = tuple[Callable[..., Any], tuple[Any, ...]]  # a plan is a list of these

ALIGNMENT = 64  # bytes: elementwise calls take twice as long off these borders


def aligned(shape: tuple[int, ...], dtype: Any) -> Array:
    """An array of zeros that begins on a border of 64 bytes."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = np.zeros(size + ALIGNMENT, np.uint8)
    first = -raw.ctypes.data % ALIGNMENT
    made: Array = raw[first : first + size].view(dtype).reshape(shape)
    return made


class Single:
    """One window: arrays are (C, T), so that what holds for a channel holds for a row of memory."""

    width = 1
    CHANNELS, TIME = 0, 1

    def __init__(self, dtype: Any) -> None:
        self.dtype = np.dtype(dtype)
        self._held: dict[Any, Array] = {}

    def shape(self, time: int, channels: int) -> tuple[int, ...]:
        return channels, time

    def steps(self, x: Array, first: int, end: int) -> Array:
        """The samples from one moment to another: a view."""
        return x[:, first:end]

    def channels(self, x: Array, first: int, end: int) -> Array:
        return x[first:end]

    def matrix(self, kernel: Array) -> Array:
        """A kernel (k, C, F) as the matrix that meets `taps`: (F, C k)."""
        return kernel.transpose(2, 1, 0).reshape(kernel.shape[2], -1)

    def product(self, matrix: Array, x: Array, y: Array) -> Call:
        # The array's own method: np.dot asks every argument first whether it is an array of another kind.
        return matrix.dot, (x, y)

    def taps(self, x: Array, kernel_size: int, dilation: int, strides: int, steps: int) -> Array:
        """For each output the samples that its kernel meets: a view (C, k, steps)."""
        c, t = x.strides
        return as_strided(x, (x.shape[0], kernel_size, steps), (c, t * dilation, t * strides), writeable=False)

    def gathers(self, kernel_size: int, dilation: int) -> bool:
        """Whether `taps` must be copied before a product."""
        return kernel_size > 1

    def each(self, vector: Array, time: int) -> Array:
        """A number a channel, as large as what it meets: calls on arrays of one shape are the fastest."""
        return self.constant(("each", vector.tobytes(), time), lambda: np.repeat(vector[:, None], time, axis=1))

    def constant(self, key: Any, make: Callable[[], Array]) -> Array:
        """What ``make`` gives, made once for each ``key``: aligned, in the plan's dtype."""
        if key not in self._held:
            array = make()
            made = aligned(array.shape, self.dtype)
            made[...] = array
            self._held[key] = made
        return self._held[key]

    def load(self, x: Array, y: Array) -> None:
        """One window (1, T, C) into (C, T)."""
        np.copyto(y, x[0].T)

    def unload(self, y: Array, x: Array) -> None:
        np.copyto(x[0], y.T)


class Block(Single):
    """N windows at once: arrays are (T, C, N), so that every step of time is one matrix product."""

    CHANNELS, TIME = 1, 0

    def __init__(self, dtype: Any, width: int) -> None:
        super().__init__(dtype)
        self.width = width

    def shape(self, time: int, channels: int) -> tuple[int, ...]:
        return time, channels, self.width

    def steps(self, x: Array, first: int, end: int) -> Array:
        return x[first:end]

    def channels(self, x: Array, first: int, end: int) -> Array:
        return x[:, first:end]

    def matrix(self, kernel: Array) -> Array:
        """A kernel (k, C, F) as the matrix that meets `taps`: (F, k C)."""
        return kernel.reshape(-1, kernel.shape[2]).T

    def product(self, matrix: Array, x: Array, y: Array) -> Call:
        return np.matmul, (matrix, x, y)

    def taps(self, x: Array, kernel_size: int, dilation: int, strides: int, steps: int) -> Array:
        """(steps, k, C, N), or the matrices (steps, k C, N) where neighbours in time lie side by side."""
        t, c, n = x.strides
        if not self.gathers(kernel_size, dilation):
            return as_strided(x, (steps, kernel_size * x.shape[1], self.width), (t * strides, c, n), writeable=False)
        shape = (steps, kernel_size, x.shape[1], self.width)
        return as_strided(x, shape, (t * strides, t * dilation, c, n), writeable=False)

    def gathers(self, kernel_size: int, dilation: int) -> bool:
        return kernel_size > 1 and dilation > 1

    def each(self, vector: Array, time: int) -> Array:
        return self.constant(("each", vector.tobytes()), lambda: np.repeat(vector[:, None], self.width, axis=1))

    def load(self, x: Array, y: Array) -> None:
        """Up to N windows (n, T, C) into (T, C, N); where there are fewer, zeros fill up."""
        np.copyto(y[..., : len(x)], x.transpose(1, 2, 0))
        y[..., len(x) :] = 0

    def unload(self, y: Array, x: Array) -> None:
        np.copyto(x, y[..., : len(x)].transpose(2, 0, 1))
