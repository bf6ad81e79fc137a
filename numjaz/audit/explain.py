"""Which cells of a paper are right, and under which assumptions the others would be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product
from typing import Any

from numjaz.audit.assumptions import ASSUMED, Resolve, alternatives, baseline, value_of, varied
from numjaz.audit.claims import Cell, Paper, Printed
from numjaz.errors import NumjazError

WITHIN = 0.02
NEAR = 0.05  # of a printed value: what its neighbours are
MOST = 3  # assumptions that an explanation may take
MAX_SETS = 2_000  # sets of assumptions that a search looks at


@dataclass(frozen=True)
class Explanation:
    """Assumptions beside the paper's own under which a cell's printed value is what is computed.

    ``cells`` are all cells of the paper that they reproduce; ``neighbours`` how many other values within 5 %
    an equally small set of assumptions would reproduce as well, of ``possible`` ones: the more, the less it means.
    """

    assumptions: Mapping[str, Any]
    computed: float
    cells: tuple[str, ...]
    neighbours: int
    possible: int


@dataclass(frozen=True)
class Judged:
    """A cell, what it is worth under the paper's own options, and what would explain it."""

    cell: Cell
    computed: float | None
    verdict: str  # exact, rounds, within, contradicts, not_derivable
    explanations: tuple[Explanation, ...] = ()
    cut: bool = False  # whether the search was
    reason: str = ""  # why nothing could be computed


def reproduces(printed: Printed, value: float) -> bool:
    """Whether a value would be printed like that."""
    return value == printed.value if printed.whole else printed.low <= value <= printed.high


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


def audit(paper: Paper, resolve: Resolve) -> list[Judged]:
    """Judge every cell, and search what would explain those that are not reproduced.

    Parameters
    ----------
    paper : Paper
        From `numjaz.audit.claims.read_claims`.
    resolve : callable
        Gives the `Model` of a builder's name or a path, and options; often, so that it is best `remembered`.
    """
    worth: dict[str, float | None] = {}
    reasons: dict[str, str] = {}
    for cell in paper.cells:
        try:
            worth[cell.id] = value_of(cell, baseline(cell), resolve)
        except NumjazError as error:
            worth[cell.id], reasons[cell.id] = None, str(error)
    by_id = {cell.id: cell for cell in paper.cells}
    for cell in paper.cells:
        if cell.quantity == "ratio":
            worth[cell.id] = _ratio(cell, by_id, worth)
    judged = []
    for cell in paper.cells:
        value = worth[cell.id]
        found, cut = _search(cell, value, resolve) if cell.quantity != "ratio" else ([], False)
        reason = reasons.get(cell.id, "") if value is None else ""
        judged.append(Judged(cell, value, verdict(cell.number, value), tuple(found), cut, reason))
    explained: dict[Any, list[str]] = {}
    for each in judged:
        for found_one in each.explanations:
            explained.setdefault(_key(found_one.assumptions), []).append(each.cell.id)
    return [_ranked(each, explained) for each in judged]


def _ranked(judged: Judged, explained: Mapping[Any, list[str]]) -> Judged:
    """Its explanations with the cells that each explains: the smallest first, then those of the most cells."""
    found = [replace(e, cells=tuple(dict.fromkeys(explained[_key(e.assumptions)]))) for e in judged.explanations]
    found.sort(key=lambda e: (len(e.assumptions), -len(e.cells), e.neighbours))
    return replace(judged, explanations=tuple(found))


def conflicts(judged: Sequence[Judged], resolve: Resolve) -> list[str]:
    """Where two cells of one paper need two different networks: no value of an option reproduces both.

    A cell asks for a value of an option where it is reproduced with that value alone, all else being
    the paper's own or one of its explanations.
    """
    asked: dict[str, dict[Any, list[str]]] = {}
    for each in judged:
        own = baseline(each.cell)
        sets = [dict(e.assumptions) for e in each.explanations]
        sets += [{}] if each.verdict in ("exact", "rounds") and each.cell.quantity != "ratio" else []
        for option in varied(each.cell):
            if option in ASSUMED or option not in own:
                continue
            values = [own[option], *alternatives(each.cell, option, resolve)]
            fitting = {
                value for value in values for held in sets if _fits(each.cell, {**own, **held, option: value}, resolve)
            }
            if len(fitting) == 1 and len(values) > 1:
                asked.setdefault(option, {}).setdefault(fitting.pop(), []).append(each.cell.id)
    return [
        f"{option} must be " + " and ".join(f"{value!r} ({', '.join(ids)})" for value, ids in values.items())
        for option, values in asked.items()
        if len(values) > 1
    ]


def _fits(cell: Cell, assumed: Mapping[str, Any], resolve: Resolve) -> bool:
    worth = _worth(cell, assumed, resolve)
    return worth is not None and reproduces(cell.number, worth)


def remembered(resolve: Resolve) -> Resolve:
    """The same, each network built once."""
    made: dict[Any, Any] = {}

    def built(model: str, options: Mapping[str, Any]) -> Any:
        key = (model, _key(options))
        if key not in made:
            made[key] = resolve(model, options)
        return made[key]

    return built


def _key(assumptions: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, repr(value)) for name, value in assumptions.items()))


def _worth(cell: Cell, assumed: Mapping[str, Any], resolve: Resolve) -> float | None:
    try:
        return value_of(cell, assumed, resolve)
    except NumjazError:
        return None


def _ratio(cell: Cell, by_id: Mapping[str, Cell], worth: Mapping[str, float | None]) -> float | None:
    """Of two cells as they are computed, or printed where they only are; a share where the unit is %."""
    values = []
    for name in cell.of:
        value = worth[name]
        values.append(by_id[name].number.value if value is None else value)
    if not values[1]:
        return None
    share = values[0] / values[1]
    return 1 - share if cell.unit == "%" else share


def _search(cell: Cell, worth: float | None, resolve: Resolve) -> tuple[list[Explanation], bool]:
    """The smallest sets of other assumptions that reproduce the printed value."""
    own, printed = baseline(cell), cell.number
    if worth is None or reproduces(printed, worth):
        return [], False
    others = {name: alternatives(cell, name, resolve) for name in varied(cell)}
    looked = 0
    for size in range(1, MOST + 1):
        values: list[tuple[dict[str, Any], float]] = []
        for chosen in _sets(others, size):
            looked += 1
            if looked > MAX_SETS:
                return [], True
            value = _worth(cell, {**own, **chosen}, resolve)
            if value is not None:
                values.append((chosen, value))
        hits = [(chosen, value) for chosen, value in values if reproduces(printed, value)]
        if hits:
            near, possible = _neighbours(printed, [value for _, value in values])
            return [Explanation(chosen, value, (), near, possible) for chosen, value in hits], False
    return [], False


def _sets(others: Mapping[str, list[Any]], size: int) -> Iterator[dict[str, Any]]:
    for names in combinations(others, size):
        for values in product(*(others[name] for name in names)):
            yield dict(zip(names, values, strict=True))


def _neighbours(printed: Printed, values: Sequence[float]) -> tuple[int, int]:
    """How many other values within 5 %, as the paper would print them, are among these; and how many there are."""
    step = 1.0 if printed.whole else (printed.high - printed.low) or abs(printed.value) * NEAR
    reach = int(abs(printed.value) * NEAR / step)
    hit = {round((value - printed.value) / step) for value in values}
    return len({k for k in hit if 0 < abs(k) <= reach}), 2 * reach
