"""Where numbers lie while a network is trained: (T, C, N), the windows side by side as the last axis."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from numjaz.engine.runtime.layout import Array, aligned
from numjaz.layers import Shape


class Tensor:
    """A value of the network, and the loss's derivative by it.

    A vector is one row of time; a shape of more than two axes lies as its leading ones multiplied.

    Attributes
    ----------
    y : array (T, C, N)
        The value; behind its channels lies a one, for a product's bias to meet, before and behind its rows
        of time lie the zeros that a convolution's padding sees.
    d : array (T, C, N) or None
        The derivative; None where nothing that is trained lies before it.
    """

    def __init__(self, shape: Shape, width: int, dtype: np.dtype[Any], around: tuple[int, int], derived: bool) -> None:
        self.shape = shape
        time, channels = math.prod(shape[:-1]), shape[-1]
        before, behind = around
        self._before = before
        self._memory = aligned((before + time + behind, channels + 1, width), dtype)
        self._memory[before : before + time, channels] = 1
        self.y: Array = self._memory[before : before + time, :channels]
        self.d: Array | None = aligned((time, channels, width), dtype) if derived else None

    def seen(self, before: int, kernel_size: int, steps: int) -> Array:
        """What a kernel meets at each step, with the ones: (steps, k (C + 1), N)."""
        return seen(self._memory[self._before - before :], kernel_size, steps)

    def load(self, x: Array) -> None:
        """Take values (N, *shape)."""
        np.copyto(self.y, _rows(x, self.y.shape))

    def load_d(self, d: Array) -> None:
        """Take a derivative (N, *shape)."""
        assert self.d is not None
        np.copyto(self.d, _rows(d, self.d.shape))

    @property
    def plain(self) -> Array:
        """The values as layers take them: (N, *shape)."""
        return _windows(self.y, self.shape)

    @property
    def plain_d(self) -> Array:
        """The derivative as layers take it: (N, *shape)."""
        assert self.d is not None
        return _windows(self.d, self.shape)


class Sink:
    """Where a step leaves its share of an input's derivative: the first share is written, others are added."""

    def __init__(self, tensor: Tensor, first: bool, spare: Spare) -> None:
        assert tensor.d is not None
        self.d, self._first = tensor.d, first
        self._share = self.d if first else spare.array(self.d.shape)

    @contextmanager
    def share(self) -> Iterator[Array]:
        """An array to be filled with the share."""
        yield self._share
        if not self._first:
            np.add(self.d, self._share, out=self.d)

    def put(self, share: Array) -> None:
        """A share that lies somewhere already, of the derivative's shape or one that spreads over it."""
        if self._first:
            np.copyto(self.d, share)
        else:
            np.add(self.d, share, out=self.d)

    def put_windows(self, share: Array) -> None:
        """A share as layers give it: (N, *shape)."""
        self.put(_rows(share, self.d.shape))


class Spare:
    """Memory that no step keeps anything in when it is done; as much as the one that wants most."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype
        self._memory: dict[str, Array] = {}

    def array(self, shape: tuple[int, ...], name: str = "") -> Array:
        """An array of this shape; two of one name share their memory."""
        size = math.prod(shape)
        held = self._memory.get(name)
        if held is None or held.size < size:
            held = self._memory[name] = aligned((size,), self.dtype)
        return held[:size].reshape(shape)


def seen(memory: Array, kernel_size: int, steps: int) -> Array:
    """What a kernel meets at each step of (T, C, N), a view: (steps, k C, N)."""
    return as_strided(memory, (steps, kernel_size * memory.shape[1], memory.shape[2]), memory.strides)


def outer_sum(d: Array, x: Array, left: Array, right: Array) -> Array:
    """The sum over time and windows of d x^T, (T, F, N) and (T, C, N) -> (F, C), by one matrix product.

    ``left`` (F, T, N) and ``right`` (C, T, N) are memory for the two as it takes them, of no fewer steps.
    """
    ours, theirs = left[:, : len(d)], right[:, : len(d)]
    np.copyto(ours, d.transpose(1, 0, 2))
    np.copyto(theirs, x.transpose(1, 0, 2))
    total: Array = ours.reshape(len(ours), -1) @ theirs.reshape(len(theirs), -1).T
    return total


def _rows(x: Array, shape: tuple[int, ...]) -> Array:
    """(N, *shape) as (T, C, N)."""
    return x.reshape(len(x), *shape[:2]).transpose(1, 2, 0)


def _windows(y: Array, shape: Shape) -> Array:
    """(T, C, N) as (N, *shape)."""
    return np.ascontiguousarray(y.transpose(2, 0, 1)).reshape(-1, *shape)
