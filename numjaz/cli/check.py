"""Check whether weights mean the same in two places; the exit code is 1 where they do not.

FILE alone re-runs the test case that it carries: every file that numjaz writes carries one, in the formats that have
room for it. FILE OTHER runs both on the same windows, and names the first node at which rounding does not explain the
difference. Each is a model file or a shipped network; one of them may be the .npz of a recorded run, which has windows
of its own.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from typing import Any

import numpy as np

from numjaz.cli.options import add_file_options, load_file
from numjaz.cli.output import check_page, json_line, note, waiting, write_page
from numjaz.compare import compare
from numjaz.compare.divergence import Comparison, excite
from numjaz.compare.pages import comparison_page, parted
from numjaz.compare.runs import is_run
from numjaz.errors import NumjazError, printable
from numjaz.formats.description import by_name, golden_error
from numjaz.model import Model
from numjaz.report import shortened, table
from numjaz.signal import read_recording, windows

READ = 64  # windows of a recording
HIDDEN = 4  # faults that would not show, before the rest is only counted
MANY = 1e6  # units in the last place, from which their number is only told roughly
TOLERANCE = 1e-5  # of the largest output: float32 rounding is some 1e-7


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("model", metavar="FILE", help="a model file, or a shipped network")
    parser.add_argument("other", metavar="OTHER", nargs="?", help="what to compare it with")
    add_file_options(parser)
    parser.add_argument(
        "--with",
        dest="framework",
        metavar="NAME",
        help="compare with the same file run by keras, torch or onnxruntime, in an interpreter of its own",
    )
    parser.add_argument("--python", metavar="PATH", default=sys.executable, help="that interpreter (default: this one)")
    parser.add_argument(
        "--factory", metavar="MODULE:FUNCTION", default="", help="what makes the torch module of a state dict"
    )
    parser.add_argument(
        "--input",
        metavar="FILE",
        help="windows (N, T, F) in .npy to run both on, or a recording (default: made, to excite every unit)",
    )
    parser.add_argument("--html", metavar="FILE", help="write a report too: one HTML file that needs nothing else")
    parser.add_argument("--json", action="store_true", help="one JSON object")


def execute(args: argparse.Namespace) -> int:
    """Run the command."""
    check_page(args.html)
    if args.framework is not None:
        return _told(args, _served(args))
    if args.other is None:
        if args.input is not None or args.html is not None:
            raise NumjazError("--input and --html go with two networks; one is checked with the test case it carries")
        return _carried(args, _network(args))
    return _told(args, _beside(args))


def _network(args: argparse.Namespace) -> Model:
    """FILE, where it has to be a network."""
    if is_run(args.model):
        raise NumjazError(f"{args.model}: a recorded run, not a network; name the network to compare it with")
    return load_file(args, args.model)


def _beside(args: argparse.Namespace) -> Comparison:
    """FILE and OTHER; what the options say of a file of weights goes for the network where one is a recording."""
    recorded = [path for path in (args.model, args.other) if is_run(path)]
    if recorded and args.input is not None:
        raise NumjazError(f"--input: {recorded[0]} is a recording, with inputs of its own")
    if args.model in recorded:
        return compare(args.model, args.other if args.other in recorded else load_file(args, args.other))
    model = load_file(args, args.model)
    return compare(model, args.other, _windows(args.input, model) if args.input else None)


def _served(args: argparse.Namespace) -> Comparison:
    """FILE in numjaz and in a framework."""
    if args.other is not None:
        raise NumjazError("--with takes the place of OTHER")
    from numjaz.frameworks.serve import dtype_there, served

    model = _network(args)
    dtype = dtype_there(model)
    given = {model.inputs[0]: _windows(args.input, model)} if args.input else excite(model)
    if any(array.dtype != dtype for array in given.values()) and args.input:
        note(f"--input {args.input}: run as {dtype}, in which {args.framework} has the network")
    given = {name: array.astype(dtype) for name, array in given.items()}
    waiting(f"{args.framework} is started in {args.python} …")
    try:
        run = served(
            args.framework,
            model,
            given,
            path=args.model,
            architecture=args.architecture,
            key=args.key,
            factory=args.factory,
            python=args.python,
        )
        waiting("the two are compared …")
        return compare(model, run)
    finally:
        waiting("")


def _told(args: argparse.Namespace, found: Comparison) -> int:
    write_page(args.html, lambda: comparison_page(args.model, found))
    for own, there in found.matched.items():
        note(f"{own} is compared with {there}")
    if found.unmatched:
        note(f"not recorded on the other side: {', '.join(found.unmatched)}")
    if args.json:
        print(json_line(_plain(found)))
    else:
        print(_text(found))
    return 0 if found.agree else 1


def _windows(path: str, model: Model) -> Any:
    """Windows as they are, or the first of a recording."""
    if not path.endswith(".npy"):
        if model.contract is None:
            raise NumjazError(
                f"--input {path}: the network does not say what it expects of a recording; give windows in .npy"
            )
        batch = next(iter(windows(read_recording(path), model.contract).batches(READ)), None)
        if batch is None:
            raise NumjazError(f"--input {path}: holds no window of {model.contract.window} samples")
        return batch.x
    try:
        x = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise NumjazError(f"--input {path}: not readable as .npy ({' '.join(str(error).split())[:100]})") from None
    if not isinstance(x, np.ndarray) or x.dtype not in (np.float32, np.float64):
        raise NumjazError(f"--input {path}: holds no array of float32 or float64")
    return x


def _text(found: Comparison) -> str:
    rows = [
        [
            shortened(each.name, 30, 12),
            f"{each.max_abs:.1e}",
            f"{each.ulp:,.0f}" if each.ulp < MANY else f"{each.ulp:.0e}",
            *(f"{n:.1e}" for n in (each.isolated, each.expected, each.bound)),
            each.verdict,
        ]
        for each in found.nodes
    ]
    titles = ["output", "differs", "in ulp", "by itself", "rounding: likely", "at most", "so it is"]
    text = table(titles, rows, right=(1, 2, 3, 4, 5))
    first = found.first
    if first is None:
        return "\n".join([text, *_hidden(found), "the two agree: rounding explains every difference"])
    place = ", ".join(f"{axis} {k}" for axis, k in zip(("window", "time", "channel"), first.where, strict=False))
    lines = [text, f"the two part in {parted(first)}{', at ' + place if place else ''}"]
    for fault in found.faults:
        lines += [] if fault is found.faults[0] else [f"{fault.node} has a fault of its own"]
        lines.append(f"cause: {fault.cause}")
        lines += [f"fix: {fault.fix}"] if fault.fix else []
        lines += [f"or, as these inputs do not tell: {other}" for other in fault.others]
        lines.append(f"evidence: {fault.evidence}; confidence {fault.confidence:.2g}")
    return "\n".join(lines)


def _hidden(found: Comparison) -> list[str]:
    """Known faults that would be rounding for these inputs, and where."""
    nodes: dict[str, list[str]] = {}
    for node, cause in found.undetectable:
        nodes.setdefault(cause, []).append(node)
    places = {cause: shortened(", ".join(where), 40) for cause, where in nodes.items()}
    lines = [f"these inputs would not show: {cause} ({where})" for cause, where in places.items()]
    rest = len(lines) - HIDDEN
    return lines if rest <= 0 else [*lines[:HIDDEN], f"nor {rest} other faults (--json names them)"]


def _plain(found: Comparison) -> dict[str, Any]:
    faults = [{**asdict(fault), "others": list(fault.others)} for fault in found.faults]
    return {
        "agree": found.agree,
        "node": found.node,
        "cause": found.cause,
        "fix": found.fix,
        "faults": faults,
        "undetectable": [{"node": node, "cause": cause} for node, cause in found.undetectable],
        "nodes": [{**asdict(each), "verdict": each.verdict} for each in found.nodes],
        "matched": dict(found.matched),
        "unmatched": list(found.unmatched),
    }


def _carried(args: argparse.Namespace, model: Model) -> int:
    """The test case that the file carries."""
    errors = golden_error(model)
    if errors is None or model.golden is None:
        raise NumjazError(f"{args.model}: carries no test case; `numjaz convert` writes a file that does")
    expected = by_name(model.golden.y, model.outputs)
    nodes: list[dict[str, Any]] = [
        {
            "name": name,
            "max_abs": error,
            "bound": TOLERANCE * max(1.0, float(np.abs(expected[name]).max(initial=0.0))),
            "inherited": False,
        }
        for name, error in errors.items()
    ]
    wrong = [node["name"] for node in nodes if not node["max_abs"] <= node["bound"]]
    if args.json:
        first = wrong[0] if wrong else None
        cause = "unknown" if wrong else None
        print(json_line({"agree": not wrong, "node": first, "cause": cause, "fix": None, "nodes": nodes}))
    else:
        rows = [[printable(node["name"]), f"{node['max_abs']:.1e}", f"{node['bound']:.1e}"] for node in nodes]
        print(table(["output", "largest difference", "rounding is at most"], rows, right=(1, 2)))
        print("the test case " + ("gives other outputs than when it was written" if wrong else "agrees"))
    return 1 if wrong else 0
