"""Fit a network to one person with a few labelled minutes of theirs, and judge it on what came later.

Of each class the earlier windows are learned from and the later ones judge, before and after; windows
that share samples with those are left out. --what says what may change: the last layer, everything, or
the batch normalizations' statistics, for which no label is needed.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from numjaz.cli.learning import add_recipe_options, output, read_store, recipe_of, shower
from numjaz.cli.options import DEFAULT_MODEL, add_model_options, add_recording_options, chosen_model, names_of
from numjaz.cli.output import json_line, note
from numjaz.errors import NumjazError
from numjaz.learn.heads import body_of, with_statistics_of
from numjaz.learn.judging import Judged, judged
from numjaz.learn.recipe import Recipe
from numjaz.learn.splits import by_time
from numjaz.learn.store import Store
from numjaz.learn.training import fit
from numjaz.learn.windows import Part
from numjaz.model import Model
from numjaz.report import table

WHAT = ("head", "all", "statistics")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("recordings", nargs="+", metavar="RECORDING", help="one person's, with a column of activities")
    add_model_options(parser)
    parser.add_argument("--what", choices=WHAT, default="head", help="what may change (default head)")
    parser.add_argument(
        "--share", type=float, default=0.5, metavar="X", help="of each class, the later share that judges (default 0.5)"
    )
    parser.add_argument("--out", metavar="OUT.h5", help="write the network that fits the person")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    add_recipe_options(parser, epochs=20)
    add_recording_options(parser)


def execute(args: argparse.Namespace) -> int:
    """Run the command."""
    path = output(args, args.model or DEFAULT_MODEL, args.like, args.architecture) if args.out is not None else None
    model, contract, classes = chosen_model(args)
    model = model.derive(classes=classes, contract=contract, golden=None)
    store = read_store(args, contract, classes, names_of(args.recordings))
    if len(store.people) > 1:
        raise NumjazError(f"the recordings are of {len(store.people)} people; --people ID chooses one")
    about = store.about
    (fold,) = by_time(about, args.share, store.labels)
    if not len(fold.train) or not len(fold.test):
        raise NumjazError("no class has windows enough for an earlier and a later part")
    who = store.people[0]
    if who in model.provenance.get("people_trained_on", ()):
        note(f"{who} was among the people whom the network was trained on: before is not what it would be for others")
    after = _fitted(args, model, store, fold.train)
    found = {
        name: judged(each, store, store.labels, about, fold.test)
        for name, each in (("before", model), ("after", after))
    }
    if path is not None:
        after.save(path)
        note(f"{path}: written")
    said = {
        "person": who,
        "what": args.what,
        "windows": {"learned": len(fold.train), "judged": len(fold.test), "left_out": len(fold.left_out)},
        **{name: _figures(each) for name, each in found.items()},
    }
    print(json_line(said) if args.json else _text(said, found))
    return 0


def _fitted(args: argparse.Namespace, model: Model, store: Store, rows: np.ndarray[Any, np.dtype[np.intp]]) -> Model:
    recipe: Recipe = recipe_of(args, frozen=body_of(model) if args.what == "head" else ())
    if args.what == "statistics":
        known = {*model.provenance.get("people_trained_on", ()), *store.people}
        fitted = with_statistics_of(model, Part(store, rows))
        return fitted.derive(provenance={**fitted.provenance, "people_trained_on": sorted(known)})
    people = np.full(len(rows), store.people[0])
    return fit(model, Part(store, rows), store.labels[rows], recipe, groups=people, tell=shower())[0]


def _figures(judged: Judged) -> dict[str, float]:
    return {name: judged.figure(name).value for name in ("accuracy", "macro_f1", "balanced_accuracy")}


def _text(said: dict[str, Any], found: dict[str, Judged]) -> str:
    windows = said["windows"]
    rows = [[name, *(f"{value:.3f}" for value in _figures(each).values())] for name, each in found.items()]
    head = (
        f"person {said['person']}: learned from {windows['learned']} earlier windows ({said['what']}), judged on "
        f"{windows['judged']} later ones; {windows['left_out']} between them left out"
    )
    body = table(["", "accuracy", "macro-F1", "balanced accuracy"], rows, right=(1, 2, 3))
    return f"{head}\n{body}\none person: a figure of theirs, with no interval over people"
