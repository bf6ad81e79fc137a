"""Judge a paper's claims: which of its numbers are right, and under which assumptions the others would be.

FILE is a claims file in TOML, or the name of one that comes with numjaz: jazbat-net, generisch-net, cnn-bigru.
--init MODEL prints one to fill in. Verdicts: exact; rounds (rounded or cut off, the printed digits); within (2 %);
contradicts; not_derivable. The exit code is 1 where a cell contradicts what is computed under the paper's own
options, or cannot be computed.
"""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numjaz.audit
from numjaz.architectures import BUILDERS, build
from numjaz.audit.assumptions import OF_A_NETWORK, baseline, options_of
from numjaz.audit.claims import Paper, read_claims
from numjaz.audit.explain import Judged, audit, conflicts, remembered
from numjaz.audit.inventory import count
from numjaz.audit.pages import audit_page, network_section
from numjaz.audit.wording import VERDICTS, because, grouped, heading, printed, reproduced, shown, summary, unexplained
from numjaz.cli.options import parsed_architecture
from numjaz.cli.output import check_page, json_line, waiting, write_page
from numjaz.errors import NumjazError
from numjaz.formats import load
from numjaz.model import Model
from numjaz.report import Markup, latex, markdown, shortened, table

SHIPPED = Path(numjaz.audit.__file__).parent / "papers"
WIDTH = 100  # columns of the text
COLUMNS = (22, 20, 16, 20, 13)  # of its table, at most


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("claims", metavar="FILE|NAME", nargs="?", help="a claims file, or the name of one")
    parser.add_argument("--init", metavar="MODEL", help="print a claims file for a builder or a model file, to fill in")
    shown_as = parser.add_mutually_exclusive_group()
    shown_as.add_argument("--json", action="store_true", help="one JSON object")
    shown_as.add_argument("--markdown", action="store_true", help="a Markdown table")
    shown_as.add_argument("--latex", action="store_true", help="a LaTeX table in booktabs' style")
    parser.add_argument("--html", metavar="FILE", help="write a report too: one HTML file that needs nothing else")


def execute(args: argparse.Namespace) -> int:
    """Run the command."""
    if (args.claims is None) == (args.init is None):
        raise NumjazError("name a claims file, or --init MODEL")
    if args.init is not None:
        if args.json or args.markdown or args.latex or args.html:
            raise NumjazError("--init prints a claims file and nothing else")
        print(_empty(args.init))
        return 0
    check_page(args.html)
    shipped = {path.stem: path for path in sorted(SHIPPED.glob("*.toml"))}
    if args.claims not in shipped and not Path(args.claims).exists():
        raise NumjazError(f"{args.claims}: no such file; the claims that come with numjaz are {', '.join(shipped)}")
    path = shipped.get(args.claims, Path(args.claims))
    paper = read_claims(path)
    resolve = remembered(Networks(path.parent))
    try:
        judged = audit(paper, resolve, waiting)
        apart = conflicts(paper, judged, resolve)
    except NumjazError as error:
        raise NumjazError(f"{args.claims}: {error}") from None
    waiting("")
    write_page(args.html, lambda: audit_page(paper, judged, apart, _networks(judged, resolve)))
    if args.json:
        cells = [_plain(each) for each in judged]
        print(json_line({"title": paper.title, "doi": paper.doi, "cells": cells, "conflicts": apart}))
    elif args.markdown or args.latex:
        why = [[because(each.explanations[0], each.cell) if each.explanations else ""] for each in judged]
        rows = [row + text for row, text in zip(_rows(judged), why, strict=True)]
        print((markdown if args.markdown else latex)([*HEADER, "reproduced with"], rows))
    else:
        print(_text(paper, judged, apart))
    return 1 if any(each.failed or each.verdict == "contradicts" for each in judged) else 0


