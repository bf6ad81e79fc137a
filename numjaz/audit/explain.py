"""Which cells of a paper are right, and under which assumptions the others would be."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import combinations, product
from typing import Any

import numpy as np

from numjaz.audit.assumptions import (
    ASSUMED,
    ONLY_COMPUTED,
    Resolve,
    Varying,
    baseline,
    candidates,
    check_varied,
    growth_of,
    value_of,
)
from numjaz.audit.claims import NOTHING, Cell, Paper, Printed
from numjaz.audit.grid import everywhere
from numjaz.audit.growth import degrees_of, degrees_text
from numjaz.errors import NumjazError
from numjaz.layers import Array

Value = Callable[[Cell, Mapping[str, Any]], Any]
WITHIN = 0.02
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


@dataclass(frozen=True)
class Judged:
    """A cell, what it is worth under the paper's own options, and what would explain it."""

    cell: Cell
    computed: float | str | None
    verdict: str  # exact, rounds, within, contradicts, not_derivable
    explanations: tuple[Explanation, ...] = ()
    cut: bool = False  # whether the search was
    reason: str = ""  # why nothing could be computed
    tried: Mapping[str, str] = field(default_factory=dict)  # what was varied, and over which values


def reproduces(printed: Printed, value: float) -> bool:
    """Whether a value would be printed like that: rounded, or its last digits cut off."""
    return bool(reproduced_by(printed, np.asarray(value, np.float64)))


def verdict(printed: Printed, value: float | None) -> str:
    """How a computed value stands to a printed one.

    Examples
    --------
    >>> from numjaz.audit.claims import printed_number
    >>> verdict(printed_number("6.96M"), 6_955_044), verdict(printed_number("28.55K"), 28_744)
    ('rounds', 'within')
    """
    if value is None:
        return "not_derivable"
    if reproduces(printed, value):
        return "exact" if printed.whole else "rounds"
    return "within" if abs(value - printed.value) <= WITHIN * abs(printed.value) else "contradicts"


def audit(paper: Paper, resolve: Resolve, waiting: Callable[[str], None] = lambda what: None) -> list[Judged]:
    """Judge every cell, and search what would explain those that are not reproduced.

    Parameters
    ----------
    paper : Paper
        From `numjaz.audit.claims.read_claims`.
    resolve : callable
        Gives the `Model` of a builder's name or a path, and options; often, so that it is best `remembered`.
    waiting : callable
        Told which cell is looked at.

    Raises
    ------
    NumjazError
        Where a cell's ``may_vary`` names what is unknown, or its options are none.
    """
    value = _values(paper, resolve)
    judged = []
    for cell in paper.cells:
        check_varied(paper.cells, cell)
    for k, cell in enumerate(paper.cells, start=1):
        waiting(f"cell {k:,} of {len(paper.cells):,}: {cell.id}")
        try:
            worth, reason = value(cell, baseline(cell)), ONLY_COMPUTED if cell.printed in NOTHING else ""
        except NumjazError as error:
            worth, reason = None, str(error)
        how = _judge(cell, worth)
        varying = candidates(paper.cells, cell, resolve) if how in ("within", "contradicts") else {}
        if cell.quantity == "growth":
            found, cut = _search_growth(cell, varying, value), False
        else:
            found, cut = _search(cell, varying, value)
        tried = {name: _range(each.values) for name, each in varying.items()}
        judged.append(Judged(cell, _plain(worth), how, tuple(found), cut, reason, tried))
    explained: dict[Any, list[str]] = {}
    for each in judged:
        for found_one in each.explanations:
            explained.setdefault(_key(found_one.assumptions), []).append(each.cell.id)
    return [_ranked(each, explained) for each in judged]


def conflicts(paper: Paper, judged: Sequence[Judged], resolve: Resolve) -> list[str]:
    """Where two cells of one paper need two different networks: no value of an option reproduces both.

    A cell asks for a value of an option where it is reproduced with that value alone, all else being
    the paper's own or one of its explanations.
    """
    value = _values(paper, resolve)
    named: dict[str, list[Any]] = {}  # what explanations ask for
    for each in judged:
        for explanation in each.explanations[:1]:
            for option, wanted in explanation.assumptions.items():
                named.setdefault(option, []).append(wanted)
    asked: dict[str, dict[Any, list[str]]] = {}
    for each in judged:
        own = baseline(each.cell)
        sets = [dict(e.assumptions) for e in each.explanations[:1]]
        sets += [{}] if each.verdict in ("exact", "rounds") else []
        for option, varying in candidates(paper.cells, each.cell, resolve).items() if sets else ():
            if option in ASSUMED or option == "hop":
                continue
            others = [*varying.likely, *named.get(option, ())]
            rest = [{n: v for n, v in {**own, **held}.items() if n != option} for held in sets]
            fitting = [
                wanted
                for wanted in dict.fromkeys([*([own[option]] if option in own else []), *others])
                if any(_fits(each.cell, {**others_of, option: wanted}, value) for others_of in rest)
            ]
            if len(fitting) == 1:
                asked.setdefault(option, {}).setdefault(fitting[0], []).append(each.cell.id)
    return [
        f"{option} must be " + " and ".join(f"{value!r} ({', '.join(ids)})" for value, ids in values.items())
        for option, values in asked.items()
        if len(values) > 1
    ]


