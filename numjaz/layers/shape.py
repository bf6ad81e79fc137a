"""Layers that move values and compute nothing."""

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
    Parameters,
    Rng,
    Shape,
    check_count,
    check_whole,
    one,
    only,
    sequence,
)
from numjaz.records import frozen


class _Moving(Layer):
    @property
    def reach(self) -> tuple[int | None, int | None]:
        return (None, None)


class Flatten(_Moving):
    """All axes but the batch in one: (N, T, C) -> (N, T C)."""

    OVERWRITES = True

    def output_shapes(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        return ((math.prod(one(shapes, self)),),)

    def forward(self, params: Parameters, inputs: Arrays, *, training: bool = False, rng: Rng = None) -> Forward:
        x = one(inputs, self)
        return Forward((x.reshape(len(x), math.prod(x.shape[1:])),), x.shape)

    def backward(self, params: Parameters, saved: Any, d_outputs: tuple[Array | None, ...]) -> Backward:
        return Backward((only(d_outputs).reshape(saved),))


@frozen
class Reshape(_Moving):
    """The same values in another shape; one axis may be -1, what is left."""

    OVERWRITES = True

    target: tuple[int, ...]

    def __post_init__(self) -> None:
        check_whole(self, "target", -1)
        if self.target.count(-1) > 1 or 0 in self.target:
            raise NumjazError(f"Reshape: target must have sizes of 1 or more and at most one -1, not {self.target}")

    def output_shapes(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        held: Any = math.prod(one(shapes, self))
        known = math.prod(size for size in self.target if size != -1)
        left = held // known if -1 in self.target else 1
        if known * left != held:
            raise NumjazError(f"Reshape: {one(shapes, self)} does not fit into {self.target}")
        return (tuple(left if size == -1 else size for size in self.target),)

    def forward(self, params: Parameters, inputs: Arrays, *, training: bool = False, rng: Rng = None) -> Forward:
        x = one(inputs, self)
        (shape,) = self.output_shapes((x.shape[1:],))
        return Forward((x.reshape(len(x), *shape),), x.shape)

    def backward(self, params: Parameters, saved: Any, d_outputs: tuple[Array | None, ...]) -> Backward:
        return Backward((only(d_outputs).reshape(saved),))


@frozen
class Permute(_Moving):
    """The axes in another order, the batch being axis 0: (2, 1) turns (N, T, C) into (N, C, T)."""

    order: tuple[int, ...]

    def __post_init__(self) -> None:
        check_whole(self, "order", 1, 8)
        if sorted(self.order) != list(range(1, len(self.order) + 1)):
            raise NumjazError(f"Permute: order must name each axis from 1 once, not {self.order}")

    def output_shapes(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        shape = one(shapes, self)
        if len(shape) != len(self.order):
            raise NumjazError(f"Permute: {self.order} does not fit {shape}")
        return (tuple(shape[axis - 1] for axis in self.order),)

    def forward(self, params: Parameters, inputs: Arrays, *, training: bool = False, rng: Rng = None) -> Forward:
        return Forward((one(inputs, self).transpose(0, *self.order),))

    def backward(self, params: Parameters, saved: Any, d_outputs: tuple[Array | None, ...]) -> Backward:
        return Backward((only(d_outputs).transpose(np.argsort((0, *self.order))),))


@frozen
class RepeatVector(_Moving):
    """One vector n times: (N, C) -> (N, n, C)."""

    n: int

    def __post_init__(self) -> None:
        check_count(self, "n")

    def output_shapes(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        shape = one(shapes, self)
        if len(shape) != 1:
            raise NumjazError(f"RepeatVector takes a vector (channels,), not {shape}")
        return ((self.n, *shape),)

    def forward(self, params: Parameters, inputs: Arrays, *, training: bool = False, rng: Rng = None) -> Forward:
        return Forward((np.repeat(one(inputs, self)[:, None], self.n, axis=1),))

    def backward(self, params: Parameters, saved: Any, d_outputs: tuple[Array | None, ...]) -> Backward:
        return Backward((only(d_outputs).sum(axis=1),))


@frozen
class ZeroPadding1D(_Moving):
    """Zeros before and behind: (N, T, C) -> (N, before + T + behind, C)."""

    before: int = 1
    behind: int = 1

    def __post_init__(self) -> None:
        check_count(self, "before", "behind", low=0)

    def output_shapes(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        time, channels = sequence(shapes, self)
        return ((time + self.before + self.behind, channels),)

    def forward(self, params: Parameters, inputs: Arrays, *, training: bool = False, rng: Rng = None) -> Forward:
        return Forward((np.pad(one(inputs, self), ((0, 0), (self.before, self.behind), (0, 0))),))

    def backward(self, params: Parameters, saved: Any, d_outputs: tuple[Array | None, ...]) -> Backward:
        d = only(d_outputs)
        return Backward((d[:, self.before : d.shape[1] - self.behind],))


@frozen
class Cropping1D(_Moving):
    """Without the first and the last samples: (N, T, C) -> (N, T - before - behind, C)."""

    before: int = 1
    behind: int = 1

    def __post_init__(self) -> None:
        check_count(self, "before", "behind", low=0)

    def output_shapes(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        time, channels = sequence(shapes, self)
        return ((time - self.before - self.behind, channels),)

    def forward(self, params: Parameters, inputs: Arrays, *, training: bool = False, rng: Rng = None) -> Forward:
        x = one(inputs, self)
        if x.shape[1] <= self.before + self.behind:
            raise NumjazError(f"Cropping1D: {x.shape[1]} samples, and {self.before} + {self.behind} are cut off")
        return Forward((x[:, self.before : x.shape[1] - self.behind],))

    def backward(self, params: Parameters, saved: Any, d_outputs: tuple[Array | None, ...]) -> Backward:
        return Backward((np.pad(only(d_outputs), ((0, 0), (self.before, self.behind), (0, 0))),))


@frozen
class UpSampling1D(_Moving):
    """Each sample ``size`` times: (N, T, C) -> (N, size T, C)."""

    size: int = 2

    def __post_init__(self) -> None:
        check_count(self, "size")

    def output_shapes(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        time, channels = sequence(shapes, self)
        return ((time * self.size, channels),)

    def forward(self, params: Parameters, inputs: Arrays, *, training: bool = False, rng: Rng = None) -> Forward:
        return Forward((np.repeat(one(inputs, self), self.size, axis=1),))

    def backward(self, params: Parameters, saved: Any, d_outputs: tuple[Array | None, ...]) -> Backward:
        d = only(d_outputs)  # (N, T size, C)
        return Backward((d.reshape(len(d), -1, self.size, d.shape[2]).sum(axis=2),))
