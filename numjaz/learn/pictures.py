"""Figures of a judgement and of a training, drawn by matplotlib, which is imported where it draws."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from numjaz.learn.history import History
from numjaz.learn.judging import Judged
from numjaz.plot import BYTES, MACS, PEAK, WIDTH, styled, written
from numjaz.report import shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CELL = 0.24  # inches of a class in the confusion matrix
LEAST, MOST = 2.2, 8.0  # inches of the whole matrix
COUNTED = 20  # classes up to which the cells hold their counts
NAMED = 60  # people up to which each has a name
DARK = 0.5  # the share from which a cell's count is white
CURVES = 2.4  # inches
DOTS = 40  # epochs up to which each is a dot


def draw_judged(path: str | Path, judged: Judged, title: str = "") -> None:
    """Write a figure of a judgement: what was taken for what, and each person's accuracy.

    Parameters
    ----------
    path : path or str
        A file that ends in ``.png``, ``.svg`` or ``.pdf``; it appears whole or not at all, and the same judgement
        gives the same file.
    judged : Judged
        Of `numjaz.evaluate`, say.
    title : str
        Above the figure.

    Raises
    ------
    NumjazError
        Without matplotlib, for another ending, or where the file cannot be written.
    """
    written(path, lambda: judged_figure(judged, title))


def judged_figure(judged: Judged, title: str = "") -> Figure:
    """The figure of `draw_judged`, for whoever goes on with it; it is on no screen."""
    with styled():
        from matplotlib.figure import Figure

        matrix = min(max(CELL * len(judged.classes), LEAST), MOST)
        drawn = Figure(figsize=(WIDTH + matrix / 2, matrix + 1.6), layout="constrained")
        if title:
            drawn.suptitle(shortened(title, 100), fontsize=9)
        left, right = drawn.subplots(1, 2, width_ratios=(2, 1))
        _confusion(left, judged)
        _people(right, judged)
        return drawn


def _confusion(axes: Axes, judged: Judged) -> None:
    """Each row's shares as a heat map, the counts in it."""
    counts = judged.confusion
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    if len(counts) <= COUNTED:
        for (row, column), count in np.ndenumerate(counts):
            if count:
                colour = "white" if shares[row, column] > DARK else "black"
                axes.text(column, row, f"{count:,}", ha="center", va="center", fontsize=5, color=colour)
    names = [shortened(name, 24, 8) for name in judged.classes]
    axes.set_xticks(range(len(names)), names, rotation=90)
    axes.set_yticks(range(len(names)), names)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    axes.set_xlabel("taken for")
    axes.set_ylabel("recorded")
    axes.set_title(f"{len(judged):,} windows", loc="left")


def _people(axes: Axes, judged: Judged) -> None:
    """A dot a person, the hardest below; the accuracy of all windows and its interval behind them."""
    ordered = sorted(judged.per_person.items(), key=lambda each: each[1]["accuracy"])
    overall = judged.figure("accuracy")
    if not np.isnan(overall.low):
        axes.axvspan(overall.low, overall.high, color=PEAK, alpha=0.12, linewidth=0)
    axes.axvline(overall.value, color=PEAK, linewidth=1)
    axes.plot([each["accuracy"] for _, each in ordered], range(len(ordered)), "o", color=MACS, markersize=4)
    if len(ordered) <= NAMED:
        axes.set_yticks(range(len(ordered)), [shortened(who, 24, 8) for who, _ in ordered])
    else:
        axes.set_yticks([])
    axes.set_ylim(-0.6, len(ordered) - 0.4)
    axes.set_xlim(-0.02, 1.02)
    axes.grid(axis="x")
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("each person; all, with a 95 % interval")
    axes.set_title(f"accuracy {overall.value:.3f}", loc="left", color=PEAK)


def draw_history(path: str | Path, history: History, title: str = "") -> None:
    """Write a figure of a training: loss and accuracy after each epoch, and which epoch's weights were kept.

    Parameters
    ----------
    path : path or str
        As for `draw_judged`.
    history : History
        What `fit` gives beside the model.
    title : str
        Above the figure.

    Raises
    ------
    NumjazError
        Without matplotlib, for another ending, or where the file cannot be written.
    """
    written(path, lambda: history_figure(history, title))


def history_figure(history: History, title: str = "") -> Figure:
    """The figure of `draw_history`, for whoever goes on with it; it is on no screen."""
    with styled():
        from matplotlib.figure import Figure

        drawn = Figure(figsize=(WIDTH, CURVES + (0.3 if title else 0)), layout="constrained")
        if title:
            drawn.suptitle(shortened(title, 100), fontsize=9)
        left, right = drawn.subplots(1, 2)
        _curves(left, history, "loss")
        _curves(right, history, "accuracy")
        left.set_ylim(bottom=0)
        right.set_ylim(0, 1.02)
        return drawn


def _curves(axes: Axes, history: History, name: str) -> None:
    """A figure of the windows trained on, and beside it of those kept for validation, where there are any."""
    from matplotlib.ticker import MaxNLocator

    numbers = range(1, len(history.epochs) + 1)
    dot = "o" if len(numbers) <= DOTS else ""
    for prefix, label, colour in (("", "training", MACS), ("validation_", "validation", PEAK)):
        values = [getattr(epoch, prefix + name) for epoch in history.epochs]
        if None not in values:
            axes.plot(numbers, values, marker=dot, color=colour, markersize=3, linewidth=1, label=label)
    if history.kept < len(numbers):
        axes.axvline(history.kept, color=BYTES, linewidth=1, linestyle="--", label="kept")
    axes.set_xlim(0.5, len(numbers) + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("epoch")
    axes.set_title(name, loc="left")
    axes.grid(axis="y")
    axes.legend(frameon=False)
