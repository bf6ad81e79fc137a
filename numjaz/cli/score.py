"""Judge a network on recordings that state activities.

Accuracy, balanced accuracy, macro and weighted precision, recall and F1, AUC, calibration error; each class, each
person, the confusion matrix; 95 % intervals by bootstrap over people. People whom the network was trained on are
named, where its file says who they were. With --at-least the exit code is 1 where the accuracy is lower.
"""

from __future__ import annotations

import argparse
import math
import textwrap
from collections.abc import Sequence

import numpy as np

from numjaz.cli.options import (
    DEFAULT_MODEL,
    add_model_options,
    add_recording_options,
    chosen_model,
    cut,
    names_of,
    read_each,
)
from numjaz.cli.output import check_page, json_line, note, shown, write_page
from numjaz.contract import Contract
from numjaz.errors import NumjazError
from numjaz.learn.judging import Judged, judgement, predicted
from numjaz.learn.pages import CLASS_HEADER, WORDS, class_rows, judged_page, number, people, reading
from numjaz.model import Model
from numjaz.report import shortened, table

WIDTH = 100  # columns of the text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("recordings", nargs="+", metavar="RECORDING", help="recordings with a column of activities")
    add_model_options(parser)
    parser.add_argument("--at-least", type=_share, metavar="ACCURACY", help="exit with 1 where the accuracy is lower")
    parser.add_argument(
        "--plot",
        metavar="FILE",
        help="draw the confusion matrix and each person's accuracy: .png, .svg or .pdf (needs matplotlib)",
    )
    parser.add_argument("--html", metavar="FILE", help="write a report too: one HTML file that needs nothing else")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    add_recording_options(parser)


def _share(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text} is not an accuracy")
    return value


def execute(args: argparse.Namespace) -> int:
    """Run the command."""
    check_page(args.html)
    if args.plot is not None:
        from numjaz.plot import check_ending

        check_ending(args.plot)
    model, contract, classes = chosen_model(args)
    judged = _judged(args, model, contract, classes)
    met = _met(model, judged)
    notes = [] if not met else [_told(met, judged)]
    title = f"{args.model or DEFAULT_MODEL}, judged"
    write_page(args.html, lambda: judged_page(title, judged, notes))
    if args.plot is not None:
        from numjaz.learn.pictures import draw_judged

        draw_judged(args.plot, judged, title)
    if args.json:
        for line in notes:
            note(line)
        print(json_line({**judged.to_dict(), "people_trained_on": met}))
    else:
        print(_text(judged, notes, args))
    accuracy = judged.figure("accuracy").value
    if args.at_least is not None and accuracy < args.at_least:
        note(f"accuracy {accuracy:.4f} is below {args.at_least:g}")
        return 1
    return 0


def _judged(args: argparse.Namespace, model: Model, contract: Contract, classes: Sequence[str]) -> Judged:
    """The network on the windows of every recording whose activity it knows; what was left out is noted."""
    index = {name: k for k, name in enumerate(classes)}
    said, truth, persons = [], [], []
    other: dict[str, int] = {}
    names = names_of(args.recordings)
    for path, recording in read_each(args):
        found = cut(args, recording, contract)
        for batch in shown(found.batches(), path):
            known = np.flatnonzero([name in index for name in batch.activity])
            for name in batch.activity:
                if name not in index:
                    other[str(name)] = other.get(str(name), 0) + 1
            if len(known):
                said.append(predicted(model, batch.x, known))
                truth += [index[name] for name in batch.activity if name in index]
                persons += [batch.subject[k] or names[path] for k in known]  # nameless: one person's
        for line in found.report.lines():
            note(f"{path}: {line}")
    for name, count in other.items():
        what = f"of activity {name!r}, which the network does not know" if name != "None" else "without an activity"
        note(f"left out: {count:,} windows {what}")
    if not said:
        raise NumjazError("no window of an activity that the network knows; the recordings must state activities")
    return judgement(np.concatenate(said), np.array(truth), persons, classes)


def _met(model: Model, judged: Judged) -> list[str]:
    """The judged people whose names are those of people whom the network was trained on, as far as it says."""
    stated = model.provenance.get("people_trained_on")
    names = {str(who) for who in stated} if isinstance(stated, (list, tuple)) else set()
    return [who for who in judged.people if who in names]


def _told(met: Sequence[str], judged: Judged) -> str:
    return (
        f"trained on {len(met)} of these {people(judged)}, by their names: {shortened(', '.join(met), 60)}; "
        "what it gives for them is not what it gives for others"
    )


def _text(judged: Judged, notes: Sequence[str], args: argparse.Namespace) -> str:
    named = f"network  {args.model or DEFAULT_MODEL}" + ("" if args.model else " (the default; -m names another)")
    figures = [[words, _interval(judged, name)] for name, words in WORDS.items()]
    beside = [[*a, "  " + b[0], b[1]] for a, b in zip(figures[::2], figures[1::2], strict=True)]
    lines = textwrap.wrap(f"of {len(judged):,} windows of {people(judged)}. {reading(judged)}", WIDTH)
    rows = [[str(k + 1), shortened(name, 36, 8), *row] for k, (name, *row) in enumerate(class_rows(judged))]
    persons = [
        [shortened(who, 60, 20), f"{p['windows']:,}", f"{p['accuracy']:.3f}", f"{p['macro_f1']:.3f}"]
        for who, p in judged.per_person.items()
    ]
    matrix = judged.confusion.tolist()
    width = max(3, *(len(str(count)) for row in matrix for count in row))
    grid = [" " * 3 + "".join(f" {k + 1:>{width}}" for k in range(len(matrix)))]
    grid += [f"{k + 1:>3}" + "".join(f" {count or '.':>{width}}" for count in row) for k, row in enumerate(matrix)]
    return "\n\n".join(
        (
            "\n".join([named, *(line for text in notes for line in textwrap.wrap(text, WIDTH))]),
            "\n".join([*table(["", ""] * 2, beside).splitlines()[1:], *lines]),
            table(["", *CLASS_HEADER], rows, right=(0, 2, 3, 5, 6, 7)),
            table(["person", "windows", "accuracy", "macro-F1"], persons, right=(1, 2, 3)),
            "confusion: a row is what was recorded, a column what it was taken for\n" + "\n".join(grid),
        )
    )


def _interval(judged: Judged, name: str) -> str:
    value, low, high = judged.figure(name)
    return f"{number(value)}  [{number(low)}, {number(high)}]"
