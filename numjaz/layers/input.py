"""Where data enters a network."""

from __future__ import annotations

from typing import Any

from numjaz.errors import NumjazError
from numjaz.layers.base import Array, Arrays, Backward, Forward, Layer, Parameters, Rng, Shape, check_count
from numjaz.records import frozen


@frozen
class Input(Layer):
    """A batch of (N, *axes, features): sequences (N, T, features) unless ``axes`` says otherwise.

    None in ``axes`` is a free length, a number a fixed one; ``()`` makes it a vector (N, features).
    """

    features: int
    axes: tuple[int | None, ...] = (None,)

    def __post_init__(self) -> None:
        check_count(self, "features")
        if not isinstance(self.axes, tuple) or len(self.axes) > 4:
            raise NumjazError(f"Input: axes must be at most four lengths, not {self.axes!r:.60}")
        for size in self.axes:
            if size is not None and (type(size) is not int or not 1 <= size <= 2**31):
                raise NumjazError(f"Input: a length must be a whole number, 1 or more, or None, not {size!r:.60}")

    def shape(self, time: Any) -> Shape:
        """The input's shape without the batch, ``time`` in the place of each free length."""
        return (*(time if size is None else size for size in self.axes), self.features)

    def output_shapes(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        (shape,) = shapes
        return (shape,)

    def forward(self, params: Parameters, inputs: Arrays, *, training: bool = False, rng: Rng = None) -> Forward:
        return Forward(inputs)

    def backward(self, params: Parameters, saved: Any, d_outputs: tuple[Array | None, ...]) -> Backward:
        return Backward(d_outputs)
