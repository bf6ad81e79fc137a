"""Where two runs part, as an HTML page."""

from __future__ import annotations

import math

from numjaz.compare.differences import NodeDifference
from numjaz.compare.divergence import Comparison
from numjaz.report import Markup, bar, html_table, listing, marked, page, paragraph, section, shade

COLOURS = {"a fault": "bad", "inherited": "fair", "rounding": "good"}
LEAST, MOST = -8.0, 0.0  # powers of ten of a difference that are told apart: rounding, and all of it


def comparison_page(name: str, found: Comparison) -> str:
    """The page of a comparison: the verdict, every node, and the difference over nodes and time."""
    rows = [
        [
            each.name,
            f"{each.max_abs:.1e}",
            f"{each.isolated:.1e}",
            f"{each.bound:.1e}",
            bar(f"{each.ratio:.3g}", min(each.ratio, 1.0) if each.ratio == each.ratio else 1.0),
            marked(each.verdict, COLOURS[each.verdict]),
        ]
        for each in found.nodes
    ]
    spread = [
        [each.name, _largest(each), marked(each.verdict, COLOURS[each.verdict]), _heat(each)] for each in found.nodes
    ]
    return page(
        f"Check: {name}",
        *_summary(found),
        section(
            "Node by node",
            html_table(
                "Each node on what the other side gave to it",
                ["output", "differs", "by itself", "rounding: at most", "share of that", "so it is"],
                rows,
                right=(1, 2, 3, 4),
            ),
        ),
        section(
            "Along the network",
            paragraph(
                "The largest difference between the two, as a share of the output's largest number: "
                "each bar's length is its power of ten. Beside it the same in each part of the time."
            ),
            html_table(
                "From 1e-8, which is rounding, to 1",
                ["output", "largest", "so it is", "from first to last"],
                spread,
                right=(1,),
            ),
        ),
        *([section("Matched", listing(f"{a} is {b}" for a, b in found.matched.items()))] if found.matched else []),
    )


def _summary(found: Comparison) -> list[Markup]:
    first = found.first
    if first is None:
        return [paragraph(marked("The two agree", "good"), ": rounding explains every difference.")]
    told = [paragraph(marked("The two part", "bad"), f" in {parted(first)}.")]
    told.append(listing([f"cause: {found.cause}", *([f"fix: {found.fix}"] if found.fix else [])]))
    return told


def parted(first: NodeDifference) -> str:
    """Where two runs part, and by how much."""
    where = first.name if len(first.suspects) == 1 else f"one of {', '.join(first.suspects)}"
    if first.of_another_shape:
        return f"{where}: it has another shape"
    if not math.isfinite(first.max_abs):
        return f"{where}: a number is NaN or infinite"
    if not math.isfinite(first.ratio):
        return f"{where}: by {first.isolated:.1e}, where rounding does nothing"
    return f"{where}: {first.ratio:,.3g} times what rounding allows"


def _largest(each: NodeDifference) -> Markup:
    """An output's largest difference, and a bar as long as its power of ten."""
    finite = all(map(math.isfinite, each.over_time))
    largest = max(each.over_time, default=0.0) if finite else math.inf
    text = f"{largest:.1e}" if finite else "NaN or infinite"
    return bar(text, _share(largest), COLOURS[each.verdict])


def _heat(each: NodeDifference) -> Markup:
    return Markup("".join(shade("", _share(difference)) for difference in each.over_time))


def _share(difference: float) -> float:
    """How far along the powers of ten a difference is; what is no number is all the way."""
    if not math.isfinite(difference):
        return 1.0
    power = math.log10(difference) if difference > 0 else LEAST
    return min(max((power - LEAST) / (MOST - LEAST), 0.0), 1.0)
