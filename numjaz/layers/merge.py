"""Layers that join several inputs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from itertools import accumulate
from typing import Any, ClassVar

import numpy as np

from numjaz.errors import NumjazError
from numjaz.layers.base import Array, Arrays, Backward, Forward, Layer, Parameters, Rng, Shape, only, summed_to
from numjaz.layers.operations import Operations, elementary
from numjaz.records import frozen


class _Merge(Layer):
    """Element by element; an axis of 1 meets any size, and an input of fewer axes gets them after the batch."""

    OVERWRITES = True
    KIND: ClassVar[str] = "additions"

    def output_shapes(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        if len(shapes) < 2:
            raise NumjazError(f"{type(self).__name__} takes two or more inputs, not {len(shapes)}")
        rank = max(map(len, shapes))
        levelled = [(1,) * (rank - len(shape)) + tuple(shape) for shape in shapes]
        return (tuple(self._size(sizes, shapes) for sizes in zip(*levelled, strict=True)),)

    def _size(self, sizes: Sequence[Any], shapes: tuple[Shape, ...]) -> Any:
        wide = [size for size in sizes if size != 1]
        if any(size != wide[0] for size in wide):
            raise NumjazError(f"{type(self).__name__} takes inputs of one shape, not {', '.join(map(str, shapes))}")
        return wide[0] if wide else 1

    def forward(self, params: Parameters, inputs: Arrays, *, training: bool = False, rng: Rng = None) -> Forward:
        return Forward((self._joined(self._levelled(inputs)),), inputs)

    def backward(self, params: Parameters, saved: Any, d_outputs: tuple[Array | None, ...]) -> Backward:
        levelled = self._levelled(saved)
        parted = self._parted(levelled, only(d_outputs))
        pairs = zip(parted, levelled, saved, strict=True)
        return Backward(tuple(summed_to(d, level.shape).reshape(x.shape) for d, level, x in pairs))

    def _levelled(self, inputs: Arrays) -> list[Array]:
        rank = max(x.ndim for x in inputs)
        return [x.reshape(len(x), *(1,) * (rank - x.ndim), *x.shape[1:]) for x in inputs]

    def _joined(self, inputs: list[Array]) -> Array:
        raise NotImplementedError

    def _parted(self, inputs: list[Array], d: Array) -> list[Array]:
        """The derivatives by each input, as if each had the output's shape."""
        raise NotImplementedError

    def operations(self, shapes: tuple[Shape, ...], batch: Any = 1) -> Operations:
        made: Any = 0  # one input after the other, each meeting what the ones before it made
        for count in range(2, len(shapes) + 1):
            made += batch * math.prod(_Merge.output_shapes(self, shapes[:count])[0])
        return elementary(**{self.KIND: made})


class Add(_Merge):
    """y = the sum of two or more inputs."""

    def _joined(self, inputs: list[Array]) -> Array:
        return reduce(np.add, inputs)

    def _parted(self, inputs: list[Array], d: Array) -> list[Array]:
        return [d] * len(inputs)


class Subtract(_Merge):
    """y = the first input minus the second."""

    def output_shapes(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        if len(shapes) != 2:
            raise NumjazError(f"Subtract takes two inputs, not {len(shapes)}")
        return super().output_shapes(shapes)

    def _joined(self, inputs: list[Array]) -> Array:
        return inputs[0] - inputs[1]

    def _parted(self, inputs: list[Array], d: Array) -> list[Array]:
        return [d, -d]


class Multiply(_Merge):
    """y = the product of two or more inputs, element by element."""

    KIND = "multiplications"

    def _joined(self, inputs: list[Array]) -> Array:
        return reduce(np.multiply, inputs)

    def _parted(self, inputs: list[Array], d: Array) -> list[Array]:
        return [reduce(np.multiply, inputs[:k] + inputs[k + 1 :], d) for k in range(len(inputs))]


class Average(_Merge):
    """y = the mean of two or more inputs."""

    def _joined(self, inputs: list[Array]) -> Array:
        return reduce(np.add, inputs) / len(inputs)

    def _parted(self, inputs: list[Array], d: Array) -> list[Array]:
        return [d / len(inputs)] * len(inputs)

    def operations(self, shapes: tuple[Shape, ...], batch: Any = 1) -> Operations:
        (shape,) = self.output_shapes(shapes)
        return super().operations(shapes, batch) + elementary(divisions=batch * math.prod(shape))


class Maximum(_Merge):
    """y = the largest of two or more inputs, element by element."""

    KIND = "comparisons"

    def _joined(self, inputs: list[Array]) -> Array:
        return reduce(np.maximum, inputs)

    def _parted(self, inputs: list[Array], d: Array) -> list[Array]:
        return _chosen(np.maximum, inputs, d)


class Minimum(_Merge):
    """y = the smallest of two or more inputs, element by element."""

    KIND = "comparisons"

    def _joined(self, inputs: list[Array]) -> Array:
        return reduce(np.minimum, inputs)

    def _parted(self, inputs: list[Array], d: Array) -> list[Array]:
        return _chosen(np.minimum, inputs, d)


def _chosen(choose: np.ufunc, inputs: list[Array], d: Array) -> list[Array]:
    """The derivatives by inputs of which one is chosen after the other; of two that are equal each has half."""
    before, parted = list(accumulate(inputs, choose)), []
    for x, chosen in zip(inputs[:0:-1], before[-2::-1], strict=True):  # the last input first
        share = np.where(x == chosen, 0.5, choose(x, chosen) == x).astype(d.dtype)
        parted.append(d * share)
        d = d * (1 - share)
    return [d, *parted[::-1]]


@frozen
class Concatenate(Layer):
    """y = the inputs one behind the other along an axis, the batch being axis 0."""

    axis: int = -1

    def __post_init__(self) -> None:
        if type(self.axis) is not int or self.axis == 0 or not -8 < self.axis < 8:
            raise NumjazError(f"Concatenate: axis must be one of the axes but the batch's, 0, not {self.axis!r:.60}")

    @property
    def reach(self) -> tuple[int | None, int | None]:
        return (0, 0) if self.axis in (-1, 2) else (None, None)

    def output_shapes(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        if len(shapes) < 2:
            raise NumjazError(f"Concatenate takes two or more inputs, not {len(shapes)}")
        rank = len(shapes[0]) + 1
        if not -rank < self.axis < rank:
            raise NumjazError(f"Concatenate: axis {self.axis} does not fit inputs of {rank} axes")
        at = self.axis % rank - 1
        rest = {(*shape[:at], None, *shape[at + 1 :]) for shape in shapes}
        if len(rest) > 1:
            raise NumjazError(f"Concatenate along axis {self.axis} of {', '.join(map(str, shapes))} does not fit")
        joined = reduce(lambda a, b: a + b, [shape[at] for shape in shapes])
        return ((*shapes[0][:at], joined, *shapes[0][at + 1 :]),)

    def forward(self, params: Parameters, inputs: Arrays, *, training: bool = False, rng: Rng = None) -> Forward:
        return Forward((np.concatenate(inputs, axis=self.axis),), [x.shape[self.axis] for x in inputs])

    def backward(self, params: Parameters, saved: Any, d_outputs: tuple[Array | None, ...]) -> Backward:
        ends = np.cumsum(saved)[:-1]
        return Backward(tuple(np.split(only(d_outputs), ends, axis=self.axis)))
