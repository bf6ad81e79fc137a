"""Judge a network on recordings that state activities.

Accuracy, macro-F1, recall of each class, every person, confusion matrix; 95 % intervals by
bootstrap over people. With --at-least the exit code is 1 where the accuracy is lower.
"""

from __future__ import annotations

import argparse
import math
from functools import partial
from typing import Any

import numpy as np

from numjaz.cli.options import DEFAULT_MODEL, add_model_options, add_recording_options, chosen_model, read_windows
from numjaz.cli.output import json_line, note, shown
from numjaz.errors import NumjazError
from numjaz.learn.metrics import Interval, accuracy, confusion, macro_f1, over_people, recall
from numjaz.report import table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("recordings", nargs="+", metavar="RECORDING", help="recordings with a column of activities")
    add_model_options(parser)
    parser.add_argument("--at-least", type=_share, metavar="ACCURACY", help="exit with 1 where the accuracy is lower")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    add_recording_options(parser)


def _share(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text} is not an accuracy")
    return value


def execute(args: argparse.Namespace) -> int:
    """Run the command."""
    model, contract, classes = chosen_model(args)
    index = {name: k for k, name in enumerate(classes)}
    people: dict[str, Any] = {}
    other: dict[str, int] = {}
    for path in args.recordings:
        found = read_windows(args, path, contract)
        for batch in shown(found.batches(), path):
            known = np.array([name in index for name in batch.activity])
            for name in batch.activity:
                if name not in index:
                    other[str(name)] = other.get(str(name), 0) + 1
            if not known.any():
                continue
            predicted = model.predict(batch.x[known].astype(np.float32)).argmax(axis=1)
            true = np.array([index[name] for name in batch.activity if name in index])
            who = np.array([subject or path for subject in batch.subject])[known]  # nameless: one person's
            for person in dict.fromkeys(who.tolist()):
                rows = who == person
                counts = confusion(true[rows], predicted[rows], len(classes))
                people[person] = people.get(person, 0) + counts
        for line in found.report.lines():
            note(f"{path}: {line}")
    for name, count in other.items():
        what = f"of activity {name!r}, which the network does not know" if name != "None" else "without an activity"
        note(f"left out: {count:,} windows {what}")
    if not people:
        raise NumjazError("no window of an activity that the network knows; the recordings must state activities")
    figures = _figures(people, classes)
    print(json_line(figures) if args.json else _text(figures, classes, args))
    if args.at_least is not None and figures["accuracy"] < args.at_least:
        note(f"accuracy {figures['accuracy']:.4f} is below {args.at_least:g}")
        return 1
    return 0


def _figures(people: dict[str, Any], classes: list[str]) -> dict[str, Any]:
    """The command's answer as plain values; the keys are public."""
    matrices = np.stack(list(people.values()))
    total = matrices.sum(axis=0)
    overall, f1 = over_people(matrices, accuracy), over_people(matrices, macro_f1)
    recalls = {name: over_people(matrices, partial(_recall_of, k)) for k, name in enumerate(classes)}
    return {
        "accuracy": overall.value,
        "accuracy_interval": [overall.low, overall.high],
        "macro_f1": f1.value,
        "macro_f1_interval": [f1.low, f1.high],
        "windows": int(total.sum()),
        "people": len(people),
        "classes": classes,
        "recall": {name: {"value": r.value, "interval": [r.low, r.high]} for name, r in recalls.items()},
        "confusion": confusion_rows(total),
        "per_person": {
            who: {"windows": int(m.sum()), "accuracy": float(accuracy(m)), "macro_f1": float(macro_f1(m))}
            for who, m in people.items()
        },
    }


def _recall_of(k: int, matrix: np.ndarray[Any, np.dtype[np.int64]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.asarray(recall(matrix)[..., k])


def confusion_rows(matrix: np.ndarray[Any, np.dtype[np.int64]]) -> list[list[int]]:
    """A confusion matrix as lists: rows the truth, columns the prediction."""
    return [[int(count) for count in row] for row in matrix]


def _text(figures: dict[str, Any], classes: list[str], args: argparse.Namespace) -> str:
    matrix = figures["confusion"]
    recalls = [Interval(r["value"], *r["interval"]) for r in figures["recall"].values()]
    rows = [
        [str(k + 1), name, f"{sum(row):,}", _number(r.value), f"{_number(r.low)} to {_number(r.high)}"]
        for k, (name, row, r) in enumerate(zip(classes, matrix, recalls, strict=True))
    ]
    persons = [
        [who, f"{p['windows']:,}", f"{p['accuracy']:.3f}", f"{p['macro_f1']:.3f}"]
        for who, p in figures["per_person"].items()
    ]
    width = max(3, *(len(str(count)) for row in matrix for count in row))
    grid = [" " * 3 + "".join(f" {k + 1:>{width}}" for k in range(len(classes)))]
    grid += [f"{k + 1:>3}" + "".join(f" {count or '.':>{width}}" for count in row) for k, row in enumerate(matrix)]
    return "\n\n".join(
        (
            f"network   {args.model or DEFAULT_MODEL}"
            + ("" if args.model else " (the default; -m names another)")
            + "\n"
            f"accuracy  {_interval(figures, 'accuracy')}\nmacro-F1  {_interval(figures, 'macro_f1')}\n"
            f"of {figures['windows']:,} windows of {figures['people']} people; intervals: 95 %, bootstrap over people",
            table(["", "class", "windows", "recall", "interval"], rows, right=(0, 2, 3)),
            table(["person", "windows", "accuracy", "macro-F1"], persons, right=(1, 2, 3)),
            "confusion: a row is what was recorded, a column what it was taken for\n" + "\n".join(grid),
        )
    )


def _interval(figures: dict[str, Any], name: str) -> str:
    low, high = figures[f"{name}_interval"]
    return f"{figures[name]:.3f}  [{_number(low)}, {_number(high)}]"


def _number(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.3f}"