def remembered(resolve: Resolve) -> Resolve:
    """The same, each network built once."""
    made: dict[Any, Any] = {}

    def built(model: str, options: Mapping[str, Any]) -> Any:
        key = (model, _key(options))
        if key not in made:
            made[key] = resolve(model, options)
        return made[key]

    return built


def _values(paper: Paper, resolve: Resolve) -> Value:
    """What a cell of this paper is worth under some assumptions; `NumjazError` where it cannot be computed."""
    cells = {cell.id: cell for cell in paper.cells}

    def other(name: str, changed: Mapping[str, Any]) -> float:
        try:
            return value_of(cells[name], {**baseline(cells[name]), **changed}, resolve)
        except NumjazError:
            return cells[name].number.value

    def value(cell: Cell, assumed: Mapping[str, Any]) -> Any:
        if cell.quantity == "growth":
            return growth_of(cell, assumed, resolve)
        if cell.quantity == "sum":
            return sum(cells[name].number.value for name in cell.of)
        if cell.quantity == "ratio":
            own = baseline(cell)
            changed = {name: worth for name, worth in assumed.items() if own.get(name, worth) != worth}
            return _ratio(cell, [other(name, changed) for name in cell.of], assumed["reading"])
        return value_of(cell, assumed, resolve)

    return value


def _ratio(cell: Cell, values: Sequence[float], reading: str) -> float:
    """One over the other, whichever way round the printed number means; in % how much less one is than the other."""
    first, second = values
    if not first or not second:
        raise NumjazError("a ratio of nothing")
    if cell.unit != "%":
        return first / second if (cell.number.value >= 1) == (first >= second) else second / first
    return first / second if reading == "share" else 1 - min(values) / max(values)


def _judge(cell: Cell, worth: Any) -> str:
    if worth is None or cell.printed in NOTHING:
        return "not_derivable"
    if isinstance(worth, dict):
        return "exact" if _matches(cell, worth) else "contradicts"
    return verdict(cell.number, worth)


def _matches(cell: Cell, worth: Any) -> bool:
    """Whether what is computed is what is printed; of a formula, in the symbols that the cell explains."""
    if isinstance(worth, dict):
        printed = degrees_of(cell.printed)
        return all(printed.get(symbol, 0) == power for symbol, power in worth.items())
    return reproduces(cell.number, worth)


def _fits(cell: Cell, assumed: Mapping[str, Any], value: Value) -> bool:
    try:
        return _matches(cell, value(cell, assumed))
    except NumjazError:
        return False


def _search(cell: Cell, varying: Mapping[str, Varying], value: Value) -> tuple[list[Explanation], bool]:
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
            return [Explanation(c, v, (), near, possible) for c, v in found if _matches(cell, v)], False
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


def _search_growth(cell: Cell, varying: Mapping[str, Varying], value: Value) -> list[Explanation]:
    """The same for a formula, whose choices are few."""
    for size in range(1, MOST + 1):
        hits = []
        for names in combinations(varying, size):
            for picked in product(*(varying[name].values for name in names)):
                chosen = dict(zip(names, picked, strict=True))
                with suppress(NumjazError):
                    worth = value(cell, {**baseline(cell), **chosen})
                    hits += [Explanation(chosen, _plain(worth), (), 0, 0)] if _matches(cell, worth) else []
        if hits:
            return hits
    return []


def _ranked(judged: Judged, explained: Mapping[Any, list[str]]) -> Judged:
    """Its explanations with the cells that each explains: the smallest first, then those of the most cells."""
    found = [replace(e, cells=tuple(dict.fromkeys(explained[_key(e.assumptions)]))) for e in judged.explanations]
    found.sort(key=lambda e: (len(e.assumptions), -len(e.cells), e.neighbours))
    return replace(judged, explanations=tuple(found))


def _plain(worth: Any) -> Any:
    return degrees_text(worth) if isinstance(worth, dict) else worth


def _range(values: Sequence[Any]) -> str:
    """Tried values in few words."""
    if len(values) > 6 and all(type(value) is int for value in values):
        return f"{len(values)} numbers from {min(values):,} to {max(values):,}"
    if len(values) > 6:
        return f"{len(values)} choices"
    return ", ".join(map(str, values))


def _key(assumptions: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, repr(value)) for name, value in assumptions.items()))
