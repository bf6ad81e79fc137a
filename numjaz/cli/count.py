"""Count what a network computes and holds: multiply-accumulates, parameters, activation memory, node by node.

Nothing is run. --symbolic prints each node's multiply-accumulates and parameters as formulas; --operations all that is
computed, to the last addition; --memory the activations under each definition; --plot draws it.
"""

from __future__ import annotations

import argparse
from typing import Any

from numjaz.audit import Count, count, memory, scratch
from numjaz.audit.conventions import NAMES
from numjaz.audit.pages import network_section
from numjaz.audit.symbols import symbolic
from numjaz.cli import count_views as views
from numjaz.cli.options import add_file_options, load_file
from numjaz.cli.output import check_page, json_line, write_page
from numjaz.errors import NumjazError
from numjaz.layers import Operations
from numjaz.model import Model
from numjaz.plot import draw
from numjaz.report import page

MOST = 10**18  # samples, or windows


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "model",
        metavar="MODEL|FILE|BUILDER",
        help="a shipped network, a file, or a builder: jazbat:features=3,reduction=6",
    )
    add_file_options(parser)
    parser.add_argument("--window", type=int, metavar="N", help="samples (default: the network's own, or 256)")
    parser.add_argument("--batch", type=int, default=1, metavar="N", help="windows at once (default 1)")
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--symbolic", action="store_true", help="formulas in the place of numbers")
    shown.add_argument(
        "--convention", metavar="NAME", default="matmul", help=f"{', '.join(NAMES)}, or all: side by side, and why"
    )
    shown.add_argument("--operations", action="store_true", help="everything that is computed, by kind")
    shown.add_argument("--memory", action="store_true", help="activation memory by every definition")
    shown.add_argument(
        "--sizes", action="store_true", help="bytes of the weights by dtype, and of a file in each format"
    )
    parser.add_argument(
        "--form",
        metavar="TEXT",
        help="how the network is written in torch, where tools tell it apart: e.g. 'ReLU modules, mean' "
        "(default: the canonical twin)",
    )
    parser.add_argument(
        "--plot",
        metavar="FILE",
        help="draw multiply-accumulates, parameters and memory node by node: .png, .svg or .pdf (needs matplotlib)",
    )
    parser.add_argument("--html", metavar="FILE", help="write a report too: one HTML file that needs nothing else")
    parser.add_argument(
        "--json",
        action="store_true",
        help="one JSON object: nodes, operations, formulas and memory, whatever else is asked for; "
        "best orders, timeline, offsets in the arena and scratch with --memory, sizes with --sizes, every convention "
        "with --convention all",
    )


def execute(args: argparse.Namespace) -> int:
    """Run the command."""
    check_page(args.html)
    if args.symbolic and args.batch != 1:
        raise NumjazError("--symbolic: formulas are of one window, without --batch")
    model = load_file(args, args.model, builders=True)
    window = _window(model, args.window)
    if window < 1 or args.batch < 1:
        raise NumjazError("--window and --batch must be 1 or more")
    if max(window, args.batch) > MOST:  # far beyond, a share or a kibibyte is no floating-point number any more
        raise NumjazError(f"--window and --batch: at most {MOST:,}")
    if args.form is not None and args.convention == "matmul":
        raise NumjazError("--form goes with --convention NAME or all: matrix products are the same in every form")
    form = "twin" if args.form is None else args.form
    convention = "matmul" if args.convention == "all" else args.convention
    counted = count(model, convention, window, batch=args.batch, form=form)
    windows = "1 window" if args.batch == 1 else f"{args.batch:,} windows"
    title = f"{args.model}, {windows} of {window:,} samples"
    heading = "What each node computes and holds"
    write_page(args.html, lambda: page(title, network_section(heading, model, window, args.batch)))
    if args.plot is not None:
        draw(args.plot, counted, memory(model, "liveness", window, args.batch), title)
    if args.json:
        found = {"form": form, **_everything(model, counted, window, args.batch)}
        if args.convention == "all":
            found["conventions"] = views.conventions(model, window, args.batch, form)
        if args.memory:
            found["memory_best"] = views.best_orders(model, window, args.batch)
            found["arena_offsets"] = memory(model, "arena", window, args.batch).offsets
            found["scratch"] = scratch(model, window, args.batch)
            found["timeline"] = [
                {"node": step.node, "bytes": step.bytes, "tensors": step.tensors}
                for step in memory(model, "liveness", window, args.batch).timeline
            ]
        if args.sizes:
            found["sizes"] = views.sizes(model, counted)
        print(json_line(found))
    elif args.convention == "all":
        print(views.side_by_side(model, window, args.batch, form))
    elif args.symbolic:
        print(views.formulas(model, window, counted))
    elif args.operations:
        print(views.operations(counted))
    elif args.sizes:
        print(views.sizes_table(model, counted))
    elif args.memory:
        print(views.held(model, window, args.batch))
    else:
        print(views.nodes(counted, window, args.batch, form))
    return 0


def _window(model: Model, asked: int | None) -> int:
    """How many samples a window has: what is asked for, the network's own number, or 256."""
    if model.fixed_window is not None and asked not in (None, model.fixed_window):
        raise NumjazError(f"--window {asked}: the network's own length is fixed, {model.fixed_window} samples")
    return model.window if asked is None else asked


def _everything(model: Model, counted: Count, window: int, batch: int) -> dict[str, Any]:
    """All that is counted in no time."""
    held, formulas = views.given_orders(model, window, batch), symbolic(model, window)
    peak = memory(model, "liveness", window, batch).peak
    return {
        "convention": counted.convention,
        "window": window,
        "batch": batch,
        "macs": counted.macs,
        "parameters": counted.parameters,
        "trainable": counted.trainable,
        "operations": _kinds(counted.operations),
        "rows": [
            {
                "node": row.node,
                "layer": row.layer,
                "shapes": [list(shape) for shape in row.shapes],
                "parameters": row.parameters,
                "trainable": row.trainable,
                "macs": row.macs,
                "weight_bytes": row.weight_bytes,
                "output_bytes": row.output_bytes,
                **_kinds(row.operations),
            }
            for row in counted.rows
        ],
        "formulas": {each.node: str(each.macs) for each in formulas if each.macs},
        "parameter_formulas": {each.node: str(each.parameters) for each in formulas if each.parameters},
        "symbols": {each.node: each.values for each in formulas},
        "memory": {definition: each.peak_bytes if each else None for definition, each in held.items()},
        "liveness_peak": {"node": peak.node, "bytes": peak.bytes, "tensors": peak.tensors},
    }


def _kinds(operations: Operations) -> dict[str, dict[str, int]]:
    return {
        "macs_by_matrix": dict(operations.macs),
        "activations": dict(operations.activations),
        "elementary": dict(operations.elementary),
    }
