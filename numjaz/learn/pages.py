"""A judgement as an HTML page."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from numjaz.learn import metrics, probabilities
from numjaz.learn.judging import Judged
from numjaz.learn.metrics import Interval
from numjaz.report import Markup, bar, html_table, listing, page, paragraph, section, shade

WORDS = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro-F1",
    "weighted_f1": "weighted F1",
    "macro_precision": "macro precision",
    "weighted_precision": "weighted precision",
    "macro_recall": "macro recall",
    "weighted_recall": "weighted recall",
    "auc": "AUC",
    "ece": "calibration error",
}
"""What a figure is called, in the order in which they are told."""

FEW = 8  # people: of fewer, a bootstrap draws too often whom it has drawn already


def judged_page(title: str, judged: Judged, notes: Sequence[str] = ()) -> str:
    """The page of a judgement: every figure with its interval, each class, each person, and what was taken for what."""
    told = [(words, judged.figure(name)) for name, words in WORDS.items()]
    return page(
        title,
        paragraph(f"{len(judged):,} windows of {people(judged)}. {reading(judged)}"),
        *([listing(notes)] if notes else []),
        section(
            "Figures",
            html_table(
                "All windows together",
                ["figure", "value", "95 % interval"],
                [[words, number(found.value), span(found)] for words, found in told],
                right=(1,),
            ),
        ),
        section("Classes", _classes(judged)),
        section("People", _people(judged)),
        section("Confusion", _confusion(judged)),
        *([section("Calibration", _calibration(judged))] if judged.binned is not None else []),
    )


def reading(judged: Judged) -> str:
    """How the figures are meant, in words."""
    occurring, many = int((~np.isnan(judged.aucs)).sum()), len(judged.classes)
    classes = "all classes" if occurring == many else f"the {occurring} of {many} classes that occur"
    calibrated = (
        f"calibration error (ECE): {probabilities.BINS} bins of equal width"
        if judged.binned is not None
        else "no calibration error, for the outputs are no probabilities"
    )
    return f"{over_people(judged)} AUC: mean of {classes}, each against the rest; {calibrated}."


def people(judged: Judged) -> str:
    """How many."""
    return many(len(judged.people))


def many(people: int) -> str:
    """A number of people."""
    return "1 person" if people == 1 else f"{people:,} people"


def over_people(judged: Judged) -> str:
    """What the intervals are, or why there are none."""
    if len(judged.people) < 2:
        return "One person gives no interval."
    few = f"; of fewer than {FEW} people they are too narrow" if len(judged.people) < FEW else ""
    return f"Intervals: 95 %, bootstrap over people{few}."


def number(value: float) -> str:
    """Three digits, or a dash for what is no number."""
    return "-" if np.isnan(value) else f"{value:.3f}"


def span(found: Interval) -> str:
    """The bounds of an interval."""
    return f"{number(found.low)} to {number(found.high)}"


def said(found: Interval) -> str:
    """A figure with its interval, where it has one."""
    return number(found.value) + ("" if np.isnan(found.low) else f" [{found.low:.3f}, {found.high:.3f}]")


def class_rows(judged: Judged) -> list[list[str]]:
    """Of each class its name, windows, recall with its interval, precision, F1 and AUC."""
    matrix = judged.confusion
    found = zip(
        matrix.sum(axis=1), judged.recalls, metrics.precision(matrix), metrics.f1(matrix), judged.aucs, strict=True
    )
    return [
        [name, f"{windows:,}", number(recall.value), span(recall), *map(number, others)]
        for name, (windows, recall, *others) in zip(judged.classes, found, strict=True)
    ]


CLASS_HEADER = ("class", "windows", "recall", "95 % interval", "precision", "F1", "AUC")


def _classes(judged: Judged) -> Markup:
    return html_table("Each class against the rest", CLASS_HEADER, class_rows(judged), right=(1, 2, 4, 5, 6))


def _people(judged: Judged) -> Markup:
    rows = [
        [who, f"{p['windows']:,}", bar(number(p["accuracy"]), p["accuracy"]), bar(number(p["macro_f1"]), p["macro_f1"])]
        for who, p in sorted(judged.per_person.items(), key=lambda each: each[1]["accuracy"])
    ]
    return html_table(
        "Each person, the hardest first", ["person", "windows", "accuracy", "macro-F1"], rows, right=(1, 2, 3)
    )


def _confusion(judged: Judged) -> Markup:
    matrix = judged.confusion
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    rows = [
        [name, *(Markup(f"{shade('', share)} {count:,}") if count else "" for count, share in zip(*row, strict=True))]
        for name, row in zip(judged.classes, zip(matrix.tolist(), shares.tolist(), strict=True), strict=True)
    ]
    caption = "A row is what was recorded, a column what it was taken for; the darker, the more of the row"
    return html_table(caption, ["", *judged.classes], rows, right=range(1, len(judged.classes) + 1))


def _calibration(judged: Judged) -> Markup:
    assert judged.binned is not None
    found = probabilities.reliability(judged.binned.sum(axis=0))
    rows = [
        [f"{low:.2f} to {high:.2f}", f"{windows:,.0f}", number(sure), bar(number(right), right)]
        for low, high, windows, sure, right in zip(*found, strict=True)
        if windows
    ]
    caption = "How sure the network was, and how often it was right"
    return html_table(caption, ["probability of what it said", "windows", "mean", "right"], rows, right=(1, 2, 3))
