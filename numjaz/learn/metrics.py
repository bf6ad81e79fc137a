"""Figures of a classifier, from one confusion matrix a person, and how far other people would move them.

A matrix counts how often class i (row, the truth) was taken for class j (column). Every figure takes matrices of any
leading shape and is scikit-learn's with ``zero_division=0``: an average is over the classes that occur, as truth or
as prediction (`balanced_accuracy`: as truth), and a share of nothing counts as 0 in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from numjaz.errors import NumjazError

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]
Matrices = NDArray[Any]  # whole numbers, as integers or, where people are drawn, as floats
Figure = Callable[[Matrices], Floats]

DRAWS = 10_000
TIE = 1e-12  # what rounding may do to a difference that is the same


class Interval(NamedTuple):
    """A figure and the bounds between which 95 % of the resampled figures lie."""

    value: float
    low: float
    high: float


class Paired(NamedTuple):
    """A difference of two figures of the same people, its 95 % interval, and how often chance gives as large a one."""

    value: float
    low: float
    high: float
    p: float


def confusion(true: NDArray[np.int64], predicted: NDArray[np.int64], classes: int) -> Counts:
    """How often class i was taken for class j: (classes, classes), rows the truth."""
    cells = (true * classes + predicted).astype(np.intp)  # which NumPy counts with: 32 bits on a 32-bit processor
    return np.bincount(cells, minlength=classes * classes).astype(np.int64).reshape(classes, classes)


def accuracy(matrix: Matrices) -> Floats:
    """Share of windows on the diagonal; of each matrix, over any leading axes."""
    return np.asarray(np.trace(matrix, axis1=-2, axis2=-1) / np.maximum(matrix.sum(axis=(-2, -1)), 1))


def recall(matrix: Matrices) -> Floats:
    """Share of each class's windows that were found; not a number for a class that never occurs."""
    return _share(_hits(matrix), matrix.sum(axis=-1))


def precision(matrix: Matrices) -> Floats:
    """Share of what was taken for each class that was it; not a number for a class that nothing was taken for."""
    return _share(_hits(matrix), matrix.sum(axis=-2))


def f1(matrix: Matrices) -> Floats:
    """2 hits / (true + predicted) of each class; not a number for a class that occurs as neither."""
    return _share(2 * _hits(matrix), matrix.sum(axis=-1) + matrix.sum(axis=-2))


def balanced_accuracy(matrix: Matrices) -> Floats:
    """Mean recall of the classes that occur as truth."""
    return _mean(recall(matrix), matrix.sum(axis=-1) > 0)


def macro_precision(matrix: Matrices) -> Floats:
    """Mean precision of the classes that occur, as truth or as prediction."""
    return _mean(precision(matrix), _occurring(matrix))


def macro_recall(matrix: Matrices) -> Floats:
    """Mean recall of the classes that occur, as truth or as prediction."""
    return _mean(recall(matrix), _occurring(matrix))


def macro_f1(matrix: Matrices) -> Floats:
    """Mean of 2 hits / (true + predicted) over the classes that occur, as truth or as prediction."""
    return _mean(f1(matrix), _occurring(matrix))


def weighted_precision(matrix: Matrices) -> Floats:
    """Mean precision, each class counted as often as it is the truth."""
    return _mean(precision(matrix), matrix.sum(axis=-1))


def weighted_recall(matrix: Matrices) -> Floats:
    """Mean recall, each class counted as often as it is the truth: the accuracy, by another name."""
    return _mean(recall(matrix), matrix.sum(axis=-1))


def weighted_f1(matrix: Matrices) -> Floats:
    """Mean F1, each class counted as often as it is the truth."""
    return _mean(f1(matrix), matrix.sum(axis=-1))


FIGURES: Mapping[str, Figure] = {
    each.__name__: each
    for each in (
        accuracy,
        balanced_accuracy,
        macro_precision,
        macro_recall,
        macro_f1,
        weighted_precision,
        weighted_recall,
        weighted_f1,
    )
}
"""One number of a confusion matrix, by name."""


def _hits(matrix: Matrices) -> Matrices:
    return np.diagonal(matrix, axis1=-2, axis2=-1)


def _share(part: Matrices, whole: Matrices) -> Floats:
    return np.where(whole > 0, part / np.maximum(whole, 1), np.nan)


def _occurring(matrix: Matrices) -> NDArray[np.bool_]:
    return np.asarray(matrix.sum(axis=-1) + matrix.sum(axis=-2) > 0)


