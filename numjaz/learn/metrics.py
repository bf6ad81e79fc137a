"""Figures of a classifier, from one confusion matrix a person, and how far other people would move them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


class Interval(NamedTuple):
    """A figure and the bounds between which 95 % of the resampled figures lie."""

    value: float
    low: float
    high: float


def confusion(true: NDArray[np.int64], predicted: NDArray[np.int64], classes: int) -> Counts:
    """How often class i was taken for class j: (classes, classes), rows the truth."""
    cells = (true * classes + predicted).astype(np.intp)  # which NumPy counts with: 32 bits on a 32-bit processor
    return np.bincount(cells, minlength=classes * classes).astype(np.int64).reshape(classes, classes)


def accuracy(matrix: Counts) -> Floats:
    """Share of windows on the diagonal; of each matrix, over any leading axes."""
    return np.asarray(np.trace(matrix, axis1=-2, axis2=-1) / np.maximum(matrix.sum(axis=(-2, -1)), 1))


def recall(matrix: Counts) -> Floats:
    """Share of each class's windows that were found; not a number for a class that never occurs."""
    hit, true = np.diagonal(matrix, axis1=-2, axis2=-1), matrix.sum(axis=-1)
    return np.where(true > 0, hit / np.maximum(true, 1), np.nan)


def macro_f1(matrix: Counts) -> Floats:
    """Mean of 2 hits / (true + predicted) over the classes that occur, as truth or as prediction."""
    hit = np.diagonal(matrix, axis1=-2, axis2=-1)
    both = matrix.sum(axis=-1) + matrix.sum(axis=-2)
    f1 = 2 * hit / np.maximum(both, 1)
    return np.asarray(f1.sum(axis=-1) / np.maximum((both > 0).sum(axis=-1), 1))


def over_people(
    matrices: Counts, figure: Callable[[Counts], Floats], *, draws: int = 10_000, seed: int = 0
) -> Interval:
    """A figure of all people's windows together, with a 95 % interval by bootstrap over people.

    Parameters
    ----------
    matrices : array (people, classes, classes)
        One confusion matrix a person.
    figure : function
        From matrices (…, classes, classes) to numbers (…).
    draws : int
        How often as many people are drawn, with replacement.
    seed : int
        Of the draws.

    Returns
    -------
    Interval
        The bounds are not numbers for fewer than two people.
    """
    people = len(matrices)
    value = float(figure(matrices.sum(axis=0)))
    if people < 2:
        return Interval(value, float("nan"), float("nan"))
    counts = np.random.default_rng(seed).multinomial(people, np.full(people, 1 / people), size=draws)  # (draws, people)
    drawn = figure(np.tensordot(counts, matrices, axes=1))  # (draws, C, C) -> (draws,)
    known = drawn[~np.isnan(drawn)]
    low, high = np.percentile(known, (2.5, 97.5)) if len(known) else (np.nan, np.nan)
    return Interval(value, float(low), float(high))
