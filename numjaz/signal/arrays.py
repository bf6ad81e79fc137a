"""Recordings as NumPy files: ``.npy`` with the axes, ``.npz`` with axes, times and labels by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numjaz.doors.npz import Npz
from numjaz.errors import NumjazError
from numjaz.signal.columns import TIME_UNITS, TO_NS, time_unit_of_steps
from numjaz.signal.recording import OWN_TIMES, Piece, Recording, Report

ROWS = 65_536  # of one piece
VALUES = ("acceleration", "accel", "acc", "xyz", "values", "data")
GYRO = ("gyroscope", "gyro", "rotation")
TIME = (
    "time",
    "t",
    "timestamp",
    *(f"{name}_{unit}" for name in ("time", "t", "timestamp") for unit in ("s", "ms", "us", "ns")),
)


def read_arrays(path: Path, *, archive: bool, rate_hz: float | None, time_unit: str | None) -> Recording:
    """A ``.npy`` of shape (n, 3) or (n, 6), or a ``.npz``.

    The ``.npz`` holds ``acceleration`` (n, 3) and may hold ``gyroscope`` (n, 3), ``time`` (n,), also
    as ``time_s``, ``time_ms``, ``time_us``, ``time_ns``, ``rate_hz``, ``subject`` and ``activity``.
    """
    source = str(path)
    arrays = _load(path, archive)
    values = _pick(arrays, VALUES)
    if values is None:
        raise NumjazError(f"{source}: no array named {', '.join(VALUES)}; it holds {', '.join(arrays) or 'none'}")
    gyro = _pick(arrays, GYRO)
    if gyro is not None:
        values = (
            np.concatenate((values, gyro), axis=1)
            if values.ndim == gyro.ndim == 2 and len(values) == len(gyro)
            else values[:0, :0]
        )
    if values.ndim != 2 or values.shape[1] not in (3, 6) or values.dtype.kind not in "iuf":
        raise NumjazError(f"{source}: the samples are {values.dtype} {values.shape}; expected numbers (n, 3) or (n, 6)")
    unit_name, time = next(((name, arrays[name]) for name in TIME if name in arrays), ("", None))
    rate = rate_hz if rate_hz is not None else _scalar(arrays, "rate_hz", source)
    if time is None and rate is None:
        raise NumjazError(f"{source}: no times; --rate HZ gives the rate of the samples")
    assumed = ""
    if time is not None:
        if time.shape != (len(values),) or time.dtype.kind not in "iuf":
            raise NumjazError(
                f"{source}: {unit_name} is {time.dtype} {time.shape}; expected one number a sample, ({len(values)},)"
            )
        unit = time_unit or TIME_UNITS.get(unit_name.rpartition("_")[2])
        if unit is None:
            unit = time_unit_of_steps(time, source)
            assumed = f"time in {unit}, by the size of its steps"
        if unit not in TO_NS:
            raise NumjazError(f"time unit {unit!r} is not one of {', '.join(TO_NS)}")
        if not (np.abs(time.astype(np.float64)) < 9.2e18 / TO_NS[unit]).all():
            raise NumjazError(f"{source}: {unit_name} holds a value that is not a time")
        time = time * np.int64(TO_NS[unit]) if time.dtype.kind in "iu" else np.rint(time * TO_NS[unit])
        time_ns = time.astype(np.int64)
    else:
        assert rate is not None
        time_ns = np.rint(np.arange(len(values)) * (1e9 / rate)).astype(np.int64)
    labels = {name: _labels(arrays, name, len(values), source) for name in ("subject", "activity")}

    def pieces(report: Report) -> Iterator[Piece]:
        if assumed:
            report.assume(assumed)
        if time is not None and rate_hz is not None:
            report.assume(OWN_TIMES)
        for a, b in _runs(labels, len(values)):
            subject, activity = (None if held is None else str(held[a]) for held in labels.values())
            for c in range(a, b, ROWS):
                part = slice(c, min(c + ROWS, b))
                yield Piece(time_ns[part], values[part].astype(np.float64), subject or "", activity)

    return Recording(source, ("ax", "ay", "az", "wx", "wy", "wz")[: values.shape[1]], pieces)


def _labels(arrays: Mapping[str, NDArray[Any]], name: str, n: int, source: str) -> NDArray[Any] | None:
    """One label a sample, from one for all or one each."""
    held = arrays.get(name)
    if held is None:
        return None
    if held.shape not in ((), (n,)):
        raise NumjazError(f"{source}: {name} has shape {held.shape}; expected one label, or one a sample")
    return np.broadcast_to(np.char.decode(held, "utf-8") if held.dtype.kind == "S" else held, (n,))


def _runs(labels: Mapping[str, NDArray[Any] | None], n: int) -> Iterator[tuple[int, int]]:
    """First and last row of every run in which no label changes."""
    changes = np.zeros(max(n - 1, 0), dtype=np.bool_)
    for held in labels.values():
        if held is not None:
            changes |= held[1:] != held[:-1]
    yield from pairwise([0, *(np.flatnonzero(changes) + 1).tolist(), n])


def _load(path: Path, archive: bool) -> dict[str, NDArray[Any]]:
    if archive:
        wanted = {*VALUES, *GYRO, *TIME, "rate_hz", "subject", "activity"}
        with Npz(path) as held:
            return {name: held.array(name, "iufbUS") for name in held.names if name in wanted}
    try:
        return {"values": np.lib.format.open_memmap(path, mode="r")}
    except (OSError, ValueError, KeyError, EOFError, SyntaxError, MemoryError) as error:
        raise NumjazError(
            f"{path}: not a readable NumPy file of plain numbers ({' '.join(str(error).split())[:120]})"
        ) from None


def _pick(arrays: Mapping[str, NDArray[Any]], names: tuple[str, ...]) -> NDArray[Any] | None:
    return next((arrays[name] for name in names if name in arrays), None)


def _scalar(arrays: Mapping[str, NDArray[Any]], name: str, source: str) -> float | None:
    if name not in arrays:
        return None
    value = arrays[name]
    if value.ndim != 0 or value.dtype.kind not in "iuf" or not np.isfinite(value) or value <= 0:
        raise NumjazError(f"{source}: {name} must be one positive number")
    return float(value)
