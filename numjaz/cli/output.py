"""How commands print: notes on standard error, text that cannot steer a terminal."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from numjaz.doors.output import whole
from numjaz.errors import NumjazError, printable
from numjaz.signal import Batch


def note(text: str) -> None:
    """A line that is about the answer, not the answer."""
    print(f"note: {printable(text)}", file=sys.stderr)


def waiting(what: str) -> None:
    """What is being done, on standard error where that is a terminal; nothing takes the line away again."""
    if sys.stderr.isatty():
        print(f"\r\033[K{printable(what)[:79]}", end="", file=sys.stderr, flush=True)


def check_page(path: str | None) -> None:
    """Raise unless an HTML file may be written there: whatever has another ending may be somebody's input."""
    if path is not None and Path(path).suffix.lower() not in (".html", ".htm"):
        raise NumjazError(f"--html {path!r}: the file's name ends in .html")


def write_page(path: str | None, text: Callable[[], str]) -> None:
    """Write an HTML page where one was asked for, whole or not at all, and say so."""
    if path is not None:
        with whole(path) as beside:
            beside.write_text(text(), encoding="utf-8")
        note(f"{path}: written")


def shown(batches: Iterable[Batch], source: str) -> Iterator[Batch]:
    """The batches, their windows counted on standard error where that is a terminal."""
    terminal, count = sys.stderr.isatty(), 0
    for batch in batches:
        yield batch
        count += len(batch)
        if terminal:
            print(f"\r{printable(source)[-60:]}: {count:,} windows", end="", file=sys.stderr, flush=True)
    if terminal and count:
        print("\r\033[K", end="", file=sys.stderr, flush=True)


def json_line(values: Any) -> str:
    """One line of JSON; a number that is not one becomes null."""
    return json.dumps(_plain(values), allow_nan=False)


def _plain(values: Any) -> Any:
    if isinstance(values, dict):
        return {key: _plain(value) for key, value in values.items()}
    if isinstance(values, (list, tuple)):
        return [_plain(value) for value in values]
    return None if isinstance(values, float) and not math.isfinite(values) else values
