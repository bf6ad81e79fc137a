"""Inputs that the other side scales and shifts channel by channel, as a normalization does: solved for."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from numjaz.compare.faults.edit import Edit, Site, Step
from numjaz.compare.faults.solved import CLOSE, DEVIATIONS
from numjaz.compare.isolated import doubled
from numjaz.compare.rounding import Rounded, rounded
from numjaz.layers import Array, Recurrent

CHANNELS = 8  # at most
WINDOWS, STEPS = 4, 12  # that tell; of a recurrent layer, its first steps
ROUNDS, STEP = 15, 1e-6
FAR = 1e-4  # from 1 and 0, or from one another: scales and shifts that are


def scaled_inputs(site: Site, error: float) -> Iterator[Edit]:
    """Inputs times one number a channel, plus another; one number for all channels is known or is none."""
    if not site.outer or len(site.inputs) != 1 or site.then is not None or site.inputs[0].ndim < 2:
        return
    x, there = (a[-WINDOWS:].astype(np.float64) for a in (site.inputs[0], site.recorded[0]))
    if isinstance(site.layer, Recurrent) and site.layer.return_sequences and not site.layer.go_backwards:
        x, there = x[:, :STEPS], there[:, :STEPS]
    channels = x.shape[-1]
    if not 2 <= channels <= CHANNELS:
        return
    params = doubled(site.params)

    def left(numbers: Array) -> Array:
        read = x * numbers[:channels] + numbers[channels:]
        made = site.layer.forward(params, (read,)).outputs[0]
        return (there - made).ravel() if made.shape == there.shape else np.full(there.size, np.inf)

    solved = _solved(left, np.concatenate([np.ones(channels), np.zeros(channels)]), error)
    if solved is None:
        return
    numbers, lost = solved
    scale, shift = numbers[:channels], numbers[channels:]
    moved = (np.abs(scale - 1) > FAR) | (np.abs(shift) > FAR)
    alike = np.ptp(scale) <= FAR * np.abs(scale).max() and np.abs(shift).max() <= FAR
    if alike or not moved.all():  # one channel alone is no normalization
        return

    def function(read: Array) -> Array:
        if not isinstance(read, Rounded):
            return read * scale + shift
        return np.asanyarray(read * rounded(scale, lost[:channels]) + rounded(shift, lost[channels:]))

    said = [", ".join(f"{n:.3g}" for n in each) for each in (scale, shift)]
    cause = f"normalization: inputs times ({said[0]}) plus ({said[1]}), channel by channel"
    fix = "give the windows as they are, or both normalized"
    yield Edit(cause, fix, "input", site.layer, site.params, before=Step(function))


def _solved(left: Callable[[Array], Array], numbers: Array, error: float) -> tuple[Array, Array] | None:
    """Gauss-Newton: the numbers that leave no more than rounding, and their errors."""
    off = left(numbers)
    for _ in range(ROUNDS):
        slopes = np.stack([(off - left(numbers + STEP * unit)) / STEP for unit in np.eye(len(numbers))], axis=1)
        if not np.isfinite(slopes).all() or len(off) < 2 * len(numbers):
            return None
        if np.linalg.matrix_rank(slopes) < len(numbers):
            return None
        change = np.linalg.lstsq(slopes, off, rcond=None)[0]
        numbers = numbers + change
        before, off = off, left(numbers)
        if np.abs(off).max() <= CLOSE * error:
            lost = DEVIATIONS * error * np.sqrt(np.diag(np.linalg.inv(slopes.T @ slopes)))
            return numbers, lost
        if not np.square(off).sum() < np.square(before).sum():
            return None
    return None
