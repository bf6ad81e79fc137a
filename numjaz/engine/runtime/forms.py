"""The steps of a plan: what each reads and makes, which samples it needs, and which calls do it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from numjaz.engine.runtime.layout import Array, Call, Single

Activation = str | Callable[[Array], Array]


@dataclass(eq=False)
class Value:
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


@dataclass(eq=False)
class Form:
    """One step.

    ``LOCAL`` says that it looks at few samples, so that a stretch of time can be computed after the
    other; ``REDUCES`` that it makes one row of all of them.
    """

    name: str
    reads: Sequence[Value]
    makes: Sequence[Value]

    LOCAL: ClassVar[bool] = True
    REDUCES: ClassVar[bool] = False
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
    def steady(self) -> bool:
        """Whether it does the same at every moment."""
        return True

    @property
    def macs(self) -> int:
        """Multiply-accumulates of its matrices for a window, those with zeros too."""
        return 0

    def scratch(self, layout: Single, steps: int) -> dict[str, tuple[int, ...]]:
        """Arrays that it wants beside, by name, for so many outputs at once."""
        return {}

    def calls(
        self, layout: Single, xs: Sequence[Array], ys: Sequence[Array], scratch: Mapping[str, Array]
    ) -> Iterator[Call]:
        """What makes the outputs ``ys`` from the inputs ``xs``, which begin where `needs` says."""
        raise NotImplementedError


@dataclass(eq=False)
class Part:
    """One output of a product: how many channels, and which activation follows."""

    channels: int
    activation: Activation = "linear"


@dataclass(eq=False)
class Product(Form):
    """A matrix at every step: a convolution or dense layer, or several that read one input.

    ``kernel`` is (k, C, F), ``bias`` (F,): the parts' filters side by side.
    """

    kernel: Array
    bias: Array | None
    parts: Sequence[Part]
    dilation: int = 1
    strides: int = 1
    before: int = 0
    edge: float | None = None

    @cached_property
    def matrix(self) -> Array:
        """The kernel as it meets memory: a bias where ones are, zeros where other things are."""
        (value,), lanes = self.reads, np.arange(self.kernel.shape[1])
        rows, ones = value.rows, value.channels
        if value.lanes is not None:
            lanes, ones = value.lanes, int(np.flatnonzero(~np.isin(np.arange(value.channels + 1), value.lanes))[0])
            rows = max(int(lanes.max()), ones) + 1
        whole = np.zeros((len(self.kernel), rows, self.kernel.shape[2]))
        whole[:, lanes] = self.kernel
        if self.bias is not None:
            whole[0, ones] = self.bias
        return whole

    @property
    def macs(self) -> int:
        return self.makes[0].time * self.kernel.size

    def sees(self) -> tuple[int, int, int]:
        return self.before, (len(self.kernel) - 1) * self.dilation + 1, self.strides

    def around(self) -> float | None:
        return self.edge

    def scratch(self, layout: Single, steps: int) -> dict[str, tuple[int, ...]]:
        k, channels, filters = self.matrix.shape
        wanted = {"product": layout.shape(steps, filters)}
        if layout.gathers(k, self.dilation):
            wanted["taps"] = layout.shape(steps, k * channels)
        return wanted

    def calls(
        self, layout: Single, xs: Sequence[Array], ys: Sequence[Array], scratch: Mapping[str, Array]
    ) -> Iterator[Call]:
        (x,), (k, channels, filters), steps = xs, self.matrix.shape, ys[0].shape[layout.TIME]
        if k > 1 or self.strides > 1:
            x = layout.taps(x, k, self.dilation, self.strides, steps)
            if "taps" in scratch:
                flat = front(scratch["taps"], layout.shape(steps, k * channels))
                yield np.copyto, (flat.reshape(x.shape), x)
                x = flat
            elif layout.width == 1:
                x = x[:, 0]
        direct = "product" not in scratch
        made = ys[0] if direct else front(scratch["product"], layout.shape(steps, filters))
        yield layout.product(layout.matrix(self.matrix), x, made)
        first = 0
        for part, y in zip(self.parts, ys, strict=True):
            yield from ended(layout, part.activation, layout.channels(made, first, first + part.channels), y)
            first += part.channels


@dataclass(eq=False)
class Depthwise(Form):
    """A convolution of each channel on its own; ``kernel`` is (k, C, M), channel c M + m made of channel c."""

    kernel: Array
    bias: Array | None
    activation: Activation = "linear"
    dilation: int = 1
    strides: int = 1
    before: int = 0
    edge: float | None = None

    @property
    def macs(self) -> int:
        return self.makes[0].time * self.kernel.size

    def sees(self) -> tuple[int, int, int]:
        return self.before, (len(self.kernel) - 1) * self.dilation + 1, self.strides

    def around(self) -> float | None:
        return self.edge

    def scratch(self, layout: Single, steps: int) -> dict[str, tuple[int, ...]]:
        return {"tap": layout.shape(steps, self.kernel.shape[1])}

    def calls(
        self, layout: Single, xs: Sequence[Array], ys: Sequence[Array], scratch: Mapping[str, Array]
    ) -> Iterator[Call]:
        (x,), (y,), (k, channels, many) = xs, ys, self.kernel.shape
        steps = y.shape[layout.TIME]
        tap = front(scratch["tap"], layout.shape(steps, channels))
        for m in range(many):
            part = y[m::many] if layout.width == 1 else y[:, m::many]
            for at in range(k):
                seen = layout.steps(x, at * self.dilation, at * self.dilation + (steps - 1) * self.strides + 1)
                seen = seen[:, :: self.strides] if layout.width == 1 else seen[:: self.strides]
                held = layout.each(self.kernel[at, :, m], steps)
                yield np.multiply, (seen, held, tap if at else part)
                if at:
                    yield np.add, (part, tap, part)
        if self.bias is not None:
            yield np.add, (y, layout.each(self.bias, steps), y)
        yield from activated(layout, self.activation, y)


def moved(x: Array, y: Array) -> Iterator[Call]:
    """A copy, where the two are not the same memory."""
    if x.ctypes.data != y.ctypes.data or x.strides != y.strides:
        yield np.copyto, (y, x)


def front(memory: Array, shape: tuple[int, ...]) -> Array:
    """The beginning of a larger array, in another shape."""
    return memory.reshape(-1)[: int(np.prod(shape))].reshape(shape)


def ended(layout: Single, activation: Activation, made: Array, y: Array) -> Iterator[Call]:
    """From a product to what stands in its place: the activation on the way, where one call can do both."""
    if activation == "relu":
        yield partial(np.maximum, out=y), (made, layout.each(np.zeros(y.shape[layout.CHANNELS]), y.shape[layout.TIME]))
        return
    yield from moved(made, y)
    yield from activated(layout, activation, y)


def activated(layout: Single, activation: Activation, y: Array) -> Iterator[Call]:
    """An activation in place."""
    if callable(activation):
        yield partial(_apply, activation), (y,)
    elif activation == "softmax":
        yield from softmax(y, y, layout.CHANNELS)
    else:
        shape = y.shape[layout.CHANNELS], y.shape[layout.TIME]

        def constant(value: float) -> Array:
            return layout.each(np.full(shape[0], value), shape[1])

        yield from IN_PLACE[activation](y, constant)


def _apply(function: Callable[[Array], Array], y: Array) -> None:
    y[...] = function(y)


Constant = Callable[[float], Array]


def _between(low: float, high: float, y: Array, constant: Constant) -> Iterator[Call]:
    yield partial(np.maximum, out=y), (y, constant(low))
    yield partial(np.minimum, out=y), (y, constant(high))


def _sigmoid(y: Array, constant: Constant) -> Iterator[Call]:
    yield np.negative, (y, y)
    yield np.exp, (y, y)
    yield np.add, (y, constant(1), y)
    yield np.reciprocal, (y, y)


def _hard_sigmoid(slope: float, y: Array, constant: Constant) -> Iterator[Call]:
    yield np.multiply, (y, constant(slope), y)
    yield np.add, (y, constant(0.5), y)
    yield from _between(0, 1, y, constant)


IN_PLACE: dict[str, Callable[[Array, Constant], Iterator[Call]]] = {
    "exponential": lambda y, constant: iter([(np.exp, (y, y))]),
    "hard_sigmoid": partial(_hard_sigmoid, 1 / 6),
    "hard_sigmoid_keras2": partial(_hard_sigmoid, 0.2),
    "hard_tanh": partial(_between, -1, 1),
    "linear": lambda y, constant: iter(()),
    "relu": lambda y, constant: iter([(partial(np.maximum, out=y), (y, constant(0)))]),
    "relu6": partial(_between, 0, 6),
    "sigmoid": _sigmoid,
    "tanh": lambda y, constant: iter([(np.tanh, (y, y))]),
}
"""Activations that need nothing beside the array itself."""


def softmax(x: Array, y: Array, axis: int) -> Iterator[Call]:
    """exp(x - max) / sum, along an axis."""
    reduced = np.zeros([1 if at == axis else n for at, n in enumerate(y.shape)], y.dtype)
    yield partial(np.maximum.reduce, axis=axis, out=reduced, keepdims=True), (x,)
    yield np.subtract, (x, reduced, y)
    yield np.exp, (y, y)
    yield partial(np.add.reduce, axis=axis, out=reduced, keepdims=True), (y,)
    yield np.divide, (y, reduced, y)


@dataclass(eq=False)
class Activated(Form):
    """An activation that is a step of its own."""

    activation: Activation

    OVERWRITES: ClassVar[bool] = True

    def calls(
        self, layout: Single, xs: Sequence[Array], ys: Sequence[Array], scratch: Mapping[str, Array]
    ) -> Iterator[Call]:
        yield from moved(xs[0], ys[0])
        yield from activated(layout, self.activation, ys[0])


@dataclass(eq=False)
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


@dataclass(eq=False)
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


@dataclass(eq=False)
class Join(Form):
    """Channels side by side; what stands in its place already is not copied."""

    def calls(
        self, layout: Single, xs: Sequence[Array], ys: Sequence[Array], scratch: Mapping[str, Array]
    ) -> Iterator[Call]:
        first = 0
        for value, x in zip(self.reads, xs, strict=True):
            yield from moved(x, layout.channels(ys[0], first, first + value.channels))
            first += value.channels


@dataclass(eq=False)
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


@dataclass(eq=False)
class Pool(Form):
    """The largest or the mean of ``size`` samples; ``shares``, where given, is one over how many there are."""

    how: str  # maximum or mean
    size: int
    strides: int = 1
    before: int = 0
    edge: float | None = None
    shares: Array | None = None  # (steps,)

    @property
    def steady(self) -> bool:
        return self.shares is None

    def sees(self) -> tuple[int, int, int]:
        return self.before, self.size, self.strides

    def around(self) -> float | None:
        return self.edge

    def calls(
        self, layout: Single, xs: Sequence[Array], ys: Sequence[Array], scratch: Mapping[str, Array]
    ) -> Iterator[Call]:
        (x,), (y,) = xs, ys
        steps, function = y.shape[layout.TIME], np.maximum if self.how == "maximum" else np.add
        seen = [layout.steps(x, at, at + (steps - 1) * self.strides + 1) for at in range(self.size)]
        seen = [a[:, :: self.strides] if layout.width == 1 else a[:: self.strides] for a in seen]
        if len(seen) == 1:
            yield np.copyto, (y, seen[0])
        for at, other in enumerate(seen[1:]):
            yield partial(function, out=y), (y if at else seen[0], other)
        if self.how == "mean":
            assert self.shares is not None
            share = self.shares.astype(y.dtype)
            yield np.multiply, (y, share if layout.width == 1 else share[:, None, None], y)


@dataclass(eq=False)
class GlobalPool(Form):
    """The largest or the mean over time, one stretch after the other."""

    how: str  # maximum or mean

    REDUCES: ClassVar[bool] = True

    def scratch(self, layout: Single, steps: int) -> dict[str, tuple[int, ...]]:
        return {"part": layout.shape(1, self.reads[0].channels)}

    def calls(
        self,
        layout: Single,
        xs: Sequence[Array],
        ys: Sequence[Array],
        scratch: Mapping[str, Array],
        *,
        first: bool = True,
        last: bool = True,
    ) -> Iterator[Call]:
        (x,), (y,), function = xs, ys, np.maximum if self.how == "maximum" else np.add
        if x.shape[layout.TIME]:
            part = y if first else scratch["part"]
            yield partial(function.reduce, axis=layout.TIME, out=part, keepdims=True), (x,)
            if not first:
                yield partial(function, out=y), (y, part)
        if last and self.how == "mean":
            share = np.full(self.makes[0].channels, 1 / self.reads[0].time)
            yield np.multiply, (y, layout.each(share, 1), y)


@dataclass(eq=False)
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
