"""What is kept of a training: the network, its record, its card; and how a record is read again."""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from numjaz.cli.learning import checkpoint_of
from numjaz.cli.output import note
from numjaz.cli.parts import Parts
from numjaz.doors.output import whole
from numjaz.doors.text import parse_json
from numjaz.errors import NumjazError
from numjaz.learn.about import About
from numjaz.learn.history import History
from numjaz.learn.judging import Judged, judged
from numjaz.learn.pages import over_people, people, said
from numjaz.learn.recipe import Recipe
from numjaz.learn.record import FORMAT, card, record_of, sha256_of
from numjaz.learn.store import Store
from numjaz.model import Model

JUDGED = ("accuracy", "accuracy_interval", "macro_f1", "macro_f1_interval", "windows", "people")
MAX_RECORD = 16 << 20  # bytes


def hashes(names: Mapping[str, str]) -> dict[str, str]:
    """The SHA-256 of each recording by its name; `NumjazError` where one was given twice."""
    made: dict[str, str] = {}
    for path, name in names.items():
        digest = sha256_of(path)
        if digest in made.values():
            raise NumjazError(f"{path}: the same recording as another one that is given; each is read once")
        made[name] = digest
    return made


def keep(
    args: argparse.Namespace,
    path: Path,
    trained: tuple[Model, History],
    recipe: Recipe,
    store: Store,
    split: Parts,
    recordings: Mapping[str, str],
) -> tuple[dict[str, Any], str]:
    """Judge on the people kept apart; write network, record and card, each whole or not at all; what is told of it."""
    (model, history), about = trained, store.about
    model, found = _judged_apart(_described(args, model), store, about, split)
    record = record_of(
        model,
        store,
        recipe,
        history,
        command=_recorded(args, recordings),
        recordings=recordings,
        beside={Path(file).name: sha256_of(file) for file in (args.gyro, args.gravity) if file},
        people=split.people,
    )
    words = card(path.stem, model, record, found, _score_command(args, path, about, split))
    model.save(path)
    for suffix, content in ((".json", json.dumps(record, indent=1, allow_nan=False) + "\n"), (".md", words)):
        with whole(path.with_suffix(suffix)) as beside:
            beside.write_text(content, encoding="utf-8")
    checkpoint_of(path).unlink(missing_ok=True)  # it is done with
    note(f"{path}, {path.with_suffix('.json').name}, {path.with_suffix('.md').name}: written")
    plain = {"path": str(path), **record, **({} if found is None else {"judged": found.to_dict()})}
    return plain, _text(path, history, found)


def _described(args: argparse.Namespace, model: Model) -> Model:
    """The network with what the options say of it, each in one line."""
    given = {key: " ".join(str(getattr(args, key) or "").split()) for key in ("title", "citation", "licence")}
    data = {key: given[key] for key in ("citation", "licence") if given[key]}
    said = {**({"title": given["title"]} if given["title"] else {}), **({"data": data} if data else {})}
    return model.derive(provenance={**said, **model.provenance, **said})


def _judged_apart(model: Model, store: Store, about: About, split: Parts) -> tuple[Model, Judged | None]:
    """The network judged on the people kept apart; its file says how well it did."""
    if not len(split.apart):
        return model, None
    found = judged(model, store, store.labels, about, split.apart)
    # Of one person there is no interval, and a network's file holds no NaN.
    figures = {key: value for key, value in found.to_dict().items() if key in JUDGED and not np.isnan(value).any()}
    return model.derive(provenance={**model.provenance, "judged": figures}), found


def _recorded(args: argparse.Namespace, recordings: Mapping[str, str]) -> list[str]:
    """The command as it was given, files by their names alone, and as if it had not been interrupted."""
    names = {path: _word(name) for path, name in zip(args.recordings, recordings, strict=True)}
    for file in (args.out, args.gyro, args.gravity, getattr(args, "source", None)):
        if file:
            names.setdefault(file, _word(Path(file).name))
    made = []
    for word in args.command:
        option, equals, value = word.partition("=")
        if word != "--resume":
            made.append(names.get(word, option + equals + names.get(value, value)))
    return made


