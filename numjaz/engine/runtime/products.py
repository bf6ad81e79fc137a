"""Matrices at every step: convolutions and dense layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, partial
from typing import ClassVar

import numpy as np

from numjaz.engine.runtime.activations import Activation, activated
from numjaz.engine.runtime.forms import Form, front, moved
from numjaz.engine.runtime.layout import Array, Call, Single
from numjaz.records import record


@record
class Product(Form):
    """A matrix at every step: a convolution, or a dense layer; ``kernel`` is (k, C, F), ``bias`` (F,)."""

    kernel: Array
    bias: Array | None
    activation: Activation = "linear"
    dilation: int = 1
    strides: int = 1
    before: int = 0
    edge: float | None = None

    BESIDE: ClassVar[bool] = True

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of `matrix`."""
        _, _, rows = self._places
        return len(self.kernel), rows, self.kernel.shape[2]

    @property
    def matrix(self) -> Array:
        """The kernel as it meets memory: a bias where ones are, zeros where other things are."""
        lanes, ones, _ = self._places
        whole = np.zeros(self.shape)
        whole[:, lanes] = self.kernel
        if self.bias is not None:
            whole[0, ones] = self.bias
        return whole

    @cached_property
    def _places(self) -> tuple[Array, int, int]:
        """Where in memory the channels lie, where a row of ones, and how many rows are read."""
        (value,) = self.reads
        if value.lanes is None:
            return np.arange(self.kernel.shape[1]), value.channels, value.rows
        ones = int(np.flatnonzero(~np.isin(np.arange(value.channels + 1), value.lanes))[0])
        return value.lanes, ones, max(int(value.lanes.max()), ones) + 1

    @property
    def macs(self) -> int:
        return self.makes[0].time * self.kernel.size

    def sees(self) -> tuple[int, int, int]:
        return self.before, (len(self.kernel) - 1) * self.dilation + 1, self.strides

    def around(self) -> float | None:
        return self.edge

    def scratch(self, layout: Single, steps: int, *, plain: bool) -> dict[str, tuple[int, ...]]:
        k, channels, filters = self.shape
        wanted = {} if plain else {"product": layout.shape(steps, filters)}
        if layout.gathers(k, self.dilation):
            wanted["taps"] = layout.shape(steps, k * channels)
        return wanted

    def calls(
        self, layout: Single, xs: Sequence[Array], ys: Sequence[Array], scratch: Mapping[str, Array]
    ) -> Iterator[Call]:
        (x,), (k, channels, filters), steps = xs, self.shape, ys[0].shape[layout.TIME]
        if k > 1 or self.strides > 1:
            x = layout.taps(x, k, self.dilation, self.strides, steps)
            if "taps" in scratch:
                flat = front(scratch["taps"], layout.shape(steps, k * channels))
                yield np.copyto, (flat.reshape(x.shape), x)
                x = flat
            elif layout.width == 1:
                x = x[:, 0]
        made = front(scratch["product"], layout.shape(steps, filters)) if "product" in scratch else ys[0]
        matrix = layout.constant(("matrix", id(self)), lambda: layout.matrix(self.matrix))  # one for all stretches
        yield layout.product(matrix, x, made)
        if self.activation == "relu":  # on the way from one place to the other
            yield partial(np.maximum, out=ys[0]), (made, layout.each(np.zeros(filters), steps))
        else:
            yield from moved(made, ys[0])
            yield from activated(layout, self.activation, ys[0])


@record
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

    def scratch(self, layout: Single, steps: int, *, plain: bool) -> dict[str, tuple[int, ...]]:
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
