"""Train a network on recordings that state activities.

Writes the network (OUT.h5), the record of the run (OUT.json) and a card (OUT.md). People named by
--apart are not trained on, and judge it. An interrupted training leaves a checkpoint beside OUT, from
which --resume goes on to the bit. --replay RECORD trains again as a record says, and compares the bits.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from numjaz.architectures import BUILDERS, build
from numjaz.cli.judging import Protocol, add_judge_options, plain, text
from numjaz.cli.keeping import hashes, keep, match_recordings, read_record
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
from numjaz.cli.options import Parser, add_recording_options, names_of, parsed_builder
from numjaz.cli.output import json_line
from numjaz.cli.parts import Parts, listed, parts
from numjaz.contract import CHANNELS, MAGNITUDES, Contract
from numjaz.errors import NumjazError
from numjaz.learn.about import About
from numjaz.learn.recipe import Recipe
from numjaz.learn.record import weights_sha256
from numjaz.learn.store import Store
from numjaz.model import Model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("recordings", nargs="+", metavar="RECORDING", help="recordings that state activities")
    parser.add_argument(
        "--architecture", default="jazbat", metavar="NAME[:OPTION=VALUE,…]", help="the network (default jazbat)"
    )
    parser.add_argument("--classes", metavar="NAME,…", help="activities (default: all that are recorded)")
    parser.add_argument("--apart", metavar="ID,…", help="people who are not trained on, and judge the network")
    contract = parser.add_argument_group("what the network takes")
    contract.add_argument(
        "--features", type=int, choices=tuple(CHANNELS), default=1, help="1: |a| - g; 3: axes; 6: and the gyroscope's"
    )
    contract.add_argument("--magnitude", choices=tuple(MAGNITUDES), help="with --features 1 (default minus_g)")
    contract.add_argument("--sampled", type=float, default=20.0, metavar="HZ", help="its samples a second (default 20)")
    contract.add_argument("--window", type=int, default=256, metavar="N", help="its samples (default 256)")
    contract.add_argument("--without-gravity", action="store_true", help="the recordings' acceleration has no gravity")
    contract.add_argument("--placement", default="", help="where the sensor sat")
    add_kept_options(parser)
    parser.add_argument("--replay", metavar="RECORD.json", help="train as this record says, and compare the bits")
    add_judge_options(parser)
    add_recipe_options(parser)
    add_watched_options(parser)
    add_recording_options(parser)


def execute(args: argparse.Namespace) -> int:
    """Run the command."""
    if args.replay is not None:
        return _replay(args)
    _check(args)
    path = output(args) if args.out is not None or args.judge is None else None
    names = names_of(args.recordings)
    recordings = hashes(names)
    recipe, store, about, split = _read(args, names)
    begin = _begin(args, recipe, store)
    said: dict[str, Any] = {}
    protocol = None if args.judge is None else Protocol(args, store, about, split)
    if path is not None:
        said, words = keep(
            args, path, fitted(args, begin, recipe, store, split, path), recipe, store, split, recordings
        )
        if not args.json:
            print(words)
    if protocol is not None:
        found = protocol.judge({args.architecture.partition(":")[0]: (begin, recipe)})
        said["protocol"] = {"split": args.judge, **plain(found)}
        if not args.json:
            print(text(args.judge, found))
    if args.json:
        print(json_line(said))
    return 0


def _check(args: argparse.Namespace) -> None:
    if args.magnitude is not None and args.features != 1:
        raise NumjazError(f"--magnitude goes with --features 1, not {args.features}")
    refuse_without_out(args)


def _read(args: argparse.Namespace, names: Mapping[str, str]) -> tuple[Recipe, Store, About, Parts]:
    """How, on what, and whose it is."""
    recipe = recipe_of(args)
    contract = Contract(
        features=CHANNELS[args.features],
        rate_hz=args.sampled,
        window=args.window,
        hop=32 if args.hop is None else args.hop,
        gravity=not args.without_gravity,
        magnitude=(args.magnitude or "minus_g") if args.features == 1 else None,
        placement=args.placement,
    )
    store = read_store(args, contract, listed(args.classes, "--classes") or None, names)
    about = store.about
    return recipe, store, about, parts(store, about, args.apart, args.validation, recipe.seed)


def _begin(args: argparse.Namespace, recipe: Recipe, store: Store) -> Model:
    """The network before its training."""
    name, options = parsed_builder(args.architecture)
    if name not in BUILDERS:
        raise NumjazError(f"--architecture {name!r:.60}: the networks are {', '.join(BUILDERS)}")
    stated = {"features": args.features, "classes": len(store.classes), "seed": recipe.seed}
    for option in stated:
        if option in options:
            raise NumjazError(f"--architecture {name}: {option} is stated by the other options")
    return build(name, {**options, **stated}).derive(classes=store.classes, contract=store.contract)


def _replay(args: argparse.Namespace) -> int:
    """Train as a record says; 1 where the bits are others."""
    parser = Parser(prog=args.replay, add_help=False)
    add_arguments(parser)
    usual = vars(parser.parse_args(args.recordings))
    for name, value in usual.items():
        if name not in ("recordings", "replay", "out", "json", "gyro", "gravity") and getattr(args, name) != value:
            raise NumjazError(f"--{name.replace('_', '-')} goes with a training of its own; --replay repeats a record")
    path = output(args, args.replay) if args.out is not None else None
    record = read_record(args.replay)
    again = parser.parse_args(record["command"][1:])
    names = match_recordings(args.replay, args.recordings, record["recordings"])
    again.recordings = list(names)
    again.gyro, again.gravity, again.resume = args.gyro, args.gravity, False
    recipe, store, _, split = _read(again, names)
    if store.sha256 != record["windows_sha256"]:
        raise NumjazError(f"{args.replay}: the recordings give other windows than they gave then")
    model, _ = fitted(again, _begin(again, recipe, store), recipe, store, split, None)
    same = weights_sha256(model) == record["weights_sha256"]
    if path is not None:
        model.save(path)
    if args.json:
        print(json_line({"same": same, "weights_sha256": weights_sha256(model)}))
    else:
        print("the same bits" if same else "other bits than the record's")
    return 0 if same else 1
