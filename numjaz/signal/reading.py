"""`read_recording`: any recording that numjaz reads, in SI units."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from numjaz.doors.regular import HDF5, open_regular
from numjaz.errors import NumjazError
from numjaz.signal.arrays import read_arrays
from numjaz.signal.columns import stated_unit
from numjaz.signal.features import ACCELERATION_UNITS, ROTATION_UNITS, checked
from numjaz.signal.hdf5 import read_hdf5
from numjaz.signal.join import joined
from numjaz.signal.recording import Floats, Piece, Recording, Report, only
from numjaz.signal.standard_input import spooled
from numjaz.signal.text import read_text


def read_recording(
    path: str | Path,
    *,
    gyro: str | Path | None = None,
    gravity: str | Path | None = None,
    rate_hz: float | None = None,
    units: str | None = None,
    gyro_units: str | None = None,
    columns: Mapping[str, str] | None = None,
    time_unit: str | None = None,
    people: Sequence[str] | None = None,
) -> Recording:
    """Read a recording of an accelerometer, and of a gyroscope with it.

    Reads the published WISDM text (``subject,activity,timestamp_ns,x,y,z;``), CSV and TSV with a
    header, ``.npy`` and ``.npz``, and HDF5 in the layout ``xyz``, ``dt_us``, ``segment/``. ``-`` is
    standard input (text).

    Parameters
    ----------
    path : path
        The accelerometer's recording.
    gyro : path, optional
        The gyroscope's, joined on time: six channels.
    gravity : path, optional
        The gravity sensor's, joined on time and added to an acceleration without gravity.
    rate_hz : float, optional
        The rate of samples that carry no timestamps.
    units : str, optional
        ``m/s2``, ``g``, ``mg`` or ``g/64``; a CSV header's own where not given, else m/s².
    gyro_units : str, optional
        ``rad/s`` or ``deg/s``; a CSV header's own where not given, else rad/s.
    columns : mapping, optional
        For CSV: from time, ax, ay, az, wx, wy, wz, subject, activity to the columns' names.
    time_unit : str, optional
        ``s``, ``ms``, ``us`` or ``ns``; told from the header or from the steps where not given.
    people : sequence of str, optional
        Only these subjects.

    Returns
    -------
    Recording
        Values in m/s² and rad/s. Text and HDF5 are read anew at every pass, in constant memory.

    Raises
    ------
    NumjazError
        Where the file is missing, damaged, or does not say what is needed to read it; the message
        names the option that does.
    """
    if rate_hz is not None and not (math.isfinite(rate_hz) and rate_hz > 0):
        raise NumjazError(f"rate_hz must be a positive number, not {rate_hz!r}")
    _check_unit("units", units, ACCELERATION_UNITS)
    _check_unit("gyro units", gyro_units, ROTATION_UNITS)

    def read(path: str | Path) -> Recording:
        recording, stated = _read(path, rate_hz, columns, time_unit, people)
        return _in_si(recording, stated, units, gyro_units)

    recording = read(path)
    if recording.channels[0] != "ax":
        raise NumjazError(
            f"{recording.source}: holds a gyroscope alone; it goes with an accelerometer's as --gyro FILE"
        )
    if gravity is not None:
        recording = joined(_without_gravity(recording), read(gravity), "gravity sensor", _added)
    if gyro is not None:
        if len(recording.channels) == 6:
            raise NumjazError(f"{recording.source}: holds a gyroscope already; leave --gyro out")
        recording = joined(recording, _rotation(read(gyro)), "gyroscope", _beside)
        recording = Recording(recording.source, ("ax", "ay", "az", "wx", "wy", "wz"), recording.pieces)
    return recording


def _read(
    path: str | Path,
    rate_hz: float | None,
    columns: Mapping[str, str] | None,
    time_unit: str | None,
    people: Sequence[str] | None,
) -> tuple[Recording, tuple[str, ...]]:
    """A recording in its own units, and the units that it states."""
    source, start = ("standard input", b"") if str(path) == "-" else (str(path), _start(path))
    if start == HDF5:
        _refuse_columns(source, columns)
        return read_hdf5(Path(path), people=people, rate_hz=rate_hz), ()
    archive = start.startswith(b"PK\x03\x04")
    if archive or start.startswith(b"\x93NUMPY"):
        _refuse_columns(source, columns)
        recording = read_arrays(Path(path), archive=archive, rate_hz=rate_hz, time_unit=time_unit)
        stated: tuple[str, ...] = ()
    else:
        text = Path(path) if start else spooled()
        recording, stated = read_text(text, rate_hz=rate_hz, columns=columns, time_unit=time_unit, source=source)
    return (recording if people is None else only(recording, people)), stated


def _start(path: str | Path) -> bytes:
    with open_regular(path) as file:
        start = file.read(len(HDF5))
    if not start:
        raise NumjazError(f"{path}: empty")
    return start


def _check_unit(what: str, unit: str | None, known: Mapping[str, float]) -> None:
    if unit is not None and unit not in known:
        raise NumjazError(f"{what} {unit!r} are not one of {', '.join(known)}")


def _refuse_columns(source: str, columns: Mapping[str, str] | None) -> None:
    if columns is not None:
        raise NumjazError(f"{source}: --columns goes with CSV and TSV")


def _in_si(recording: Recording, stated: tuple[str, ...], units: str | None, gyro_units: str | None) -> Recording:
    """The recording in m/s² and rad/s: by the option, else by what the header states."""
    channels, source = recording.channels, recording.source
    stated = stated or ("",) * len(channels)
    unit = units or stated_unit(channels, stated, "a", ACCELERATION_UNITS, source) or "m/s2"
    turn = gyro_units or stated_unit(channels, stated, "w", ROTATION_UNITS, source) or "rad/s"
    factors = np.array([ACCELERATION_UNITS[unit] if name[0] == "a" else ROTATION_UNITS[turn] for name in channels])
    if (factors == 1.0).all():
        return recording

    def pieces(report: Report) -> Iterator[Piece]:
        for piece in recording.pieces(report):
            yield piece._replace(values=piece.values * factors)

    return Recording(source, channels, pieces)


def _rotation(recording: Recording) -> Recording:
    """A gyroscope's three channels: those that are named so, else (x, y, z) of its own file."""
    if len(recording.channels) == 3:
        return recording

    def pieces(report: Report) -> Iterator[Piece]:
        for piece in recording.pieces(report):
            yield piece._replace(values=piece.values[:, 3:])

    return Recording(recording.source, recording.channels[3:], pieces)


def _without_gravity(recording: Recording) -> Recording:
    """The same, refused where gravity is in it already."""
    return Recording(
        recording.source,
        recording.channels,
        lambda report: checked(
            recording.pieces(report), gravity=False, source=recording.source, mend="leave --gravity out"
        ),
    )


def _added(values: Floats, gravity: Floats) -> Floats:
    return np.concatenate((values[:, :3] + gravity, values[:, 3:]), axis=1)


def _beside(values: Floats, rotation: Floats) -> Floats:
    return np.concatenate((values, rotation), axis=1)
