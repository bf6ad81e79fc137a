"""What an audit found, in words: one wording for every kind of output."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from numjaz.audit.claims import BYTES, UNITS, Cell, Paper
from numjaz.audit.explain import Judged
from numjaz.audit.search import Explanation

VERDICTS = {
    "exact": "what is printed, to the last digit",
    "rounds": "rounded, or its last digits cut off, it is what is printed",
    "within": "printed otherwise, but 2 % away or less",
    "contradicts": "further away, under the paper's own options",
    "not_derivable": "only printed, or only computed",
}
WEAK = 0.2  # of the neighbouring values: an explanation that would have explained many a number
SHOWN = 3  # explanations of a cell


def shown(value: float | str | None, cell: Cell) -> str:
    """A computed value in the unit of what is printed."""
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    if cell.unit == "%":
        return f"{100 * value:.2f} %"
    if cell.quantity in ("ratio", "sum"):
        return f"{value:,.{4 if cell.quantity == 'ratio' else 10}g}"
    unit = UNITS[cell.unit]
    number = f"{value:,.0f}" if unit == 1 else f"{value / unit:,.4g}"
    return f"{number} {cell.unit}" if cell.unit in BYTES else number


def printed(cell: Cell) -> str:
    """What is printed, with its unit where that stands apart from it."""
    return f"{cell.printed} {cell.unit}" if cell.unit in (*BYTES, "ms", "s") else cell.printed


def summary(judged: Sequence[Judged]) -> str:
    """How many cells there are of each verdict, and how many are explained."""
    counts = {verdict: sum(each.verdict == verdict for each in judged) for verdict in VERDICTS}
    parts = [f"{n} {verdict.replace('_', ' ')}" for verdict, n in counts.items() if n]
    wrong = [each for each in judged if each.verdict in ("within", "contradicts")]
    explained = sum(bool(each.explanations) for each in wrong)
    cells = "cell" if len(judged) == 1 else "cells"
    return f"{len(judged)} {cells}: {', '.join(parts)}" + (f"; {explained} of {len(wrong)} explained" if wrong else "")


def grouped(judged: Sequence[Judged]) -> list[tuple[str, list[tuple[Judged, Explanation]]]]:
    """Explanations by their assumptions, each with its cells; those of the most cells, then the smallest, first."""
    groups: dict[str, list[tuple[Judged, Explanation]]] = {}
    for each in judged:
        for found in each.explanations[:SHOWN]:
            groups.setdefault(assumed(found.assumptions), []).append((each, found))
    return sorted(groups.items(), key=lambda item: (-len(item[1]), len(item[1][0][1].assumptions)))


def assumed(assumptions: Mapping[str, Any]) -> str:
    """Assumptions as text."""
    return ", ".join(f"{name}={value}" for name, value in assumptions.items())


def rivals(found: Explanation) -> str:
    """How many neighbouring values an equally small set of assumptions would give as well."""
    if not found.possible:
        return ""
    weak = ": weak" if found.neighbours >= WEAK * found.possible else ""
    return f"{found.neighbours:,} of {found.possible:,} neighbours too{weak}"


def reproduced(each: Judged, found: Explanation) -> str:
    """A cell, what is computed for it with an explanation, and how much that says."""
    told = rivals(found)
    return f"{each.cell.id} {shown(found.computed, each.cell)}" + (f" ({told})" if told else "")


def because(found: Explanation, cell: Cell) -> str:
    """One explanation of one cell, whole."""
    cells = f"{len(found.cells)} cells" if len(found.cells) > 1 else "this cell"
    parts = ", ".join(filter(None, (cells, rivals(found))))
    return f"{shown(found.computed, cell)} with {assumed(found.assumptions)} ({parts})"


def unexplained(judged: Sequence[Judged]) -> Iterator[tuple[Judged, str]]:
    """Cells that stay open, and why."""
    for each in judged:
        more = len(each.explanations) - SHOWN
        tried = "; ".join(f"{name} ({values})" for name, values in each.tried.items() if values)
        if more > 0:
            yield each, f"{more} more explanations"
        if each.cut:
            yield each, "the search was cut; fewer entries in may_vary make it whole"
        elif each.verdict in ("within", "contradicts") and not each.explanations:
            yield each, f"not reproduced by up to three of: {tried}" if tried else "nothing was varied that bears on it"
        if each.failed:
            yield each, f"not derivable: {each.reason}"


def heading(paper: Paper) -> str:
    """The paper's name."""
    return f"{paper.title}" + (f" (doi:{paper.doi})" if paper.doi else "")
