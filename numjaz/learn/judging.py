"""A classifier judged on labelled windows: every figure, person by person, with intervals over people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from numjaz.errors import NumjazError
from numjaz.learn import metrics, probabilities
from numjaz.learn.about import About, Rows
from numjaz.learn.labels import indices, people_for
from numjaz.learn.metrics import FIGURES, Counts, Floats, Interval, Paired
from numjaz.learn.windows import Windows, as_windows

Numbers = NDArray[np.int64]

OF_PROBABILITIES = ("auc", "ece")
"""Figures of the probabilities: `numjaz.learn.probabilities.aucs`, their mean, and the expected calibration error."""

BATCH = 256  # windows that are computed at a time


class Classifier(Protocol):
    """What is judged: a `Model`, or whatever else predicts a number for each class."""

    @property
    def classes(self) -> Sequence[str] | None:
        """Their names, where it has any."""

    def predict(self, x: Any, /) -> Any:
        """Windows (N, T, F) to probabilities (N, C)."""


@dataclass(frozen=True, eq=False)
class Judged:
    """What a classifier said of labelled windows; every figure is computed from it when it is asked for.

    Attributes
    ----------
    classes : tuple of str
        C names.
    people : tuple of str
        P names, in the order in which they were met.
    truth : array (N,)
        Each window's class, by number.
    person : array (N,)
        Whose each window is, by number.
    probabilities : array (N, C)
        What was said of it.
    """

    classes: tuple[str, ...]
    people: tuple[str, ...]
    truth: Numbers
    person: Numbers
    probabilities: NDArray[Any]

    def __len__(self) -> int:
        return len(self.truth)

    @cached_property
    def matrices(self) -> Counts:
        """A confusion matrix for each person, (P, C, C): rows the truth, columns the class of highest probability."""
        many, said = len(self.classes), self.probabilities.argmax(axis=1)
        rows = (self.person == p for p in range(len(self.people)))
        return np.stack([metrics.confusion(self.truth[own], said[own], many) for own in rows])

    @property
    def confusion(self) -> Counts:
        """The confusion matrix (C, C) of all people."""
        return np.asarray(self.matrices.sum(axis=0))

    def figure(self, name: str) -> Interval:
        """A figure of all windows with its 95 % interval, by bootstrap over people.

        Parameters
        ----------
        name : str
            Of `numjaz.learn.metrics.FIGURES`; or ``auc``, the mean area under the ROC curves, each class against the
            rest, of the classes that occur; or ``ece``, the expected calibration error, which is not a number where
            the outputs are no probabilities.
        """
        if name in FIGURES:
            return metrics.bounds(FIGURES[name](self.confusion), FIGURES[name](self._drawn))
        if name == "auc":
            return metrics.bounds(probabilities.macro(self._aucs[0]), probabilities.macro(self._aucs[1:]))
        if name != "ece":
            raise NumjazError(f"no figure is called {name!r:.60}; there are {', '.join((*FIGURES, *OF_PROBABILITIES))}")
        if self.binned is None:
            return Interval(float("nan"), float("nan"), float("nan"))
        return metrics.over_people(self.binned, probabilities.expected_calibration_error)

    @cached_property
    def _drawn(self) -> Floats:
        """The confusion matrices of people drawn with replacement, (draws, C, C)."""
        return metrics.resampled(self.matrices)

    @cached_property
    def recalls(self) -> list[Interval]:
        """The recall of each class; no numbers for a class that does not occur."""
        found, drawn = metrics.recall(self.confusion), metrics.recall(self._drawn)
        return [metrics.bounds(found[k], drawn[:, k]) for k in range(len(self.classes))]

    @property
    def aucs(self) -> Floats:
        """The area under each class's ROC curve, against the rest: (C,), not a number for one that does not occur."""
        return np.asarray(self._aucs[0])

    @cached_property
    def _aucs(self) -> Floats:
        """First of all people as they are, then of those drawn: (1 + draws, C)."""
        as_they_are = np.ones((1, len(self.people)))
        drawn = metrics.drawn_people(len(self.people)) if len(self.people) > 1 else as_they_are[:0]
        weights = np.concatenate((as_they_are, drawn))
        return probabilities.aucs(self.truth, self.probabilities, self.person, weights)

    @cached_property
    def binned(self) -> Floats | None:
        """`numjaz.learn.probabilities.binned` of each person; None where the outputs are no probabilities."""
        if not probabilities.are_probabilities(self.probabilities):
            return None
        return probabilities.binned(self.truth, self.probabilities, self.person, len(self.people))

    @property
    def per_person(self) -> dict[str, dict[str, Any]]:
        """Windows, accuracy and macro-F1 of each person by name."""
        return {
            who: {
                "windows": int(m.sum()),
                "accuracy": float(metrics.accuracy(m)),
                "macro_f1": float(metrics.macro_f1(m)),
            }
            for who, m in zip(self.people, self.matrices, strict=True)
        }

    def beside(self, other: Judged, name: str) -> Paired:
        """A figure less that of another judgement of the same people, with `numjaz.learn.metrics.paired`'s test.

        Raises
        ------
        NumjazError
            Where people or classes differ, or the figure is not one of `numjaz.learn.metrics.FIGURES`.
        """
        if set(self.people) != set(other.people) or self.classes != other.classes:
            raise NumjazError(
                "two judgements are compared person by person: they must be of the same people and classes"
            )
        if name not in FIGURES:
            raise NumjazError(f"{name!r:.60}: figures that are compared are {', '.join(FIGURES)}")
        same = [other.people.index(who) for who in self.people]
        if not np.array_equal(self.matrices.sum(axis=2), other.matrices[same].sum(axis=2)):
            raise NumjazError("two judgements are compared on the same windows: here somebody's classes differ")
        return metrics.paired(self.matrices, other.matrices[same], FIGURES[name])

    def to_dict(self) -> dict[str, Any]:
        """Plain values under the keys of ``numjaz score --json``; each figure's interval stands beside it."""
        made: dict[str, Any] = {}
        for name in (*FIGURES, *OF_PROBABILITIES):
            value, low, high = self.figure(name)
            made |= {name: value, f"{name}_interval": [low, high]}
        return made | {
            "windows": len(self),
            "people": len(self.people),
            "classes": list(self.classes),
            "recall": {
                name: {"value": r.value, "interval": [r.low, r.high]}
                for name, r in zip(self.classes, self.recalls, strict=True)
            },
            "auc_per_class": dict(zip(self.classes, self.aucs.tolist(), strict=True)),
            "confusion": self.confusion.tolist(),
            "per_person": self.per_person,
        }


