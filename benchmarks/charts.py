"""Draw benchmarks/results into docs/figures: python benchmarks/charts.py."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

from matplotlib import style
from matplotlib.figure import Figure

from numjaz.plot import MACS, PARAMETERS, STYLE

HERE = Path(__file__).parent
FIGURES = HERE.parent / "docs" / "figures"
WIDTH = 7.2  # inches


def read(part: str) -> Any:
    """What a part of benchmarks/engines.py found."""
    return json.loads((HERE / "results" / f"{part}.json").read_text())


def engines() -> Figure:
    """Each engine's latency and windows a second: the median of the rounds on the line from the least to the most."""
    found = read("rivals")["engines"]
    drawn = Figure(figsize=(WIDTH, 0.24 * len(found) + 0.7), layout="constrained")
    left, right = drawn.subplots(1, 2, sharey=True)
    names = [each["name"] for each in found]
    for axes, rows, title, colour in (
        (left, [(e["latency_ms"], *e["latency_ms_spread"]) for e in found], "one window, ms", MACS),
        (right, [e["windows_per_s_by_batch"][str(e["best_batch"])] for e in found], "windows a second", PARAMETERS),
    ):
        for k, (middle, least, most) in enumerate(rows):
            axes.plot([least, most], [k, k], color=colour, linewidth=1)
            axes.plot([middle], [k], "o", color=colour, markersize=4)
            axes.annotate(
                f"{middle:,.{0 if middle > 100 else 2}f}", (most, k), (4, 0), textcoords="offset points", va="center"
            )
        axes.set_xscale("log")
        axes.set_xlim(min(row[1] for row in rows) / 1.3, max(row[2] for row in rows) * 2.2)
        axes.xaxis.set_major_formatter(plain)
        axes.set_title(title, loc="left", color=colour)
        axes.minorticks_off()
        axes.grid()
    left.set_yticks(range(len(names)), names)
    left.set_ylim(len(names) - 0.5, -0.5)
    return drawn


def costs() -> Figure:
    """Milliseconds a window by what they depend on, the rounds' range behind their median."""
    found = read("costs")
    drawn = Figure(figsize=(WIDTH, 2.0), layout="constrained")
    for axes, (what, cases) in zip(drawn.subplots(1, len(found), sharey=True), found.items(), strict=True):
        at = range(len(cases))
        axes.fill_between(at, [min(e) for e in cases.values()], [max(e) for e in cases.values()], color=MACS, alpha=0.2)
        axes.plot(at, [statistics.median(e) for e in cases.values()], "o-", color=MACS, markersize=3, linewidth=1)
        axes.set_yscale("log")
        axes.set_yticks([0.1, 0.2, 0.5, 1, 2, 5])
        axes.yaxis.set_major_formatter(plain)
        axes.minorticks_off()
        axes.set_xticks(at, list(cases), rotation=90)
        axes.set_xlabel(what)
        axes.grid()
    drawn.axes[0].set_ylabel("ms a window")
    return drawn


def plain(value: float, at: int) -> str:
    """A number as it is said."""
    return f"{value:,g}"


if __name__ == "__main__":
    FIGURES.mkdir(exist_ok=True)
    for name, draw in {"engines": engines, "costs": costs}.items():
        with style.context(["default", STYLE]):
            draw().savefig(FIGURES / f"{name}.svg", metadata={"Date": None})
