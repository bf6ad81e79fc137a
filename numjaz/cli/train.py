"""Train a network on recordings that state activities.

Writes the network (OUT.h5), the record of the run (OUT.json) and a card (OUT.md). People named by
--apart are not trained on, and judge it. An interrupted training leaves a checkpoint beside OUT, from
which --resume goes on to the bit. --replay RECORD trains again as a record says, and compares the bits.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from numjaz.architectures import BUILDERS, build
from numjaz.cli.judging import Way, add_judge_options, judge, plain, text
from numjaz.cli.keeping import (
    described,
    judged_apart,
    keep,
    match_recordings,
    read_record,
    recorded,
    score_command,
    trained_text,
)
from numjaz.cli.learning import (
    CHECKPOINT,
    Parts,
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
from numjaz.cli.options import add_recording_options, parsed_builder
from numjaz.cli.output import json_line
from numjaz.contract import CHANNELS, MAGNITUDES, Contract
from numjaz.errors import NumjazError
from numjaz.learn.history import History
from numjaz.learn.recipe import Recipe
from numjaz.learn.record import card, hashes, record_of, weights_sha256
from numjaz.learn.store import Store
from numjaz.learn.training import fit
from numjaz.learn.windows import Part
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
    contract.add_argument("--magnitude", choices=tuple(MAGNITUDES), default="minus_g", help="with --features 1")
    contract.add_argument("--sampled", type=float, default=20.0, metavar="HZ", help="its samples a second (default 20)")
    contract.add_argument("--window", type=int, default=256, metavar="N", help="its samples (default 256)")
    contract.add_argument("--without-gravity", action="store_true", help="the recordings' acceleration has no gravity")
    contract.add_argument("--placement", default="", help="where the sensor sat")
    add_kept_options(parser)
    parser.add_argument("--replay", metavar="RECORD.json", help="train as this record says, and compare the bits")
    add_judge_options(parser)
    add_recipe_options(parser)
    add_recording_options(parser)


def execute(args: argparse.Namespace) -> int:
    """Run the command."""
    if args.replay:
        return _replay(args)
    path = output(args) if args.out or not args.judge else None
    recipe, store, split = _read(args)
    said: dict[str, Any] = {}
    if path is not None:
        model, history = _train(args, recipe, store, split, path)
        record = record_of(
            model,
            store,
            recipe,
            history,
            command=recorded(args),
            recordings=hashes(args.recordings),
            people=split.people,
        )
        model, found = judged_apart(model, store, split)
        keep(path, model, record, card(path.stem, model, record, found, score_command(args, path, split)))
        said |= {"path": str(path), **record} | ({"judged": found.to_dict()} if found else {})
        if not args.json:
            print(trained_text(path, history, found))
    if args.judge:
        begin = _begin(args, recipe, store)
        ways = [Way(args.architecture, begin, trainer(recipe, store))]
        judgement = judge(args.judge, ways, store, recipe.seed)
        said["protocol"] = {"split": args.judge, **plain(judgement)}
        if not args.json:
            print(text(args.judge, judgement))
    if args.json:
        print(json_line(said))
    return 0


def _read(args: argparse.Namespace) -> tuple[Recipe, Store, Parts]:
    """How, on what, and whose it is."""
    recipe = recipe_of(args)
    contract = Contract(
        features=CHANNELS[args.features],
        rate_hz=args.sampled,
        window=args.window,
        hop=args.hop or 32,
        gravity=not args.without_gravity,
        magnitude=args.magnitude if args.features == 1 else None,
        placement=args.placement,
    )
    store = read_store(args, contract, listed(args.classes) or None)
    return recipe, store, parts(store, listed(args.apart), args.validation, recipe.seed)


def _begin(args: argparse.Namespace, recipe: Recipe, store: Store) -> Model:
    """The network before its training."""
    name, options = parsed_builder(args.architecture)
    if name not in BUILDERS:
        raise NumjazError(f"--architecture {name!r:.60}: the networks are {', '.join(BUILDERS)}")
    stated = {"features": args.features, "classes": store.classes, "seed": recipe.seed, "contract": store.contract}
    for option in stated:
        if option in options:
            raise NumjazError(f"--architecture {name}: {option} is stated by the other options")
    return build(name, {**options, **stated})


def _train(
    args: argparse.Namespace, recipe: Recipe, store: Store, split: Parts, path: Path | None
) -> tuple[Model, History]:
    about = store.about
    model, history = fit(
        _begin(args, recipe, store),
        Part(store, split.train),
        store.labels[split.train],
        recipe,
        groups=about.person[split.train],
        validation=(Part(store, split.validation), store.labels[split.validation]) if len(split.validation) else None,
        checkpoint=None if path is None else path.with_name(path.name + CHECKPOINT),
        resume=args.resume,
        tell=shower(),
    )
    return described(args, model), history


def _replay(args: argparse.Namespace) -> int:
    """Train as a record says; 1 where the bits are others."""
    record = read_record(args.replay)
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    again = parser.parse_args(record["command"][1:])
    again.recordings = match_recordings(args.replay, args.recordings, record["recordings"])
    again.gyro, again.gravity, again.resume = args.gyro, args.gravity, False
    recipe, store, split = _read(again)
    if store.sha256 != record["windows_sha256"]:
        raise NumjazError(f"{args.replay}: the recordings give other windows than they gave then")
    model, _ = _train(again, recipe, store, split, None)
    same = weights_sha256(model) == record["weights_sha256"]
    if args.out:
        model.save(output(args))
    if args.json:
        print(json_line({"same": same, "weights_sha256": weights_sha256(model)}))
    else:
        print("the same bits" if same else "other bits than the record's")
    return 0 if same else 1
