"""The operations, parameters and bytes of every node."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial, reduce
from typing import Any

from numjaz.audit.conventions import check_convention, counted
from numjaz.audit.forms import check_form
from numjaz.errors import NumjazError
from numjaz.formula import Formula
from numjaz.layers import Operations, Shape
from numjaz.model import Model
from numjaz.nodes import asked, output_shapes, owned_parameters, with_inputs

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
    form: str = "twin",
) -> Count:
    """Count what one forward pass computes, without running it.

    Parameters
    ----------
    model : Model
        Any.
    convention : str
        Which number: ``matmul``, the multiply-accumulates of matrix products and convolutions, or what one
        of the tools in `numjaz.audit.CONVENTIONS` prints for the network's torch twin.
    window : int or Formula
        Samples in the place of every free length; a symbol gives formulas.
    batch : int
        Windows computed at once.
    dtype : str
        In which bytes are stated.
    form : str
        How the network is written in torch, one of `numjaz.audit.FORMS`: tools tell a ReLU that is a module
        from one that is a function, say. ``matmul`` does not.

    Raises
    ------
    NumjazError
        For an unknown convention or form, or a length that does not fit the network.

    Examples
    --------
    >>> import numjaz
    >>> count(numjaz.jazbat(features=1, classes=6, reduction=6)).macs
    6955044
    >>> T = Formula.symbol("T")
    >>> count(numjaz.jazbat(features=1, classes=6, reduction=6), window=T).macs
    27168·T + 36
    """
    check_convention(convention)
    check_form(form)
    check_extent(model, window, batch)
    size = item_size(dtype)
    try:
        rows = tuple(_rows(model, convention, window, batch, size, form))
    except TypeError:
        if isinstance(window, int):
            raise
        raise NumjazError("what this network computes depends on a window's very length; give it in numbers") from None
    macs = sum(row.macs for row in rows)
    return Count(convention, macs, sum(row.parameters for row in rows), sum(row.trainable for row in rows), rows)


def check_extent(model: Model, window: Any, batch: Any) -> None:
    """Raise unless this is a model, and window and batch are whole numbers, 1 or more; a window may be a formula."""
    if not isinstance(model, Model):
        raise NumjazError(f"takes a Model, not {model!r:.60}")
    if not isinstance(window, Formula) and (type(window) is not int or window < 1):
        raise NumjazError(f"window must be 1 sample or more, not {window!r:.60}")
    if type(batch) is not int or batch < 1:
        raise NumjazError(f"batch must be 1 window or more, not {batch!r:.60}")


def item_size(dtype: str) -> int:
    """Bytes of a number of this dtype."""
    if not isinstance(dtype, str) or dtype not in SIZES:
        raise NumjazError(f"dtype {dtype!r:.60} is not one of {', '.join(SIZES)}")
    return SIZES[dtype]


def _rows(model: Model, convention: str, window: Any, batch: int, size: int, form: str) -> Iterator[Row]:
    made = output_shapes(model.nodes, window)
    owned = owned_parameters(model.nodes)
    left = dict(owned)
    for node, shapes in with_inputs(model.nodes, window, made):
        own = left.pop(node.owner, {})  # shared arrays count where they first stand
        sizes = [(math.prod(p.shape), p.trainable) for p in own.values()]
        yield Row(
            node.name,
            str(node.layer),
            made[node.name],
            sum(n for n, _ in sizes),
            sum(n for n, moved in sizes if moved),
            size * sum(math.prod(p.shape) for p in owned[node.owner].values()),
            size * batch * sum(math.prod(shape) for shape in made[node.name]),
            node.layer.operations(shapes, batch),
            asked(node, partial(counted, convention, node.layer, batch=batch, form=form), shapes),
        )
