"""Count what a network computes and holds: multiply-accumulates, parameters, activation memory, node by node.

Nothing is run. --symbolic prints each node's multiply-accumulates as a formula; --operations all that is
computed, to the last addition; --memory the activations under each definition; --plot draws it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import textwrap
import warnings
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from numjaz.audit import CONVENTIONS, DEFINITIONS, Count, Memory, count, differences, memory
from numjaz.audit.conventions import NAMES
from numjaz.audit.inventory import SIZES
from numjaz.audit.memory import ORDERED
from numjaz.audit.symbols import symbolic
from numjaz.cli.options import add_file_options, load_file
from numjaz.cli.output import json_line, note
from numjaz.errors import NumjazError
from numjaz.formats.saving import FORMATS
from numjaz.layers import ELEMENTARY, Input, Operations
from numjaz.model import Model
from numjaz.nodes import WINDOW
from numjaz.plot import draw, shortened
from numjaz.report import table

WIDTH = 100  # columns of what is printed
NAME = 40  # characters of a node's name, in tables
LISTED = 12  # tensors at the peak; where there are more, how many
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
    parser.add_argument(
        "--json",
        action="store_true",
        help="one JSON object: nodes, operations, formulas and memory, whatever else is asked for; "
        "the best orders with --memory, sizes with --sizes, every convention with --convention all",
    )


def execute(args: argparse.Namespace) -> int:
    """Run the command."""
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
    if args.plot is not None:
        windows = "1 window" if args.batch == 1 else f"{args.batch:,} windows"
        title = f"{args.model}, {windows} of {window:,} samples"
        draw(args.plot, counted, memory(model, "liveness", window, args.batch), title)
    if args.json:
        found = {"form": form, **_everything(model, counted, window, args.batch)}
        if args.convention == "all":
            found["conventions"] = _conventions(model, window, args.batch, form)
        if args.memory:
            found["memory_best"] = _best_orders(model, window, args.batch)
        if args.sizes:
            found["sizes"] = _sizes(model, counted)
        print(json_line(found))
    elif args.convention == "all":
        print(_side_by_side(model, window, args.batch, form))
    elif args.symbolic:
        print(_formulas(model, window, counted))
    elif args.operations:
        print(_operations(counted))
    elif args.sizes:
        print(_sizes_table(model, counted))
    elif args.memory:
        print(_memory(model, window, args.batch))
    else:
        print(_nodes(counted, window, args.batch, form))
    return 0


def _window(model: Model, asked: int | None) -> int:
    """How many samples a window has: what is asked for, the network's own number, or 256."""
    axes = [size for node in model.nodes if isinstance(node.layer, Input) for size in node.layer.axes]
    fixed = axes[0] if axes and None not in axes else None
    if fixed is not None and asked not in (None, fixed):
        raise NumjazError(f"--window {asked}: the network's own length is fixed, {fixed} samples")
    if asked is not None:
        return asked
    return fixed if fixed is not None else model.contract.window if model.contract else WINDOW


def _nodes(counted: Count, window: int, batch: int, form: str) -> str:
    rows = [
        [
            shortened(row.node, NAME, 15),
            shortened(row.layer, 34),
            ", ".join(" x ".join(map(str, shape)) for shape in row.shapes),
            f"{row.parameters:,}",
            f"{row.macs:,}",
            f"{100 * row.macs / counted.macs:.1f} %" if counted.macs else "",
        ]
        for row in counted.rows
    ]
    header = ["node", "layer", "output", "parameters", "MACs", "share"]
    room = max(_room(header, rows, 1), 12)
    text = table(header, [[node, shortened(layer, room), *rest] for node, layer, *rest in rows], right=(3, 4, 5))
    windows = "window" if batch == 1 else "windows"
    matmul = counted.convention == "matmul"
    counted_as = (
        "multiply-accumulates of matrix products"
        if matmul
        else f"by {counted.convention}{'' if form == 'twin' else f' ({form})'}"
    )
    return (
        f"{text}\n{counted.macs:,} {counted_as} "
        f"in {batch:,} {windows} of {window:,} samples\n"
        f"{counted.parameters:,} parameters, {counted.trainable:,} of them trainable"
    )


def _room(header: Sequence[str], rows: Sequence[Sequence[str]], column: int) -> int:
    """How wide one column may be, the others being what they are."""
    others = [
        max(len(row[c]) for row in (header, *rows)) + 2  # and two spaces
        for c in range(len(header))
        if c != column
    ]
    return WIDTH - sum(others)


def _wrapped(header: Sequence[str], rows: Sequence[Sequence[str]], *, right: Collection[int]) -> str:
    """A table whose last column goes on below itself."""
    room = max(_room(header, rows, len(header) - 1), 20)
    lines = [
        [*(row[:-1] if k == 0 else [""] * (len(row) - 1)), part]
        for row in rows
        for k, part in enumerate(textwrap.wrap(row[-1], room) or [""])
    ]
    return table(header, lines, right=right)


def _conventions(model: Model, window: int, batch: int, form: str) -> dict[str, int | None]:
    """Every convention's number; None where its tool's twin has no module for a layer."""
    found: dict[str, int | None] = {}
    for name in NAMES:
        try:
            found[name] = count(model, name, window, batch=batch, form=form).macs
        except NumjazError as error:
            note(f"{name}: {error}")
            found[name] = None
    return found


