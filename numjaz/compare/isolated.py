"""One node alone: what it makes of recorded inputs, and how far from that rounding can lead.

A recurrent layer hands its rounding on from step to step; bounds that do the same grow beyond all measure. But where
a recording holds every step, each can be judged from the recorded one before it. Where it holds the last alone, the
errors of single steps are followed to the end by the layer's own sensitivity, to first order.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from numjaz.compare.rounding import Rounded, arithmetic, current, rounded
from numjaz.layers import GRU, LSTM, Array, BatchNormalization, Bidirectional, Layer, SimpleRNN
from numjaz.layers.base import Arrays, Parameters, under

SLACK = 1.25  # for what is beyond the first order, and for differences in the place of derivatives
SMALL = 5e-2  # errors that the first order speaks of
STEP = 1e-6  # of those differences
DEVIATIONS = 2.0  # standard ones, of the number that errs most: what the largest of many errors is likely to be
FEW = 2  # windows on which that is computed


def alone(layer: Layer, params: Parameters, inputs: Arrays, recorded: Arrays) -> tuple[Array, ...]:
    """A layer's outputs for recorded inputs, as complex arrays: values, and bounds of rounding.

    Parameters
    ----------
    layer : Layer
        Any.
    params, inputs : arrays
        What both sides hold exactly; complex ones are only known with an error.
    recorded : arrays
        The outputs of the other side, which its own later steps went on from; empty where nobody recorded them: then
        the errors of a recurrent layer's steps are handed on.
    """
    with np.errstate(all="ignore"):
        if isinstance(layer, (GRU, LSTM, SimpleRNN)):
            return _recurrent(layer, params, inputs, recorded)
        if isinstance(layer, Bidirectional) and layer.merge == "concat" and not layer.forward_layer.return_state:
            return (_both_directions(layer, params, inputs, recorded),)
        held, given = {name: _known(a) for name, a in params.items()}, tuple(map(_known, inputs))
        made = layer.forward(held, given).outputs
        if isinstance(layer, BatchNormalization):
            made = (_either(made[0], _folded(layer, held, given[0])),)
    return tuple(np.array(y, np.complex128) for y in made)


def likely(layer: Layer, params: Parameters, inputs: Arrays, recorded: Arrays) -> tuple[Array, ...]:
    """`alone`, with the standard deviation of independent errors for each bound; exact are inputs without one."""
    with arithmetic(replace(current(), expected=True)):
        return alone(layer, {name: array.real for name, array in params.items()}, inputs, recorded)


def largest_windows(arrays: Iterable[Array]) -> Array:
    """The few windows whose numbers are largest, and with them their errors."""
    sizes = [np.abs(x).reshape(len(x), -1).max(axis=1, initial=0.0).astype(np.float64) for x in arrays]
    return np.argsort(-np.nan_to_num(np.max(sizes, axis=0)), kind="stable")[:FEW]


def doubled(params: Parameters) -> dict[str, Array]:
    """Arrays in float64, without the errors that they may carry."""
    return {name: a.real.astype(np.float64) for name, a in params.items()}


def _folded(layer: BatchNormalization, params: dict[str, Rounded], x: Rounded) -> Any:
    """The other form in use: x times one number a channel, plus another; its sums cancel where means are large."""
    plain = {"moving_mean", "beta"}
    slope = {name: rounded(np.zeros(a.shape)) if name in plain else a for name, a in params.items()}
    (sloped,) = layer.forward(slope, (x,)).outputs
    (offset,) = layer.forward(params, (rounded(np.zeros(x.shape)),)).outputs
    return sloped + offset


def _either(made: Any, other: Any) -> Rounded:
    """One value with the errors of whichever form errs more."""
    a, b = (np.array(each, np.complex128) for each in (made, other))
    return rounded(a.real, np.maximum(a.imag, b.imag))


def _known(x: Array) -> Rounded:
    """Recorded numbers exactly; others with the errors that they carry."""
    return rounded(x.real, x.imag) if x.dtype.kind == "c" else rounded(x)


def _both_directions(layer: Bidirectional, params: Parameters, inputs: Arrays, recorded: Arrays) -> Array:
    ahead, back = layer.forward_layer, layer.backward_layer
    x, states = inputs[0], inputs[1:]
    first = tuple(y[..., : ahead.units] for y in recorded)
    second = tuple(y[..., ahead.units :] for y in recorded)
    turned = tuple(y[:, ::-1] for y in second) if back.return_sequences else second
    (one,) = _recurrent(ahead, under(params, "forward"), (x, *states[: ahead.STATES]), first)
    (other,) = _recurrent(back, under(params, "backward"), (x[:, ::-1], *states[ahead.STATES :]), turned)
    return np.concatenate([one, other[:, ::-1] if back.return_sequences else other], axis=-1)


def _recurrent(layer: Any, params: Parameters, inputs: Arrays, recorded: Arrays) -> tuple[Array, ...]:
    """Step by step, each from what was recorded before it; or all steps, where only the last was."""
    x, *given = inputs
    x = x[:, ::-1] if layer.go_backwards else x
    exact = doubled(params)
    held = {name: _known(a) for name, a in params.items()}
    state = tuple(a.real.astype(np.float64) for a in given) or layer.start(len(x), np.dtype(np.float64))
    ahead = layer._projected(held, _known(x))
    outputs: list[Array] = []
    if layer.return_sequences and not recorded and x.shape[1]:
        return _run_on(layer, exact, held, x.real.astype(np.float64), ahead, state)
    if layer.return_sequences and layer.STATES == 1 and x.shape[1]:  # every step at once: all were recorded
        (n, steps), first = x.shape[:2], _known((given or state)[0])
        before = np.concatenate([first[:, None], rounded(recorded[0][:, :-1])], axis=1)
        rows = before.reshape(n * steps, layer.units)
        (each,) = _step(layer, held, ahead.reshape(n * steps, ahead.shape[-1]), (rows,))
        whole = np.array(each, np.complex128).reshape(n, steps, layer.units)
        return (whole, whole[:, -1]) if layer.return_state else (whole,)
    if layer.return_sequences:
        now: Any = tuple(map(_known, given or state))
        for t in range(x.shape[1]):
            now = _step(layer, held, ahead[:, t], now)
            outputs.append(np.array(now[0], np.complex128))
            now = (rounded(recorded[0][:, t]), *now[1:])  # an LSTM's second state stays with its own small errors
        final = [outputs[-1], *(np.array(s, np.complex128) for s in now[1:])] if outputs else []
        made = (np.stack(outputs, axis=1),)
        return (*made, *final) if layer.return_state else made
    final = _followed(layer, exact, held, x.real.astype(np.float64), ahead, state)
    return (final[0], *final) if layer.return_state else (final[0],)


def _step(layer: Any, held: dict[str, Rounded], x: Any, state: Any) -> tuple[Any, ...]:
    """One step; of a GRU in whichever form errs more: z h + (1 - z) n, or torch's n + z (h - n), which cancels."""
    if not isinstance(layer, GRU):
        return tuple(layer._cell(held, x, state))
    (h,) = state
    z, _, n, *_ = layer._gates(held, x, h)
    return (_either(z * h + (1 - z) * n, n + z * (h - n)),)


