"""`read_recording`: any recording that numjaz reads, in SI units."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from numjaz.doors.hdf5 import SIGNATURE
from numjaz.doors.regular import open_regular
from numjaz.errors import NumjazError
from numjaz.signal.arrays import read_arrays
from numjaz.signal.features import ACCELERATION_UNITS, ROTATION_UNITS
from numjaz.signal.hdf5 import read_hdf5
from numjaz.signal.join import joined
from numjaz.signal.recording import Floats, Piece, Recording, Report
from numjaz.signal.text import read_text


def read_recording(
    path: str | Path,
    *,
    gyro: str | Path | None = None,
    gravity: str | Path | None = None,
    rate_hz: float | None = None,
    units: str | None = None,
    gyro_units: str = "rad/s",
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
    gyro_units : str
        ``rad/s`` or ``deg/s``.
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
    if units is not None and units not in ACCELERATION_UNITS:
        raise NumjazError(f"units {units!r} are not one of {', '.join(ACCELERATION_UNITS)}")
    if gyro_units not in ROTATION_UNITS:
        raise NumjazError(f"gyro units {gyro_units!r} are not one of {', '.join(ROTATION_UNITS)}")

    def read(path: str | Path) -> tuple[Recording, str | None]:
        return _read(path, rate_hz, columns, time_unit, people)

    recording, stated = read(path)
    turn = ROTATION_UNITS[gyro_units]
    recording = _scaled(recording, ACCELERATION_UNITS[units or stated or "m/s2"], turn)
    if gravity is not None:
        other, stated = read(gravity)
        other = _scaled(other, ACCELERATION_UNITS[units or stated or "m/s2"], turn)
        recording = joined(recording, other, "gravity sensor", _added)
    if gyro is not None:
        if len(recording.channels) == 6:
            raise NumjazError(f"{recording.source}: holds a gyroscope already; leave --gyro out")
        other = _scaled(read(gyro)[0], turn, turn)
        recording = joined(recording, other, "gyroscope", _beside)
        recording = Recording(recording.source, ("ax", "ay", "az", "wx", "wy", "wz"), recording.pieces)
    return recording


def _read(
    path: str | Path,
    rate_hz: float | None,
    columns: Mapping[str, str] | None,
    time_unit: str | None,
    people: Sequence[str] | None,
) -> tuple[Recording, str | None]:
    source = str(path)
    if source == "-":
        from numjaz.signal.standard_input import spooled

        return read_text(
            spooled(), people=people, rate_hz=rate_hz, columns=columns, time_unit=time_unit, source="standard input"
        )
    with open_regular(path) as file:
        start = file.read(len(SIGNATURE))
    if start == SIGNATURE:
        return read_hdf5(Path(path), people=people, rate_hz=rate_hz), None
    if start[:6] == b"\x93NUMPY" or start[:4] == b"PK\x03\x04":
        return read_arrays(Path(path), rate_hz=rate_hz, time_unit=time_unit), None
    return read_text(Path(path), people=people, rate_hz=rate_hz, columns=columns, time_unit=time_unit, source=source)


def _scaled(recording: Recording, acceleration: float, rotation: float) -> Recording:
    if acceleration == rotation == 1.0:
        return recording
    factors = np.array([acceleration] * 3 + [rotation] * (len(recording.channels) - 3))

    def pieces(report: Report) -> Iterator[Piece]:
        for piece in recording.pieces(report):
            yield piece._replace(values=piece.values * factors)

    return Recording(recording.source, recording.channels, pieces)


def _added(values: Floats, gravity: Floats) -> Floats:
    return np.concatenate((values[:, :3] + gravity, values[:, 3:]), axis=1)


def _beside(values: Floats, rotation: Floats) -> Floats:
    return np.concatenate((values, rotation), axis=1)
