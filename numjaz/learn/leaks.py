"""What a test must not know of the training: found, counted, and refused unless asked for by name."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from numjaz.errors import NumjazError
from numjaz.learn.about import About, Rows
from numjaz.learn.splits import Fold

LEAKS = {
    "shared-samples": "hold samples that were trained on",
    "shared-people": "are of people who were trained on",
    "test-statistics": "hold samples that the input's normalisation was fitted on, though nothing was trained on those",
}
"""What is wrong with test windows, by the name under which it can be allowed."""


class Leak(NamedTuple):
    """How many test windows, of how many people, have one fault of `LEAKS`."""

    name: str
    windows: int
    people: int
    tested: int

    def words(self) -> str:
        """The leak as a clause."""
        of = "1 person" if self.people == 1 else f"{self.people:,} people"
        return f"{self.windows:,} of {self.tested:,} test windows, of {of}, {LEAKS[self.name]}"


def leaks(fold: Fold, about: About, statistics_rows: Rows | None = None) -> list[Leak]:
    """Every way in which a fold's test windows were known before.

    Parameters
    ----------
    fold : Fold
        Of `numjaz.learn.splits`, or of one's own rows.
    about : About
        Of all windows.
    statistics_rows : array, optional
        Rows whose samples the normalisation of the input was fitted on, where it was fitted on anything.

    Returns
    -------
    list of Leak
        Empty where the test is honest.

    Examples
    --------
    >>> who = np.repeat("ann", 4)
    >>> about = About(who, who, np.arange(4) * 6.4, np.arange(4) * 6.4 + 12.75, np.zeros(4))
    >>> for leak in leaks(Fold(np.array([0, 1]), np.array([2, 3]), np.array([])), about):
    ...     print(leak.words())
    1 of 2 test windows, of 1 person, hold samples that were trained on
    2 of 2 test windows, of 1 person, are of people who were trained on
    """
    test, train = np.asarray(fold.test, np.intp), np.asarray(fold.train, np.intp)
    beside = np.empty(0, np.intp) if statistics_rows is None else np.setdiff1d(statistics_rows, train)
    found = {
        "shared-samples": about.sharing(test, train),
        "shared-people": np.isin(about.person[test], np.unique(about.person[train])),
        "test-statistics": about.sharing(test, beside),
    }
    return [_leak(name, about, test, known) for name, known in found.items() if known.any()]


def _leak(name: str, about: About, test: Rows, known: NDArray[np.bool_]) -> Leak:
    return Leak(name, int(known.sum()), len(np.unique(about.person[test[known]])), len(test))


def refuse_leaks(
    fold: Fold, about: About, allow: Collection[str] = (), statistics_rows: Rows | None = None
) -> list[Leak]:
    """The leaks that were allowed by name, by the caller or by the split's nature.

    Raises
    ------
    NumjazError
        For any other leak, naming it, how many windows and people it concerns, and how it can be allowed; for a name
        in ``allow`` that is no leak's.
    """
    unknown = [name for name in allow if name not in LEAKS]
    if unknown:
        raise NumjazError(f"no leak is called {unknown[0]!r:.60}; the names are {', '.join(LEAKS)}")
    found = leaks(fold, about, statistics_rows)
    refused = [leak for leak in found if leak.name not in allow and leak.name not in fold.allowed]
    if refused:
        names = ", ".join(repr(leak.name) for leak in refused)
        raise NumjazError(
            f"the test leaks: {'; '.join(leak.words() for leak in refused)}; "
            f"split by person, or ask for it by name: allow {names}"
        )
    return [leak for leak in found if leak.name in allow and leak.name not in fold.allowed]