def _followed(
    layer: Any, exact: Parameters, held: dict[str, Rounded], x: Array, ahead: Rounded, state: Arrays
) -> list[Array]:
    """The last states, and the errors of all steps as the steps after them hand them on."""
    units, count = layer.units, layer.STATES
    projected = layer._projected(exact, x)
    states, errors = [state], []
    for t in range(x.shape[1]):
        single = _step(layer, held, ahead[:, t], tuple(rounded(a) for a in states[-1]))
        errors.append(np.concatenate([np.array(s).imag for s in single], axis=-1))  # (N, states units)
        states.append(layer._cell(exact, projected[:, t], states[-1]))
    size = units * count
    sensitivity = np.broadcast_to(np.eye(size), (len(x), size, size))
    total = np.zeros((len(x), size))
    power = 2 if current().expected else 1  # variances add up
    for t in range(x.shape[1] - 1, -1, -1):
        total += np.einsum("nij,nj->ni", np.abs(sensitivity) ** power, errors[t] ** power)
        sensitivity = sensitivity @ _jacobian(layer, exact, projected[:, t], states[t])
    total = np.sqrt(total) if power == 2 else np.where(total < SMALL, SLACK * total, np.inf)
    return [np.array(rounded(states[-1][k], total[:, k * units : (k + 1) * units])) for k in range(count)]


def _run_on(
    layer: Any, exact: Parameters, held: dict[str, Rounded], x: Array, ahead: Rounded, state: Arrays
) -> tuple[Array, ...]:
    """Every step, with the errors of those before it as each hands them on: to first order, none making up for one."""
    projected = layer._projected(exact, x)
    total = np.zeros((len(x), layer.units * layer.STATES))
    power = 2 if current().expected else 1  # variances add up
    made: list[list[Array]] = []
    for t in range(x.shape[1]):
        single = _step(layer, held, ahead[:, t], tuple(rounded(a) for a in state))
        own = np.concatenate([np.array(s).imag for s in single], axis=-1)
        sensitivity = np.abs(_jacobian(layer, exact, projected[:, t], state)) ** power
        total = (np.einsum("nij,nj->ni", sensitivity, total**power) + own**power) ** (1 / power)
        state = layer._cell(exact, projected[:, t], state)
        bound = total if power == 2 else np.where(total < SMALL, SLACK * total, np.inf)
        parts = np.split(bound, layer.STATES, axis=-1)
        made.append([np.array(rounded(a, b)) for a, b in zip(state, parts, strict=True)])
    outputs = np.stack([step[0] for step in made], axis=1)
    return (outputs, *made[-1]) if layer.return_state else (outputs,)


def _jacobian(layer: Any, params: Parameters, x: Array, state: Arrays) -> Array:
    """How the next states move with these: (N, states, states), by differences."""
    whole = np.concatenate(state, axis=-1)  # (N, S)
    n, size = whole.shape
    moved = whole[:, None, :] + STEP * np.concatenate([np.eye(size), -np.eye(size)])[None]  # (N, 2S, S)
    flat = moved.reshape(n * 2 * size, size)
    parts = tuple(flat[:, k * layer.units : (k + 1) * layer.units] for k in range(layer.STATES))
    after = np.concatenate(layer._cell(params, np.repeat(x, 2 * size, axis=0), parts), axis=-1)
    after = after.reshape(n, 2 * size, size)
    return np.asarray(np.swapaxes(after[:, :size] - after[:, size:], 1, 2) / (2 * STEP))
