"""Judge a paper's claims: which of its numbers are right, and under which assumptions the others would be.

FILE is a claims file in TOML, or the name of one that comes with numjaz: jazbat-net, generisch-net, cnn-bigru.
--init MODEL prints one to fill in. Verdicts: exact, rounds (to the digits printed), within (2 %), contradicts,
not_derivable. The exit code is 1 where a cell contradicts what is computed under the paper's own options, or
cannot be computed.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numjaz.audit
from numjaz.architectures import BUILDERS, build
from numjaz.audit.assumptions import ONLY_PRINTED
from numjaz.audit.claims import UNITS, Cell, read_claims
from numjaz.audit.explain import Explanation, Judged, audit, conflicts, remembered
from numjaz.audit.inventory import count
from numjaz.cli.options import parsed_architecture
from numjaz.cli.output import json_line
from numjaz.errors import NumjazError
from numjaz.formats import load
from numjaz.model import Model
from numjaz.report import latex, markdown, table

SHIPPED = Path(numjaz.audit.__file__).parent / "papers"
SHOWN = 3  # explanations of a cell in a table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("claims", metavar="FILE|NAME", nargs="?", help="a claims file, or the name of one")
    parser.add_argument("--init", metavar="MODEL", help="print a claims file for a builder or a model file, to fill in")
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--json", action="store_true", help="one JSON object")
    shown.add_argument("--markdown", action="store_true", help="a Markdown table")
    shown.add_argument("--latex", action="store_true", help="a LaTeX table in booktabs' style")


def execute(args: argparse.Namespace) -> int:
    """Run the command."""
    if (args.claims is None) == (args.init is None):
        raise NumjazError("name a claims file, or --init MODEL")
    if args.init is not None:
        print(_empty(args.init))
        return 0
    shipped = {path.stem: path for path in sorted(SHIPPED.glob("*.toml"))}
    if args.claims not in shipped and not Path(args.claims).exists():
        raise NumjazError(f"{args.claims}: no such file; the claims that come with numjaz are {', '.join(shipped)}")
    paper = read_claims(shipped.get(args.claims, Path(args.claims)))
    resolve = remembered(_network)
    judged = audit(paper, resolve)
    apart = conflicts(judged, resolve)
    if args.json:
        print(json_line({"title": paper.title, "cells": [_plain(each) for each in judged], "conflicts": apart}))
    else:
        header = ["cell", "where", "printed", "computed", "verdict"]
        rows = [[e.cell.id, e.cell.where, e.cell.printed, _shown(e.computed, e.cell), e.verdict] for e in judged]
        if args.markdown or args.latex:
            why = [_because(each.explanations[0], each.cell) if each.explanations else "" for each in judged]
            written = markdown if args.markdown else latex
            print(written([*header, "reproduced with"], [[*row, text] for row, text in zip(rows, why, strict=True)]))
        else:
            print(_text(table(header, rows, right=(2, 3)), judged, apart))
    unknown = [each for each in judged if each.verdict == "not_derivable" and each.reason != ONLY_PRINTED]
    return 1 if unknown or any(each.verdict == "contradicts" for each in judged) else 0


def _network(model: str, options: Mapping[str, Any]) -> Model:
    if not model:
        raise NumjazError("names no model")
    if model in BUILDERS:
        return build(model, options)
    return load(model)


def _text(cells: str, judged: list[Judged], apart: list[str]) -> str:
    lines = [cells, ""]
    for each in judged:
        for found in each.explanations[:SHOWN]:
            lines.append(f"{each.cell.id}: {_because(found, each.cell)}")
        if len(each.explanations) > SHOWN:
            lines.append(f"{each.cell.id}: and {len(each.explanations) - SHOWN} more")
        if each.cut:
            lines.append(f"{each.cell.id}: the search was cut; fewer entries in may_vary make it whole")
        elif each.verdict in ("within", "contradicts") and not each.explanations and each.cell.may_vary:
            names = ", ".join(each.cell.may_vary)
            lines.append(f"{each.cell.id}: up to three of the values that are tried for {names} do not give it")
        if each.reason and each.reason != ONLY_PRINTED:
            lines.append(f"{each.cell.id}: not derivable: {each.reason}")
    return "\n".join([*lines, *(f"two networks: {text}" for text in apart)])


def _because(found: Explanation, cell: Cell) -> str:
    with_ = ", ".join(f"{name}={value}" for name, value in found.assumptions.items())
    cells = f"{len(found.cells)} cells" if len(found.cells) > 1 else "this cell"
    rivals = f"{found.neighbours} of {found.possible} neighbouring values could be had as well"
    return f"{_shown(found.computed, cell)} with {with_} ({cells}; {rivals})"


def _shown(value: float | None, cell: Cell) -> str:
    if value is None:
        return "-"
    if cell.unit == "%":
        return f"{100 * value:.1f}"
    if cell.quantity == "ratio":
        return f"{value:.2f}"
    unit = UNITS[cell.unit]
    return f"{value:,.0f}" if unit == 1 else f"{value / unit:,.4g}"


def _plain(each: Judged) -> dict[str, Any]:
    return {
        "id": each.cell.id,
        "where": each.cell.where,
        "printed": each.cell.printed,
        "computed": each.computed,
        "verdict": each.verdict,
        "cut": each.cut,
        "reason": each.reason,
        "explanations": [
            {
                "assumptions": dict(found.assumptions),
                "computed": found.computed,
                "cells": list(found.cells),
                "neighbours": found.neighbours,
                "possible": found.possible,
            }
            for found in each.explanations
        ],
    }


def _empty(name: str) -> str:
    """A claims file with what numjaz computes, to be replaced by what the paper prints."""
    builder, options = parsed_architecture(name)
    counted = count(_network(builder if builder in BUILDERS else name, options))
    own = ", ".join(f"{key} = {json_line(value)}" for key, value in options.items())
    cells = [
        ("macs", "macs", counted.macs, "MACs", '# may_vary = ["convention", "window"]'),
        ("parameters", "parameters", counted.parameters, "parameters", '# may_vary = ["statistics"]'),
        ("trainable", "trainable", counted.trainable, "parameters", ""),
        ("size", "model_bytes", counted.parameters * 4, "B", '# unit = "KB" and may_vary = ["unit", "dtype"]'),
    ]
    text = [
        "# A claims file: numjaz audit FILE. Replace what is printed by what the paper prints, digit by digit:",
        '# "6.96M" and "≈ 110" say how precise they are. may_vary lists what the paper leaves open.',
        "",
        "[paper]",
        'title = "…"',
        'doi = "…"',
        f'model = "{builder}"',
        f"options = {{ {own} }}" if own else "options = {}",
        "may_vary = []",
    ]
    for cell, quantity, value, unit, more in cells:
        text += ["", "[[cell]]", f'id = "{cell}"', 'where = "Table …"', f'quantity = "{quantity}"']
        text += [f'printed = "{value:,}"', f'unit = "{unit}"', *([more] if more else [])]
    return "\n".join(text)
