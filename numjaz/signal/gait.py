"""A simulated wrist: what an accelerometer would read on somebody who stands, walks and jogs.

The model, in the plane of walking, with the step frequency f:

- The trunk rises and falls once a step, z = A cos(2 pi f t); its acceleration has a second harmonic
  of a fifth, and cannot fall below -g, which is free flight.
- The arm is a pendulum of length L that swings once a stride, theta = B sin(pi f t): the wrist feels
  L theta'' along the swing and L theta'^2 towards the shoulder, and gravity turns with the arm.
- The pace wanders by some per cent, and the sensor has white noise.

A, B, L and the noise are textbook sizes, not fitted to any recording or network.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from numjaz.contract import GRAVITY
from numjaz.errors import NumjazError
from numjaz.signal.recording import Floats, Piece, Recording, Report

PHASES = (("standing", 30.0), ("walking", 60.0), ("jogging", 30.0))
"""What the recording consists of where nothing else is asked for: activity and seconds."""

# Steps a second, A in m, B in rad.
GAITS = {"standing": (0.0, 0.0, 0.0), "walking": (1.9, 0.02, 0.35), "jogging": (2.7, 0.045, 0.6)}
ARM = 0.6  # L, m
SECOND_HARMONIC = 0.2
WANDER = 0.03  # of the pace, around every 5 s
NOISE = 0.15  # m/s²


def simulate_gait(phases: Sequence[tuple[str, float]] = PHASES, *, rate_hz: float = 20.0, seed: int = 0) -> Recording:
    """A simulated recording of a watch, in m/s² with gravity; no person was recorded.

    Parameters
    ----------
    phases : sequence of (str, float)
        One after the other: ``standing``, ``walking`` or ``jogging``, and for how many seconds.
    rate_hz : float
        Samples a second.
    seed : int
        Of the wandering pace and the noise.

    Returns
    -------
    Recording
        With the phases as its activities.
    """
    if isinstance(phases, str) or not all(isinstance(phase, (tuple, list)) and len(phase) == 2 for phase in phases):
        raise NumjazError(f"phases are pairs of an activity and its seconds, not {phases!r:.60}")
    for name, seconds in phases:
        if name not in GAITS or not 0 < seconds <= 86_400:
            raise NumjazError(f"a phase is {', '.join(GAITS)} and its seconds, up to a day, not {name!r}, {seconds!r}")
    if not 0 < rate_hz <= 1e4:
        raise NumjazError(f"rate_hz must be above 0 and at most 10,000, not {rate_hz!r}")

    def pieces(report: Report) -> Iterator[Piece]:
        rng = np.random.default_rng(seed)
        begun = 0
        for name, seconds in phases:
            n = max(round(seconds * rate_hz), 1)
            time_ns = np.rint((begun + np.arange(n)) * (1e9 / rate_hz)).astype(np.int64)
            yield Piece(time_ns, _wrist(n, rate_hz, *GAITS[name], rng), "simulated", name)
            begun += n

    return Recording("simulated", ("ax", "ay", "az"), pieces)


def _wrist(n: int, rate_hz: float, steps_hz: float, rise: float, swing: float, rng: np.random.Generator) -> Floats:
    knots = np.arange(0, n / rate_hz + 10, 5.0)
    pace = steps_hz * (1 + WANDER * np.interp(np.arange(n) / rate_hz, knots, rng.standard_normal(len(knots))))
    w = 2 * np.pi * pace
    phase = np.cumsum(w) / rate_hz
    up = -rise * w**2 * (np.cos(phase) + SECOND_HARMONIC * np.cos(2 * phase))
    up = np.maximum(up, -GRAVITY) + GRAVITY  # what holds the body up, m/s²
    angle, rate = swing * np.sin(phase / 2), swing * w / 2 * np.cos(phase / 2)
    along = -ARM * swing * (w / 2) ** 2 * np.sin(phase / 2) + up * np.sin(angle)
    towards = ARM * rate**2 + up * np.cos(angle)
    return np.stack((along, towards, np.zeros(n)), axis=1) + NOISE * rng.standard_normal((n, 3))
