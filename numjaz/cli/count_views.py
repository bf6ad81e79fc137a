"""What ``numjaz count`` prints: the tables, and what they are made of."""

from __future__ import annotations

import sys
import tempfile
import textwrap
import warnings
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from numjaz.audit import CONVENTIONS, DEFINITIONS, Count, Memory, count, differences, memory, scratch
from numjaz.audit.conventions import NAMES
from numjaz.audit.inventory import SIZES
from numjaz.audit.memory import ORDERED
from numjaz.audit.symbols import symbolic
from numjaz.cli.output import note
from numjaz.errors import NumjazError
from numjaz.formats.saving import FORMATS
from numjaz.layers import ELEMENTARY
from numjaz.model import Model
from numjaz.report import shortened, table

WIDTH = 100  # columns of what is printed
NAME = 40  # characters of a node's name, in tables
SCRATCH = {
    "projections": "a recurrent layer's input projections, where all are computed ahead",
    "im2col": "a convolution's samples tap by tap, where it is one product",
}
LISTED = 12  # tensors at the peak; where there are more, how many


def nodes(counted: Count, window: int, batch: int, form: str) -> str:
    """Every node: shapes, parameters, multiply-accumulates."""
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


def conventions(model: Model, window: int, batch: int, form: str) -> dict[str, int | None]:
    """Every convention's number; None where its tool's twin has no module for a layer."""
    found: dict[str, int | None] = {}
    for name in NAMES:
        try:
            found[name] = count(model, name, window, batch=batch, form=form).macs
        except NumjazError as error:
            note(f"{name}: {error}")
            found[name] = None
    return found


def side_by_side(model: Model, window: int, batch: int, form: str) -> str:
    """What each tool prints, and where its number comes from."""
    found = conventions(model, window, batch, form)
    rows = [["matmul", "matrix products", f"{found['matmul']:,}", "multiply-accumulates"]]
    lines, forgotten = [], []
    for name, table_of in CONVENTIONS.items():
        number = found[name]
        if number is not None:
            rows.append([name, table_of.tool, f"{number:,}", table_of.prints])
            forgotten += [[name, table_of.forgets]] if table_of.forgets else []
            if table_of.scale != 1:
                more = (table_of.scale - 1) * (found["matmul"] or 0)
                lines.append([name, f"{more:+,}", "all", f"{table_of.scale} a multiply-accumulate"])
            for kind, calls, matmul, counted, why in differences(name, model, window, batch, form):
                lines.append([name, f"{counted - matmul:+,}", f"{kind} ({calls})", why])
    text = _wrapped(["convention", "tool", "prints", "called"], rows, right=(2,))
    reasons = _wrapped(["convention", "more", "calls", "because"], lines, right=(1,))
    twin = "the canonical torch twin" if form == "twin" else f"a torch twin with {form}"
    last = f"of {twin}; for another form (--form) a tool prints other numbers"
    never = _wrapped(["convention", "forgets in any network, and where users met it"], forgotten, right=())
    return "\n".join([text, "", reasons, *textwrap.wrap(last, WIDTH), "", never])


def formulas(model: Model, window: int, counted: Count) -> str:
    """Multiply-accumulates and parameters of each node in its own symbols."""
    rows = []
    for found in symbolic(model, window):
        where = " ".join(f"{symbol}={n}" for symbol, n in found.values.items() if symbol != "T")
        here = [f"{formula.at(found.values):,}" for formula in (found.macs, found.parameters)]
        rows.append([found.node, str(found.macs), str(found.parameters), where, *here])
    header = ["node", "MACs", "parameters", "where", "MACs", "parameters"]
    room = min(max(_room(header, rows, 0), 16), NAME)
    text = table(header, [[shortened(node, room, 15), *rest] for node, *rest in rows], right=(4, 5))
    symbols = f"T = {window:,} samples, F features, C channels read"
    last = f"{counted.macs:,} MACs in all; {symbols}; no parameter has a T: the weights do not grow with the window"
    return "\n".join([text, *textwrap.wrap(last, WIDTH)])


def operations(counted: Count) -> str:
    """All that is computed, by kind."""
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


def held(model: Model, window: int, batch: int) -> str:
    """Activation memory by every definition, and which tensors make its peak."""
    given, best = given_orders(model, window, batch), best_orders(model, window, batch)
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
    lines = [last]
    for kind, what in SCRATCH.items():
        wanted = {node: sizes[kind] for node, sizes in scratch(model, window, batch).items() if kind in sizes}
        if wanted:
            most = max(wanted, key=wanted.__getitem__)
            size, name = wanted[most], shortened(most, NAME, 15)
            lines.append(f"beside them {what}: {size // 4:,} numbers, {size / 1024:,.1f} KiB, at {name}")
    wrapped = [
        part for line in lines for part in textwrap.wrap(line, WIDTH, subsequent_indent="  ", break_on_hyphens=False)
    ]
    return "\n".join([text, *wrapped])


def given_orders(model: Model, window: int, batch: int) -> dict[str, Memory | None]:
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


def best_orders(model: Model, window: int, batch: int) -> dict[str, dict[str, Any]]:
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


def sizes_table(model: Model, counted: Count) -> str:
    """1 kB is 1,000 bytes, 1 KiB 1,024."""
    rows = [
        [
            each["what"],
            f"{each['bytes']:,}",
            f"{each['bytes'] / 1000:,.1f}",
            f"{each['bytes'] / 1024:,.1f}",
            each["which"],
        ]
        for each in sizes(model, counted)
    ]
    return table(["what", "bytes", "kB", "KiB", "which"], rows, right=(1, 2, 3))


def sizes(model: Model, counted: Count) -> list[dict[str, Any]]:
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
