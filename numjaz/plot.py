"""Figures of what a network computes and holds, drawn by matplotlib, which is imported where it draws."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numjaz.audit import Count, Memory
from numjaz.doors.output import whole
from numjaz.errors import NumjazError
from numjaz.report import shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS: dict[str, dict[str, None]] = {".png": {}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
"""Endings, and what of a file's description would make two drawings of one network differ."""
STYLE: dict[str, Any] = {
    "font.size": 7,
    "axes.titlesize": 8,
    "axes.titleweight": "bold",
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": "#d9d9d9",
    "grid.linewidth": 0.5,
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "numjaz",
    "pdf.fonttype": 42,
    "text.parse_math": False,  # a name may hold dollar signs
}
MACS, PARAMETERS, BYTES, PEAK = (
    "#0072b2",
    "#b34e00",
    "#8a949e",
    "#a50f15",
)  # told apart in grey, and by the colour-blind
WIDTH, ROW, MOST = 7.2, 0.15, 60.0  # inches: a page's width, a node's bar, all bars together
TIMELINE = 1.7
THOUSANDS = ("", "thousands", "millions", "billions", "trillions")
BINARY = ("B", *(f"{letter}iB" for letter in "KMGTPEZY"))
LABEL = 0.12  # inches that a label needs
NAMED = 40  # nodes whose names stand beneath the timeline; where there are more, their numbers


def draw(path: str | Path, counted: Count, held: Memory, title: str = "") -> None:
    """Write a figure of what each node computes and holds, and of what is in memory meanwhile.

    Parameters
    ----------
    path : path or str
        A file that ends in ``.png``, ``.svg`` or ``.pdf``; it appears whole or not at all, and the same network
        gives the same file.
    counted : Count
        What `numjaz.count` counts, in numbers.
    held : Memory
        What `numjaz.memory` finds by ``liveness``, ``in_place`` or ``arena``, in the given order.
    title : str
        Above the figure.

    Raises
    ------
    NumjazError
        Without matplotlib, for another ending, for formulas or a memory without a step for each node, or where the
        file cannot be written.
    """
    written(path, lambda: figure(counted, held, title))


def check_ending(path: str | Path) -> None:
    """Raise unless a figure may have this name."""
    if Path(path).suffix.lower() not in FORMATS:
        raise NumjazError(f"{path}: a figure's name ends in one of {', '.join(FORMATS)}")


def written(path: str | Path, made: Callable[[], Figure]) -> None:
    """Write a figure, whole or not at all, in the format that the file's name ends in."""
    check_ending(path)
    ending = Path(path).suffix.lower()
    with styled():
        drawn = made()
        with whole(path) as beside:
            drawn.savefig(beside, format=ending[1:], dpi=200, metadata=FORMATS[ending])


def figure(counted: Count, held: Memory, title: str = "") -> Figure:
    """The figure of `draw`, for whoever goes on with it; it is on no screen."""
    rows = counted.rows
    if not all(isinstance(row.macs, int) for row in rows):
        raise NumjazError("a figure is drawn of numbers, not of formulas; give the window in samples")
    if [row.node for row in rows] != [step.node for step in held.timeline]:
        raise NumjazError("a figure wants memory with a step for each node in the given order: liveness, say")
    named = len(rows) <= NAMED
    with styled():
        from matplotlib.figure import Figure

        height = min(max(ROW * len(rows), 1.0), MOST)
        drawn = Figure(figsize=(WIDTH, height + TIMELINE + (2 if named else 1)), layout="constrained")
        if title:
            drawn.suptitle(shortened(title, 100), fontsize=9)
        grid = drawn.add_gridspec(2, 2, height_ratios=(height, TIMELINE))
        left = drawn.add_subplot(grid[0, 0])
        right = drawn.add_subplot(grid[0, 1], sharey=left)
        called = "multiply-accumulates" if counted.convention == "matmul" else f"by {counted.convention}"
        every = max(1, math.ceil(len(rows) * LABEL / height))  # the rows whose names do not touch
        _bars(left, [row.macs for row in rows], f"{_number(counted.macs)} {called}", MACS, every == 1)
        _bars(
            right, [row.parameters for row in rows], f"{_number(counted.parameters)} parameters", PARAMETERS, every == 1
        )
        numbers = range(0, len(rows), every)
        left.set_yticks(numbers, [shortened(rows[k].node, 32, 12) + ("" if named else f"  {k + 1}") for k in numbers])
        left.set_ylim(len(rows) - 0.4, -0.6)  # the first node on top
        right.tick_params(labelleft=False)
        _timeline(drawn.add_subplot(grid[1, :]), held, named)
        return drawn


