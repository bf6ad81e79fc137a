"""Tensors that live for a while, side by side in memory. Knows nobody."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Tensor(NamedTuple):
    """Some bytes that are needed from one step to another, both included."""

    name: str
    size: int
    first: int
    last: int


class Arena(NamedTuple):
    """One block of memory that holds every tensor while it lives."""

    size: int
    offsets: dict[str, int]


def alive(tensors: Iterable[Tensor], steps: int) -> list[int]:
    """How many bytes live at each step.

    Examples
    --------
    >>> alive([Tensor("a", 4, 0, 1), Tensor("b", 8, 1, 2)], 3)
    [4, 12, 8]
    """
    changes = [0] * (steps + 1)
    for tensor in tensors:
        changes[tensor.first] += tensor.size
        changes[tensor.last + 1] -= tensor.size
    total, sums = 0, []
    for change in changes[:steps]:
        total += change
        sums.append(total)
    return sums


def arena(tensors: Sequence[Tensor], alignment: int = 1) -> Arena:
    """Offsets by TensorFlow Lite Micro's greedy plan: the largest first, each at the lowest place that is free.

    No two tensors that live at one step overlap. The plan is not always the smallest; the most bytes
    that live at once (`alive`) are what no plan can be below.

    Parameters
    ----------
    tensors : sequence of Tensor
        With names of their own.
    alignment : int
        Every offset is a multiple of it: bytes.

    Examples
    --------
    >>> arena([Tensor("a", 4, 0, 1), Tensor("b", 8, 1, 2), Tensor("c", 4, 2, 3)])
    Arena(size=12, offsets={'b': 0, 'a': 8, 'c': 8})
    """
    placed: list[tuple[int, Tensor]] = []  # by offset
    for tensor in sorted(tensors, key=lambda t: (-t.size, t.first, t.name)):
        offset = 0
        for at, other in placed:
            if other.first <= tensor.last and tensor.first <= other.last:
                if offset + tensor.size <= at:
                    break
                offset = max(offset, -(-(at + other.size) // alignment) * alignment)
        insort(placed, (offset, tensor), key=lambda item: item[0])
    order = {tensor.name: offset for offset, tensor in sorted(placed, key=lambda item: (-item[1].size, item[1].first))}
    return Arena(max((at + tensor.size for at, tensor in placed), default=0), order)
