"""The audit of a paper, and what a network computes and holds, as sections of an HTML page."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from numjaz.audit.claims import Paper
from numjaz.audit.explain import Judged
from numjaz.audit.inventory import count
from numjaz.audit.memory import DEFINITIONS, ORDERED, memory
from numjaz.audit.wording import VERDICTS, grouped, printed, reproduced, shown, summary, unexplained
from numjaz.errors import NumjazError
from numjaz.model import Model
from numjaz.report import Markup, bar, breakable, html_table, lines, link, listing, marked, page, paragraph, section

DOI = re.compile(r"10\.\d{4,9}/[^\s\"<>]+")
COLOURS = {"exact": "good", "rounds": "good", "within": "fair", "contradicts": "bad", "not_derivable": "soft"}


def audit_page(paper: Paper, judged: Sequence[Judged], apart: Sequence[str], networks: Iterable[Markup] = ()) -> str:
    """The page of a whole audit: every cell, what explains it, and the networks that it is about."""
    doi = link(f"https://doi.org/{paper.doi}", f"doi:{paper.doi}") if DOI.fullmatch(paper.doi) else paper.doi
    rows = [
        [
            each.cell.id,
            breakable(printed(each.cell), "·"),
            shown(each.computed, each.cell),
            marked(each.verdict.replace("_", " "), COLOURS[each.verdict]),
            each.cell.where,
        ]
        for each in judged
    ]
    explained = [
        [assumptions, lines(reproduced(each, found) for each, found in cells)] for assumptions, cells in grouped(judged)
    ]
    legend = listing(f"{verdict.replace('_', ' ')}: {meaning}" for verdict, meaning in VERDICTS.items())
    open_cells = [f"{each.cell.id}: {why}" for each, why in unexplained(judged)]
    return page(
        f"Audit: {paper.title}",
        paragraph(*([doi, ". "] if paper.doi else []), f"{summary(judged)}."),
        section(
            "The printed numbers",
            html_table(
                "Every number under the paper's own options",
                ["cell", "printed", "computed", "verdict", "where"],
                rows,
                right=(1, 2),
            ),
            legend,
        ),
        section(
            "What would explain them",
            paragraph(
                "The smallest sets of other assumptions under which the printed numbers are what is computed; "
                "the more of the neighbouring values (within 5 %) as few assumptions would give too, the less it means."
            ),
            html_table("Assumptions, and what they reproduce", ["assumptions", "cells"], explained),
            *([listing(f"Two networks: {text}" for text in apart)] if apart else []),
            *([paragraph("Open:"), listing(open_cells)] if open_cells else []),
        ),
        *networks,
    )


def network_section(heading: str, model: Model, window: int = 256, batch: int = 1) -> Markup:
    """What every node of a network computes and holds, with bars; its activation memory over time."""
    counted = count(model, window=window, batch=batch)
    most_macs = max(row.macs for row in counted.rows) or 1
    most = max(row.parameters for row in counted.rows) or 1
    nodes = [
        [
            row.node,
            row.layer,
            ", ".join(" x ".join(map(str, shape)) for shape in row.shapes),
            bar(f"{row.parameters:,}", row.parameters / most),
            bar(f"{row.macs:,}", row.macs / most_macs),
        ]
        for row in counted.rows
    ]
    held = memory(model, "liveness", window, batch)
    steps = [
        [step.node, bar(f"{step.bytes / 1024:,.1f}", step.bytes / held.peak_bytes), ", ".join(step.tensors)]
        for step in held.timeline
    ]
    return section(
        heading,
        paragraph(
            f"{counted.macs:,} multiply-accumulates of matrix products for {batch:,} x {window:,} samples; "
            f"{counted.parameters:,} parameters, {counted.trainable:,} of them trainable."
        ),
        html_table(
            "Parameters and multiply-accumulates, node by node",
            ["node", "layer", "output", "parameters", "multiply-accumulates"],
            nodes,
            right=(3, 4),
        ),
        html_table(
            "Activation memory by every definition, float32",
            ["definition", "order", "numbers", "KiB", "what it counts"],
            _definitions(model, window, batch),
            right=(2, 3),
        ),
        paragraph(
            f"Freed after their last use, the tensors need most at {held.peak.node}, where these are alive: "
            f"{', '.join(held.peak.tensors)}."
        ),
        html_table(
            "What is alive while each node is computed, float32",
            ["node", "KiB", "tensors"],
            steps,
            right=(1,),
        ),
    )


def _definitions(model: Model, window: int, batch: int) -> list[list[str]]:
    rows = []
    for definition, meaning in DEFINITIONS.items():
        for order in ("given", "best") if definition in ORDERED else ("given",):
            try:
                held = memory(model, definition, window, batch, order=order)
            except NumjazError as error:  # a tool's definition that does not speak of a layer
                rows.append([definition, order, "-", "-", str(error)])
                continue
            proof = "no order of the nodes needs less" if held.proved else "the best order that was found"
            size = held.peak_bytes
            rows.append(
                [definition, order, f"{size // 4:,}", f"{size / 1024:,.1f}", meaning if order == "given" else proof]
            )
    return rows
