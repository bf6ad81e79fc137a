"""Which windows a network is trained on and which judge it: by person, by session, by time, or at random.

Each split is a list of folds. Those by person are the honest ones for whoever has not been met; those by session and
by time ask how well a network does on people whom it knows; the random one is the literature's, and leaks.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from numjaz.errors import NumjazError
from numjaz.learn.about import About, Rows


class Fold(NamedTuple):
    """Rows to train on, rows to judge on, rows for neither; and by which names its nature is no leak."""

    train: Rows
    test: Rows
    left_out: Rows
    allowed: tuple[str, ...] = ()


def by_person(about: About, folds: int | None = None, seed: int = 0) -> list[Fold]:
    """Each person is judged by a network that was not trained on them.

    Parameters
    ----------
    about : About
        Of N windows.
    folds : int, optional
        People are dealt out to so many folds, in an order by ``seed``; one fold a person where not given.

    Raises
    ------
    NumjazError
        For fewer than two folds, or more folds than people.

    Examples
    --------
    >>> people = np.repeat(["ann", "bob", "cleo"], 2)
    >>> about = About(people, people, np.tile([0.0, 6.4], 3), np.tile([12.8, 19.2], 3), np.zeros(6))
    >>> [fold.test.tolist() for fold in by_person(about)]
    [[0, 1], [2, 3], [4, 5]]
    """
    people, number = np.unique(about.person, return_inverse=True)
    return [_fold(mask) for mask in _dealt(number.reshape(-1), len(people), "people", folds, seed)]


def held_out(about: About, people: Iterable[str]) -> list[Fold]:
    """One fold, judged on these people; `NumjazError` where one of them has no window, or nobody is left."""
    names = sorted({str(name) for name in people})
    known = set(np.unique(about.person).tolist())
    missing = [name for name in names if name not in known]
    if missing:
        raise NumjazError(f"no window of a person {missing[0]!r:.60}; the people are {', '.join(sorted(known)):.200}")
    if not names or len(names) == len(known):
        raise NumjazError(
            f"{len(names)} of {len(known)} people held out leaves nobody to {'train' if names else 'test'} on"
        )
    return [_fold(np.isin(about.person, names))]


def by_recording(about: About, folds: int | None = None, seed: int = 0) -> list[Fold]:
    """Each session, one person's part of a recording, is judged by a network that was not trained on it.

    Parameters are those of `by_person`. A person's other sessions may be trained on: that is what it asks.
    """
    sessions = about.sessions()
    masks = _dealt(sessions, int(sessions.max(initial=-1)) + 1, "sessions", folds, seed)
    return [_fold(mask, "shared-people") for mask in masks]


def by_time(about: About, share: float, labels: NDArray[Any]) -> list[Fold]:
    """One fold: of each person, recording and class, the later windows judge, and the earlier ones train.

    Windows to train on that share samples with one that judges are left out, whatever their class. A class of which
    a recording has one window is trained on only.

    Parameters
    ----------
    about : About
        Of N windows.
    share : float
        Of the windows, those that judge: above 0, below 1.
    labels : array (N,)
        Each window's class.

    Examples
    --------
    >>> one = np.repeat("ann", 5)
    >>> about = About(one, one, np.arange(5) * 6.4, np.arange(5) * 6.4 + 12.75, np.zeros(5))
    >>> [rows.tolist() for rows in by_time(about, 0.4, np.zeros(5))[0][:3]]
    [[0, 1], [3, 4], [2]]
    """
    if not 0 < share < 1:
        raise NumjazError(f"share is {share!r}; it lies between 0 and 1")
    if np.shape(labels) != (len(about),):
        raise NumjazError(f"labels have shape {np.shape(labels)}; there are {len(about)} windows")
    kinds, kind = np.unique(labels, return_inverse=True)
    group = about.sessions() * max(len(kinds), 1) + kind.reshape(-1)
    order = np.lexsort((about.end_s, about.start_s, group))
    _, first, size = np.unique(group[order], return_index=True, return_counts=True)
    place = np.arange(len(about)) - np.repeat(first, size)  # within its group, by time
    judging = np.minimum(np.ceil(share * size - 1e-9), size - 1)
    later = np.zeros(len(about), np.bool_)
    later[order] = place >= np.repeat(size - judging, size)
    train, test = np.flatnonzero(~later), np.flatnonzero(later)
    straddling = about.sharing(train, test)
    return [Fold(train[~straddling], test, train[straddling], ("shared-people",))]


def at_random(about: About, folds: int = 5, seed: int = 0) -> list[Fold]:
    """Windows dealt out to folds one by one, whoever they are of and whatever they overlap with: the literature's way.

    What it claims of overlapping windows is not true of other people, and `refuse_leaks` refuses it.
    """
    return [_fold(mask) for mask in _dealt(np.arange(len(about)), len(about), "windows", folds, seed)]


def _dealt(number: NDArray[Any], many: int, what: str, folds: int | None, seed: int) -> list[NDArray[np.bool_]]:
    """Things 0 to ``many`` dealt out to folds; of each fold which rows, whose things ``number`` tells, are in it."""
    count = many if folds is None else folds
    if not 2 <= count <= many:
        raise NumjazError(f"{many} {what} in {count} fold(s): there are at least 2 folds, and no more than {what}")
    order = np.arange(many) if folds is None else np.random.default_rng(seed).permutation(many)
    fold = np.empty(many, np.int64)
    fold[order] = np.arange(many) % count
    return [fold[number] == k for k in range(count)]


def _fold(test: NDArray[np.bool_], *allowed: str) -> Fold:
    return Fold(np.flatnonzero(~test), np.flatnonzero(test), np.empty(0, np.intp), allowed)
