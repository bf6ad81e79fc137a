"""Which column of a table is what, by the names that sensor apps and data sets give them."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from numjaz.errors import NumjazError

AXES = ("x", "y", "z")
ACCELERATION = ("a", "", "acc", "accel", "acceleration", "accelerometer", "linearacceleration")
ROTATION = ("w", "gyr", "gyro", "gyroscope", "rotationrate", "angularvelocity", "omega")
ALIASES: dict[str, str] = {
    **dict.fromkeys(("t", "time", "timestamp", "secondselapsed", "elapsed"), "time"),
    **dict.fromkeys(("subject", "subjectid", "user", "userid", "person", "participant"), "subject"),
    **dict.fromkeys(("activity", "activitylabel", "label", "class"), "activity"),
    **{f"{stem}{axis}": f"a{axis}" for stem in ACCELERATION for axis in AXES},
    **{f"{axis}axis": f"a{axis}" for axis in AXES},
    **{f"{stem}{axis}": f"w{axis}" for stem in ROTATION for axis in AXES},
}
"""From a column's name, in small letters and digits alone, to its role."""

ROLES = ("time", "ax", "ay", "az", "wx", "wy", "wz", "subject", "activity")
TO_NS = {"s": 1e9, "ms": 1e6, "us": 1e3, "ns": 1.0}
TIME_UNITS = {"s": "s", "sec": "s", "seconds": "s", "ms": "ms", "us": "us", "µs": "us", "ns": "ns"}
HEADER_UNITS = {
    **dict.fromkeys(("m/s2", "m/s^2", "m/s²", "ms-2", "m/s/s"), "m/s2"),
    **dict.fromkeys(("rad/s", "rads-1"), "rad/s"),
    **dict.fromkeys(("deg/s", "°/s", "dps"), "deg/s"),
    "g": "g",
    "mg": "mg",
}
"""Units as headers state them, without spaces."""


@dataclass(frozen=True)
class Columns:
    """Positions of the columns; ``axes`` are three or six of them."""

    time: int | None
    axes: tuple[int, ...]
    subject: int | None
    activity: int | None
    time_unit: str | None = None
    channels: tuple[str, ...] = ("ax", "ay", "az")
    units: tuple[str, ...] = ()

    def with_unit(self, time_unit: str) -> Columns:
        """The same with another unit of time."""
        if time_unit not in TO_NS:
            raise NumjazError(f"time unit {time_unit!r} is not one of s, ms, us, ns")
        return replace(self, time_unit=time_unit)


def read_header(line: str, source: str, given: Mapping[str, str] | None) -> tuple[Columns, str]:
    """The columns of a header line, and its delimiter.

    ``given`` maps roles (time, ax, ay, az, wx, wy, wz, subject, activity) to names in the header
    and comes before what the names themselves say.
    """
    delimiter = max(",\t;", key=line.count)
    names = [name.strip().strip('"').strip() for name in line.rstrip("\r\n").split(delimiter)]
    if all(_is_number(name) for name in names):
        raise NumjazError(
            f"{source}: the first line holds numbers; a header with the columns' names is needed (time, x, y, z)"
        )
    found: dict[str, int] = {}
    for role, name in (given or {}).items():
        if role not in ROLES:
            raise NumjazError(f"column role {role!r} is not one of {', '.join(ROLES)}")
        if name not in names:
            raise NumjazError(f"{source}: no column {name!r}; the columns are {_listed(names)}")
        found[role] = names.index(name)
    unit: dict[str, str] = {}
    for position, name in enumerate(names):
        stem, stated = _split_unit(name)
        role = ALIASES.get(stem, "")
        if role and found.setdefault(role, position) != position and role not in (given or {}):
            raise NumjazError(
                f"{source}: columns {names[found[role]]!r} and {name!r} could both be {role}; "
                f"--columns {role}=NAME decides"
            )
        for known, at in found.items():
            if at == position and stated:
                unit[known] = stated
    missing = [f"a{axis}" for axis in AXES if f"a{axis}" not in found]
    rotation = [f"w{axis}" for axis in AXES if f"w{axis}" in found]
    if missing and len(missing) == len(rotation) == 3:  # a gyroscope's file on its own
        channels: tuple[str, ...] = ("wx", "wy", "wz")
    elif missing:
        raise NumjazError(
            f"{source}: no column for {missing[0]}; the columns are {_listed(names)}; "
            f"--columns {missing[0]}=NAME names it"
        )
    else:
        channels = ("ax", "ay", "az", *(rotation if len(rotation) == 3 else ()))
    return (
        Columns(
            time=found.get("time"),
            axes=tuple(found[role] for role in channels),
            subject=found.get("subject"),
            activity=found.get("activity"),
            time_unit=TIME_UNITS.get(unit.get("time", "")),
            channels=channels,
            units=tuple(unit.get(role, "") for role in channels),
        ),
        delimiter,
    )


def time_unit_of_steps(time: NDArray[np.int64] | NDArray[np.float64], source: str) -> str:
    """The unit in which these times advance by 2 to 500 milliseconds a step."""
    steps = np.diff(time[:4096].astype(np.float64))
    steps = steps[steps > 0]
    median = float(np.median(steps)) if len(steps) else 0.0
    for unit, a_second in (("s", 1.0), ("ms", 1e3), ("us", 1e6), ("ns", 1e9)):
        if 0.002 <= median / a_second <= 0.5:
            return unit
    raise NumjazError(
        f"{source}: the unit of time is not plain from steps of {median:g}; --time-unit s, ms, us or ns states it"
    )


def _split_unit(name: str) -> tuple[str, str]:
    """``Acceleration x (m/s^2)`` -> ``accelerationx``, ``m/s^2``; ``timestamp_ms`` -> ``timestamp``, ``ms``."""
    bracket = re.search(r"[(\[]\s*([^)\]]+?)\s*[)\]]", name)
    unit = bracket.group(1) if bracket else ""
    bare = re.sub(r"[(\[].*", "", name)
    suffix = re.fullmatch(r"(.*time.*|t)_(s|ms|us|ns)", bare.strip(), re.IGNORECASE)
    if suffix and not unit:
        bare, unit = suffix.group(1), suffix.group(2)
    return re.sub(r"[^a-z0-9]", "", bare.lower()), unit.lower()


def _listed(names: list[str]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def stated_unit(
    channels: tuple[str, ...], units: tuple[str, ...], first: str, known: Container[str], source: str
) -> str:
    """The unit that a header states of the channels that begin with ``first``, or an empty text."""
    stated = {unit for channel, unit in zip(channels, units, strict=True) if channel.startswith(first)}
    if len(stated) > 1:
        raise NumjazError(
            f"{source}: the columns state different units ({', '.join(sorted(stated))}); an option decides"
        )
    name = re.sub(r"\s", "", min(stated, default=""))
    unit = HEADER_UNITS.get(name, name)
    if unit and unit not in known:
        option = "--units" if first == "a" else "--gyro-units"
        raise NumjazError(f"{source}: the unit {unit!r} of the header is not known; {option} states it")
    return unit
