"""Re-run the test case that a model file carries; the exit code is 1 where the outputs differ.

Every file that numjaz writes carries one, in the formats that have room for it.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from numjaz.cli.options import add_file_options, load_file
from numjaz.cli.output import json_line
from numjaz.errors import NumjazError, printable
from numjaz.formats.description import by_name, golden_error
from numjaz.report import table

TOLERANCE = 1e-5  # of the largest output: float32 rounding is some 1e-7


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("model", metavar="FILE", help="a model file")
    add_file_options(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object")


def execute(args: argparse.Namespace) -> int:
    """Run the command."""
    model = load_file(args, args.model)
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
