"""Which cells of a paper are right, and under which assumptions the others would be."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from numjaz.audit.assumptions import ASSUMED, ONLY_COMPUTED, ONLY_PRINTED, Resolve, baseline
from numjaz.audit.candidates import candidates, check_varied
from numjaz.audit.claims import NOTHING, Cell, Paper
from numjaz.audit.printed import Printed
from numjaz.audit.search import Explanation, Value, matches, plain, reproduces, search, search_growth
from numjaz.audit.values import growth_of, value_of
from numjaz.errors import NumjazError

WITHIN = 0.02


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

    @property
    def failed(self) -> bool:
        """Whether it should have been computed and could not."""
        return bool(self.reason) and self.reason not in (ONLY_PRINTED, ONLY_COMPUTED)


def verdict(printed: Printed, value: float | None) -> str:
    """How a computed value stands to a printed one.

    Examples
    --------
    >>> from numjaz.audit.printed import printed_number
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
            found, cut = search_growth(cell, varying, value), False
        else:
            found, cut = search(cell, varying, value)
        tried = {name: _range(each.values) for name, each in varying.items()}
        judged.append(Judged(cell, plain(worth), how, tuple(found), cut, reason, tried))
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
        return "exact" if matches(cell, worth) else "contradicts"
    return verdict(cell.number, worth)


def _fits(cell: Cell, assumed: Mapping[str, Any], value: Value) -> bool:
    try:
        return matches(cell, value(cell, assumed))
    except NumjazError:
        return False


def _ranked(judged: Judged, explained: Mapping[Any, list[str]]) -> Judged:
    """Its explanations with the cells that each explains: the smallest first, then those of the most cells."""
    found = [replace(e, cells=tuple(dict.fromkeys(explained[_key(e.assumptions)]))) for e in judged.explanations]
    found.sort(key=lambda e: (len(e.assumptions), -len(e.cells), e.neighbours))
    return replace(judged, explanations=tuple(found))


def _range(values: Sequence[Any]) -> str:
    """Tried values in few words."""
    if len(values) > 6 and all(type(value) is int for value in values):
        return f"{len(values)} numbers from {min(values):,} to {max(values):,}"
    if len(values) > 6:
        return f"{len(values)} choices"
    return ", ".join(map(str, values))


def _key(assumptions: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, repr(value)) for name, value in assumptions.items()))