class Networks:
    """The networks of a claims file: builders by name, without drawing weights; files beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, model: str, options: Mapping[str, Any]) -> Model:
        """A network with these options."""
        if not model:
            raise NumjazError("names no model")
        builder, own = parsed_architecture(model)
        if builder in BUILDERS:
            apart = [name for name, value in own.items() if options.get(name, value) != value]
            if apart:
                raise NumjazError(f"{model} and the options state {apart[0]} differently")
            return build(builder, {"seed": None, **own, **options})
        if options:
            names = ", ".join(map(str, options))
            raise NumjazError(f"{model}: a file has no options, and {names} would be one of its builder's")
        shipped = Path(model).name == model and not Path(model).suffix and not (self.folder / model).exists()
        return load(model if shipped else self.folder / model)


HEADER = ("cell", "where", "printed", "computed", "verdict")


def _rows(judged: Sequence[Judged]) -> list[list[str]]:
    return [
        [each.cell.id, each.cell.where, printed(each.cell), shown(each.computed, each.cell), each.verdict]
        for each in judged
    ]


def _text(paper: Paper, judged: Sequence[Judged], apart: Sequence[str]) -> str:
    rows = [[shortened(text, most) for text, most in zip(row, COLUMNS, strict=True)] for row in _rows(judged)]
    lines = [*_wrapped(heading(paper)), "", table(HEADER, rows, right=(2, 3)), "", summary(judged)]
    lines += _wrapped("verdicts: " + "; ".join(f"{name}: {meaning}" for name, meaning in VERDICTS.items()))
    groups = grouped(judged)
    if groups:
        lines += ["", "reproduced with (and how many of the values within 5 % would be, with as few assumptions)"]
    for assumptions, cells in groups:
        told = "; ".join(reproduced(each, found) for each, found in cells)
        many = f"{len(cells)} cells" if len(cells) > 1 else "1 cell"
        lines += _wrapped(f"{assumptions}: {many}: {told}", "  ")
    left = [f"{each.cell.id}: {why}" for each, why in unexplained(judged)]
    if left:
        lines += ["", "open"]
        lines += [line for text in left for line in _wrapped(text, "  ")]
    if apart:
        lines += ["", *(line for text in apart for line in _wrapped(f"two networks: {text}"))]
    return "\n".join(lines)


def _wrapped(text: str, before: str = "") -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=before, subsequent_indent=before + "  ", break_on_hyphens=False)


def _networks(judged: Sequence[Judged], resolve: Any) -> list[Markup]:
    """The paper's own network, and the one that would explain most cells."""
    cell = next(
        (each.cell for each in judged if each.computed is not None and each.cell.quantity in OF_A_NETWORK), None
    )
    if cell is None:
        return []
    own = baseline(cell)
    found = [
        network_section(
            "The network under the paper's own options", resolve(cell.model, options_of(own)), own["window"]
        )
    ]
    for assumptions, cells in grouped(judged):
        changed = options_of(cells[0][1].assumptions)
        if changed and len(cells) > 1:
            model = resolve(cell.model, options_of({**own, **changed}))
            found.append(network_section(f"The network with {assumptions}", model, own["window"]))
            break
    return found


def _plain(each: Judged) -> dict[str, Any]:
    return {
        "id": each.cell.id,
        "where": each.cell.where,
        "printed": each.cell.printed,
        "unit": each.cell.unit,
        "computed": each.computed,
        "verdict": each.verdict,
        "cut": each.cut,
        "reason": each.reason,
        "tried": dict(each.tried),
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
    counted = count(Networks(Path())(name, {}))
    own = ", ".join(f"{key} = {json_line(value)}" for key, value in options.items())
    cells = [
        ("macs", "macs", counted.macs, "MACs", '# may_vary = ["convention", "form", "window"]'),
        ("parameters", "parameters", counted.parameters, "parameters", '# may_vary = ["statistics", "head"]'),
        ("trainable", "trainable", counted.trainable, "parameters", '# may_vary = ["head"]'),
        ("size", "model_bytes", counted.parameters * 4, "B", '# unit = "KB" and may_vary = ["unit", "dtype"]'),
    ]
    text = [
        "# A claims file: numjaz audit FILE. Replace what is printed by what the paper prints, digit by digit:",
        '# "6.96M" and "≈ 110" say how precise they are. may_vary lists what the paper leaves open.',
        "",
        "[paper]",
        'title = "…"',
        'doi = "…"',
        f"model = {json_line(builder if builder in BUILDERS else name)}",
        f"options = {{ {own} }}" if own else "options = {}",
        "may_vary = []",
    ]
    for cell, quantity, value, unit, more in cells:
        text += ["", "[[cell]]", f'id = "{cell}"', 'where = "Table …"', f'quantity = "{quantity}"']
        text += [f'printed = "{value:,}"', f'unit = "{unit}"', *([more] if more else [])]
    return "\n".join(text)
