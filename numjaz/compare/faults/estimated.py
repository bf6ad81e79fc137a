"""Faults whose size the recording itself tells: constants of other values, arrays of another training.

An array is solved for where the recording has more numbers than it has; the error of that is carried along. Only an
array that is another one nearly everywhere is called stale: a single number that is wrong, the same numbers in another
order, or all of them scaled, shifted or cut, are something else, and unknown.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from numjaz.compare.faults.edit import Edit, Site
from numjaz.compare.faults.solved import DEVIATIONS, begun_elsewhere, solved_recurrence
from numjaz.compare.isolated import doubled
from numjaz.layers import Array, BatchNormalization, Conv1D, Dense, DepthwiseConv1D, Recurrent
from numjaz.layers.base import Arrays

NUMBERS = 2000  # of an output, that are read
MOST = 600  # rows of a matrix that is solved for
EXCESS = 4  # numbers recorded, more than are solved for: to be explained too
TOLD = 0.5  # of a kernel's columns are told by that many, at least
SINGULAR = 1e-10
SPAN = 1e-3  # of a change, less than which is left where it has another reason
MOVED = 0.75  # of an array's numbers, at least, where it is of another training
FAR = 1e-5  # of the largest number: those that moved
LEAST = 16  # numbers that a variance is of
PRUNED = 0.3  # of an array's numbers, where it was cut to zero
ROUNDED = 2.0**-7  # of each number, less than which is a matter of digits
DIGITS = (1, 2, 3)  # of a constant that somebody typed


def estimated_constants(site: Site) -> Iterator[Edit]:
    """One number that the recording tells."""
    if _can_be_solved(site) and isinstance(site.layer, BatchNormalization):
        yield from _constants(site)
    if isinstance(site.layer, Recurrent) and len(site.inputs) == 1 and site.then is None:
        yield from begun_elsewhere(site)


def estimated_arrays(site: Site, error: float) -> Iterator[Edit]:
    """An array that the recording tells; ``error`` is what rounding does to one number that was recorded."""
    if _can_be_solved(site):
        if isinstance(site.layer, BatchNormalization):
            yield from _statistics(site, error)
        elif isinstance(site.layer, (Dense, Conv1D, DepthwiseConv1D)):
            yield from _matrices(site, error)
        elif isinstance(site.layer, Recurrent):
            kernel = site.params["kernel"]
            for name in site.params:
                array = solved_recurrence(site, name, error)
                if array is not None:
                    own = site.params[name].real
                    change = (array.real - own).reshape(-1, kernel.shape[-1])
                    moved = name == "bias" and _is_made_of(change.sum(0), kernel.reshape(-1, kernel.shape[-1]).real)
                    yield other_values(site, name, array, False if moved else None)


def _can_be_solved(site: Site) -> bool:
    if len(site.inputs) != 1 or site.then is not None or site.inputs[0].dtype.kind == "c":
        return False
    x, layer = site.inputs[0], site.layer
    if isinstance(layer, BatchNormalization) and site.recorded[0].shape != x.shape:
        return False
    if isinstance(layer, Recurrent) and site.recorded[0].shape[-1] != layer.units:
        return False
    last = not isinstance(layer, BatchNormalization) or layer.axis in (-1, x.ndim - 1)
    return last and x.size >= EXCESS * x.shape[-1]


def other_values(site: Site, name: str, array: Array, stale: bool | None = None) -> Edit:
    """An array with other values, and whether it is of another training."""
    cause, fix = f"{name} has other values: stale weights", f"load {name} of the same training"
    if stale is None:
        stale = is_stale(site.params[name].real, array)
    return Edit(cause, fix, name, site.layer, {**site.params, name: array}, stale=stale)


def is_stale(own: Array, there: Array) -> bool:
    """Whether an array is another one nearly everywhere, and not this one changed by rule.

    Not the same numbers in another order; not scaled or shifted, as a whole, by row or by column; not cut to a grid,
    to fewer digits, to zero, or towards zero. The other one may be complex: known with an error.
    """
    change = there.real.astype(np.float64) - own
    largest = max(float(np.abs(own).max(initial=0)), float(np.abs(change).max(initial=0)))
    far = max(FAR * largest, float(np.abs(there.imag).max(initial=0)))
    if own.size < 2 or (np.abs(change) > far).mean() < MOVED:
        return False
    moved = np.abs(np.sort(there.real, axis=None) - np.sort(own, axis=None)).max() <= far
    return not (moved or _by_rule(own.astype(np.float64), there.real, far))


def _by_rule(own: Array, there: Array, far: float) -> bool:
    """Whether one array is the other scaled, shifted or cut."""
    change = there - own
    ways = [(own.ravel()[None], there.ravel()[None])]
    if own.ndim > 1:
        flat, other = own.reshape(-1, own.shape[-1]), there.reshape(-1, own.shape[-1])
        ways += [(flat, other), (flat.T, other.T)]
    for a, b in ways:
        squares = np.maximum((a * a).sum(1, keepdims=True), np.finfo(float).tiny)
        scaled = b - (a * b).sum(1, keepdims=True) / squares * a
        shifted = (b - a) - (b - a).mean(1, keepdims=True)
        if a.shape[1] > 2 and min(np.abs(scaled).max(), np.abs(shifted).max()) <= far:
            return True
    steps = [float(np.abs(there).max()) / levels for levels in (127, 128, 127.5, 7, 8, 15, 255)]
    cut = any(np.abs(there / step - np.round(there / step)).max() * step <= far for step in steps if step > 8 * far)
    gone = float((np.abs(there) <= far).mean()) > PRUNED
    shrunk = float(np.ptp(np.abs(own) - np.abs(there))) <= far
    finer = float((np.abs(change) / np.maximum(np.abs(own), far)).max()) < ROUNDED
    return cut or gone or shrunk or finer


class _Columns:
    """A batch normalization, y = (x - mean) / sqrt(variance + epsilon) gamma + beta: channels as columns."""

    def __init__(self, site: Site) -> None:
        layer: Any = site.layer
        channels = site.inputs[0].shape[-1]
        self.x, self.y = (a.astype(np.float64).reshape(-1, channels) for a in (site.inputs[0], site.recorded[0]))
        plain = {"gamma": np.ones(channels), "beta": np.zeros(channels)}
        held = doubled({**plain, **site.params})
        self.gamma, self.beta, self.variance = held["gamma"], held["beta"], held["moving_variance"]
        self.deviation = np.sqrt(self.variance + layer.epsilon)
        self.mean = held["moving_mean"]
        self.off = self.x - self.mean

    def roots(self, error: float) -> tuple[Array, Array]:
        """The deviation that each channel was divided by, and its error."""
        with np.errstate(all="ignore"):
            share, lost = _slope(self.off, (self.y - self.beta) / self.gamma, error / np.abs(self.gamma))
            return 1 / share, lost / share**2


def _constants(site: Site) -> Iterator[Edit]:
    layer: Any = site.layer
    columns = _Columns(site)
    root, _ = columns.roots(0.0)
    with np.errstate(all="ignore"):
        epsilon = _median(root**2 - columns.variance)
        ratio = _median((root**2 - layer.epsilon) / columns.variance)
    for digits in DIGITS if 0 < epsilon < 1 else ():
        typed = float(f"{epsilon:.{digits - 1}e}")
        if typed != layer.epsilon:
            cause, fix = f"epsilon {typed:g}, not {layer.epsilon:g}", f"use epsilon={layer.epsilon:g}"
            yield Edit(cause, fix, "epsilon", replace(layer, epsilon=typed), site.params)
    yield from _unbiased(site, columns.variance, ratio)


def _median(numbers: Array) -> float:
    finite = numbers[np.isfinite(numbers)]
    return float(np.median(finite)) if finite.size else 0.0


def _statistics(site: Site, error: float) -> Iterator[Edit]:
    layer: Any = site.layer
    columns = _Columns(site)
    x, y, off, deviation = columns.x, columns.y, columns.off, columns.deviation
    root, lost = columns.roots(error)
    few = DEVIATIONS * error / np.sqrt(len(x))
    with np.errstate(all="ignore"):
        gamma, wide = _slope(off / deviation, y - columns.beta, error)
        beta = (y - columns.gamma * off / deviation).mean(0)
        scale = deviation / columns.gamma
        solved = {
            "moving_variance": root**2 - layer.epsilon + 2j * np.abs(root) * lost,
            "gamma": gamma + 1j * wide,
            "beta": beta + 1j * few,
            "moving_mean": (x - (y - columns.beta) * scale).mean(0) + 1j * few * np.abs(scale),
        }
    own = {
        "moving_variance": columns.variance,
        "gamma": columns.gamma,
        "beta": columns.beta,
        "moving_mean": columns.mean,
    }
    for alike in (("gamma", "moving_variance"), ("beta", "moving_mean")):  # either could make up for the other
        if all(np.isfinite(solved[name]).all() for name in alike):
            stale = all(is_stale(own[name], solved[name]) for name in alike)
            yield from (other_values(site, name, solved[name], stale) for name in alike if name in site.params)


def _slope(x: Array, y: Array, error: Any) -> tuple[Array, Array]:
    """The least-squares factor between two columns, and its error."""
    squares = (x * x).sum(0)
    return (x * y).sum(0) / squares, DEVIATIONS * error / np.sqrt(squares)


def _unbiased(site: Site, variance: Array, ratio: float) -> Iterator[Edit]:
    """A variance of n numbers divided by n - 1, or the other way round: n is a whole number."""
    for share, cause, fix in (
        (ratio, "unbiased variance", "divide the squares by n, not by n - 1"),
        (1 / ratio if ratio else 0.0, "biased variance", "divide the squares by n - 1, not by n"),
    ):
        if not share > 1:
            continue
        n = round(share / (share - 1))
        if n >= LEAST:
            factor = n / (n - 1) if cause.startswith("un") else (n - 1) / n
            arrays = {**site.params, "moving_variance": variance * factor}
            yield Edit(f"{cause}, of {n:,} numbers", fix, "moving_variance", site.layer, arrays)


def _matrices(site: Site, error: float) -> Iterator[Edit]:
    """Of y = f(products + bias): a bias, or a kernel, of other values."""
    layer: Any = site.layer
    ending = INVERSES.get(layer.activation)
    if ending is None:
        return
    count = max(2, NUMBERS // max(math.prod(site.recorded[0].shape[1:-1]), 1))
    x = site.inputs[0][-count:].astype(np.float64)
    y, sure, steep = ending(site.recorded[0][-count:].astype(np.float64))  # before the activation; where that is known
    params = doubled(site.params)
    plain = replace(layer, activation="linear")
    (own,) = plain.forward(params, (x,)).outputs
    if own.shape != y.shape:
        return
    width = y.shape[-1]
    gap, known, steep = ((y - own).reshape(-1, width), sure.reshape(-1, width), steep.reshape(-1, width))
    if layer.activation == "softmax":
        gap = gap - gap.mean(-1, keepdims=True)
    counts = known.sum(0)
    lost = error * np.where(known, steep, 0.0).max()
    kernel = params["kernel"]
    rows = kernel.size // width
    if "bias" in params and (counts >= 2).all():
        shift = np.where(known, gap, 0.0).sum(0) / counts
        bias = params["bias"] + shift + 1j * DEVIATIONS * lost / np.sqrt(counts)
        moved = _is_made_of(shift, kernel.reshape(rows, width))  # the input may be shifted as well
        yield other_values(site, "bias", bias, False if moved else None)
    bare = replace(plain, use_bias=False)
    if rows > MOST or counts.max(initial=0) < rows // 2:
        return
    design = _design(bare, kernel.shape, rows, width, x)
    columns = [_solved(design[..., k % design.shape[-1]][known[:, k]], gap[known[:, k], k], lost) for k in range(width)]
    told = np.array([told for _, told in columns])
    if told.mean() < TOLD:
        return
    changes = np.stack([change for change, _ in columns], axis=-1)  # (rows, width)
    changes[:, ~told] = 1j * np.abs(changes[:, told]).max()  # they may be anything as large
    there = kernel + changes.reshape(kernel.shape)
    stale = is_stale(kernel.reshape(rows, width)[:, told], there.reshape(rows, width)[:, told])
    yield other_values(site, "kernel", there, stale)


def _solved(a: Array, b: Array, error: float) -> tuple[Array, bool]:
    """The smallest least-squares solution, with its error; and whether more numbers than unknowns tell it."""
    inverse = np.linalg.pinv(a.T @ a, rcond=SINGULAR, hermitian=True)
    rank = int(np.linalg.matrix_rank(inverse, hermitian=True)) if a.size else 0
    errors = DEVIATIONS * error * np.sqrt(np.maximum(np.diag(inverse), 0))
    return inverse @ (a.T @ b) + 1j * errors, len(a) >= rank + EXCESS and rank == a.shape[1]


def _is_made_of(change: Array, rows: Array) -> bool:
    """Whether a bias changes as it would if every channel of the input were shifted: fewer numbers than it has."""
    if len(rows) >= change.size:
        return False
    fit, *_ = np.linalg.lstsq(rows.T, change, rcond=None)
    return bool(np.abs(rows.T @ fit - change).max() <= SPAN * np.abs(change).max())


def _design(layer: Any, shape: tuple[int, ...], rows: int, width: int, x: Array) -> Array:
    """What each row of a kernel contributes to each output: (numbers, rows, outputs), or 1 where they are alike."""
    if isinstance(layer, Dense):
        return x.reshape(-1, rows, 1)
    if isinstance(layer, Conv1D) and layer.groups == 1:
        return np.concatenate(list(layer._taps(x)), axis=-1).reshape(-1, rows, 1)
    columns = []
    for row in range(rows):
        kernel = np.zeros((rows, width))
        kernel[row] = 1
        (y,) = layer.forward({"kernel": kernel.reshape(shape)}, (x,)).outputs
        columns.append(y.reshape(-1, width))
    return np.stack(columns, axis=1)


def _inverse(
    back: Callable[[Array], Array], sure: Callable[[Array], Array], steep: Callable[[Array], Array]
) -> Callable[[Array], Arrays]:
    def inverse(y: Array) -> Arrays:
        with np.errstate(all="ignore"):
            known = sure(y)
            return np.where(known, back(y), 0.0), known, np.where(known, steep(y), 1.0)

    return inverse


INVERSES: dict[str, Callable[[Array], Arrays]] = {
    "linear": _inverse(lambda y: y, lambda y: np.isfinite(y), np.ones_like),
    "relu": _inverse(lambda y: y, lambda y: y > 0, np.ones_like),
    "tanh": _inverse(np.arctanh, lambda y: np.abs(y) < 0.9, lambda y: 1 / (1 - y * y)),
    "sigmoid": _inverse(lambda y: np.log(y / (1 - y)), lambda y: (y > 0.05) & (y < 0.95), lambda y: 1 / (y * (1 - y))),
    "elu": _inverse(
        lambda y: np.where(y > 0, y, np.log1p(np.minimum(y, 0))),
        lambda y: y > -0.9,
        lambda y: 1 / (1 + np.minimum(y, 0)),
    ),
    "softmax": _inverse(
        lambda y: np.log(y) - np.log(y).mean(-1, keepdims=True),
        lambda y: np.broadcast_to(y.min(-1, keepdims=True) > 1e-3, y.shape),
        lambda y: 1 / y,
    ),
}
"""By activation: what was before it, where that can be told, and how an error grows on the way back."""
