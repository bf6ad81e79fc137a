"""An ONNX graph while it is written, in plain Python: operators, constants, and names that do not clash."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from numjaz.errors import NumjazError
from numjaz.layers import Array

FLOAT = 1  # TensorProto.FLOAT


class Free:
    """A length that is not known yet, as a layer's arithmetic takes it: whatever it is part of is free too."""

    def _free(self, other: Any = None) -> Free:
        return self

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __floordiv__ = __neg__ = _free

    def __mod__(self, other: int) -> int:
        return 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Free)

    def __hash__(self) -> int:
        return 0


class Op(NamedTuple):
    """One operator."""

    kind: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, Any]


class Graph:
    """Operators in the order of execution, and the arrays that they need.

    ``scope`` is what new names begin with: the numjaz node, or the owner of its arrays, that is written.
    """

    def __init__(self, taken: Iterable[str], opset: int) -> None:
        self.opset, self.scope, self.owner = opset, "", ""
        self.ops: list[Op] = []
        self.arrays: dict[str, Array] = {}
        self._taken = set(taken)
        self._constants: dict[tuple[Any, ...], str] = {}
        self._weights: dict[tuple[Any, ...], str] = {}
        self.inputs: list[str] = []
        self.outputs: list[str] = []

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """An operator of one output: the output's name."""
        return self.many(kind, 1, *inputs, **attributes)[0]

    def many(self, kind: str, count: int, *inputs: str, **attributes: Any) -> list[str]:
        """An operator of several outputs: their names."""
        outputs = [self.name(f"{self.scope}/{kind}") for _ in range(count)]
        self.ops.append(Op(kind, list(inputs), outputs, attributes))
        return outputs

    def name(self, wanted: str) -> str:
        """A name that nothing in the graph has yet."""
        name, count = wanted, 1
        while name in self._taken:
            count += 1
            name = f"{wanted}_{count}"
        self._taken.add(name)
        return name

    def constant(self, value: Any, dtype: Any = np.float32) -> str:
        """A small array of floats or whole numbers; the same values are held once."""
        array = np.asarray(value, dtype) if dtype != np.float32 else _single(np.asarray(value), "an option")
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constants:
            self._constants[key] = self.name("constant")
            self.arrays[self._constants[key]] = array
        return self._constants[key]

    def ints(self, *values: int) -> str:
        """A list of whole numbers: a shape, axes."""
        return self.constant(values, np.int64)

    def weight(self, name: str, array: Array) -> str:
        """An array of the owner that is written; held once however many nodes share it."""
        full, key = f"{self.owner}/{name}", (self.owner, name, array.shape)
        if key not in self._weights:
            self._weights[key] = self.name(full)
            self.arrays[self._weights[key]] = _single(array, f"parameter {full!r}")
        return self._weights[key]

    def transpose(self, x: str, *order: int) -> str:
        """The axes in another order."""
        return self.op("Transpose", x, perm=list(order)) if list(order) != sorted(order) else x

    def shape(self, x: str, first: int, last: int | None = None) -> str:
        """The sizes of some axes, as a list."""
        return self.op("Shape", x, start=first, **({} if last is None else {"end": last}))

    def reshape(self, x: str, *parts: str | int) -> str:
        """The values in another shape, made of whole numbers (0 keeps the axis, -1 is what is left) and lists."""
        if all(isinstance(part, int) for part in parts):
            return self.op("Reshape", x, self.ints(*(part for part in parts if isinstance(part, int))))
        lists = [self.ints(part) if isinstance(part, int) else part for part in parts]
        return self.op("Reshape", x, self.op("Concat", *lists, axis=0))

    def unsqueeze(self, x: str, *axes: int) -> str:
        """Axes of 1 in these places."""
        return self.op("Unsqueeze", x, self.ints(*axes)) if axes else x

    def squeeze(self, x: str, *axes: int) -> str:
        """Without these axes of 1."""
        return self.op("Squeeze", x, self.ints(*axes))

    def cut(self, x: str, first: int, last: int, axis: int, step: int = 1) -> str:
        """``x[first:last:step]`` along an axis."""
        return self.op("Slice", x, *(self.ints(n) for n in (first, last, axis, step)))

    def flip(self, x: str, axis: int) -> str:
        """An axis turned round."""
        return self.cut(x, -1, -(2**63), axis, -1)

    def largest(self, x: str, axes: Sequence[int]) -> str:
        """The largest along some axes, which stay as 1."""
        return self._reduced("ReduceMax", x, axes, since=18)

    def mean(self, x: str, axes: Sequence[int]) -> str:
        """The mean along some axes, which stay as 1."""
        return self._reduced("ReduceMean", x, axes, since=18)

    def sum(self, x: str, axes: Sequence[int]) -> str:
        """The sum along some axes, which stay as 1."""
        return self._reduced("ReduceSum", x, axes, since=13)

    def _reduced(self, kind: str, x: str, axes: Sequence[int], since: int) -> str:
        """The axes are an attribute in older operators, and an input ``since`` then."""
        if self.opset < since:
            return self.op(kind, x, axes=list(axes))
        return self.op(kind, x, self.ints(*axes))

    def publish(self, outputs: Sequence[str], keys: Sequence[str], since: int) -> None:
        """Give a node's outputs numjaz's names; ``since`` is how many operators there were before the node."""
        ops = self.ops[since:]
        made = {name for op in ops for name in op.outputs}
        named: dict[str, str] = {}
        for tensor, key in zip(outputs, keys, strict=True):
            if tensor in made and tensor not in named:
                named[tensor] = key
            else:  # another's output, or one that has a name already
                self.ops.append(Op("Identity", [named.get(tensor, tensor)], [key], {}))
        for op in ops:
            op.inputs[:] = [named.get(name, name) for name in op.inputs]
            op.outputs[:] = [named.get(name, name) for name in op.outputs]

    def body(self) -> Graph:
        """A graph within this one, which may name what this one has."""
        inner = Graph((), self.opset)
        inner.scope, inner.owner, inner.arrays = self.scope, self.owner, self.arrays
        inner._taken, inner._constants, inner._weights = self._taken, self._constants, self._weights
        return inner


def _single(array: Array, what: str) -> Array:
    with np.errstate(over="ignore"):
        single = np.array(array, np.float32, order="C")
    if np.isinf(single).any() and not np.isinf(array).any():
        raise NumjazError(f"{what} holds a value beyond float32, in which ONNX files are written")
    return single
