"""Lines of text to rows of numbers, a block at a time: quickly where they are regular, else one by one."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from numjaz.doors.regular import open_regular
from numjaz.errors import NumjazError
from numjaz.signal.columns import Columns
from numjaz.signal.recording import Report

BLOCK_BYTES = 1 << 20
MAX_LINE = 1 << 16  # bytes
INTEGER = re.compile(r"[-+]?(\d{1,18}|[1-8]\d{18})")  # that int64 holds


@dataclass(frozen=True)
class Layout:
    """How one kind of text is cut into rows: which cell is what."""

    columns: Columns
    delimiter: str
    header_lines: int
    letters: Mapping[str, str]  # from the file's activity labels to names
    semicolons: bool  # whether every record ends in one


class Cell(NamedTuple):
    """One cell that is read: its name in the rows, its dtype, its column."""

    name: str
    dtype: str
    column: int


def parsed(path: Path, layout: Layout, report: Report, source: str) -> Iterator[NDArray[Any]]:
    """Blocks of rows as structured arrays: ``v0`` … the axes, ``t``, ``s`` and ``a`` where there are any.

    Times are int64 for as long as the text holds integers, so that nanoseconds lose nothing. Lines
    that cannot be read are counted; where none can, `NumjazError` shows the first.
    """
    integer, floating = _cells(layout.columns, "i8"), _cells(layout.columns, "f8")
    good = 0
    for number, lines in _lines(path, layout, source):
        table = _quickly(lines, layout, integer)
        if table is None:
            table = _quickly(lines, layout, floating)
            if table is None:
                table = _one_by_one(number, lines, layout, integer, floating, report)
        good += len(table)
        if len(table):
            yield table
    if not good:
        first = next(iter(report.examples.values()), "")
        hint = "; every cell must be a number with a decimal point" if first else ""
        raise NumjazError(f"{source}: no row that could be read{' (' + first + ')' if first else ''}{hint}")


def decoded(text: bytes, source: str, number: int) -> str:
    """Text of line ``number`` and those after it."""
    try:
        if b"\0" in text:
            raise ValueError("a NUL byte")
        return text.decode("utf-8-sig" if number == 1 else "utf-8")
    except ValueError as error:  # UnicodeDecodeError is one
        raise NumjazError(f"{source}: not text, at or after line {number} ({error})") from None


def _cells(columns: Columns, time: str) -> list[Cell]:
    cells = [Cell(f"v{k}", "f8", column) for k, column in enumerate(columns.axes)]
    if columns.time is not None:
        cells.append(Cell("t", time, columns.time))
    if columns.subject is not None:
        cells.append(Cell("s", "U64", columns.subject))
    if columns.activity is not None:
        cells.append(Cell("a", "U64", columns.activity))
    return sorted(cells, key=lambda cell: cell.column)


def _dtype(cells: Sequence[Cell]) -> np.dtype[Any]:
    return np.dtype([(cell.name, cell.dtype) for cell in cells])


def _quickly(lines: Sequence[str], layout: Layout, cells: Sequence[Cell]) -> NDArray[Any] | None:
    """The rows of a block all of whose lines are regular; None where one is not."""
    regular = [line for line in lines if line.strip()]
    if not regular:
        return np.empty(0, _dtype(cells))
    if layout.semicolons:
        if not all(line.count(";") == 1 and line.rstrip().endswith(";") and line.strip(" ;\t\r") for line in regular):
            return None
        regular = [line.replace(";", "") for line in regular]
    try:
        with warnings.catch_warnings():
            # Before NumPy 2.3 a fraction where an integer is due is cut off, with this warning alone.
            warnings.simplefilter("error", DeprecationWarning)
            return np.loadtxt(
                regular,
                _dtype(cells),
                delimiter=layout.delimiter,
                usecols=[cell.column for cell in cells],
                comments=None,
                quotechar='"',
                ndmin=1,
            )
    except (ValueError, OverflowError, DeprecationWarning):
        return None


def _one_by_one(
    number: int,
    lines: Sequence[str],
    layout: Layout,
    integer: Sequence[Cell],
    floating: Sequence[Cell],
    report: Report,
) -> NDArray[Any]:
    """The rows of a block with irregular lines; each kind of irregularity is counted."""
    rows: list[tuple[Any, ...]] = []
    whole = True  # whether every time is an integer
    for k, line in enumerate(lines):
        where = f"line {number + k}: {line.strip()[:60]!r}"
        for record in _records(line, layout, report):
            parts = [part.strip().strip('"') for part in record.split(layout.delimiter)]
            try:
                texts = [(cell.name, parts[cell.column]) for cell in integer]
                rows.append(tuple(_value(name, text) for name, text in texts))
                whole = whole and all(name != "t" or INTEGER.fullmatch(text) for name, text in texts)
            except (IndexError, ValueError, OverflowError) as error:
                reason = "with too few cells" if isinstance(error, IndexError) else "with a cell that is not a number"
                report.rows += 1
                report.skip(f"line(s) {reason}", 1, where)
    return np.array(rows, dtype=_dtype(integer if whole else floating))


def _records(line: str, layout: Layout, report: Report) -> list[str]:
    """The records of a line: one, where none ends in a semicolon."""
    if not layout.semicolons:
        return [line] if line.strip() else []
    *ended, rest = line.split(";")
    if rest.strip():
        report.meet("record(s) without a semicolon")
        ended.append(rest)
    if len(ended) > 1:
        report.meet("line(s) with several records")
    return ended


def _value(name: str, text: str) -> Any:
    if name in ("s", "a"):
        return text
    return int(text) if name == "t" and INTEGER.fullmatch(text) else float(text)


def _lines(path: Path, layout: Layout, source: str) -> Iterator[tuple[int, list[str]]]:
    """Blocks of lines, each with the number of its first line."""
    with open_regular(path) as file:
        number = 1
        for _ in range(layout.header_lines):
            number += _skip_header(file)
        rest = b""
        while block := file.read(BLOCK_BYTES):
            *whole, rest = (rest + block).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
            if len(rest) > MAX_LINE or any(len(line) > MAX_LINE for line in whole):
                raise NumjazError(f"{source}: a line after line {number} is longer than {MAX_LINE:,} bytes")
            if whole:
                yield number, decoded(b"\n".join(whole), source, number).split("\n")
            number += len(whole)
        if rest.strip():
            yield number, [decoded(rest, source, number)]


def _skip_header(file: BufferedReader) -> int:
    """Read up to the first line that is not empty; how many lines that took."""
    count = 1
    while (line := file.readline(MAX_LINE)) and not line.strip():
        count += 1
    return count
