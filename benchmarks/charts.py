"""Put benchmarks/results into docs/figures and the tables of docs/engine.md: python benchmarks/charts.py."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

from matplotlib import style
from matplotlib.figure import Figure

from numjaz.doors.output import whole
from numjaz.plot import MACS, PARAMETERS, STYLE

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "engine.md"
FIGURES = PAGE.parent / "figures"
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


def beside_rivals() -> list[list[str]]:
    """Jazbat-Net on each engine."""
    return [
        [
            each["name"],
            _range(each["latency_ms"], *each["latency_ms_spread"]),
            _range(*each["latency_ratio"]),
            f"{each['windows_per_s']:,.0f} at {each['best_batch']}",
            _range(*each["throughput_ratio"]),
            _range(*each["start_ratio"]) if each["start_ratio"] else "",
            f"{each['peak_rss_mb']:.0f}" if each["peak_rss_mb"] else "",
            f"{each['installed_mb']:.0f}",
        ]
        for each in read("rivals")["engines"]
    ]


def of_every_network() -> list[list[str]]:
    """Each network here beside its reference, torch and ONNX Runtime."""
    rows = []
    for name, found in read("networks").items():
        own, *others = found["engines"]
        rows.append(
            [
                name,
                f"{own['latency_ms']:.2f}",
                *(f"{other['latency_ratio'][0]:.2f}" for other in others),
                f"{own['windows_per_s']:,.0f}",
                *(f"{other['throughput_ratio'][0]:.2f}" for other in others),
            ]
        )
    return rows


def _range(middle: float, least: float, most: float) -> str:
    return f"{middle:.2f} [{least:.2f}, {most:.2f}]"


def put(text: str, begins: str, rows: list[list[str]]) -> str:
    """The page with other rows in the table whose header begins so."""
    before, header, rest = text.partition(f"\n| {begins} |")
    titles, alignment, *_ = (header + rest).lstrip("\n").split("\n")
    lines = [titles, alignment, *("| " + " | ".join(row) + " |" for row in rows)]
    return "\n".join((before, *lines, rest[rest.index("\n\n") + 1 :]))


if __name__ == "__main__":
    page = put(PAGE.read_text(), "engine", beside_rivals())
    page = put(page, "network", of_every_network())
    with whole(PAGE) as beside:
        beside.write_text(page)
    FIGURES.mkdir(exist_ok=True)
    for name, draw in {"engines": engines, "costs": costs}.items():
        with style.context(["default", STYLE]):
            draw().savefig(FIGURES / f"{name}.svg", metadata={"Date": None})
