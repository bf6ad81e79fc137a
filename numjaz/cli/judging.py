"""``--judge``: a way of training judged across folds, for the commands that train."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, NamedTuple

from numjaz.errors import NumjazError
from numjaz.learn.judging import Judged
from numjaz.learn.protocols import Leaky, Train, cross_validated, leaky
from numjaz.learn.splits import Fold, by_person, by_recording, by_time
from numjaz.learn.store import Store
from numjaz.model import Model
from numjaz.report import table

SPLITS = "person[:K], recording[:K], time[:SHARE] or random"


class Way(NamedTuple):
    """A way of training: its name, the network that it begins with, and how."""

    name: str
    begin: Model
    train: Train[Model]


def add_judge_options(parser: argparse.ArgumentParser) -> None:
    """``--judge``."""
    parser.add_argument(
        "--judge",
        metavar="SPLIT",
        help=f"judge this way of training as well: {SPLITS}. Every fold trains a network of its own; random trains "
        "one and shows what the literature's split of overlapping windows claims of it beside what is true",
    )


def folds_of(split: str, store: Store, seed: int) -> list[Fold]:
    """The folds that a word of ``--judge`` means."""
    kind, _, number = split.partition(":")
    about = store.about
    try:
        match kind:
            case "person":
                return by_person(about, int(number) if number else None, seed)
            case "recording":
                return by_recording(about, int(number) if number else None, seed)
            case "time":
                return by_time(about, float(number or 0.3), store.labels)
    except ValueError:
        raise NumjazError(f"--judge {split}: {number!r} is no number") from None
    raise NumjazError(f"--judge {split!r:.60}: the splits are {SPLITS}")


def judge(split: str, ways: Sequence[Way], store: Store, seed: int) -> dict[str, Judged | Leaky]:
    """Every way judged by the same folds."""
    if split == "random":
        return {way.name: leaky(way.train, way.begin, store, store.labels, store.about, seed=seed) for way in ways}
    folds = folds_of(split, store, seed)
    return {way.name: cross_validated(way.train, way.begin, store, store.labels, store.about, folds) for way in ways}


def plain(found: dict[str, Judged | Leaky]) -> dict[str, Any]:
    """What was found as values that JSON can hold; of two ways, their difference too."""
    made: dict[str, Any] = {}
    for name, each in found.items():
        if isinstance(each, Leaky):
            made[name] = {"random": each.random.to_dict(), "honest": each.honest.to_dict(), "words": each.words()}
        else:
            made[name] = each.to_dict()
    for figure, paired in _differences(found).items():
        made.setdefault("difference", {})[figure] = dict(zip(("value", "low", "high", "p"), paired, strict=True))
    return made


def text(split: str, found: dict[str, Judged | Leaky]) -> str:
    """What was found as a table and, of two ways, what the first gave."""
    rows, words = [], []
    for name, each in found.items():
        if isinstance(each, Leaky):
            rows += [[f"{name}, random windows", *_row(each.random)], [f"{name}, other people", *_row(each.honest)]]
            words.append(f"{name}: {each.words()}")
        else:
            rows.append([name, *_row(each)])
    for figure, (value, low, high, p) in _differences(found).items():
        first, second = found
        words.append(
            f"{figure}, {first} less {second}: {value:+.3f} [{low:+.3f}, {high:+.3f}], p = {p:.3f}, person by person"
        )
    head = ["way", "accuracy", "interval", "macro-F1", "interval", "windows", "people"]
    body = table(head, rows, right=(1, 3, 5, 6))
    return "\n".join((f"judged by {split}; intervals: 95 %, bootstrap over people", body, *words))


def _row(judged: Judged) -> list[str]:
    cells = []
    for name in ("accuracy", "macro_f1"):
        value, low, high = judged.figure(name)
        cells += [f"{value:.3f}", f"{low:.3f} to {high:.3f}"]
    return [*cells, f"{len(judged):,}", str(len(judged.people))]


def _differences(found: dict[str, Judged | Leaky]) -> dict[str, tuple[float, float, float, float]]:
    ways = list(found.values())
    if len(ways) != 2 or not all(isinstance(way, Judged) for way in ways):
        return {}
    first, second = ways
    assert isinstance(first, Judged)
    assert isinstance(second, Judged)
    return {name: tuple(first.beside(second, name)) for name in ("accuracy", "macro_f1")}  # type: ignore[misc]