def _side_by_side(model: Model, window: int, batch: int, form: str) -> str:
    found = _conventions(model, window, batch, form)
    rows = [["matmul", "matrix products", f"{found['matmul']:,}", "multiply-accumulates"]]
    lines = []
    for name, table_of in CONVENTIONS.items():
        number = found[name]
        if number is not None:
            rows.append([name, table_of.tool, f"{number:,}", table_of.prints])
            for kind, calls, matmul, counted, why in differences(name, model, window, batch, form):
                lines.append([name, f"{counted - matmul:+,}", f"{kind} ({calls})", why])
    text = _wrapped(["convention", "tool", "prints", "called"], rows, right=(2,))
    reasons = _wrapped(["convention", "more", "calls", "because"], lines, right=(1,))
    twin = "the canonical torch twin" if form == "twin" else f"a torch twin with {form}"
    last = f"of {twin}; for another form (--form) a tool prints other numbers"
    return "\n".join([text, "", reasons, *textwrap.wrap(last, WIDTH)])


def _formulas(model: Model, window: int, counted: Count) -> str:
    rows = []
    for found in symbolic(model, window):
        where = " ".join(f"{symbol}={n}" for symbol, n in found.values.items())
        rows.append([shortened(found.node, NAME, 15), str(found.macs), where, f"{found.macs.at(found.values):,}"])
    text = table(["node", "MACs", "where", "here"], rows, right=(3,))
    return f"{text}\n{counted.macs:,} in all; T samples, F features, C channels read"


def _operations(counted: Count) -> str:
    total = counted.operations
    by_matrix: dict[str, int] = {}
    for matrix, n in total.macs.items():
        kind = matrix.rpartition("/")[2]
        by_matrix[kind] = by_matrix.get(kind, 0) + n
    rows = [[f"multiply-accumulates with {kind}", f"{n:,}"] for kind, n in by_matrix.items()]
    rows += [[kind, f"{total.elementary[kind]:,}"] for kind in ELEMENTARY if total.elementary.get(kind)]
    rows += [[f"evaluations of {kind}", f"{n:,}"] for kind, n in total.activations.items()]
    return (
        table(["operation", "count"], rows, right=(1,)) + "\nwhat an activation computes is counted by its kind as well"
    )


def _memory(model: Model, window: int, batch: int) -> str:
    given, best = _given_orders(model, window, batch), _best_orders(model, window, batch)
    rows = []
    for definition, found in given.items():
        if found is not None:
            rows.append([definition, "given", *_in_kib(found.peak_bytes), DEFINITIONS[definition]])
        if definition in best:
            proof = (
                "no order of the nodes needs less" if best[definition]["proved"] else "the best order that was found"
            )
            rows.append([definition, "best", *_in_kib(best[definition]["bytes"]), proof])
    text = table(["definition", "order", "numbers", "KiB", "what it counts"], rows, right=(2, 3))
    peak = memory(model, "liveness", window, batch).peak
    names = [shortened(name, NAME, 15) for name in peak.tensors]
    rest = [f"and {len(names) - LISTED:,} more"] if len(names) > LISTED + 1 else names[LISTED:]
    last = f"float32; the liveness peak is at {shortened(peak.node, NAME, 15)}: {', '.join([*names[:LISTED], *rest])}"
    return "\n".join([text, *textwrap.wrap(last, WIDTH, subsequent_indent="  ", break_on_hyphens=False)])


def _given_orders(model: Model, window: int, batch: int) -> dict[str, Memory | None]:
    """Every definition; None where a tool's does not speak of a layer."""
    found: dict[str, Memory | None] = {}
    for definition in DEFINITIONS:
        try:
            with _waiting(definition):
                found[definition] = memory(model, definition, window, batch)
        except NumjazError as error:
            note(f"{definition}: {error}")
            found[definition] = None
    return found


def _best_orders(model: Model, window: int, batch: int) -> dict[str, dict[str, Any]]:
    """The least that any order of the nodes needs; a search, so not for nothing."""
    found = {}
    for definition in ORDERED:
        with _waiting(f"{definition}, best order"):
            best = memory(model, definition, window, batch, order="best")
        found[definition] = {"bytes": best.peak_bytes, "proved": best.proved}
    return found


@contextmanager
def _waiting(what: str) -> Iterator[None]:
    """What is being computed, on standard error while it lasts, where that is a terminal."""
    if not sys.stderr.isatty():
        yield
        return
    print(f"\rmemory: {what} …", end="", file=sys.stderr, flush=True)
    try:
        yield
    finally:
        print("\r\033[K", end="", file=sys.stderr, flush=True)


def _sizes_table(model: Model, counted: Count) -> str:
    """1 kB is 1,000 bytes, 1 KiB 1,024."""
    rows = [
        [
            each["what"],
            f"{each['bytes']:,}",
            f"{each['bytes'] / 1000:,.1f}",
            f"{each['bytes'] / 1024:,.1f}",
            each["which"],
        ]
        for each in _sizes(model, counted)
    ]
    return table(["what", "bytes", "kB", "KiB", "which"], rows, right=(1, 2, 3))


def _sizes(model: Model, counted: Count) -> list[dict[str, Any]]:
    """Bytes of the weights alone by dtype, and of files, which are written to know them."""
    found = [
        {"what": f"weights in {dtype}", "bytes": size * n, "which": which}
        for which, n in (("all", counted.parameters), ("trainable", counted.trainable))
        for dtype, size in SIZES.items()
    ]
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for format in FORMATS:
            path = Path(folder) / "model"
            try:
                model.save(path, format)
            except NumjazError as error:
                note(f"{format}: {error}")
                continue
            found.append({"what": f"file: {format}", "bytes": path.stat().st_size, "which": "with a test case"})
    return found


def _in_kib(size: int) -> list[str]:
    return [f"{size // 4:,}", f"{size / 1024:,.1f}"]


def _everything(model: Model, counted: Count, window: int, batch: int) -> dict[str, Any]:
    """All that is counted in no time."""
    held, formulas = _given_orders(model, window, batch), symbolic(model, window)
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
        "formulas": {each.node: str(each.macs) for each in formulas},
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
