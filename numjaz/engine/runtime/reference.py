"""A layer that has no form of its own, run as it is stated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from numjaz.engine.runtime.forms import Form
from numjaz.engine.runtime.layout import Array, Call, Single
from numjaz.records import record


@record
class Reference(Form):
    """The layer's own ``forward`` on (N, …, channels)."""

    layer: Any
    params: Mapping[str, Array]
    shapes: tuple[tuple[int, ...], ...]  # of the inputs
    made: tuple[tuple[int, ...], ...]  # of the outputs
    dtype: Any

    LOCAL: ClassVar[bool] = False

    def __post_init__(self) -> None:
        self.params = {name: array.astype(self.dtype) for name, array in self.params.items()}

    def calls(
        self, layout: Single, xs: Sequence[Array], ys: Sequence[Array], scratch: Mapping[str, Array]
    ) -> Iterator[Call]:
        yield self._run, (layout.width, xs, ys)

    def _run(self, width: int, xs: Sequence[Array], ys: Sequence[Array]) -> None:
        order = (2, 0, 1) if width > 1 else (0, 2, 1)
        inputs = [
            np.ascontiguousarray((x if width > 1 else x[None]).transpose(order)).reshape(width, *shape)
            for x, shape in zip(xs, self.shapes, strict=True)
        ]
        for y, output in zip(ys, self.layer.forward(self.params, tuple(inputs)).outputs, strict=True):
            rows = output.reshape(width, -1, output.shape[-1])
            y[...] = rows.transpose(1, 2, 0) if width > 1 else rows[0].T