def _mean(of_class: Floats, weight: Matrices) -> Floats:
    """Over the last axis; what is not a number counts as 0, as scikit-learn's ``zero_division=0`` has it."""
    total = np.where(np.isnan(of_class), 0.0, of_class * weight).sum(axis=-1)
    return np.asarray(total / np.maximum(weight.sum(axis=-1), 1))


def drawn_people(people: int, draws: int = DRAWS, seed: int = 0) -> Floats:
    """How often each person is drawn when as many are drawn with replacement: (draws, people)."""
    return np.random.default_rng(seed).multinomial(people, np.full(people, 1 / people), size=draws).astype(np.float64)


def bounds(value: Floats | float, drawn: Floats) -> Interval:
    """A figure, and the bounds of 95 % of the drawn ones; of those that are no numbers nothing is known."""
    known = drawn[~np.isnan(drawn)]
    low, high = np.percentile(known, (2.5, 97.5)) if len(known) else (np.nan, np.nan)
    return Interval(float(value), float(low), float(high))


def over_people(matrices: Matrices, figure: Figure, *, draws: int = DRAWS, seed: int = 0) -> Interval:
    """A figure of all people's windows together, with a 95 % interval by bootstrap over people.

    Parameters
    ----------
    matrices : array (people, …)
        One confusion matrix (classes, classes) a person, or any other table in which people's windows add up.
    figure : function
        From tables (draws, …) to numbers (draws,), and from one table to a number.
    draws : int
        How often as many people are drawn, with replacement.
    seed : int
        Of the draws.

    Returns
    -------
    Interval
        The bounds are not numbers for fewer than two people.

    Examples
    --------
    >>> over_people(np.array([[[9, 1], [2, 8]], [[5, 5], [0, 10]]]), accuracy)
    Interval(value=0.8, low=0.75, high=0.85)
    """
    return bounds(figure(matrices.sum(axis=0)), figure(resampled(matrices, draws=draws, seed=seed)))


def resampled(matrices: Matrices, *, draws: int = DRAWS, seed: int = 0) -> Floats:
    """The tables (draws, …) of as many people drawn with replacement; none for fewer than two people."""
    if len(matrices) < 2:
        return np.empty((0, *matrices.shape[1:]))
    return _summed(drawn_people(len(matrices), draws, seed), matrices)


def _summed(weights: Floats, matrices: Matrices) -> Floats:
    """(draws, people), (people, …) -> (draws, …); floats, which BLAS multiplies, hold such counts exactly."""
    return np.tensordot(weights, matrices.astype(np.float64), axes=1)


def paired(a: Matrices, b: Matrices, figure: Figure, *, draws: int = DRAWS, seed: int = 0) -> Paired:
    """The figure of ``a`` less that of ``b``, which judge the same people, and whether it may be chance.

    The interval is by bootstrap over people, each drawn with both matrices. ``p`` is by permutation: were the two
    alike, each person's matrices might as well be exchanged; it is the share of exchanges whose difference is at
    least as large, either way. All 2^people exchanges are tried where they are no more than ``draws``; else as many
    are drawn, and the one that was observed counts as one of them.

    Parameters
    ----------
    a, b : array (people, classes, classes)
        Confusion matrices of the same people in the same order.
    figure : function
        Of `FIGURES`, or another.
    draws, seed : int
        Of both, the bootstrap and the permutations.

    Raises
    ------
    NumjazError
        Where the matrices are not of the same people and classes.

    Examples
    --------
    >>> better = np.array([[[9, 1], [2, 8]], [[8, 2], [0, 10]]])
    >>> paired(better, better[:, ::-1], accuracy).p
    0.5
    """
    if a.shape != b.shape:
        raise NumjazError(f"matrices {a.shape} and {b.shape}: a paired test wants the same people and classes in both")
    people = len(a)
    value = float(figure(a.sum(axis=0)) - figure(b.sum(axis=0)))
    exact = people < 63 and 2**people <= draws
    if exact:
        exchanged = (np.arange(2**people)[:, None] >> np.arange(people) & 1).astype(np.float64)  # (draws, people)
    else:
        exchanged = np.random.default_rng(seed).integers(0, 2, (draws, people)).astype(np.float64)
    moved = _summed(exchanged, b - a)
    other = figure(a.sum(axis=0) + moved) - figure(b.sum(axis=0) - moved)
    as_large = int((~(np.abs(other) < abs(value) - TIE)).sum())
    p = as_large / len(other) if exact else (as_large + 1) / (len(other) + 1)
    drawn = (figure(resampled(each, draws=draws, seed=seed)) for each in (a, b))  # the same people in both
    return Paired(*bounds(value, next(drawn) - next(drawn)), p)
