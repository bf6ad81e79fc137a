"""The smallest sets of other assumptions under which a cell's printed value is what is computed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

import numpy as np

from numjaz.audit.assumptions import baseline
from numjaz.audit.candidates import Varying
from numjaz.audit.claims import Cell
from numjaz.audit.grid import everywhere
from numjaz.audit.growth import degrees_of, degrees_text
from numjaz.audit.printed import Printed
from numjaz.errors import NumjazError
from numjaz.layers import Array

Value = Callable[[Cell, Mapping[str, Any]], Any]
NEAR = 0.05  # of a printed value: what its neighbours are
MOST = 3  # assumptions that an explanation may take
MAX_LOOKS = 6_000  # networks that a search counts; most sets of assumptions follow from others
MAX_SINGLY = 600  # sets that are looked at one by one, where nothing follows
MAX_HITS = 200  # explanations of one cell


@dataclass(frozen=True)
class Explanation:
    """Assumptions beside the paper's own under which a cell's printed value is what is computed.

    ``cells`` are all cells of the paper that they reproduce; ``neighbours`` how many other values within 5 %
    an equally small set of assumptions would reproduce as well, of ``possible`` ones: the more, the less it means.
    """

    assumptions: Mapping[str, Any]
    computed: float | str
    cells: tuple[str, ...]
    neighbours: int
    possible: int


def search(cell: Cell, varying: Mapping[str, Varying], value: Value) -> tuple[list[Explanation], bool]:
    """The smallest sets of other assumptions that reproduce the printed value, among all sets of that size."""
    left = MAX_LOOKS

    def looked(chosen: Mapping[str, Any]) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise _CutError
        return value(cell, {**baseline(cell), **chosen})

    for size in range(1, MOST + 1):
        worths: list[Array] = []
        hits: list[dict[str, Any]] = []
        try:
            for names in combinations(varying, size):
                for chosen, values, axes in _tried(names, varying, looked):
                    worths.append(values)
                    hits += [
                        _in_order(names, {**chosen, **{n: varying[n].values[k] for n, k in zip(axes, at, strict=True)}})
                        for at in np.argwhere(reproduced_by(cell.number, values))
                    ]
        except _CutError:
            return [], True
        if hits:
            near, possible = _neighbours(cell, worths)
            hits.sort(key=lambda chosen: sum(v not in varying[n].likely for n, v in chosen.items()))
            found = [(chosen, value(cell, {**baseline(cell), **chosen})) for chosen in hits[:MAX_HITS]]
            return [Explanation(c, v, (), near, possible) for c, v in found if matches(cell, v)], False
    return [], False


def _in_order(names: Sequence[str], chosen: Mapping[str, Any]) -> dict[str, Any]:
    return {name: chosen[name] for name in names}


class _CutError(Exception):
    """There is more to look at than `MAX_LOOKS`."""


def _tried(
    names: Sequence[str], varying: Mapping[str, Varying], looked: Callable[[Mapping[str, Any]], Any]
) -> Iterator[tuple[dict[str, Any], Array, list[str]]]:
    """What comes of all values of these names: for each choice among the others, a grid over the whole numbers."""
    axes = [name for name in names if varying[name].whole]
    others = [name for name in names if not varying[name].whole]
    for picked in product(*(varying[name].values for name in others)):
        chosen = dict(zip(others, picked, strict=True))

        def at(*numbers: int, chosen: Mapping[str, Any] = chosen) -> Any:
            return looked({**chosen, **dict(zip(axes, numbers, strict=True))})

        values = [varying[name].values for name in axes]
        found = everywhere(at, values) if axes else None
        if found is None:  # one by one; of several numbers, where they are many, the likely ones
            if math.prod(map(len, values)) > MAX_SINGLY:
                values = [varying[name].likely for name in axes]
            shape = tuple(len(varying[name].values) for name in axes)
            found = np.full(shape, np.nan)
            for place in product(*values):
                with suppress(NumjazError):
                    where = tuple(varying[name].values.index(n) for name, n in zip(axes, place, strict=True))
                    found[where] = at(*place)
        yield chosen, found, axes


def reproduced_by(printed: Printed, values: Array) -> Array:
    """`reproduces`, for many values."""
    exact = np.isclose(values, printed.value, rtol=1e-12, atol=0)
    return np.asarray(exact | ((values >= printed.low) & (values < printed.high)))


def _neighbours(cell: Cell, worths: Sequence[Array]) -> tuple[int, int]:
    """How many other values within 5 %, as the paper would print them, are among these; and how many there are."""
    printed = cell.number
    step = 1.0 if printed.whole else (printed.high - printed.low) / 1.5
    if not 0 < step < math.inf:
        step = abs(printed.value) or 1.0
    reach = max(int(abs(printed.value) * NEAR / step), 1)
    values = np.concatenate([each.ravel() for each in worths])
    steps = np.round((values[np.isfinite(values)] - printed.value) / step)
    steps = steps[(np.abs(steps) <= reach) & (steps != 0)]
    return len(np.unique(steps)), 2 * reach


def search_growth(cell: Cell, varying: Mapping[str, Varying], value: Value) -> list[Explanation]:
    """The same for a formula, whose choices are few."""
    for size in range(1, MOST + 1):
        hits = []
        for names in combinations(varying, size):
            for picked in product(*(varying[name].values for name in names)):
                chosen = dict(zip(names, picked, strict=True))
                with suppress(NumjazError):
                    worth = value(cell, {**baseline(cell), **chosen})
                    hits += [Explanation(chosen, plain(worth), (), 0, 0)] if matches(cell, worth) else []
        if hits:
            return hits
    return []


def reproduces(printed: Printed, value: float) -> bool:
    """Whether a value would be printed like that: rounded, or its last digits cut off."""
    return bool(reproduced_by(printed, np.asarray(value, np.float64)))


def matches(cell: Cell, worth: Any) -> bool:
    """Whether what is computed is what is printed; of a formula, in the symbols that the cell explains."""
    if isinstance(worth, dict):
        printed = degrees_of(cell.printed)
        return all(printed.get(symbol, 0) == power for symbol, power in worth.items())
    return reproduces(cell.number, worth)


def plain(worth: Any) -> Any:
    """A computed value, or a formula's powers as text."""
    return degrees_text(worth) if isinstance(worth, dict) else worth
