"""What is kept of a training: the network, its record, its card; and how a record is read again."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from numjaz.cli.learning import CHECKPOINT, Parts
from numjaz.cli.output import note
from numjaz.doors.output import whole
from numjaz.doors.text import parse_json
from numjaz.errors import NumjazError
from numjaz.learn.history import History
from numjaz.learn.judging import Judged, judged
from numjaz.learn.record import FORMAT, hashes
from numjaz.learn.store import Store
from numjaz.model import Model

JUDGED = ("accuracy", "accuracy_interval", "macro_f1", "macro_f1_interval", "windows", "people")
MAX_RECORD = 16 << 20  # bytes


def described(args: argparse.Namespace, model: Model) -> Model:
    """The network with what the options say of it."""
    data = {key: getattr(args, key) for key in ("citation", "licence") if getattr(args, key)}
    said = {**({"title": args.title} if args.title else {}), **({"data": data} if data else {})}
    return model.derive(provenance={**said, **model.provenance, **said})


def judged_apart(model: Model, store: Store, split: Parts) -> tuple[Model, Judged | None]:
    """The network judged on the people kept apart; its file says how well it did."""
    if not len(split.apart):
        return model, None
    found = judged(model, store, store.labels, store.about, split.apart)
    figures = {key: value for key, value in found.to_dict().items() if key in JUDGED}
    return model.derive(provenance={**model.provenance, "judged": figures}), found


def keep(path: Path, model: Model, record: Mapping[str, Any], card: str) -> None:
    """Write the network, its record and its card, each whole or not at all; the checkpoint is done with."""
    model.save(path)
    for suffix, content in ((".json", json.dumps(record, indent=1) + "\n"), (".md", card)):
        with whole(path.with_suffix(suffix)) as beside:
            beside.write_text(content, encoding="utf-8")
    path.with_name(path.name + CHECKPOINT).unlink(missing_ok=True)
    note(f"{path}, {path.with_suffix('.json').name}, {path.with_suffix('.md').name}: written")


def recorded(args: argparse.Namespace) -> list[str]:
    """The command as it was given, files by their names alone, and as if it had not been interrupted."""
    paths = {*args.recordings, args.out, args.gyro, args.gravity, getattr(args, "source", None)}
    return [Path(word).name if word in paths else word for word in args.command if word != "--resume"]


def score_command(args: argparse.Namespace, path: Path, split: Parts) -> str:
    """How the figures of the people kept apart are made again."""
    words = ["numjaz", "score", *(Path(name).name for name in args.recordings)]
    words += ["--people", ",".join(split.people["apart"]), "-m", path.name]
    for name in ("rate", "gyro", "gravity", "units", "gyro_units", "columns", "time_unit"):
        value = getattr(args, name)
        if value is not None:
            value = Path(value).name if name in ("gyro", "gravity") else f"{value:g}" if name == "rate" else value
            words += [f"--{name.replace('_', '-')}", value]
    words += [f"--{name.replace('_', '-')}" for name in ("no_resample", "unchecked") if getattr(args, name)]
    return " ".join(words)


def trained_text(path: Path, history: History, found: Judged | None) -> str:
    """What came of a training, in lines."""
    last = history.epochs[history.kept - 1]
    lines = [
        f"{path.name}: {len(history.epochs)} epochs in {history.seconds:.0f} s, the weights of epoch {history.kept}"
    ]
    lines.append(f"trained on: loss {last.loss:.4f}, accuracy {last.accuracy:.3f}")
    if last.validation_loss is not None:
        lines.append(f"validation: loss {last.validation_loss:.4f}, accuracy {last.validation_accuracy:.3f}")
    if found is not None:
        for name in ("accuracy", "macro_f1"):
            value, low, high = found.figure(name)
            lines.append(f"kept apart: {name.replace('_f1', '-F1')} {value:.3f} [{low:.3f}, {high:.3f}]")
        lines.append(f"of {len(found):,} windows of {len(found.people)} people; 95 %, bootstrap over people")
    return "\n".join(lines)


def read_record(path: str) -> dict[str, Any]:
    """A record that `numjaz train` wrote."""
    file = Path(path)
    if not file.is_file() or file.stat().st_size > MAX_RECORD:
        raise NumjazError(f"{path}: no record of a training (OUT.json beside the network)")
    record = parse_json(file.read_bytes(), path)
    keys = ("command", "recordings", "windows_sha256", "weights_sha256")
    if not isinstance(record, dict) or record.get("format") != FORMAT or any(key not in record for key in keys):
        raise NumjazError(f"{path}: no record of a training by this numjaz")
    return record


def match_recordings(record: str, given: Sequence[str], wanted: Mapping[str, str]) -> list[str]:
    """The recordings in the record's order; `NumjazError` where one is missing or another."""
    found = {digest: path for path in given for digest in hashes([path]).values()}
    for name, digest in wanted.items():
        if digest not in found:
            raise NumjazError(f"{record}: needs {name} of SHA-256 {digest}, and none of the recordings is that")
    return [found[digest] for digest in wanted.values()]
