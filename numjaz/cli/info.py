"""Print what a model file holds: nodes, classes, input contract, where the weights come from.

Where the file carries a golden test case it is run again; the exit code is 1 where it fails.
"""

from __future__ import annotations

import argparse
from typing import Any

from numjaz.cli.check import TOLERANCE
from numjaz.cli.options import add_file_options, load_file
from numjaz.cli.output import json_line, note
from numjaz.errors import printable
from numjaz.formats.description import describe, golden_error


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("model", metavar="MODEL|FILE", help="a shipped network or a file")
    add_file_options(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object")


def execute(args: argparse.Namespace) -> int:
    """Run the command."""
    model = load_file(args, args.model)
    errors = golden_error(model)
    error = max(errors.values()) if errors is not None else None
    if args.json:
        sizes = {name: list(array.shape) for name, array in model.parameters.items()}
        print(json_line({**describe(model), "parameters": sizes, "golden_error": error}))
    else:
        print(model.summary())
        if model.classes:
            print(f"\nclasses     {', '.join(model.classes)}")
        if model.contract:
            for key, value in model.contract.to_dict().items():
                if value not in (None, ""):
                    print(f"{key:<11} {', '.join(map(str, value)) if isinstance(value, (list, tuple)) else value}")
        for key, value in model.provenance.items():
            print(f"{key:<11} {printable(_short(value))}")
        print("golden      " + ("none in the file" if error is None else f"re-run, largest difference {error:.1e}"))
    if error is not None and not error <= TOLERANCE:
        note(f"the golden test case fails: the largest difference is {error:.1e}, at most {TOLERANCE:.0e} is rounding")
        return 1
    return 0


def _short(value: Any) -> str:
    text = json_line(value) if isinstance(value, (dict, list)) else str(value)
    return text if len(text) <= 86 else text[:83] + "..."
