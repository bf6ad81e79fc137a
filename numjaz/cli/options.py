"""The options that commands share: which network, and how to read recordings."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from numjaz.architectures import BUILDERS, build
from numjaz.contract import Contract
from numjaz.errors import NumjazError
from numjaz.formats import load
from numjaz.model import Model
from numjaz.signal import Recording, Report, Windows, read_recording, windows
from numjaz.signal.features import ACCELERATION_UNITS, ROTATION_UNITS

DEFAULT_MODEL = "jazbat-watch-1d-activity"


class Parser(argparse.ArgumentParser):
    """One whose errors are ours."""

    def error(self, message: str) -> NoReturn:
        raise NumjazError(f"{message}; see {self.prog} --help")


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """``-m`` and ``--like``."""
    parser.add_argument(
        "-m", "--model", metavar="MODEL|FILE", help=f"a shipped network or a file (default {DEFAULT_MODEL})"
    )
    add_file_options(parser)
    parser.add_argument(
        "--like", metavar="MODEL|FILE", help="take classes and input contract from this one, where the file states none"
    )


def add_file_options(parser: argparse.ArgumentParser) -> None:
    """What a file that holds weights only leaves open."""
    parser.add_argument(
        "--architecture",
        metavar="NAME|FILE",
        help="the network of a file that holds weights only: a builder (jazbat, or jazbat:features=3,…) or a file",
    )
    parser.add_argument(
        "--names", metavar="NODE=PLACE,…", help="which place of such a file a node's weights have, where it is unclear"
    )
    parser.add_argument("--key", metavar="NAME", help="which state dict of a torch checkpoint that holds several")


def load_file(args: argparse.Namespace, path: str, *, builders: bool = False) -> Model:
    """A model by the options; with ``builders`` the path may be a builder and its options, which is no file."""
    if not path:
        raise NumjazError("the model's name is empty; name a shipped network or a file")
    builder = path.partition(":")[0]
    if builder in BUILDERS and builders:
        for option in ("architecture", "names", "key"):
            if getattr(args, option) is not None:
                raise NumjazError(
                    f"--{option} goes with a file, and {builder} is a builder (./{builder} is a file of that name)"
                )
        return build(*parsed_builder(path))
    if builder in BUILDERS and not os.path.exists(path):  # noqa: PTH110 - Path.exists raises for a name that is too long
        raise NumjazError(
            f"{path:.60}: a builder, and a file is wanted; --architecture, --names and --key go with a file as well"
        )
    architecture, options = parsed_architecture(args.architecture)
    return load(path, architecture, names=parsed_names(args.names), key=args.key, **options)


def parsed_names(text: str | None, option: str = "--names") -> dict[str, str] | None:
    """``a=b,c=d`` -> ``{"a": "b", "c": "d"}``."""
    return None if text is None else _pairs(text, option, "NODE=PLACE")


def parsed_architecture(text: str | None) -> tuple[str | None, dict[str, Any]]:
    """``jazbat:features=3,reset_after=false`` -> ``jazbat``, its options; a path has none."""
    return parsed_builder(text) if text and text.partition(":")[0] in BUILDERS else (text, {})


def parsed_builder(text: str) -> tuple[str, dict[str, Any]]:
    """The same of a text that names a builder."""
    name, colon, options = text.partition(":")
    pairs = _pairs(options, f"{name}:", "OPTION=VALUE") if colon else {}
    if "contract" in pairs:
        raise NumjazError(f"{name}: contract is not stated on the command line; a file states one")
    return name, {key: _value(key, value) for key, value in pairs.items()}


def _value(key: str, text: str) -> Any:
    """A number, true or false where it reads as one, else the word itself."""
    try:
        if re.fullmatch(r"[+-]?\d+", text, re.ASCII):
            return int(text)
    except ValueError:
        raise NumjazError(f"{key}: a number of {len(text):,} digits is not read") from None
    if re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", text, re.ASCII | re.IGNORECASE):
        return float(text)
    return {"true": True, "false": False}.get(text.lower(), text)


def _pairs(text: str, option: str, form: str) -> dict[str, str]:
    """``a=b,c=d`` as a dict; each key stands there once, and neither side is empty."""
    found: dict[str, str] = {}
    for part in text.split(","):
        key, value = (side.strip() for side in part.partition("=")[::2])
        if not key or not value:
            raise NumjazError(f"{option} {text!r:.60}: write {form},{form}")
        if key in found:
            raise NumjazError(f"{option} {text!r:.60}: {key} stands there twice")
        found[key] = value
    return found


def refuse_reading_options(args: argparse.Namespace) -> None:
    """Raise where an option says how to read a recording and there is none."""
    for name in ("gyro", "gravity", "rate", "units", "gyro_units", "columns", "time_unit", "people"):
        if getattr(args, name) is not None:
            raise NumjazError(f"--{name.replace('_', '-')} goes with a recording, and none is named")


def add_recording_options(parser: argparse.ArgumentParser) -> None:
    """How to read a recording, and how to cut it."""
    group = parser.add_argument_group("recordings")
    group.add_argument("--gyro", metavar="FILE", help="the gyroscope's recording, joined on time")
    group.add_argument(
        "--gravity", metavar="FILE", help="the gravity sensor's recording, added to an acceleration without gravity"
    )
    group.add_argument("--rate", type=float, metavar="HZ", help="rate of samples that carry no timestamps")
    group.add_argument(
        "--units",
        choices=ACCELERATION_UNITS,
        help="of the acceleration, where the file does not state them (default m/s2)",
    )
    group.add_argument(
        "--gyro-units",
        choices=ROTATION_UNITS,
        help="of the gyroscope, where the file does not state them (default rad/s)",
    )
    group.add_argument(
        "--columns", metavar="ROLE=NAME,…", help="CSV columns: time, ax, ay, az, wx, wy, wz, subject, activity"
    )
    group.add_argument("--time-unit", choices=("s", "ms", "us", "ns"), help="of CSV times")
    group.add_argument("--people", metavar="ID,…", help="only these subjects")
    group.add_argument(
        "--no-resample", action="store_true", help="take samples as they are, whatever their rate (the paper's way)"
    )
    group.add_argument("--unchecked", action="store_true", help="do not refuse a recording by its median |a|")
    group.add_argument(
        "--gap", type=float, default=1.0, metavar="S", help="no window spans a longer step between samples (default 1)"
    )
    group.add_argument(
        "--hop",
        type=int,
        metavar="N",
        help="samples from one window's start to the next one's (default: the network's)",
    )


def chosen_model(args: argparse.Namespace) -> tuple[Model, Contract, list[str]]:
    """The network, its contract and its class names."""
    model = load_file(args, args.model or DEFAULT_MODEL)
    like = load(args.like) if args.like else None
    contract = model.contract or (like.contract if like else None)
    if contract is None:
        raise NumjazError(
            f"{args.model}: says nothing of the input it expects; --like MODEL takes that from another network"
        )
    features = model.shapes()[model.inputs[0]][-1]
    if len(contract.features) != features:
        raise NumjazError(
            f"{args.model}: takes {features} features, but the contract names {', '.join(contract.features)}"
        )
    columns = model.shapes()[model.outputs[0]][-1]
    names = model.classes or (like.classes if like else None) or [str(k) for k in range(columns)]
    if len(names) != columns:
        raise NumjazError(f"{args.model}: has {columns} outputs, but {args.like} names {len(names)} classes")
    return model, contract, list(names)


def read_windows(args: argparse.Namespace, path: str, contract: Contract) -> Windows:
    """One recording's windows, by the options."""
    return cut(args, _read(args, path, args.people.split(",") if args.people else None), contract)


