"""``--judge``: a way of training judged across folds, for the commands that train."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Mapping
from typing import Any

import numpy as np

from numjaz.cli.learning import trainer
from numjaz.cli.parts import Labelled, Parts, is_number
from numjaz.errors import NumjazError
from numjaz.learn.about import About
from numjaz.learn.judging import Judged
from numjaz.learn.labels import Labels
from numjaz.learn.pages import said
from numjaz.learn.protocols import Leaky, cross_validated, leaky
from numjaz.learn.recipe import Recipe
from numjaz.learn.splits import Fold, by_person, by_recording, by_time
from numjaz.learn.store import Store
from numjaz.model import Model
from numjaz.report import table

Found = dict[str, Judged | Leaky]
"""A judgement by the name of the way of training."""

WIDTH = 100  # columns of the text
SPLITS = "person[:K], recording[:K], time[:SHARE] or random"


def add_judge_options(parser: argparse.ArgumentParser) -> None:
    """``--judge``."""
    parser.add_argument(
        "--judge",
        metavar="SPLIT",
        help=f"judge this way of training as well: {SPLITS}. Every fold trains a network of its own; random trains "
        "one and shows what the literature's split of overlapping windows claims of it beside what is true",
    )


class Protocol:
    """``--judge``: the folds that it means, made before anything is trained."""

    def __init__(self, args: argparse.Namespace, store: Store, about: About, split: Parts) -> None:
        if args.validation is not None and not is_number(args.validation):
            raise NumjazError("--judge goes with --validation N: every fold has other people to choose from")
        self.split, self._seed, self._validation = args.judge, args.seed, args.validation
        self._given = Labelled(store, store.labels, about)
        self._apart = split.people["apart"] or None
        self._folds: list[Fold] | None = None
        if self.split == "random":
            if args.validation is not None:
                raise NumjazError("--judge random goes without --validation: it deals out windows, whoever they are of")
            if len(set(about.person.tolist())) < 2:
                raise NumjazError("--judge random: the honest figure needs a second person")
            return
        if self._apart:  # they judge one network, when it is done
            self._given = self._given.of(np.sort(np.concatenate((split.train, split.validation))))
        self._folds = _folds(self.split, self._given.about, self._given.labels, self._seed)

    def judge(self, ways: Mapping[str, tuple[Model, Recipe]]) -> Found:
        """Every way of training, which is the network that it begins with and how, judged by the same folds."""
        windows, labels, about = self._given
        made: Found = {}
        for name, (begin, recipe) in ways.items():
            train = trainer(recipe, self._given, self._validation)
            made[name] = (
                leaky(train, begin, windows, labels, about, apart=self._apart, seed=self._seed)
                if self._folds is None
                else cross_validated(train, begin, windows, labels, about, self._folds)
            )
        return made


def _folds(split: str, about: About, labels: Labels, seed: int) -> list[Fold]:
    kind, colon, number = split.partition(":")
    try:
        match kind:
            case "person":
                return by_person(about, int(number) if colon else None, seed)
            case "recording":
                return by_recording(about, int(number) if colon else None, seed)
            case "time":
                return by_time(about, float(number) if colon else 0.3, labels)
    except ValueError:
        raise NumjazError(f"--judge {split:.60}: {number!r:.60} is no number") from None
    raise NumjazError(f"--judge {split!r:.60}: the splits are {SPLITS}")


def plain(found: Found) -> dict[str, Any]:
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


def text(split: str, found: Found) -> str:
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
        tested = "" if np.isnan(low) else f" [{low:+.3f}, {high:+.3f}], p = {p:.3f}, person by person"
        words.append(f"{figure.replace('_f1', '-F1')}, {first} less {second}: {value:+.3f}{tested}")
    body = table(["way", "accuracy", "macro-F1", "windows", "people"], rows, right=(3, 4))
    lines = [line for each in words for line in textwrap.wrap(each, WIDTH)]
    return "\n".join((f"judged by {split}; intervals: 95 %, bootstrap over people", body, *lines))


def _row(judged: Judged) -> list[str]:
    figures = [said(judged.figure(name)) for name in ("accuracy", "macro_f1")]
    return [*figures, f"{len(judged):,}", str(len(judged.people))]


def _differences(found: Found) -> dict[str, tuple[float, float, float, float]]:
    ways = list(found.values())
    if len(ways) != 2 or not all(isinstance(way, Judged) for way in ways):
        return {}
    first, second = ways
    assert isinstance(first, Judged)
    assert isinstance(second, Judged)
    return {name: tuple(first.beside(second, name)) for name in ("accuracy", "macro_f1")}  # type: ignore[misc]
