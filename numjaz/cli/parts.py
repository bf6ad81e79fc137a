"""Who is trained on, who is watched while training, and who is kept apart."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from numjaz.errors import NumjazError
from numjaz.learn.about import About, Rows
from numjaz.learn.labels import Labels
from numjaz.learn.splits import held_out
from numjaz.learn.store import Store
from numjaz.learn.windows import Part, Windows


class Labelled(NamedTuple):
    """Windows, what each is, and whose."""

    windows: Windows
    labels: Labels
    about: About

    def of(self, rows: Rows) -> Labelled:
        """Some of them."""
        return Labelled(Part(self.windows, rows), self.labels[rows], self.about.take(rows))


@dataclass(frozen=True)
class Parts:
    """Rows to train on, to watch while training, and kept apart; whose they are."""

    train: Rows
    validation: Rows
    apart: Rows
    people: Mapping[str, list[str]]


def listed(text: str | None, option: str) -> list[str]:
    """``a,b`` as a list; nothing where the option was not given."""
    if text is None:
        return []
    parts = [part.strip() for part in text.split(",")]
    if not all(parts) or len(set(parts)) < len(parts):
        raise NumjazError(f"{option} {text!r:.60}: names, each once, with commas between them")
    return parts


def parts(store: Store, about: About, apart: str | None, validation: str | None, seed: int) -> Parts:
    """Every person in one part; `NumjazError` where a class has nothing left to be learned from."""
    rows = np.arange(len(about))
    test: Rows = rows[:0]
    if apart is not None:
        (fold,) = held_out(about, listed(apart, "--apart"))
        rows, test = fold.train, fold.test
    train, watched = watch(about, rows, validation, seed)
    none = np.setdiff1d(np.arange(len(store.classes)), store.labels[train])
    if len(none):
        raise NumjazError(f"no window of {store.classes[none[0]]!r:.60} is left to train on; --classes says without it")
    if len(store.classes) < 2:
        raise NumjazError(
            f"all windows to train on are of {store.classes[0]!r:.60}; a network tells two at least apart"
        )
    people = {
        kind: sorted(set(about.person[part].tolist()))
        for kind, part in (("trained", train), ("validation", watched), ("apart", test))
    }
    return Parts(train, watched, test, people)


def watch(about: About, rows: Rows, validation: str | None, seed: int) -> tuple[Rows, Rows]:
    """Of some rows those to train on and those of the people of ``--validation``."""
    if validation is None:
        return rows, rows[:0]
    left = sorted(set(about.person[rows].tolist()))
    chosen = listed(validation, "--validation")
    if is_number(validation) and validation not in left:
        if not 0 < int(validation) < len(left):
            raise NumjazError(f"--validation {validation}: somebody must be left to train on, of {len(left)} in all")
        chosen = np.random.default_rng(seed).choice(left, int(validation), replace=False).tolist()
    (fold,) = held_out(about.take(rows), chosen)
    return rows[fold.train], rows[fold.test]


def is_number(validation: str) -> bool:
    """Whether ``--validation`` says how many people, not who."""
    return re.fullmatch(r"\d{1,9}", validation, re.ASCII) is not None
