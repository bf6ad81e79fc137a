"""The operations, parameters and bytes of every node."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

from numjaz.audit.conventions import convention_named
from numjaz.errors import NumjazError
from numjaz.formula import Formula
from numjaz.layers import Input, Operations, Shape
from numjaz.model import Model
from numjaz.nodes import Node, output_shapes, owned_parameters

Number = Any  # an int, or a Formula
SIZES = {"float64": 8, "float32": 4, "float16": 2, "int8": 1}


@dataclass(frozen=True)
class Row:
    """What one node computes and holds in one forward pass."""

    node: str
    layer: str
    shapes: tuple[Shape, ...]  # of its outputs, without the batch
    parameters: int  # 0 where another node before it has the same arrays
    trainable: int
    weight_bytes: int  # of the arrays that it reads, shared ones too
    output_bytes: Number
    operations: Operations
    macs: Number  # by the convention that was asked for


@dataclass(frozen=True)
class Count:
    """The figures of a network under one convention."""

    convention: str
    macs: Number
    parameters: int
    trainable: int
    rows: tuple[Row, ...]

    @property
    def operations(self) -> Operations:
        """The sum over the nodes."""
        return reduce(lambda a, b: a + b, (row.operations for row in self.rows))


def count(
    model: Model,
    convention: str = "matmul",
    window: int | Formula = 256,
    *,
    batch: int = 1,
    dtype: str = "float32",
) -> Count:
    """Count what one forward pass computes, without running it.

    Parameters
    ----------
    model : Model
        Any.
    convention : str
        Which operations make the number of multiply-accumulates: ``matmul``, those of matrix products
        and convolutions alone.
    window : int or Formula
        Samples in the place of every free length; a symbol gives formulas.
    batch : int
        Windows computed at once.
    dtype : str
        In which bytes are stated.

    Raises
    ------
    NumjazError
        For an unknown convention, or a length that does not fit the network.

    Examples
    --------
    >>> import numjaz
    >>> count(numjaz.jazbat(features=1, classes=6, reduction=6)).macs
    6955044
    >>> T = Formula.symbol("T")
    >>> count(numjaz.jazbat(features=1, classes=6, reduction=6), window=T).macs
    27168·T + 36
    """
    weigh, size = convention_named(convention), item_size(dtype)
    if isinstance(window, int) and window < 1:
        raise NumjazError(f"window must be 1 sample or more, not {window}")
    try:
        rows = tuple(_rows(model, weigh, window, batch, size))
    except TypeError:
        if isinstance(window, int):
            raise
        raise NumjazError("what this network computes depends on a window's very length; give it in numbers") from None
    macs = sum(row.macs for row in rows)
    return Count(convention, macs, sum(row.parameters for row in rows), sum(row.trainable for row in rows), rows)


def item_size(dtype: str) -> int:
    """Bytes of a number of this dtype."""
    if dtype not in SIZES:
        raise NumjazError(f"dtype {dtype!r:.60} is not one of {', '.join(SIZES)}")
    return SIZES[dtype]


def _rows(model: Model, weigh: Callable[[Operations], Number], window: Any, batch: int, size: int) -> Iterator[Row]:
    made = output_shapes(model.nodes, window)
    owned = owned_parameters(model.nodes)
    left = dict(owned)
    for node in model.nodes:
        own = left.pop(node.owner, {})  # shared arrays count where they first stand
        sizes = [(math.prod(p.shape), p.trainable) for p in own.values()]
        operations = _operations(node, made, batch)
        yield Row(
            node.name,
            str(node.layer),
            made[node.name],
            sum(n for n, _ in sizes),
            sum(n for n, moved in sizes if moved),
            size * sum(math.prod(p.shape) for p in owned[node.owner].values()),
            size * batch * sum(math.prod(shape) for shape in made[node.name]),
            operations,
            weigh(operations),
        )


def _operations(node: Node, made: Mapping[str, tuple[Shape, ...]], batch: int) -> Operations:
    if isinstance(node.layer, Input):
        return Operations()
    return node.layer.operations(tuple(made[name][k] for name, k in node.inputs), batch)
