"""Recordings as text: the published WISDM files, and CSV or TSV with a header, in constant memory."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numjaz.doors.regular import open_regular
from numjaz.errors import NumjazError
from numjaz.signal.columns import TO_NS, Columns, read_header, time_unit_of_steps
from numjaz.signal.recording import OWN_TIMES, Piece, Recording, Report
from numjaz.signal.rows import MAX_LINE, Layout, decoded, parsed
from numjaz.signal.wisdm import ACTIVITIES

WISDM_LINE = re.compile(rb"\s*\d+\s*,\s*[A-S]\s*,\s*\d+\s*,[^;]*;")


WISDM = Layout(
    Columns(time=2, axes=(3, 4, 5), subject=0, activity=1, time_unit="ns"),
    delimiter=",",
    header_lines=0,
    letters=ACTIVITIES,
    semicolons=True,
)


def read_text(
    path: Path,
    *,
    rate_hz: float | None,
    columns: Mapping[str, str] | None,
    time_unit: str | None,
    source: str,
) -> tuple[Recording, tuple[str, ...]]:
    """A recording in text, and the unit that its header states of each channel, or an empty text."""
    with open_regular(path) as file:
        first = file.readline(MAX_LINE)
        while first and not first.strip():
            first = file.readline(MAX_LINE)
    if not first.strip():
        raise NumjazError(f"{source}: empty")
    if WISDM_LINE.match(first) and columns is None:
        layout = WISDM
    else:
        found, delimiter = read_header(decoded(first, source, 1), source, columns)
        layout = Layout(found, delimiter, 1, {}, semicolons=False)
    held = layout.columns
    if time_unit is not None:
        held = held.with_unit(time_unit)
    assumed = ""
    if held.time is None and rate_hz is None:
        raise NumjazError(
            f"{source}: no column of time; --columns time=NAME names it, or --rate HZ gives the rate of the rows"
        )
    if held.time is not None and held.time_unit is None:
        sample = next(parsed(path, layout, Report(), source), None)
        if sample is None:
            raise NumjazError(f"{source}: no row that could be read")
        unit = time_unit_of_steps(sample["t"], source)
        held, assumed = held.with_unit(unit), f"time in {unit}, by the size of its steps"
    layout = replace(layout, columns=held)

    def pieces(report: Report) -> Iterator[Piece]:
        if assumed:
            report.assume(assumed)
        if held.time is not None and rate_hz is not None:
            report.assume(OWN_TIMES)
        row = 0
        for table in parsed(path, layout, report, source):
            time_ns = _time_ns(table, held, rate_hz, row, report)
            row += len(table)
            keep = time_ns != np.iinfo(np.int64).min
            yield from _runs(table[keep], time_ns[keep], layout)

    return Recording(source, held.channels, pieces), held.units


def _runs(table: NDArray[Any], time_ns: NDArray[np.int64], layout: Layout) -> Iterator[Piece]:
    """Cut rows where the subject or the activity changes."""
    if not len(table):
        return
    names = table.dtype.names or ()
    changes = np.zeros(len(table) - 1, dtype=np.bool_)
    for name in ("s", "a"):
        if name in names:
            changes |= table[name][1:] != table[name][:-1]
    bounds = [0, *(np.flatnonzero(changes) + 1).tolist(), len(table)]
    for a, b in pairwise(bounds):
        subject = str(table["s"][a]).strip() if "s" in names else ""
        activity = str(table["a"][a]).strip() if "a" in names else None
        values = np.stack([table[f"v{k}"][a:b] for k in range(len(layout.columns.axes))], axis=1)
        yield Piece(time_ns[a:b], values, subject, layout.letters.get(activity, activity) if activity else None)


def _time_ns(
    table: NDArray[Any], columns: Columns, rate_hz: float | None, row: int, report: Report
) -> NDArray[np.int64]:
    """Times in ns; the least int64 marks a row whose time is beyond all clocks, counted."""
    if columns.time is None or columns.time_unit is None:
        assert rate_hz is not None
        return np.asarray(np.rint((row + np.arange(len(table))) * (1e9 / rate_hz)), dtype=np.int64)
    factor, held = TO_NS[columns.time_unit], table["t"]
    good = np.abs(held.astype(np.float64)) < 9.2e18 / factor  # false for not-a-number
    report.rows += int((~good).sum())
    report.skip("row(s) whose time is not a time", int((~good).sum()))
    if held.dtype.kind == "i":  # exact where a float would round: nanoseconds since 1970 are above 2^53
        exact: NDArray[np.int64] = np.where(good, held, 0).astype(np.int64) * np.int64(factor)
    else:
        exact = np.rint(np.where(good, held, 0) * factor).astype(np.int64)
    exact[~good] = np.iinfo(np.int64).min
    return exact
