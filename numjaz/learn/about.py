"""Whose windows they are and which samples they hold: what a split must know, and the network must not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numjaz.errors import NumjazError

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]
Rows = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class About:
    """Where windows come from; item i of every field belongs to window i.

    Attributes
    ----------
    person : array (N,) of str
        Who was recorded.
    recording : array (N,) of str
        In which recording; a recording may hold several people.
    start_s, end_s : array (N,), seconds
        Times of the first and the last sample on that person's clock in that recording. Windows of one person and
        recording whose times overlap share samples.
    stretch : array (N,) of int
        Windows of one number in one recording follow each other without a break.

    Raises
    ------
    NumjazError
        Where the fields differ in length, or a window ends before it starts.

    Examples
    --------
    >>> who = np.array(["ann", "bob"])
    >>> two = About(who, who, np.zeros(2), np.full(2, 12.75), np.arange(2))
    >>> two.take(np.array([1])).person.tolist()
    ['bob']
    >>> len(About.joined([two, two]))
    4
    """

    person: NDArray[Any]
    recording: NDArray[Any]
    start_s: Floats
    end_s: Floats
    stretch: Numbers

    def __post_init__(self) -> None:
        for each, kind in zip(fields(self), (np.str_, np.str_, np.float64, np.float64, np.int64), strict=True):
            array: NDArray[Any] = np.asarray(getattr(self, each.name), kind)
            if array.shape != (len(self.person),):
                raise NumjazError(f"{each.name} has shape {array.shape}; there are {len(self.person)} windows")
            object.__setattr__(self, each.name, array)
        wrong = np.flatnonzero(~(self.start_s <= self.end_s))
        if len(wrong):
            at = int(wrong[0])
            raise NumjazError(f"window {at} is from {self.start_s[at]:g} to {self.end_s[at]:g} s")

    def __len__(self) -> int:
        return len(self.person)

    def take(self, rows: Rows) -> About:
        """Some of the windows, in this order."""
        return About(*(getattr(self, each.name)[rows] for each in fields(self)))

    @staticmethod
    def joined(parts: Sequence[About]) -> About:
        """The windows of all parts, one after the other."""
        return About(*(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(About)))

    def sessions(self) -> Numbers:
        """One number (N,) for each person's part of a recording, from 0."""
        person, recording = (_numbered(names) for names in (self.person, self.recording))
        return _numbered(person * (int(recording.max(initial=0)) + 1) + recording)

    def sharing(self, rows: Rows, others: Rows) -> NDArray[np.bool_]:
        """Which of the windows ``rows`` hold a sample that one of ``others`` holds too: (len(rows),).

        In the time that sorting takes: of the others that start before a window ends, the one that ends last decides.
        """
        if not len(rows) or not len(others):
            return np.zeros(len(rows), np.bool_)
        order = _numbered(np.concatenate((self.start_s, self.end_s)))
        first = self.sessions() * (int(order.max()) + 1)  # a session's times come after those of all before it
        start, end = first + order[: len(self)], first + order[len(self) :]
        others = others[np.argsort(start[others], kind="stable")]
        latest = np.maximum.accumulate(end[others])
        before = np.searchsorted(start[others], end[rows], "right")
        return np.asarray((before > 0) & (latest[np.maximum(before, 1) - 1] >= start[rows]))


def _numbered(values: NDArray[Any]) -> Numbers:
    """Each value's place among the different ones."""
    return np.unique(values, return_inverse=True)[1].astype(np.int64).reshape(-1)
