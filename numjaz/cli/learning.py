"""What the commands that train share: the recipe's options, windows by the options, progress, what is kept."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from numjaz.cli.options import read_windows
from numjaz.cli.output import note
from numjaz.contract import Contract
from numjaz.errors import NumjazError
from numjaz.learn.about import Rows
from numjaz.learn.augmentation import Augmentation
from numjaz.learn.history import Progress
from numjaz.learn.protocols import Train
from numjaz.learn.recipe import CHOICES, Recipe
from numjaz.learn.splits import held_out
from numjaz.learn.store import Store
from numjaz.learn.training import fit
from numjaz.learn.windows import Part
from numjaz.model import Model

CHECKPOINT = ".checkpoint.npz"  # behind the output's name


def add_recipe_options(parser: argparse.ArgumentParser, **defaults: Any) -> None:
    """How to train; ``defaults`` where they are not `Recipe`'s."""
    usual = replace(Recipe(), **defaults)
    group = parser.add_argument_group("training")

    def add(name: str, kind: type, what: str) -> None:
        value = getattr(usual, name)
        shown = f" (default {value:g})" if value is not None else ""
        group.add_argument(f"--{name.replace('_', '-')}", type=kind, default=value, help=what + shown)

    add("epochs", int, "passes over the windows")
    add("batch", int, "windows in a step")
    for name, choices in CHOICES.items():
        value = getattr(usual, name)
        what = {"form": "whose definitions hold where two differ", "weights": "of classes in the loss"}.get(name, name)
        group.add_argument(f"--{name}", choices=choices, default=value, help=f"{what} (default {value})")
    add("learning_rate", float, "at the start")
    add("warmup", int, "steps over which the learning rate rises")
    add("clip_norm", float, "the most that the gradient's norm may be")
    add("seed", int, "of weights, order, augmentation and dropout")
    add("patience", int, "epochs without a lower validation loss after which training stops")
    for each in fields(Augmentation):
        group.add_argument(
            f"--{each.name.replace('_', '-')}",
            type=float,
            default=getattr(usual.augmentation, each.name),
            metavar="X",
            help=AUGMENTATION[each.name],
        )
    group.add_argument(
        "--validation",
        metavar="N|ID,…",
        help="people whom nothing is trained on, watched while training: so many, drawn by the seed, or these",
    )
    group.add_argument("--resume", action="store_true", help="go on where an interrupted training of OUT stands")


AUGMENTATION = {
    "jitter": "noise that is added to windows, in the features' unit",
    "scaling": "deviation of a factor that a window is multiplied by",
    "rotation_degrees": "the most that a window's axes are turned by",
    "dropped": "share of samples that are lost",
}


def add_kept_options(parser: argparse.ArgumentParser) -> None:
    """What is said of the network that is written."""
    parser.add_argument(
        "--out", metavar="OUT.h5", help="the network; beside it OUT.json, the record, and OUT.md, the card"
    )
    parser.add_argument("--title", help="what the network is, in a line")
    parser.add_argument("--citation", help="where the recordings come from")
    parser.add_argument("--licence", help="of the recordings")
    parser.add_argument("--json", action="store_true", help="one JSON object")


def recipe_of(args: argparse.Namespace, **changes: Any) -> Recipe:
    """The recipe that the options state."""
    names = {each.name for each in fields(Recipe)} & set(vars(args)) - {"augmentation"}
    augmentation = Augmentation(**{each.name: getattr(args, each.name) for each in fields(Augmentation)})
    return Recipe(**{**{name: getattr(args, name) for name in names}, "augmentation": augmentation, **changes})


def read_store(args: argparse.Namespace, contract: Contract, classes: Sequence[str] | None) -> Store:
    """The windows of all recordings; what was met is said."""
    found = [read_windows(args, path, contract) for path in args.recordings]
    return Store.of(found, classes=classes, tell=note)


def output(args: argparse.Namespace) -> Path:
    """Where the network goes; `NumjazError` where it cannot."""
    if not args.out:
        raise NumjazError("--out OUT.h5 says where the network goes")
    path = Path(args.out)
    if path.suffix != ".h5":
        raise NumjazError(f"--out {args.out}: the name ends in .h5")
    if not path.parent.is_dir():
        raise NumjazError(f"--out {args.out}: there is no folder {path.parent}")
    return path


def listed(text: str | None) -> list[str]:
    """``a,b`` as a list."""
    return [part.strip() for part in text.split(",") if part.strip()] if text else []


@dataclass(frozen=True)
class Parts:
    """Rows to train on, to watch while training, and kept apart; whose they are."""

    train: Rows
    validation: Rows
    apart: Rows
    people: Mapping[str, list[str]]


def parts(store: Store, apart: Sequence[str], validation: str | None, seed: int) -> Parts:
    """Every person in one part."""
    about, rows = store.about, np.arange(store.shape[0])
    empty: Rows = rows[:0]
    test = empty
    if apart:
        (fold,) = held_out(about, apart)
        rows, test = fold.train, fold.test
    watched = empty
    if validation:
        left = sorted(set(about.person[rows].tolist()))
        if validation.isdigit() and validation not in left:
            if not 0 < int(validation) < len(left):
                raise NumjazError(f"--validation {validation}: there are {len(left)} people to take from")
            chosen = sorted(np.random.default_rng(seed).choice(left, int(validation), replace=False).tolist())
        else:
            chosen = listed(validation)
        (fold,) = held_out(about.take(rows), chosen)
        rows, watched = rows[fold.train], rows[fold.test]
    people = {
        kind: sorted(set(about.person[part].tolist()))
        for kind, part in (("trained", rows), ("validation", watched), ("apart", test))
    }
    return Parts(rows, watched, test, people)


def shower(what: str = "") -> Callable[[Progress], None]:
    """Progress on a terminal, at most five times a second; elsewhere a line an epoch."""
    terminal = sys.stderr.isatty()
    last = [0.0]

    def show(progress: Progress) -> None:
        ended = progress.step == progress.steps
        if not ended and (not terminal or time.monotonic() - last[0] < 0.2):
            return
        last[0] = time.monotonic()
        minutes = progress.left_s / 60
        left = f"{minutes:.0f} min left" if minutes >= 2 else f"{progress.left_s:.0f} s left"
        text = (
            f"{what}epoch {progress.epoch}/{progress.epochs}, step {progress.step}/{progress.steps}: "
            f"loss {progress.loss:.4f}, accuracy {progress.accuracy:.3f}, {left}"
        )
        print(f"\r\033[K{text}" if terminal else text, end="" if terminal else "\n", file=sys.stderr, flush=True)
        if terminal and progress.step == progress.steps and progress.epoch == progress.epochs:
            print(file=sys.stderr)

    return show


def trainer(recipe: Recipe, store: Store) -> Train[Model]:
    """`fit` on some rows, as protocols call it."""
    people = store.about.person

    def train(model: Model, rows: Rows, number: int) -> Model:
        told = shower(f"fold {number + 1}, ")
        return fit(model, Part(store, rows), store.labels[rows], recipe, groups=people[rows], tell=told)[0]

    return train
