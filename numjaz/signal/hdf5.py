"""Recordings in HDF5: integers with a scale, steps in microseconds, and a table of segments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from numjaz.doors.hdf5 import Hdf5, Table
from numjaz.errors import NumjazError
from numjaz.signal.recording import Piece, Recording, Report

ROWS = 65_536  # of one piece


def read_hdf5(path: Path, *, people: Sequence[str] | None, rate_hz: float | None) -> Recording:
    """The layout ``xyz · scale``, ``dt_us``, ``segment/{start,length,subject,activity,…}``.

    Parameters
    ----------
    path : path
        The file.
    people : sequence of str, optional
        Only these subjects.
    rate_hz : float, optional
        The rate of segments without timestamps, which otherwise are left out and counted.
    """
    with Hdf5(path) as file:  # what is wrong with the file is said now, not in the middle of a run
        names = _activity_names(file)
        segments = _segments(file, len(names))
        scale = _scale(file)
        unknown = sorted(set(people or ()) - {subject for subject, *_ in segments})
    if unknown:
        raise NumjazError(f"{path}: no subject {unknown[0]} in it")

    def pieces(report: Report) -> Iterator[Piece]:
        with Hdf5(path) as file:
            xyz, steps = file.table("xyz", 3), file.table("dt_us", kinds="iu")
            for subject, activity, start, length, t0_ns, timed in segments:
                if people is not None and subject not in people:
                    continue
                if not timed and rate_hz is None:
                    report.rows += length
                    report.skip("row(s) without timestamps (--rate HZ gives their rate)", length)
                    continue
                yield from _segment(
                    xyz,
                    steps,
                    scale,
                    slice(start, start + length),
                    t0_ns,
                    None if timed else rate_hz,
                    subject,
                    names[activity],
                )

    return Recording(str(path), ("ax", "ay", "az"), pieces)


def _segment(
    xyz: Table, steps: Table, scale: float, rows: slice, t0_ns: int, rate_hz: float | None, subject: str, activity: str
) -> Iterator[Piece]:
    time = t0_ns
    for a in range(rows.start, rows.stop, ROWS):
        part = slice(a, min(a + ROWS, rows.stop))
        if rate_hz is None:
            time_ns = time + np.cumsum(steps[part].astype(np.int64) * 1000)
            time = int(time_ns[-1])
        else:
            time_ns = t0_ns + np.rint(np.arange(a - rows.start, part.stop - rows.start) * (1e9 / rate_hz)).astype(
                np.int64
            )
        yield Piece(time_ns, xyz[part] * scale, subject, activity, begins=a == rows.start)


def _segments(file: Hdf5, codes: int) -> list[tuple[str, int, int, int, int, bool]]:
    """Subject, activity code, first row, rows, time of the first row, whether it has timestamps."""
    columns = [
        file.array(f"segment/{name}", kinds="iu")
        for name in ("subject", "activity", "start", "length", "t0_ns", "has_timestamps")
    ]
    if any(column.ndim != 1 or len(column) != len(columns[0]) for column in columns):
        raise NumjazError(f"{file.path}: the columns of segment/ differ in length")
    rows = [
        (str(s), int(a), int(b), int(n), int(t), bool(h))
        for s, a, b, n, t, h in zip(*(c.tolist() for c in columns), strict=True)
    ]
    total = len(file.table("xyz", 3))
    if len(file.table("dt_us", kinds="iu")) != total:
        raise NumjazError(f"{file.path}: dt_us and xyz differ in length")
    for subject, activity, start, length, t0, _ in rows:
        if start < 0 or length < 1 or start + length > total or not 0 <= activity < codes or abs(t0) > 2**62:
            raise NumjazError(f"{file.path}: a segment of subject {subject} points outside the file")
    return rows


def _activity_names(file: Hdf5) -> list[str]:
    names = file.attribute("", "activity_names")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise NumjazError(
            f"{file.path}: attribute activity_names, a list of text, is missing: "
            f"not a recording in the layout that numjaz reads"
        )
    return names


def _scale(file: Hdf5) -> float:
    scale = file.attribute("xyz", "scale")
    if not isinstance(scale, (int, float)) or not np.isfinite(scale) or scale <= 0:
        raise NumjazError(f"{file.path}: xyz attribute scale must be a positive number, not {scale!r}")
    return float(scale)