def _word(name: str) -> str:
    """A file's name as a command takes it, which would take ``-x`` for an option."""
    return f"./{name}" if name.startswith("-") else name


def _score_command(args: argparse.Namespace, path: Path, about: About, split: Parts) -> str:
    """How the figures of the people kept apart are made again, from the recordings that hold them."""
    apart = set(split.people["apart"])
    files = list(dict.fromkeys(about.recording[split.apart].tolist()))
    others = set(about.person[np.isin(about.recording, files)].tolist()) - apart
    words = [
        "numjaz",
        "score",
        *map(_word, files),
        *(["--people", ",".join(sorted(apart))] if others or args.people else []),
    ]
    words += ["-m", _word(path.name)]
    for name in ("rate", "gyro", "gravity", "units", "gyro_units", "columns", "time_unit", "gap"):
        value = getattr(args, name)
        if value is not None and (name, value) != ("gap", 1.0):
            words += [
                f"--{name.replace('_', '-')}",
                _word(Path(value).name) if name in ("gyro", "gravity") else str(value),
            ]
    words += [f"--{name.replace('_', '-')}" for name in ("no_resample", "unchecked") if getattr(args, name)]
    return shlex.join(words)


def _text(path: Path, history: History, found: Judged | None) -> str:
    """What came of a training, in lines."""
    last, many = history.epochs[history.kept - 1], len(history.epochs)
    lines = [
        f"{path.name}: {many} {'epoch' if many == 1 else 'epochs'} in {history.seconds:.0f} s, "
        f"the weights of epoch {history.kept}",
        f"trained on: loss {last.loss:.4f}, accuracy {last.accuracy:.3f}",
    ]
    if last.validation_loss is not None:
        lines.append(f"validation: loss {last.validation_loss:.4f}, accuracy {last.validation_accuracy:.3f}")
    if found is not None:
        lines.append(
            f"kept apart: accuracy {said(found.figure('accuracy'))}, macro-F1 {said(found.figure('macro_f1'))}"
        )
        lines.append(f"of {len(found):,} windows of {people(found)}. {over_people(found)}")
    return "\n".join(lines)


def read_record(path: str) -> dict[str, Any]:
    """A record that `numjaz train` wrote."""
    file = Path(path)
    if not file.is_file() or file.stat().st_size > MAX_RECORD:
        raise NumjazError(f"{path}: no record of a training (OUT.json beside the network)")
    record = parse_json(file.read_bytes(), path)
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise NumjazError(f"{path}: no record of a training by this numjaz")
    command, recordings = record.get("command"), record.get("recordings")
    hashes = [record.get("windows_sha256"), record.get("weights_sha256")]
    if (
        not isinstance(command, list)
        or not command
        or not isinstance(recordings, dict)
        or not recordings
        or not all(isinstance(text, str) for text in (*command, *recordings.values(), *hashes))
    ):
        raise NumjazError(f"{path}: command, recordings or hashes are not as a record has them")
    if command[0] != "train":
        raise NumjazError(f"{path}: the record of numjaz {command[0]}; only numjaz train is done again")
    return record


def match_recordings(record: str, given: Sequence[str], wanted: Mapping[str, str]) -> dict[str, str]:
    """The recordings' names by path, in the record's order; `NumjazError` where one is missing or another."""
    found = {sha256_of(path): path for path in given}
    for name, digest in wanted.items():
        if digest not in found:
            raise NumjazError(f"{record}: needs {name} of SHA-256 {digest}, and none of the recordings is that")
    for digest, path in found.items():
        if digest not in wanted.values():
            raise NumjazError(f"{path}: the record {record} knows nothing of it")
    return {found[digest]: name for name, digest in wanted.items()}
