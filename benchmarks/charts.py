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
    return json.loads((HERE / "results" / f"{part}.json").read_text())


def engines() -> Figure:
    """Each engine's latency and windows a second, the rounds' range behind their median."""
    found = read("rivals")["engines"]
    drawn = Figure(figsize=(WIDTH, 0.26 * len(found) + 0.9), layout="constrained")
    left, right = drawn.subplots(1, 2, sharey=True)
    names = [each["name"] for each in found]
    rates = [each["windows_per_s_by_batch"][str(each["best_batch"])] for each in found]
    for axes, rows, title, colour in (
        (left, [(e["latency_ms"], *e["latency_ms_spread"]) for e in found], "one window, ms", MACS),
        (right, rates, "windows a second", PARAMETERS),
    ):
        middle = [row[0] for row in rows]
        around = [[row[0] - row[1] for row in rows], [row[2] - row[0] for row in rows]]
        axes.barh(names, middle, xerr=around, height=0.7, color=colour, error_kw={"linewidth": 0.7})
        axes.set_xscale("log")
        axes.set_title(title, loc="left", color=colour)
        axes.grid(axis="x")
    left.invert_yaxis()
    return drawn


def costs() -> Figure:
    """Milliseconds a window by what they depend on."""
    found = read("costs")
    drawn = Figure(figsize=(WIDTH, 2.1), layout="constrained")
    for axes, (what, cases) in zip(drawn.subplots(1, len(found)), found.items(), strict=True):
        at = [int(value) for value in cases]
        axes.plot(at, [statistics.median(each) for each in cases.values()], "o-", color=MACS, markersize=3, linewidth=1)
        axes.fill_between(at, [min(e) for e in cases.values()], [max(e) for e in cases.values()], color=MACS, alpha=0.2)
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_xticks(at, [str(value) for value in at], rotation=90)
        axes.minorticks_off()
        axes.set_xlabel(what)
        axes.grid()
    drawn.axes[0].set_ylabel("ms a window")
    return drawn


if __name__ == "__main__":
    FIGURES.mkdir(exist_ok=True)
    for name, draw in {"engines": engines, "costs": costs}.items():
        with style.context(["default", STYLE]):
            draw().savefig(FIGURES / f"{name}.svg", metadata={"Date": None})