def names_of(paths: Sequence[str]) -> dict[str, str]:
    """What recordings are called in records: their paths below the folder that holds them all."""
    whole = [Path(os.path.abspath(path)) for path in paths]  # noqa: PTH100 - a link is called what it is called
    if len(set(whole)) < len(whole):
        raise NumjazError("a recording is named twice; each is read once")
    folder = os.path.commonpath([path.parent for path in whole])
    return {path: each.relative_to(folder).as_posix() for path, each in zip(paths, whole, strict=True)}


def read_each(args: argparse.Namespace) -> Iterator[tuple[str, Recording]]:
    """Every recording and its path; each of ``--people`` is in one of the recordings at least."""
    asked = args.people.split(",") if args.people else None
    if asked is None or len(args.recordings) == 1:
        yield from ((path, _read(args, path, asked)) for path in args.recordings)
        return
    met = {path: {p.subject for p in _read(args, path, None).pieces(Report())} for path in args.recordings}
    for who in asked:
        if not any(who in here for here in met.values()):
            raise NumjazError(f"--people: no subject {who} in any of the recordings")
    for path, here in met.items():
        if own := [who for who in asked if who in here]:
            yield path, _read(args, path, own)


def _read(args: argparse.Namespace, path: str, people: Sequence[str] | None) -> Recording:
    return read_recording(
        path,
        gyro=args.gyro,
        gravity=args.gravity,
        rate_hz=args.rate,
        units=args.units,
        gyro_units=args.gyro_units,
        columns=_columns(args.columns),
        time_unit=args.time_unit,
        people=people,
    )


def cut(args: argparse.Namespace, recording: Recording, contract: Contract) -> Windows:
    """A recording's windows, by the options."""
    return windows(
        recording, contract, hop=args.hop, resample=not args.no_resample, check=not args.unchecked, gap_s=args.gap
    )


def no_window(found: Windows) -> NumjazError:
    """Why a recording gave no window, as an error."""
    report, contract = found.report, found.contract
    needed = (contract.window - 1) / contract.rate_hz
    rest = "; ".join(line for line in report.lines()[1:] if line.startswith(("left out", "no window spans")))
    return NumjazError(
        f"{Path(found.recording.source)}: no whole window: "
        f"the longest uninterrupted stretch is {report.longest_s:.1f} s, "
        f"a window is {needed:.1f} s" + (f"; {rest}" if rest else "")
    )


def _columns(text: str | None) -> Mapping[str, str] | None:
    return None if text is None else _pairs(text, "--columns", "ROLE=NAME")
