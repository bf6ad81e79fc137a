"""How a way of training is judged: across folds that do not leak, and beside the split that does."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from numjaz.errors import NumjazError, NumjazWarning
from numjaz.learn.about import About, Rows
from numjaz.learn.judging import Classifier, Judged, judged, judgement, named, predicted
from numjaz.learn.leaks import Leak, leaks, refuse_leaks
from numjaz.learn.splits import Fold, at_random, by_person, held_out
from numjaz.learn.windows import Windows

Kind = TypeVar("Kind", bound=Classifier)

Train = Callable[[Kind, Rows, int], Kind]
"""From an untrained model, the rows to train on and the fold's number to a trained model."""

FOLDS = 5  # of a random split: a fifth of the windows judges, as in the literature; and a fifth of the people


def cross_validated(
    train: Train[Kind],
    model: Kind,
    x: NDArray[Any] | Windows,
    labels: NDArray[Any],
    about: About,
    folds: Iterable[Fold],
    *,
    allow: Collection[str] = (),
    statistics_rows: Rows | None = None,
) -> Judged:
    """One model a fold, each trained from ``model`` and judged on what its fold kept from it; all windows together.

    Parameters
    ----------
    train : function
        ``train(model, rows, number) -> Model``: trains on these rows of ``x`` and no other.
    model : Model
        What every fold begins with.
    x : array (N, T, F) or Windows
        All windows.
    labels : array (N,) of int
        Their classes by number.
    about : About
        Whose windows they are.
    folds : iterable of Fold
        From `numjaz.learn.splits`.
    allow : collection of str
        Names of `numjaz.learn.leaks.LEAKS` that are not refused; a `NumjazWarning` says what they are.
    statistics_rows : array, optional
        Rows that the normalisation of ``x`` was fitted on, where it was fitted once for all folds.

    Raises
    ------
    NumjazError
        For a leak, before anything is trained.
    """
    folds, labels = list(folds), np.asarray(labels)
    if not folds:
        raise NumjazError("there is no fold to train for")
    if labels.dtype.kind not in "iu":
        raise NumjazError(f"labels are classes by number, not {labels.dtype}")
    asked_for = [refuse_leaks(fold, about, allow, statistics_rows) for fold in folds]
    some = next((found for found in asked_for if found), [])  # of one fold: the others' are of its kind
    if some:
        text = "; ".join(leak.words() for leak in some)
        warnings.warn(NumjazWarning(f"the test leaks, as was asked for: in a fold {text}"), stacklevel=2)
    _tell_unlearned(labels, folds)
    said = [predicted(train(model, fold.train, k), x, fold.test) for k, fold in enumerate(folds)]
    rows = np.concatenate([fold.test for fold in folds])
    everything = np.concatenate(said)
    return judgement(everything, labels[rows], about.person[rows], named(model, everything.shape[1]))


def _tell_unlearned(labels: NDArray[Any], folds: Sequence[Fold]) -> None:
    """Warn of folds that judge a class of which they have nothing to learn from: it cannot be told there."""
    lacking = sum(not np.isin(labels[fold.test], labels[fold.train]).all() for fold in folds)
    if lacking:
        text = f"{lacking} of {len(folds)} folds judge a class of which they have no window to train on"
        warnings.warn(NumjazWarning(text), stacklevel=3)


@dataclass(frozen=True, eq=False)
class Leaky:
    """One model judged twice.

    Attributes
    ----------
    random : Judged
        On windows drawn at random from those of the people it was trained on.
    honest : Judged
        On people kept apart.
    leaks : tuple of Leak
        What of the random windows was known before.
    """

    random: Judged
    honest: Judged
    leaks: tuple[Leak, ...]

    def words(self) -> str:
        """Both accuracies in a sentence, and how much of the first one the leak gave."""
        random, honest = (each.figure("accuracy").value for each in (self.random, self.honest))
        gave = f"{random - honest:.2f} of it is the leak" if random > honest else "the leak gave nothing"
        people = len(self.honest.people)
        others = "1 other person" if people == 1 else f"{people:,} other people"
        known = "; ".join(leak.words() for leak in self.leaks) or "none of them known before"
        return (
            f"accuracy {random:.2f} on windows drawn at random ({known}), "
            f"{honest:.2f} on {others}, by the same network: {gave}"
        )


def leaky(
    train: Train[Kind],
    model: Kind,
    x: NDArray[Any] | Windows,
    labels: NDArray[Any],
    about: About,
    *,
    apart: Sequence[str] | None = None,
    seed: int = 0,
) -> Leaky:
    """What a random split of overlapping windows claims of a network, and what is true of the same network.

    Some people are kept apart. Of the others' windows four fifths, drawn at random, train one model; it is judged on
    the last fifth, which overlaps with what it was trained on, and on the people kept apart.

    Parameters
    ----------
    train, model, x, labels, about
        As for `cross_validated`; one model is trained.
    apart : sequence of str, optional
        The people kept apart; a fifth of all, drawn by ``seed``, where not given.
    seed : int
        Of both draws.
    """
    if apart is None:
        people = len(np.unique(about.person))
        kept = by_person(about, min(FOLDS, people), seed)[0]
    else:
        kept = held_out(about, apart)[0]
    inner = at_random(about.take(kept.train), FOLDS, seed)[0]
    fold = Fold(kept.train[inner.train], kept.train[inner.test], inner.left_out)
    trained = train(model, fold.train, 0)
    random, honest = (judged(trained, x, labels, about, rows) for rows in (fold.test, kept.test))
    return Leaky(random, honest, tuple(leaks(fold, about)))
