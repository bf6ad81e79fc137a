"""Write a network as one Python file that needs NumPy alone.

The file is made from the engine's own source: it has predict and stream, runs a test case again with --self-test,
and reads recordings as a program.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from numjaz.cli.options import add_file_options, load_file
from numjaz.cli.output import json_line, note
from numjaz.errors import NumjazError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("model", metavar="MODEL|FILE", help="a shipped network or a file")
    parser.add_argument("output", metavar="OUT.py", help="the file to write")
    parser.add_argument("--window", type=int, help="samples a window (default the network's, or 256)")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    add_file_options(parser)


def execute(args: argparse.Namespace) -> int:
    """Run the command."""
    from numjaz.engine.exporting import export

    if args.window is not None and args.window < 1:
        raise NumjazError(f"--window must be 1 or more, not {args.window}")
    model = load_file(args, args.model, builders=True)
    export(model, args.output, args.window)
    size = Path(args.output).stat().st_size
    if args.json:
        print(json_line({"path": args.output, "bytes": size}))
    else:
        note(f"{args.output}: {size:,} bytes written; python {args.output} --self-test runs its test case")
    return 0
