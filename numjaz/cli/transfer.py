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

from numjaz.cli.judging import Way, add_judge_options, judge, plain, text
from numjaz.cli.keeping import described, judged_apart, keep, recorded, score_command, trained_text
from numjaz.cli.learning import (
    CHECKPOINT,
    add_kept_options,
    add_recipe_options,
    listed,
    output,
    parts,
    read_store,
    recipe_of,
    shower,
    trainer,
)
from numjaz.cli.options import add_file_options, add_recording_options, load_file
from numjaz.cli.output import json_line
from numjaz.errors import NumjazError
from numjaz.learn.heads import body_of, from_nothing, with_classes
from numjaz.learn.record import card, hashes, record_of
from numjaz.learn.training import fit
from numjaz.learn.windows import Part


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
    add_recipe_options(parser, epochs=90)
    add_file_options(parser)
    add_recording_options(parser)


def execute(args: argparse.Namespace) -> int:
    """Run the command."""
    path = output(args) if args.out or not args.judge else None
    source = load_file(args, args.source)
    if source.contract is None:
        raise NumjazError(f"{args.source}: says nothing of the input it expects, so recordings cannot be read for it")
    contract = replace(
        source.contract,
        hop=args.hop or source.contract.hop,
        gravity=source.contract.gravity and not args.without_gravity,
    )
    store = read_store(args, contract, listed(args.classes) or None)
    seed = args.seed
    begin = with_classes(source, store.classes, seed).derive(contract=contract, golden=None)
    frozen = body_of(begin) if args.freeze == "body" else tuple(listed(args.freeze))
    recipe = recipe_of(args, frozen=frozen)
    split = parts(store, listed(args.apart), args.validation, seed)
    said: dict[str, Any] = {}
    if path is not None:
        people = store.about.person
        held = (Part(store, split.validation), store.labels[split.validation]) if len(split.validation) else None
        model, history = fit(
            begin,
            Part(store, split.train),
            store.labels[split.train],
            recipe,
            groups=people[split.train],
            validation=held,
            checkpoint=path.with_name(path.name + CHECKPOINT),
            resume=args.resume,
            tell=shower(),
        )
        model, found = judged_apart(described(args, model), store, split)
        record = record_of(
            model,
            store,
            recipe,
            history,
            command=recorded(args),
            recordings=hashes(args.recordings),
            people=split.people,
        )
        keep(path, model, record, card(path.stem, model, record, found, score_command(args, path, split)))
        said |= {"path": str(path), **record} | ({"judged": found.to_dict()} if found else {})
        if not args.json:
            print(trained_text(path, history, found))
    if args.judge:
        # From nothing there is nothing to keep: every layer is trained.
        free = replace(recipe, frozen=())
        ways = [
            Way(f"from {Path(args.source).stem}", begin, trainer(recipe, store)),
            Way("from nothing", from_nothing(begin, seed), trainer(free, store)),
        ]
        found_by = judge(args.judge, ways, store, seed)
        said["protocol"] = {"split": args.judge, **plain(found_by)}
        if not args.json:
            print(text(args.judge, found_by))
    if args.json:
        print(json_line(said))
    return 0
