"""The steps of a plan: what each reads and makes, which samples it needs, and which calls do it."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from numjaz.engine.runtime.layout import Array, Call, Single
from numjaz.records import Record, record


@record
class Value(Record):
    """A tensor of a plan: ``time`` rows of ``channels`` numbers; a vector has one row.

    ``ones`` says that ones lie behind the channels, for a product's bias to meet. ``lanes``, where given,
    says at which row of memory each channel lies.
    """

    name: str
    time: int
    channels: int
    ones: bool = False
    lanes: Array | None = None

    @property
    def rows(self) -> int:
        """Rows of memory at each moment: products of 65 rows take a third longer than those of 64 or 68."""
        return -(-(self.channels + 1) // 4) * 4 if self.ones else self.channels


@record
class Form(Record):
    """One step.

    ``LOCAL`` says that it looks at few samples, so that a stretch of time can be computed after the
    other; ``REDUCES`` that it makes one row of all of them; ``BESIDE`` that it reads what lies beside an
    input's channels too; ``JOINS`` that its inputs' channels come to lie side by side.
    """

    name: str
    reads: Sequence[Value]
    makes: Sequence[Value]

    LOCAL: ClassVar[bool] = True
    REDUCES: ClassVar[bool] = False
    BESIDE: ClassVar[bool] = False
    JOINS: ClassVar[bool] = False
    OVERWRITES: ClassVar[bool] = False  # whether an output may stand where its first input does

    def sees(self) -> tuple[int, int, int]:
        """Samples beyond the beginning, samples that one output sees, steps from one to the next."""
        return 0, 1, 1

    def needs(self, first: int, end: int) -> tuple[int, int]:
        """The samples of the inputs that the outputs from ``first`` to ``end`` see."""
        before, span, strides = self.sees()
        return first * strides - before, (end - 1) * strides - before + span

    def around(self) -> float | None:
        """What stands beyond the ends of the first input, where the form looks there."""
        return None

    @property
    def viewed(self) -> bool:
        """Whether its output is read where its own arrays leave it: `provided`."""
        return False

    @property
    def steady(self) -> bool:
        """Whether it does the same at every moment."""
        return True

    @property
    def macs(self) -> int:
        """Multiply-accumulates of its matrices for a window, those with zeros too."""
        return 0

    def scratch(self, layout: Single, steps: int, *, plain: bool) -> dict[str, tuple[int, ...]]:
        """Arrays that it wants beside, by name, for so many outputs at once; ``plain``: which lie in one piece."""
        return {}

    def provided(self, scratch: Mapping[str, Array]) -> Array:
        """Where its output is found, where it is ``viewed``."""
        raise NotImplementedError

    def calls(
        self, layout: Single, xs: Sequence[Array], ys: Sequence[Array], scratch: Mapping[str, Array]
    ) -> Iterator[Call]:
        """What makes the outputs ``ys`` from the inputs ``xs``, which begin where `needs` says."""
        raise NotImplementedError


def moved(x: Array, y: Array) -> Iterator[Call]:
    """A copy, where the two are not the same memory."""
    if x.ctypes.data != y.ctypes.data or x.strides != y.strides:
        yield np.copyto, (y, x)


def unused(name: str, taken: Container[str]) -> str:
    """The name, or the nearest to it that is not taken: what the engine names must not meet what the network does."""
    while name in taken:
        name += "'"
    return name


def front(memory: Array, shape: tuple[int, ...]) -> Array:
    """The beginning of a larger array, in another shape."""
    return memory.reshape(-1)[: int(np.prod(shape))].reshape(shape)


@record
class Affine(Form):
    """y = x scale + shift, a number a channel each: a normalization that nothing takes up."""

    scale: Array | None
    shift: Array | None

    OVERWRITES: ClassVar[bool] = True

    def calls(
        self, layout: Single, xs: Sequence[Array], ys: Sequence[Array], scratch: Mapping[str, Array]
    ) -> Iterator[Call]:
        (x,), (y,) = xs, ys
        for function, vector in ((np.multiply, self.scale), (np.add, self.shift)):
            if vector is not None:
                yield function, (x, layout.each(vector, y.shape[layout.TIME]), y)
                x = y
        yield from moved(x, y)


MERGES: dict[str, Callable[..., Any]] = {
    "Add": np.add,
    "Average": np.add,
    "Maximum": np.maximum,
    "Minimum": np.minimum,
    "Multiply": np.multiply,
    "Subtract": np.subtract,
}
"""What joins two inputs, by the layer."""


@record
class Merge(Form):
    """Inputs of one shape joined number by number."""

    how: str

    OVERWRITES: ClassVar[bool] = True

    def calls(
        self, layout: Single, xs: Sequence[Array], ys: Sequence[Array], scratch: Mapping[str, Array]
    ) -> Iterator[Call]:
        (y,), made = ys, xs[0]
        for x in xs[1:]:
            yield partial(MERGES[self.how], out=y), (made, x)
            made = y
        if self.how == "Average":
            yield np.divide, (y, layout.each(np.full(self.makes[0].channels, len(xs)), y.shape[layout.TIME]), y)


@record
class Join(Form):
    """Channels side by side; what stands in its place already is not copied."""

    JOINS: ClassVar[bool] = True

    def calls(
        self, layout: Single, xs: Sequence[Array], ys: Sequence[Array], scratch: Mapping[str, Array]
    ) -> Iterator[Call]:
        first = 0
        for value, x in zip(self.reads, xs, strict=True):
            yield from moved(x, layout.channels(ys[0], first, first + value.channels))
            first += value.channels


@record
class Copy(Form):
    """The same numbers in memory of their own, channel beside channel."""

    def calls(
        self, layout: Single, xs: Sequence[Array], ys: Sequence[Array], scratch: Mapping[str, Array]
    ) -> Iterator[Call]:
        (x,), (y,), source = xs, ys, self.reads[0]
        if source.lanes is None:
            yield from moved(x, y)
        else:
            breaks = [0, *(np.flatnonzero(np.diff(source.lanes) != 1) + 1).tolist(), source.channels]
            for a, b in pairwise(breaks):
                at = int(source.lanes[a])
                yield np.copyto, (layout.channels(y, a, b), layout.channels(x, at, at + b - a))


@record
class Flat(Form):
    """Sequences as one vector, or in other rows: time by time, channel by channel."""

    LOCAL: ClassVar[bool] = False

    def calls(
        self, layout: Single, xs: Sequence[Array], ys: Sequence[Array], scratch: Mapping[str, Array]
    ) -> Iterator[Call]:
        (x,), (y,), source, target = xs, ys, self.reads[0], self.makes[0]
        if layout.width > 1:
            yield np.copyto, (y.reshape(source.time, source.channels, layout.width), x)
        elif target.time == 1:
            yield np.copyto, (y.reshape(source.time, source.channels), x.T)
        else:
            yield partial(_reshaped, (target.time, target.channels)), (x, y)


def _reshaped(shape: tuple[int, int], x: Array, y: Array) -> None:
    y[...] = x.T.reshape(shape).T
