"""Say what every window of a recording is.

Without a recording it runs on a simulated one. Prints a line a window: from when to when, the
class, its probability. A recording that states activities also gets a table of them at the end.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from numjaz.cli.options import (
    DEFAULT_MODEL,
    add_model_options,
    add_recording_options,
    chosen_model,
    cut,
    no_window,
    read_windows,
    refuse_reading_options,
)
from numjaz.cli.output import json_line, note
from numjaz.errors import printable
from numjaz.model import Model
from numjaz.report import table
from numjaz.signal import Windows, simulate_gait


@dataclass(frozen=True)
class Verdict:
    """What a stretch of time is taken for; ``recorded`` is what the recording says it is."""

    source: str
    subject: str
    start_s: float
    end_s: float
    probabilities: np.ndarray[Any, np.dtype[np.floating]]
    recorded: str | None
    best: int  # the class of every window in it
    stretch: int  # windows of one number follow each other without a break
    windows: int = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "recordings",
        nargs="*",
        metavar="RECORDING",
        help="WISDM text, CSV, TSV, .npy, .npz or HDF5; - is standard input",
    )
    add_model_options(parser)
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--spans", action="store_true", help="merge windows of one class that follow each other")
    shape.add_argument("--summary", action="store_true", help="only the table of recorded activities")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object a line")
    form.add_argument("--csv", action="store_true", help="comma-separated values with a header")
    add_recording_options(parser)


def execute(args: argparse.Namespace) -> int:
    """Run the command."""
    model, contract, classes = chosen_model(args)
    text = not (args.json or args.csv)
    say: Callable[[str], None] = print if text else note
    found = [read_windows(args, path, contract) for path in args.recordings]
    say(f"network    {args.model or DEFAULT_MODEL}" + ("" if args.model else " (the default; -m names another)"))
    if not args.recordings:
        refuse_reading_options(args)
        say("recording  simulated by a model of gait: nobody was recorded (name a recording to run on it)")
        found = [cut(args, simulate_gait(), contract)]
    seen: dict[str, Counter[str]] = {}
    for k, held in enumerate(found):
        if text and args.recordings:
            print(f"recording  {printable(held.recording.source)}")
        if k == 0 or text:
            write = _writer(args, classes)
        verdicts = _counted(_verdicts(model, held), seen, classes)
        for verdict in _spans(verdicts) if args.spans else verdicts:
            write(verdict)
        if not held.report.windows:
            raise no_window(held)
        for line in held.report.lines():
            say(line if text else f"{held.recording.source}: {line}")
    if seen and (args.summary or text):
        _print_summary(seen, classes, args)
    elif args.summary:
        note("the recording states no activities")
    return 0


def _verdicts(model: Model, found: Windows) -> Iterator[Verdict]:
    for batch in found.batches():
        probabilities = model.predict(batch.x.astype(np.float32))
        for i in range(len(batch)):
            yield Verdict(
                found.recording.source,
                batch.subject[i],
                batch.start_s[i],
                batch.end_s[i],
                probabilities[i],
                batch.activity[i],
                int(probabilities[i].argmax()),
                int(batch.stretch[i]),
            )


def _counted(verdicts: Iterator[Verdict], seen: dict[str, Counter[str]], classes: list[str]) -> Iterator[Verdict]:
    for verdict in verdicts:
        if verdict.recorded is not None:
            seen.setdefault(verdict.recorded, Counter())[classes[verdict.best]] += 1
        yield verdict


def _spans(verdicts: Iterator[Verdict]) -> Iterator[Verdict]:
    """Merge windows that follow each other; probabilities become their mean."""
    held: Verdict | None = None
    for verdict in verdicts:
        if held is not None and (verdict.best, verdict.stretch) == (held.best, held.stretch):
            mean = (held.probabilities * held.windows + verdict.probabilities) / (held.windows + 1)
            held = replace(held, end_s=verdict.end_s, probabilities=mean, windows=held.windows + 1)
            continue
        if held is not None:
            yield held
        held = verdict
    if held is not None:
        yield held


def _writer(args: argparse.Namespace, classes: list[str]) -> Callable[[Verdict], None]:
    """How one verdict is written, by the options; writes the header first."""
    if args.summary:
        return lambda verdict: None
    if args.json:
        return lambda verdict: print(json_line(_record(verdict, classes, args.spans)))
    if args.csv:
        rows = csv.writer(sys.stdout, lineterminator="\n")
        rows.writerow(["source", "subject", "start_s", "end_s", "class", "probability", *classes])
        return lambda v: rows.writerow(
            [
                v.source,
                v.subject,
                f"{v.start_s:.3f}",
                f"{v.end_s:.3f}",
                classes[v.best],
                f"{v.probabilities[v.best]:.4f}",
            ]
            + [f"{p:.4f}" for p in v.probabilities]
        )
    width = max(len("class"), *(len(name) for name in classes))
    print(f"{'start s':>10}  {'end s':>10}  {'class':<{width}}  {'prob.':>5}" + ("  windows" if args.spans else ""))
    return lambda v: print(
        f"{v.start_s:10.2f}  {v.end_s:10.2f}  {printable(classes[v.best]):<{width}}  {v.probabilities[v.best]:5.2f}"
        + (f"  {v.windows:7d}" if args.spans else "")
    )


def _record(verdict: Verdict, classes: list[str], spans: bool) -> dict[str, Any]:
    probabilities = {name: round(float(p), 6) for name, p in zip(classes, verdict.probabilities, strict=True)}
    return {
        "source": verdict.source,
        "subject": verdict.subject,
        "start_s": round(float(verdict.start_s), 6),
        "end_s": round(float(verdict.end_s), 6),
        "class": classes[verdict.best],
        "probability": probabilities[classes[verdict.best]],
        "probabilities": probabilities,
        **({"recorded": verdict.recorded} if verdict.recorded is not None else {}),
        **({"windows": verdict.windows} if spans else {}),
    }


def _print_summary(seen: dict[str, Counter[str]], classes: list[str], args: argparse.Namespace) -> None:
    """For every recorded activity what most of its windows were taken for, and the share that was right."""
    keys = ("activity", "windows", "majority", "share_right")
    found = []
    for activity, counts in seen.items():
        total, (majority, _) = counts.total(), counts.most_common(1)[0]
        found.append((activity, total, majority, counts[activity] / total if activity in classes else None))
    if args.json:
        for values in found:
            print(json_line(dict(zip(keys, values, strict=True))))
    elif args.csv:
        rows = csv.writer(sys.stdout, lineterminator="\n")
        rows.writerows([keys, *found])
    else:
        shown = [[a, f"{n:,}", m, "not a class" if share is None else f"{share:.2f}"] for a, n, m, share in found]
        print("\n" + table(["recorded activity", "windows", "majority", "share right"], shown, right=(1, 3)))
