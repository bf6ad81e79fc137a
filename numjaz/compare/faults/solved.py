"""An array of a recurrent layer, solved for from what was recorded of every step.

What unit j makes of a recorded state depends on no other unit's columns (not so where the reset acts before the
product). So each row of an array is moved for all units at once, and each unit's columns are solved for by
Gauss-Newton from this side's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from numjaz.compare.faults.edit import Edit, Site
from numjaz.compare.isolated import doubled
from numjaz.layers import GRU, LSTM, Array, SimpleRNN
from numjaz.layers.base import Arrays

MOST = 200  # columns a unit that are solved for
TIMES = 1.25  # as many numbers recorded as are solved for, at least
NUMBERS = 1600  # of a unit, that are read
WINDOWS = 4  # that tell a number
STEP = 1e-6
ROUNDS = 12
SLOW = 0.9  # of the squares before, where a round leaves more: it leads nowhere
SINGULAR = 1e-10
CLOSE = 4.0  # times the error of rounding: solved
DEVIATIONS = 4.0  # of an estimate, as its error


def solved_recurrence(site: Site, name: str, error: float) -> Array | None:
    """What the array must have been, with its error as the imaginary part; None where that cannot be told."""
    layer: Any = site.layer
    if not isinstance(layer, (GRU, LSTM, SimpleRNN)) or not layer.return_sequences or len(site.inputs) != 1:
        return None
    if isinstance(layer, GRU) and not layer.reset_after:
        return None
    count = max(1, NUMBERS // max(site.recorded[0].shape[1], 1))
    x, there = site.inputs[0][-count:].astype(np.float64), site.recorded[0][-count:].astype(np.float64)
    x = x[:, ::-1] if layer.go_backwards else x
    params = doubled(site.params)
    array = params[name]
    rows = array.reshape(-1, layer.GATES, layer.units)  # a view: every row of each gate
    unknown = rows.shape[0] * layer.GATES
    if unknown > MOST or unknown * TIMES > there.shape[0] * there.shape[1]:
        return None
    made = _steps(layer, params, x, there)
    inverse = np.zeros((layer.units, unknown, unknown))
    for _ in range(ROUNDS):
        off = there - made
        slopes = _slopes(layer, params, rows, x, made, there)  # (units, numbers, unknown)
        turned = slopes.swapaxes(1, 2)
        squares = turned @ slopes
        if not np.isfinite(squares).all():
            return None
        if name != "bias" and np.linalg.matrix_rank(squares, hermitian=True).min() < unknown:
            return None  # many arrays would do
        inverse = np.linalg.pinv(squares, rcond=SINGULAR, hermitian=True)  # two biases may act as one
        change = inverse @ (turned @ off.reshape(-1, layer.units).T[..., None])  # (units, unknown, 1)
        rows += change[..., 0].T.reshape(rows.shape)
        made = _steps(layer, params, x, there)
        if np.abs(there - made).max() <= CLOSE * error:
            lost = DEVIATIONS * error * np.sqrt(np.maximum(np.diagonal(inverse, axis1=1, axis2=2), 0))
            return np.asarray(array + 1j * lost.T.reshape(array.shape))
        if not np.square(there - made).sum() < SLOW * np.square(off).sum():
            return None
    return None


def begun_elsewhere(site: Site) -> Iterator[Edit]:
    """A state that begins with one number other than zero: solved for, and then what somebody typed."""
    layer: Any = site.layer
    x, there = site.inputs[0][-WINDOWS:].astype(np.float64), site.recorded[0][-WINDOWS:].astype(np.float64)
    if layer.return_state or not len(x) or there.shape[-1] != layer.units:
        return
    if layer.return_sequences:  # the first step read tells
        x = x[:, -1:] if layer.go_backwards else x[:, :1]
        there = there[:, :1]
    params = doubled(site.params)

    def made(value: float) -> Array:
        state = (np.full((len(x), layer.units), value),) * layer.STATES
        return np.asarray(layer.forward(params, (x, *state)).outputs[0])

    value = 0.0
    for _ in range(ROUNDS):
        off = there - made(value)
        slope = (made(value + STEP) - made(value)) / STEP
        squares = float(np.square(slope).sum())
        if not squares > 0:
            return
        value += float(np.clip((slope * off).sum() / squares, -1, 1))
    for digits in (1, 2, 3):
        typed = float(f"{value:.{digits - 1}e}")

        def start(inputs: Arrays, typed: float = typed) -> Arrays:
            state = np.full((len(inputs[0]), layer.units), typed, inputs[0].dtype)
            return (*inputs, *(state,) * layer.STATES)

        if typed:
            cause = f"initial state of {typed:g}"
            yield Edit(cause, "begin with a state of zeros", "state", layer, site.params, given=start)


def _steps(layer: Any, params: dict[str, Array], x: Array, there: Array) -> Array:
    """Every step from the recorded one before it; an LSTM's second state goes on from its own."""
    state = layer.start(len(x), x.dtype)
    ahead = layer._projected(params, x)
    if layer.STATES == 1:
        before = np.concatenate([state[0][:, None], there[:, :-1]], axis=1)
        flat = layer._cell(params, ahead.reshape(-1, ahead.shape[-1]), (before.reshape(-1, layer.units),))[0]
        return np.asarray(flat.reshape(there.shape))
    made = np.empty_like(there)
    for t in range(x.shape[1]):
        h, *rest = layer._cell(params, ahead[:, t], state)
        made[:, t] = h
        state = (there[:, t], *rest)
    return made


def _slopes(layer: Any, params: dict[str, Array], rows: Array, x: Array, made: Array, there: Array) -> Array:
    """How each unit's outputs move with each of its own numbers, by differences."""
    count = rows.shape[0] * layer.GATES
    slopes = np.empty((layer.units, made.shape[0] * made.shape[1], count))
    for k in range(count):
        row = rows[k // layer.GATES, k % layer.GATES]
        row += STEP
        slopes[..., k] = ((_steps(layer, params, x, there) - made) / STEP).reshape(-1, layer.units).T
        row -= STEP
    return slopes
