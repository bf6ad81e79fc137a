"""A paper's claims: cells of its tables and numbers of its text, as a TOML file states them."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from numjaz.errors import NumjazError

MAX_BYTES = 1 << 20
QUANTITIES = {
    "macs": "multiply-accumulates, by the convention that is assumed",
    "flops": "twice that",
    "parameters": "parameters, frozen statistics counted",
    "trainable": "parameters that training moves",
    "model_bytes": "the parameters in bytes",
    "file_bytes": "a file in bytes: only printed, for a ratio",
    "peak_bytes": "activation memory, by the definition that is assumed",
    "activations": "numbers in the tensors that are assumed to be counted",
    "windows": "windows of so many samples: needs samples, window, hop",
    "quoted": "another paper's number, or a measured one: only printed, for a ratio",
    "ratio": "of two other cells: needs of = [id, id]",
}
"""What a cell can state."""
COUNTED = ("macs", "flops", "parameters", "trainable", "activations", "windows")
UNITS: dict[str, float] = {
    **dict.fromkeys(("MACs", "FLOPs", "parameters", "numbers", "floats", "windows", "x", "×", ""), 1),
    **{"B": 1, "kB": 1e3, "KB": 1e3, "MB": 1e6, "KiB": 1024, "MiB": 1024**2, "ms": 1, "s": 1, "%": 0.01},
}
"""What a printed number is multiplied by. KB may mean KiB as well, and MB MiB: that is an assumption."""
NUMBER = re.compile(r"\s*(≈|~|about)?\s*([\d,]*\.?\d+)(?:\s*[–-]\s*([\d,]*\.?\d+))?\s*([KMG]?)\s*(\D*)$")


class Printed(NamedTuple):
    """A printed number and what its digits leave open; ``whole`` where every digit is there."""

    value: float
    low: float
    high: float
    whole: bool


@dataclass(frozen=True)
class Cell:
    """One claim."""

    id: str
    where: str
    quantity: str
    printed: str
    unit: str
    model: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    may_vary: tuple[str, ...] = ()
    of: tuple[str, ...] = ()
    samples: int = 0
    window: int = 0
    hop: int = 0

    @property
    def number(self) -> Printed:
        """The printed number in plain units."""
        return printed_number(self.printed, UNITS[self.unit], counted=self.quantity in COUNTED)


@dataclass(frozen=True)
class Paper:
    """What a claims file states."""

    title: str
    doi: str
    cells: tuple[Cell, ...]


def printed_number(text: str, unit: float = 1, counted: bool = True) -> Printed:
    """What a paper prints, as a number and the numbers that its digits stand for.

    Where something is ``counted`` and neither ``≈`` nor K, M or a decimal stands there, the number is whole.

    Examples
    --------
    >>> printed_number("6.96M")
    Printed(value=6960000.0, low=6955000.0, high=6965000.0, whole=False)
    >>> printed_number("28,232").whole
    True
    >>> printed_number("22–23×")[:3]
    (22.5, 22.0, 23.0)
    """
    found = NUMBER.match(text)
    if not found or not re.search(r"\d", text):
        raise NumjazError(f"printed {text!r:.40} is no number")
    about, first, second, scale, _ = found.groups()
    times = {"": 1, "K": 1e3, "M": 1e6, "G": 1e9}[scale] * unit
    low = float(first.replace(",", "")) * times
    high = float(second.replace(",", "")) * times if second else low
    decimals = len(first.partition(".")[2])
    whole = counted and not (about or second or scale or decimals or unit != 1)
    open_digits = 0 if whole or second else 0.5 * 10**-decimals * times
    return Printed((low + high) / 2, low - open_digits, high + open_digits, whole)


def read_claims(path: str | Path) -> Paper:
    """Read a claims file.

    Raises
    ------
    NumjazError
        One line that names the file's line and key: not TOML, a key that is not known, one that is missing, a value of
        the wrong kind, a cell that stands twice.
    """
    source = Path(path)
    try:
        data = source.read_bytes()
    except OSError as error:
        raise NumjazError(f"{path}: {error.strerror or error}") from None
    if len(data) > MAX_BYTES:
        raise NumjazError(f"{path}: {len(data):,} bytes of claims; at most {MAX_BYTES:,} are read")
    try:
        text = data.decode("utf-8-sig")
        values = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise NumjazError(f"{path}: not readable as TOML ({' '.join(str(error).split())[:160]})") from None
    try:
        return _paper(values, text)
    except NumjazError as error:
        raise NumjazError(f"{path}: {error}") from None


def _paper(values: Mapping[str, Any], text: str) -> Paper:
    unknown = sorted(set(values) - {"paper", "cell"})
    if unknown:
        raise NumjazError(f"line {_line(text, unknown[0])}: {unknown[0]!r:.40} is neither [paper] nor [[cell]]")
    about, cells = values.get("paper"), values.get("cell", [])
    if not isinstance(about, dict) or not isinstance(cells, list) or not cells:
        raise NumjazError("needs a [paper] and at least one [[cell]]")
    head = _checked(about, "[paper]", _header(text, "[paper]", 0), text, PAPER, ("title",))
    made: dict[str, Cell] = {}
    for k, cell in enumerate(cells):
        line = _header(text, "[[cell]]", k)
        if not isinstance(cell, dict):
            raise NumjazError(f"line {line}: a [[cell]] is a table")
        held = _checked(cell, f"cell {cell.get('id', k + 1)!r:.40}", line, text, CELL, REQUIRED)
        made_cell = _cell(held, head, line, text)
        if made_cell.id in made:
            raise NumjazError(f"line {line}: two cells have the id {made_cell.id!r:.40}")
        made[made_cell.id] = made_cell
    for k, each in enumerate(made.values()):
        for other in each.of:
            if other not in made or made[other].of:
                line = _line(text, "of", _header(text, "[[cell]]", k))
                raise NumjazError(f"line {line}: key 'of': no cell {other!r:.40} that is no ratio itself")
    return Paper(head["title"], head.get("doi", ""), tuple(made.values()))


PAPER: dict[str, type] = {"title": str, "doi": str, "url": str, "model": str, "options": dict, "may_vary": list}
CELL: dict[str, type] = {
    **dict.fromkeys(("id", "where", "quantity", "printed", "unit", "model"), str),
    **{"options": dict, "may_vary": list, "of": list, "samples": int, "window": int, "hop": int},
}
REQUIRED = ("id", "where", "quantity", "printed", "unit")


def _checked(
    held: Mapping[str, Any], what: str, line: int, text: str, kinds: Mapping[str, type], required: tuple[str, ...]
) -> Mapping[str, Any]:
    for key, value in held.items():
        at = _line(text, key, line)
        if key not in kinds:
            raise NumjazError(f"line {at}: key {key!r:.40} of {what} is not one of {', '.join(kinds)}")
        if type(value) is not kinds[key]:
            raise NumjazError(f"line {at}: key {key!r} of {what} must be a {kinds[key].__name__}, not {value!r:.40}")
        if isinstance(value, list) and not all(isinstance(entry, str) for entry in value):
            raise NumjazError(f"line {at}: key {key!r} of {what} must be a list of texts")
        if isinstance(value, dict) and not all(_plain(entry) for entry in value.values()):
            raise NumjazError(f"line {at}: key {key!r} of {what} holds a number that is none, or a table")
    for key in required:
        if key not in held:
            raise NumjazError(f"line {line}: {what} lacks the key {key!r}")
    return held


def _plain(value: Any) -> bool:
    return isinstance(value, (str, bool, int)) or (isinstance(value, float) and math.isfinite(value))


def _cell(held: Mapping[str, Any], head: Mapping[str, Any], line: int, text: str) -> Cell:
    quantity = held["quantity"]
    for key, known in (("quantity", QUANTITIES), ("unit", UNITS)):
        if held[key] not in known:
            at = _line(text, key, line)
            raise NumjazError(f"line {at}: key {key!r}: {held[key]!r:.40} is not one of {', '.join(known)}")
    try:
        printed_number(held["printed"])
    except NumjazError as error:
        raise NumjazError(f"line {_line(text, 'printed', line)}: key 'printed': {error}") from None
    if quantity == "ratio" and len(held.get("of", ())) != 2:
        raise NumjazError(f"line {line}: a ratio needs of = [id, id]")
    if quantity == "windows" and not all(held.get(key, 0) > 0 for key in ("samples", "window", "hop")):
        raise NumjazError(f"line {line}: windows need samples, window and hop, each 1 or more")
    values: dict[str, Any] = {k: tuple(value) if isinstance(value, list) else value for k, value in held.items()}
    values["options"] = {**head.get("options", {}), **held.get("options", {})}
    values.setdefault("model", head.get("model", ""))
    values["may_vary"] = tuple(dict.fromkeys([*values.get("may_vary", ()), *head.get("may_vary", ())]))
    return Cell(**values)


def _header(text: str, header: str, k: int) -> int:
    """The line of the k-th table of this name, from 1."""
    lines = [n for n, line in enumerate(text.splitlines(), start=1) if line.strip().startswith(header)]
    return lines[k] if k < len(lines) else 1


def _line(text: str, key: str, start: int = 1) -> int:
    """The first line from one on that sets a key."""
    for n, line in enumerate(text.splitlines()[start - 1 :], start=start):
        if re.match(rf"\s*(\[\[?)?\s*[\"']?{re.escape(key)}[\"']?\s*[=\]]", line):
            return n
    return start
