"""Recordings as text: the published WISDM files, and CSV or TSV with a header, in constant memory."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BufferedReader
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numjaz.doors.regular import open_regular
from numjaz.errors import NumjazError
from numjaz.signal.columns import Columns, read_header, time_unit_of_steps
from numjaz.signal.recording import Piece, Recording, Report
from numjaz.signal.wisdm import ACTIVITIES

BLOCK_BYTES = 1 << 20
MAX_LINE = 1 << 16  # bytes
WISDM_LINE = re.compile(rb"\s*\d+\s*,\s*[A-S]\s*,\s*\d+\s*,[^;]*;")
TO_NS = {"s": 1e9, "ms": 1e6, "us": 1e3, "ns": 1.0}


@dataclass(frozen=True)
class Layout:
    """How one kind of text is cut into rows: which cell is what."""

    columns: Columns
    delimiter: str
    header_lines: int
    letters: Mapping[str, str]  # from the file's activity labels to names
    semicolons: bool  # whether every record ends in one


WISDM = Layout(
    Columns(time=2, axes=(3, 4, 5), subject=0, activity=1, time_unit="ns", count=6),
    delimiter=",",
    header_lines=0,
    letters=ACTIVITIES,
    semicolons=True,
)


def read_text(
    path: Path,
    *,
    people: Sequence[str] | None,
    rate_hz: float | None,
    columns: Mapping[str, str] | None,
    time_unit: str | None,
    source: str,
) -> tuple[Recording, str | None]:
    """A recording in text, and the unit of acceleration that its header states, if any."""
    with open_regular(path) as file:
        first = file.readline(MAX_LINE)
        while first and not first.strip():
            first = file.readline(MAX_LINE)
    if not first.strip():
        raise NumjazError(f"{source}: empty")
    if WISDM_LINE.match(first) and columns is None:
        layout = WISDM
    else:
        found, delimiter = read_header(_decoded(first, source, 1), source, columns)
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
        sample = next(_parsed(path, layout, Report(), source), None)
        if sample is None:
            raise NumjazError(f"{source}: no row that could be read")
        unit = time_unit_of_steps(sample["t"], source)
        held, assumed = held.with_unit(unit), f"time in {unit}, by the size of its steps"
    layout = Layout(held, layout.delimiter, layout.header_lines, layout.letters, layout.semicolons)

    def pieces(report: Report) -> Iterator[Piece]:
        if assumed:
            report.assume(assumed)
        row = 0
        for table in _parsed(path, layout, report, source):
            time_ns = _time_ns(table, held, rate_hz, row, report)
            row += len(table)
            keep = time_ns != np.iinfo(np.int64).min
            yield from _runs(table[keep], time_ns[keep], layout, people)

    return Recording(source, held.channels, pieces), held.unit


def _runs(
    table: NDArray[Any], time_ns: NDArray[np.int64], layout: Layout, people: Sequence[str] | None
) -> Iterator[Piece]:
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
        if people is not None and subject not in people:
            continue
        values = np.stack([table[f"v{k}"][a:b] for k in range(len(layout.columns.axes))], axis=1)
        yield Piece(time_ns[a:b], values, subject, layout.letters.get(activity, activity) if activity else None)


def _time_ns(
    table: NDArray[Any], columns: Columns, rate_hz: float | None, row: int, report: Report
) -> NDArray[np.int64]:
    """Times in ns; the least int64 marks a row whose time is beyond all clocks, counted."""
    if columns.time is None or columns.time_unit is None:
        assert rate_hz is not None
        return np.rint((row + np.arange(len(table))) * (1e9 / rate_hz)).astype(np.int64)
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


def _parsed(path: Path, layout: Layout, report: Report, source: str) -> Iterator[NDArray[Any]]:
    """Blocks of rows as structured arrays: t, v0 …, and s and a where the text has them."""
    columns = layout.columns
    cells = [(f"v{k}", "f8", column) for k, column in enumerate(columns.axes)]
    cells += [("t", "i8", columns.time)] if columns.time is not None else []
    cells += [("s", "U64", columns.subject)] if columns.subject is not None else []
    cells += [("a", "U64", columns.activity)] if columns.activity is not None else []
    cells.sort(key=lambda cell: cell[2])
    dtype = [(name, kind) for name, kind, _ in cells]
    as_float = [(name, "f8" if name == "t" else kind) for name, kind in dtype]
    usecols = [column for *_, column in cells]
    good, bad, integers = 0, Report(), True
    for number, lines in _lines(path, layout, source):
        table = None
        if not layout.semicolons or all(line.count(";") == 1 and line.rstrip().endswith(";") for line in lines):
            plain = [line.replace(";", "") for line in lines] if layout.semicolons else lines
            for integer in (True, False) if integers else (False,):
                try:
                    table = np.loadtxt(
                        plain,
                        dtype if integer else as_float,
                        delimiter=layout.delimiter,
                        usecols=usecols,
                        comments=None,
                        quotechar='"',
                        ndmin=1,
                    )
                    integers = integer
                    break
                except (ValueError, OverflowError):
                    continue
        if table is None:
            table = _one_by_one(number, lines, layout, cells, dtype if integers else as_float, bad)
        good += len(table)
        if len(table):
            yield table
    report.rows += sum(bad.skipped.values())
    for reason, count in bad.skipped.items():
        report.skip(reason, count, bad.examples.get(reason, ""))
    if not good:
        first = next(iter(bad.examples.values()), "")
        raise NumjazError(f"{source}: no row that could be read{' (' + first + ')' if first else ''}")


def _one_by_one(
    number: int, lines: Sequence[str], layout: Layout, cells: Sequence[tuple[str, str, int]], dtype: Any, bad: Report
) -> NDArray[Any]:
    """Rows of a block that holds irregular lines; what is irregular is counted, with an example."""
    rows = []
    for k, line in enumerate(lines):
        where = f"line {number + k}: {line.strip()[:60]!r}"
        records = [line]
        if layout.semicolons:
            *records, rest = line.rstrip().split(";")
            if rest.strip():
                bad.skip("record(s) without their semicolon", 0)
                records.append(rest)
            if len(records) > 1:
                bad.examples.setdefault("several records on one line", where)
        for record in records:
            parts = [part.strip().strip('"') for part in record.split(layout.delimiter)]
            try:
                rows.append(tuple(_cell(parts[column], kind, name, dtype) for name, kind, column in cells))
            except IndexError:
                if record.strip():
                    bad.skip("line(s) with too few cells", 1, where)
            except (ValueError, OverflowError):
                bad.skip("line(s) with a cell that is not a number", 1, where)
    return np.array(rows, dtype=dtype)


def _cell(text: str, kind: str, name: str, dtype: Any) -> Any:
    if kind.startswith("U"):
        return text
    if name == "t" and ("t", "i8") in dtype:
        value = int(text) if re.fullmatch(r"[-+]?\d+", text) else round(float(text))
        return value if abs(value) < 2**63 else -(2**63)
    return float(text)


def _lines(path: Path, layout: Layout, source: str) -> Iterator[tuple[int, list[str]]]:
    """Blocks of non-empty lines, each with the number of its first line."""
    with open_regular(path) as file:
        number = 1
        for _ in range(layout.header_lines):
            number += _skip_header(file)
        rest = b""
        while block := file.read(BLOCK_BYTES):
            *whole, rest = (rest + block).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
            if len(rest) > MAX_LINE or any(len(line) > MAX_LINE for line in whole):
                raise NumjazError(f"{source}: a line after line {number} is longer than {MAX_LINE:,} bytes")
            text = _decoded(b"\n".join(whole), source, number).split("\n")
            lines = [line for line in text if line.strip()]
            if lines:
                yield number, lines
            number += len(whole)
        if rest.strip():
            yield number, [_decoded(rest, source, number)]


def _skip_header(file: BufferedReader) -> int:
    """Read up to the first line that is not empty; how many lines that took."""
    count = 1
    while (line := file.readline(MAX_LINE)) and not line.strip():
        count += 1
    return count


def _decoded(text: bytes, source: str, number: int) -> str:
    try:
        if b"\0" in text:
            raise ValueError("a NUL byte")
        return text.decode("utf-8-sig" if number == 1 else "utf-8")
    except ValueError as error:  # UnicodeDecodeError is one
        raise NumjazError(f"{source}: not text, at or after line {number} ({error})") from None
