"""The largest or the mean of some samples, or of all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import ClassVar

import numpy as np

from numjaz.engine.runtime.forms import Form
from numjaz.engine.runtime.layout import Array, Call, Single
from numjaz.records import record


@record
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


@record
class GlobalPool(Form):
    """The largest or the mean over time, one stretch after the other."""

    how: str  # maximum or mean

    REDUCES: ClassVar[bool] = True

    def scratch(self, layout: Single, steps: int, *, plain: bool) -> dict[str, tuple[int, ...]]:
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
