"""The command ``numjaz``: one file a subcommand; the only room that prints.

Exit codes: 0 yes, 1 ran and the answer is no, 2 cannot (one line on standard error).
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from pathlib import Path
from typing import Any, NoReturn

from numjaz.cli import (
    audit,
    bench,
    check,
    convert,
    count,
    export,
    info,
    models,
    personalise,
    run,
    score,
    train,
    transfer,
)
from numjaz.cli.options import Parser
from numjaz.cli.output import note
from numjaz.errors import NumjazError, NumjazWarning, printable

COMMANDS = (run, score, train, transfer, personalise, models, info, count, audit, check, convert, export, bench)


def main(argv: list[str] | None = None) -> int:
    """Run one command; the exit code."""
    for name in ("stdout", "stderr"):  # closed by whoever started this: what is printed goes nowhere
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always", NumjazWarning)
            warnings.showwarning = _show_warning  # type: ignore[assignment]
            args = _parser().parse_args(argv)
            args.command = list(sys.argv[1:] if argv is None else argv)
            code = int(args.execute(args))
            sys.stdout.flush()
            return code
    except NumjazError as error:
        print(f"numjaz: {printable(str(error))}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as interrupt:
        print(": ".join(("numjaz: interrupted", *map(str, interrupt.args))), file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader, `head` say, has what it wanted
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except MemoryError:
        print("numjaz: out of memory", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"numjaz: {error.strerror or error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="numjaz", description="Neural networks for wearable sensors, in plain NumPy.")
    parser.add_argument("--version", action=_Version, nargs=0, help="print numjaz, NumPy, BLAS and CPU, and exit")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        name = command.__name__.rpartition(".")[2]
        description = (command.__doc__ or "").strip()
        sub = commands.add_parser(
            name,
            help=description.splitlines()[0],
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_arguments(sub)
        sub.set_defaults(execute=command.execute)
    return parser


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *args: Any, **kwargs: Any) -> NoReturn:
        from numjaz.cli.version import version_text

        print(version_text())
        parser.exit()


def _show_warning(message: Warning | str, category: type[Warning], *args: Any) -> None:
    if issubclass(category, NumjazWarning):
        note(str(message))
