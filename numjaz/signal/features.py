"""From a recording's units to the network's features, and the checks that catch silent failures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

import numpy as np

from numjaz.contract import GRAVITY, Contract
from numjaz.errors import NumjazError
from numjaz.signal.recording import Floats, Piece

ACCELERATION_UNITS = {"m/s2": 1.0, "g": 9.80665, "mg": 9.80665e-3, "g/64": 9.80665 / 64}
"""What one unit of acceleration is in m/s². ``g/64`` is the Empatica E4's."""

ROTATION_UNITS = {"rad/s": 1.0, "deg/s": np.pi / 180}
"""What one unit of angular rate is in rad/s."""

CHECKED_SAMPLES = 4096  # of each subject, to tell gravity and units from the median |a|
SOME_GRAVITY = 6.0  # m/s²: medians of |a| of worn devices with gravity lie above, without it below
TOO_MUCH = 30.0  # m/s²: no worn device has a median |a| beyond


def checked(
    pieces: Iterable[Piece], *, gravity: bool, source: str, mend: str = "--unchecked runs as it is"
) -> Iterator[Piece]:
    """Refuse a subject whose |a| cannot be what the network was trained on.

    The median |a| of each subject's first 4,096 samples tells whether gravity is in it, and whether
    the unit is m/s². Nothing of a subject passes before its samples were looked at.
    """
    for _, of_one in groupby(pieces, key=lambda piece: piece.subject):
        first: list[Piece] = []
        count = 0
        for piece in of_one:
            first.append(piece)
            count += len(piece.time_ns)
            if count >= CHECKED_SAMPLES:
                break
        _check(first, gravity, source, mend)
        yield from first
        yield from of_one  # noqa: B031 - the rest, after the pieces that were looked at


def _check(pieces: list[Piece], gravity: bool, source: str, mend: str) -> None:
    values = np.concatenate([piece.values[:, :3] for piece in pieces])[:CHECKED_SAMPLES]
    values = values[np.isfinite(values).all(axis=1)]
    if not len(values):
        return
    norm = np.hypot(np.hypot(values[:, 0], values[:, 1]), values[:, 2])  # hypot: no overflow
    low, median = np.percentile(norm, (10, 50))
    who = f"{source}, subject {pieces[0].subject}" if pieces[0].subject else source
    found = f"{who}: the median |a| is {median:.3g} m/s^2"
    if gravity and SOME_GRAVITY <= median <= TOO_MUCH:
        return
    if 0.8 <= median <= 1.6 and low > 0.5 * median:  # near 1 and seldom near 0: gravity, counted in g
        raise NumjazError(f"{found}, as if it were in g; --units g converts it")
    if median > TOO_MUCH:
        raise NumjazError(f"{found}, which no worn sensor measures; --units states the file's unit (g, mg, g/64)")
    if gravity:
        raise NumjazError(
            f"{found}, so gravity is missing, which this network was trained with; "
            f"--gravity FILE adds the gravity sensor's recording, {mend}"
        )
    if median >= SOME_GRAVITY:
        raise NumjazError(f"{found}, so gravity is in it, where none is wanted; {mend}")


def features(values: Floats, contract: Contract) -> Floats:
    """The network's features of samples in SI units, normalised where the contract says so.

    Parameters
    ----------
    values : array (n, 3) or (n, 6)
        Acceleration in m/s² and, for six features, angular rate in rad/s.
    contract : Contract
        Which features; for the magnitude, which of its readings.

    Returns
    -------
    array (n, F), not a number where ``root_minus_g`` has no real value.

    Examples
    --------
    >>> at_rest = np.array([[0.0, 0.0, 9.81]])
    >>> features(at_rest, Contract(features=("magnitude",), rate_hz=20.0, magnitude="minus_g"))
    array([[0.]])
    """
    if contract.magnitude is None:
        out = values[:, : len(contract.features)]
    else:
        square = (values[:, :3] ** 2).sum(axis=1, keepdims=True)  # (n, 3) -> (n, 1)
        if contract.magnitude == "root_minus_g":
            with np.errstate(invalid="ignore"):
                out = np.sqrt(square - GRAVITY)
        else:
            out = np.sqrt(square) - (GRAVITY if contract.magnitude == "minus_g" else 0.0)
    if contract.mean is not None and contract.std is not None:
        out = (out - np.array(contract.mean)) / np.array(contract.std)
    return out