def judgement(
    said: NDArray[Any], truth: NDArray[Any], person: Sequence[str] | NDArray[Any], classes: Sequence[str]
) -> Judged:
    """What was said of windows, (N, C), beside what they are, (N,), and whose, (N,); classes by number."""
    if not len(truth) == len(said) == len(person):
        raise NumjazError(
            f"{len(said)} windows, {len(truth)} labels and {len(person)} people; there is one of each a window"
        )
    if not len(truth):
        raise NumjazError("there is no window to judge on")
    if said.ndim != 2 or said.shape[1] != len(classes):
        raise NumjazError(f"what was said of the windows has shape {said.shape}; there are {len(classes)} classes")
    lost = np.flatnonzero(~np.isfinite(said).all(axis=1))
    if len(lost):
        raise NumjazError(f"what was said of window {lost[0]:,} is no number")
    number: dict[str, int] = {}
    who = [number.setdefault(str(name), len(number)) for name in person]
    return Judged(tuple(classes), tuple(number), np.asarray(truth, np.int64), np.array(who, np.int64), said)


def predicted(model: Classifier, x: NDArray[Any] | Windows, rows: Rows) -> NDArray[Any]:
    """What a model says of some windows, (len(rows), C), computed `BATCH` at a time."""
    windows = as_windows(x)
    made = [model.predict(windows.take(rows[a : a + BATCH])) for a in range(0, len(rows), BATCH)]
    if not made:
        raise NumjazError("there is no window to judge on")
    for each in made[:1]:
        if not isinstance(each, np.ndarray) or each.ndim != 2:
            raise NumjazError("a network is judged by one output with a number for each class; this one gives others")
    return np.concatenate(made)


def judged(
    model: Classifier, x: NDArray[Any] | Windows, labels: NDArray[Any], about: About, rows: Rows | None = None
) -> Judged:
    """A model judged on some windows, or on all: what `evaluate` does, for whoever has splits.

    Parameters
    ----------
    model : Model
        Or anything with ``classes`` and ``predict``.
    x : array (N, T, F) or Windows
        All windows.
    labels : array (N,) of int
        Their classes by number.
    about : About
        Whose they are.
    rows : array, optional
        Which of them judge.
    """
    chosen = np.arange(len(about)) if rows is None else rows
    said = predicted(model, x, chosen)
    return judgement(said, np.asarray(labels)[chosen], about.person[chosen], named(model, said.shape[1]))


def named(model: Classifier, columns: int) -> tuple[str, ...]:
    """A model's class names; their numbers, where it has none."""
    return tuple(model.classes) if model.classes is not None else tuple(map(str, range(columns)))


def evaluate(
    model: Classifier,
    x: NDArray[Any] | Windows,
    labels: Sequence[Any] | NDArray[Any],
    groups: Sequence[Any] | NDArray[Any] | None = None,
) -> Judged:
    """Judge a model on labelled windows.

    Parameters
    ----------
    model : Model
        The network; its outputs are probabilities of classes.
    x : array (N, T, F) or Windows
        Windows as `Model.predict` takes them.
    labels : sequence (N,)
        Their classes: names of ``model.classes``, or numbers from 0.
    groups : sequence (N,), optional
        Whose they are. Without it all are one person's, and intervals are not numbers.

    Returns
    -------
    Judged
        ``.figure("macro_f1")``: a figure with its interval over people; ``.per_person``; ``.to_dict()``: all.

    Raises
    ------
    NumjazError
        For a label that is no class of the model's, or where there is not one label and one person for each window.

    Examples
    --------
    >>> import numjaz
    >>> model = numjaz.jazbat(features=1, classes=("calm", "tense"))
    >>> x = np.random.default_rng(0).normal(size=(4, 32, 1)).astype(np.float32)
    >>> judged = numjaz.evaluate(model, x, ["calm", "calm", "calm", "tense"], groups=["ann", "ann", "bob", "bob"])
    >>> int(judged.confusion.sum()), judged.people
    (4, ('ann', 'bob'))
    """
    windows = as_windows(x)
    count = windows.shape[0]
    people = np.full(count, "everybody") if groups is None else people_for(groups, count)
    if np.shape(labels) != (count,):
        raise NumjazError(f"labels have shape {np.shape(labels)} for {count:,} windows; there is one a window")
    said = predicted(model, windows, np.arange(count))
    classes = named(model, said.shape[1])
    return judgement(said, indices(labels, classes), people, classes)
