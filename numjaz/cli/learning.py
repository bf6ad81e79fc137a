"""What the commands that train share: the recipe's options, windows by the options, progress, what is kept."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from numjaz.cli.options import cut, read_each
from numjaz.cli.output import note
from numjaz.cli.parts import Labelled, Parts, watch
from numjaz.contract import Contract
from numjaz.errors import NumjazError
from numjaz.learn.about import Rows
from numjaz.learn.augmentation import Augmentation
from numjaz.learn.history import History, Progress
from numjaz.learn.protocols import Train
from numjaz.learn.recipe import CHOICES, Recipe
from numjaz.learn.store import Store
from numjaz.learn.training import fit
from numjaz.model import Model


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
    for each in fields(Augmentation):
        group.add_argument(
            f"--{each.name.replace('_', '-')}",
            type=float,
            default=getattr(usual.augmentation, each.name),
            metavar="X",
            help=AUGMENTATION[each.name],
        )


AUGMENTATION = {
    "jitter": "noise that is added to windows, in the features' unit",
    "scaling": "deviation of a factor that a window is multiplied by",
    "rotation_degrees": "the most that a window's axes are turned by",
    "dropped": "share of samples that are lost",
}


def add_watched_options(parser: argparse.ArgumentParser) -> None:
    """Who is watched while training, when it stops, and that it goes on."""
    group = parser.add_argument_group("while training")
    group.add_argument(
        "--validation",
        metavar="N|ID,…",
        help="people whom nothing is trained on, watched while training: so many, drawn by the seed, or these",
    )
    group.add_argument("--patience", type=int, help="epochs without a lower validation loss after which training stops")
    group.add_argument("--resume", action="store_true", help="go on where an interrupted training of OUT stands")


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


def refuse_without_out(args: argparse.Namespace) -> None:
    """Raise where an option is of the network that ``--out`` writes, and ``--judge`` alone writes none."""
    if args.out is None and args.judge is not None:
        for name in ("title", "citation", "licence", "resume"):
            if getattr(args, name):
                raise NumjazError(f"--{name} goes with --out: --judge alone keeps no network")


def read_store(
    args: argparse.Namespace, contract: Contract, classes: Sequence[str] | None, names: Mapping[str, str]
) -> Store:
    """The windows of all recordings, which have these names; what was met is said."""
    found = (cut(args, replace(recording, source=names[path]), contract) for path, recording in read_each(args))
    return Store.of(found, classes=classes, tell=note)


def output(args: argparse.Namespace, *inputs: str | None) -> Path:
    """Where the network goes; `NumjazError` where it cannot, or where an input lies."""
    if not args.out:
        raise NumjazError("--out OUT.h5 says where the network goes")
    path = Path(args.out)
    if path.suffix != ".h5":
        raise NumjazError(f"--out {args.out}: the name ends in .h5")
    if not path.parent.is_dir():
        raise NumjazError(f"--out {args.out}: there is no folder {path.parent}")
    taken = {Path(os.path.realpath(name)) for name in (*args.recordings, args.gyro, args.gravity, *inputs) if name}
    for written in (path, *(path.with_suffix(suffix) for suffix in (".json", ".md")), checkpoint_of(path)):
        if Path(os.path.realpath(written)) in taken:
            raise NumjazError(f"--out {args.out}: {written.name} is what is read; give another name")
        if written.exists() and not written.is_file():
            raise NumjazError(f"{written}: not a regular file, so it is not replaced")
    try:
        tempfile.TemporaryFile(dir=path.parent).close()  # before the training, not after it
    except OSError as error:
        raise NumjazError(f"--out {args.out}: cannot be written ({error.strerror})") from None
    return path


def checkpoint_of(path: Path) -> Path:
    """Where the state of a training lies until it ends."""
    return path.with_name(path.name + ".checkpoint.npz")


def fitted(
    args: argparse.Namespace, begin: Model, recipe: Recipe, store: Store, split: Parts, path: Path | None
) -> tuple[Model, History]:
    """The training of a command, with its checkpoint beside the output where there is one."""
    given, checkpoint = Labelled(store, store.labels, store.about), None if path is None else checkpoint_of(path)
    learned, watched = given.of(split.train), given.of(split.validation)
    if args.resume and checkpoint is not None and not checkpoint.exists():
        note(f"--resume: there is no {checkpoint.name}, so the training begins")
    try:
        return fit(
            begin,
            learned.windows,
            learned.labels,
            recipe,
            groups=learned.about.person,
            validation=watched[:2] if len(split.validation) else None,
            checkpoint=checkpoint,
            resume=args.resume,
            tell=shower(),
        )
    except KeyboardInterrupt:
        if checkpoint is None or not checkpoint.exists():
            raise
        raise KeyboardInterrupt(f"the same command with --resume goes on from {checkpoint.name}") from None


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


def trainer(recipe: Recipe, given: Labelled, validation: str | None) -> Train[Model]:
    """`fit` on some rows, as protocols call it; of their people so many are watched as ``--validation`` says."""

    def train(model: Model, rows: Rows, number: int) -> Model:
        own, held = watch(given.about, rows, validation, recipe.seed)
        learned, watched = given.of(own), given.of(held)
        return fit(
            model,
            learned.windows,
            learned.labels,
            recipe,
            groups=learned.about.person,
            validation=watched[:2] if len(held) else None,
            tell=shower(f"fold {number + 1}, "),
        )[0]

    return train
