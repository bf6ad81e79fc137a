"""Write a model in another format: numjaz's own, Keras's, torch's, safetensors, NumPy's, ONNX.

The ending of OUT says the format; --to says it where the ending does not (keras2 for Keras 2's .h5).
What the format cannot hold is said before it is written. The written file is read back, where numjaz
reads that format, and its test case run again.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from numjaz.cli.check import TOLERANCE
from numjaz.cli.options import add_file_options, load_file, parsed_names
from numjaz.errors import NumjazError
from numjaz.formats import load
from numjaz.formats.description import golden_error
from numjaz.formats.saving import FORMATS, format_of, save


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("model", metavar="IN", help="a shipped network or a file")
    parser.add_argument("out", metavar="OUT", help="the file to write")
    parser.add_argument("--to", choices=FORMATS, help="the format, where the ending of OUT does not say it")
    parser.add_argument(
        "--out-names",
        metavar="NODE=MODULE,…",
        help="what a torch state dict is to call nodes, where not by their names",
    )
    add_file_options(parser)


def execute(args: argparse.Namespace) -> int:
    """Run the command."""
    model = load_file(args, args.model)
    kind = args.to or format_of(args.out)
    out, given = Path(args.out), Path(args.model)
    if out.exists() and given.exists() and out.samefile(given):
        raise NumjazError(
            f"{args.out}: is the file that is read; what a framework keeps beside the network would be lost"
        )
    save(model, args.out, kind, names=parsed_names(args.out_names, "--out-names"))
    size = f"{args.out}: {Path(args.out).stat().st_size:,} bytes, {kind}"
    if kind == "onnx":
        print(f"{size}; numjaz does not read ONNX, so the test case was not run again")
        return 0
    errors = golden_error(load(args.out))
    if errors is None:
        raise NumjazError(f"{args.out}: written without its test case")
    worst = max(errors.values())
    print(f"{size}; test case re-run, largest difference {worst:.1e}")
    return 0 if worst <= TOLERANCE else 1
