"""Teach a trained network other classes: a new last layer, and the rest trained on from where it stands.

The paper's way: pretrain on activities, replace the last layer, retrain all layers on few recordings.
--freeze body trains the new layer alone. With --judge both ways are judged in one run, from the source
and from nothing, and compared person by person.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from numjaz.cli.judging import Protocol, add_judge_options, plain, text
from numjaz.cli.keeping import hashes, keep
from numjaz.cli.learning import (
    add_kept_options,
    add_recipe_options,
    add_watched_options,
    fitted,
    output,
    read_store,
    recipe_of,
    refuse_without_out,
)
from numjaz.cli.options import add_file_options, add_recording_options, load_file, names_of
from numjaz.cli.output import json_line, note
from numjaz.cli.parts import listed, parts
from numjaz.errors import NumjazError
from numjaz.learn.heads import body_of, from_nothing, with_classes
from numjaz.learn.pages import many
from numjaz.report import shortened


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("source", metavar="SOURCE", help="a shipped network or a file: what is known already")
    parser.add_argument("recordings", nargs="+", metavar="RECORDING", help="recordings that state the new classes")
    parser.add_argument("--classes", metavar="NAME,…", help="the new classes (default: all that are recorded)")
    parser.add_argument(
        "--freeze",
        metavar="NODE,…",
        help="nodes that stay as they are (* stands for any letters); body: all but the new last layer",
    )
    parser.add_argument("--apart", metavar="ID,…", help="people who are not trained on, and judge the network")
    parser.add_argument("--without-gravity", action="store_true", help="the recordings' acceleration has no gravity")
    add_kept_options(parser)
    add_judge_options(parser)
    add_watched_options(parser)
    add_recipe_options(parser, epochs=90)
    add_file_options(parser)
    add_recording_options(parser)


def execute(args: argparse.Namespace) -> int:
    """Run the command."""
    refuse_without_out(args)
    inputs = (args.source, args.architecture)
    path = output(args, *inputs) if args.out is not None or args.judge is None else None
    source = load_file(args, args.source)
    if source.contract is None:
        raise NumjazError(f"{args.source}: says nothing of the input it expects, so recordings cannot be read for it")
    contract = replace(
        source.contract,
        hop=source.contract.hop if args.hop is None else args.hop,
        gravity=source.contract.gravity and not args.without_gravity,
    )
    names = names_of(args.recordings)
    recordings = hashes(names)
    store = read_store(args, contract, listed(args.classes, "--classes") or None, names)
    begin = with_classes(source, store.classes, args.seed).derive(contract=contract, golden=None)
    named = listed(args.freeze, "--freeze")
    frozen = tuple(node for name in named for node in (body_of(begin) if name == "body" else (name,)))
    recipe, about = recipe_of(args, frozen=frozen), store.about
    said: dict[str, Any] = {}
    split = parts(store, about, args.apart, args.validation, recipe.seed)
    protocol = None if args.judge is None else Protocol(args, store, about, split)
    met = [who for who in store.people if who in source.provenance.get("people_trained_on", ())]
    if met:
        note(f"{args.source} was trained on {many(len(met))} of these, by name: {shortened(', '.join(met), 60)}")
    if path is not None:
        trained = fitted(args, begin, recipe, store, split, path)
        said, words = keep(args, path, trained, recipe, store, split, recordings)
        if not args.json:
            print(words)
    if protocol is not None:
        # From nothing there is nothing to keep: every layer is trained.
        nothing = (from_nothing(begin, recipe.seed), replace(recipe, frozen=()))
        found = protocol.judge({f"from {Path(args.source).stem}": (begin, recipe), "from nothing": nothing})
        said["protocol"] = {"split": args.judge, "source_trained_on": met, **plain(found)}
        if not args.json:
            print(text(args.judge, found))
            if met:
                print(f"the source was trained on {many(len(met))} of these: for them its figures are not honest")
    if args.json:
        print(json_line(said))
    return 0
