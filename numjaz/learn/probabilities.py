"""What a classifier's probabilities are worth: how well they order the windows, and whether they come true."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from numjaz.learn.metrics import Floats, Matrices

BINS = 15  # of confidence, of equal width
SUM = 1e-3  # how far from 1 the probabilities of a window may add up


class Roc(NamedTuple):
    """A point for each threshold: the shares of wrong and of right windows whose score is no lower."""

    false_positive: Floats
    true_positive: Floats
    threshold: Floats


class Reliability(NamedTuple):
    """A row for each bin of confidence; confidence and accuracy are not numbers where no window is."""

    low: Floats  # a bin is from above this
    high: Floats  # to this, included
    windows: Floats
    confidence: Floats  # mean probability of the class that was said
    accuracy: Floats  # how often it was right


def roc(positive: NDArray[np.bool_], score: Floats) -> Roc:
    """The curve of true positives over false positives, a point for each score that occurs.

    Parameters
    ----------
    positive : array (N,), bool
        Which windows are of the class.
    score : array (N,)
        The higher, the more a window is held to be.

    Returns
    -------
    Roc
        From (0, 0) at the threshold infinity to (1, 1): scikit-learn's ``roc_curve(drop_intermediate=False)``. The
        shares of a side that has no window are not numbers.

    Examples
    --------
    >>> roc(np.array([True, False, True]), np.array([0.9, 0.4, 0.4])).true_positive
    array([0. , 0.5, 1. ])
    """
    order = np.argsort(-score, kind="stable")
    ordered = score[order]
    last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))  # equal scores pass together
    found = np.concatenate(([0], np.cumsum(positive[order])[last])).astype(np.float64)
    false = np.concatenate(([0], last + 1)) - found
    nothing = np.full(len(found), np.nan)
    return Roc(
        false / false[-1] if false[-1] else nothing,
        found / found[-1] if found[-1] else nothing,
        np.concatenate(([np.inf], ordered[last])),
    )


def aucs(
    truth: NDArray[np.int64], score: Floats, person: NDArray[np.int64] | None = None, weights: Floats | None = None
) -> Floats:
    """The area under each class's ROC curve, this class against all others.

    It is the share of pairs, of a window of the class and one of another, in which the former has the higher score;
    a tie counts half. Pairs are counted once for each two people, so that the area of any drawn people is a product.

    Parameters
    ----------
    truth : array (N,)
        Classes by number.
    score : array (N, C)
        Probabilities, or whatever orders the windows by class.
    person : array (N,), optional
        Whose each window is, by number.
    weights : array (D, people), optional
        How often each person counts, D times.

    Returns
    -------
    array (C,), or (D, C) with ``weights``
        Not a number for a class that does not occur, or where no other does.

    Examples
    --------
    >>> aucs(np.array([0, 1, 1]), np.array([[0.7, 0.3], [0.7, 0.3], [0.1, 0.9]]))
    array([0.75, 0.75])
    """
    who = np.zeros(len(truth), np.int64) if person is None else person
    times = np.ones((1, int(who.max(initial=0)) + 1)) if weights is None else weights
    people = times.shape[1]
    rows_of = [np.flatnonzero(who == p) for p in range(people)]
    made = np.empty((len(times), score.shape[1]))
    for k in range(score.shape[1]):
        own, column = truth == k, score[:, k]
        of_class, whose = column[own], who[own]
        won = np.empty((people, people))  # pairs of a window of p and another's of q
        for q, rows in enumerate(rows_of):
            rest = np.sort(column[rows[~own[rows]]])
            below = np.searchsorted(rest, of_class, "left") + np.searchsorted(rest, of_class, "right")
            won[:, q] = np.bincount(whose, below / 2, people)
        positive = np.bincount(whose, minlength=people)
        pairs = (times @ positive) * (times @ (np.bincount(who, minlength=people) - positive))
        right = ((times @ won) * times).sum(axis=1)
        made[:, k] = np.where(pairs > 0, right / np.maximum(pairs, 1), np.nan)
    return made if weights is not None else made[0]


def macro(of_class: Floats) -> Floats:
    """The mean over the classes, the last axis, whose number is known; not a number where none is."""
    known = ~np.isnan(of_class)
    count = known.sum(axis=-1)
    total = np.where(known, of_class, 0.0).sum(axis=-1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def are_probabilities(score: Floats) -> bool:
    """Whether every row's numbers lie between 0 and 1 and add up to 1."""
    return bool((score >= 0).all() and (score <= 1).all() and (np.abs(score.sum(axis=-1) - 1) <= SUM).all())


def binned(truth: NDArray[np.int64], probabilities: Floats, person: NDArray[np.int64], people: int) -> Floats:
    """Of each person and bin of confidence the windows, their confidences' sum, and how many were right.

    The confidence is the probability of the class that was said, the highest. The bins are `BINS` of equal width
    from 0 to 1; a confidence on a border belongs to the lower one.

    Returns
    -------
    array (people, BINS, 3)
    """
    said = probabilities.argmax(axis=1)
    confidence = probabilities[np.arange(len(said)), said].astype(np.float64)
    cell = person * BINS + np.searchsorted(np.linspace(0, 1, BINS + 1)[1:-1], confidence)
    sums = [np.bincount(cell, w, people * BINS) for w in (np.ones(len(cell)), confidence, said == truth)]
    return np.stack(sums, axis=-1).astype(np.float64).reshape(people, BINS, 3)


def reliability(table: Matrices) -> Reliability:
    """How sure the network was and how often right, bin by bin; of a table (BINS, 3) as `binned` makes them."""
    windows, confidence, right = np.moveaxis(table, -1, 0)
    edges = np.linspace(0, 1, BINS + 1)
    some = np.where(windows > 0, windows, np.nan)
    return Reliability(edges[:-1], edges[1:], windows, confidence / some, right / some)


def expected_calibration_error(table: Matrices) -> Floats:
    """Mean distance between how sure the network was and how often it was right, over the windows of all bins.

    Of tables (…, BINS, 3) as `binned` makes them (Guo et al. 2017, equation 3).
    """
    windows, confidence, right = np.moveaxis(table, -1, 0)
    return np.asarray(np.abs(confidence - right).sum(axis=-1) / np.maximum(windows.sum(axis=-1), 1))