def _bars(axes: Axes, values: Sequence[int], title: str, colour: str, written: bool) -> None:
    """A bar a node, its number behind it where there is room."""
    power = (len(str(max(values, default=0))) - 1) // 3
    unit = 1000**power
    bars = axes.barh(range(len(values)), [value / unit for value in values], height=0.72, color=colour)
    if written:
        axes.bar_label(bars, [_number(value) if value else "" for value in values], padding=2, fontsize=6)
    axes.set_xlim(0, max(1.24 * max(values, default=0) / unit, 1e-9))  # the longest bar's number stands in the axes
    axes.set_title(title, loc="left", color=colour)
    axes.set_xlabel(THOUSANDS[power] if power < len(THOUSANDS) else f"times 10^{3 * power}")
    axes.grid(axis="x")
    axes.tick_params(axis="y", length=0)


def _timeline(axes: Axes, held: Memory, named: bool) -> None:
    """What is in memory while each node is computed, one step beside the other."""
    steps, peak = held.timeline, held.peak
    power = next((k for k in range(len(BINARY)) if peak.bytes < 1024 ** (k + 1)), len(BINARY) - 1)
    sizes = [step.bytes / 1024**power for step in steps]
    most, often = max(sizes), sum(step.bytes == peak.bytes for step in steps)
    edges = [k + 0.5 for k in range(len(steps) + 1)]
    axes.stairs(sizes, edges, fill=True, color=BYTES)
    axes.stairs([size if size == most else 0 for size in sizes], edges, fill=True, color=PEAK)
    at = steps.index(peak) + 1
    axes.annotate(
        f"peak: {most:,.1f} {BINARY[power]}, {'first ' if often > 1 else ''}at {shortened(peak.node, 40, 15)}",
        (at, most),
        (0, 3),
        textcoords="offset points",
        ha="left" if at <= len(steps) / 2 else "right",
        va="bottom",
        color=PEAK,
        fontweight="bold",
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
    )
    axes.set_xlim(0.5, len(steps) + 0.5)
    axes.set_ylim(0, max(1.2 * most, 1e-9))
    axes.set_title(f"activations in memory while each node is computed ({held.definition})", loc="left")
    axes.set_ylabel(BINARY[power])
    axes.grid(axis="y")
    if named:
        names = [shortened(step.node, 32, 12) for step in steps]
        axes.set_xticks(range(1, len(steps) + 1), names, rotation=90, fontsize=6)
    else:
        axes.set_xlabel("node, by its number above")


def _number(value: int) -> str:
    """Every digit, where they are few."""
    return f"{value:,}" if value < 10**10 else f"{value:.3g}" if value < 10**300 else f"10^{len(str(value)) - 1}"


@contextmanager
def styled() -> Iterator[None]:
    """Matplotlib as it comes, whatever somebody's own settings are, with `STYLE`; as it was before, behind."""
    try:
        from matplotlib import style
    except ImportError:
        raise NumjazError("a figure needs matplotlib: pip install 'numjaz[plot]'") from None
    with warnings.catch_warnings(), style.context(["default", STYLE]):
        warnings.simplefilter("ignore")  # of a letter, say, that its font lacks
        yield
