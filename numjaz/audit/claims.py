"""A paper's claims: cells of its tables and numbers of its text, as a TOML file states them."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from numjaz.audit.growth import degrees_of
from numjaz.audit.printed import Printed, bare_number, printed_number
from numjaz.doors.regular import open_regular
from numjaz.errors import NumjazError

MAX_BYTES = 1 << 20
NOTHING = ("-", "–", "—")  # printed: a cell that is only computed, for a ratio
QUANTITIES = {
    "macs": "multiply-accumulates, by the convention that is assumed",
    "flops": "twice that",
    "parameters": "parameters, frozen statistics counted",
    "trainable": "parameters that training moves",
    "model_bytes": "the parameters in bytes",
    "file_bytes": "a file in bytes, in the format that is assumed; without one only printed, for a ratio",
    "peak_bytes": "activation memory, by the definition that is assumed",
    "activations": "numbers in the tensors that are assumed to be counted, or their bytes",
    "windows": "windows of so many samples: needs samples, window, hop",
    "quoted": "another paper's number, or a measured one: only printed, for a ratio",
    "ratio": "of two other cells: needs of = [id, id]; with unit % how much less one is than the other",
    "sum": "of what other cells print: needs of = [id, id, …]",
    "growth": 'a formula in O(…): needs symbols = { T = "window", … }, what each symbol is among the options',
}
"""What a cell can state."""
BYTES: dict[str, float] = {
    "B": 1,
    "kB": 1e3,
    "KB": 1e3,
    "MB": 1e6,
    "GB": 1e9,
    "bytes": 1,
    "KiB": 1024,
    "MiB": 1024**2,
    "GiB": 1024**3,
}
PLAIN = ("MACs", "FLOPs", "parameters", "numbers", "floats", "windows", "x", "×", "")
UNITS: dict[str, float | Fraction] = {**dict.fromkeys(PLAIN, 1), **BYTES, "ms": 1, "s": 1, "%": Fraction(1, 100)}
"""What a printed number is multiplied by. KB may mean KiB as well, and MB MiB: that is an assumption."""
FITTING: dict[str, tuple[str, ...]] = {
    "macs": ("MACs", "FLOPs", ""),  # many a paper calls multiply-accumulates FLOPs
    "flops": ("FLOPs", "MACs", ""),
    "parameters": ("parameters", "numbers", "floats", ""),
    "trainable": ("parameters", "numbers", "floats", ""),
    **dict.fromkeys(("model_bytes", "file_bytes", "peak_bytes"), tuple(BYTES)),
    "activations": ("numbers", "floats", "", *BYTES),
    "windows": ("windows", "numbers", ""),
    "ratio": ("x", "×", "%", ""),
    "growth": ("",),
}
"""The units that fit a quantity; any fits a quoted number and a sum."""
COUNTED = ("macs", "flops", "parameters", "trainable", "activations", "windows", "sum")


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
    symbols: Mapping[str, str] = field(default_factory=dict)
    samples: int = 0
    window: int = 0
    hop: int = 0

    @property
    def number(self) -> Printed:
        """The printed number in plain units; `NumjazError` for a formula."""
        counted = self.quantity in COUNTED or self.unit == "B"
        return printed_number(bare_number(self.printed, self.unit), UNITS[self.unit], counted)


@dataclass(frozen=True)
class Paper:
    """What a claims file states."""

    title: str
    doi: str
    cells: tuple[Cell, ...]


def read_claims(path: str | Path) -> Paper:
    """Read a claims file.

    Raises
    ------
    NumjazError
        One line that names the file's line and key: not TOML, a key that is not known, one that is missing, a value of
        the wrong kind, a cell that stands twice.
    """
    with open_regular(path) as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise NumjazError(f"{path}: at most {MAX_BYTES:,} bytes of claims are read, and there are more")
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
    **{"options": dict, "may_vary": list, "of": list, "symbols": dict, "samples": int, "window": int, "hop": int},
}
KINDS = {str: "text in quotes", int: "a whole number", list: "a list", dict: "a table { … }"}
REQUIRED = ("id", "where", "quantity", "printed", "unit")
LONGEST = {"id": 60, "where": 120, "printed": 120}


def _checked(
    held: Mapping[str, Any], what: str, line: int, text: str, kinds: Mapping[str, type], required: tuple[str, ...]
) -> Mapping[str, Any]:
    for key, value in held.items():
        at = _line(text, key, line)
        if key not in kinds:
            raise NumjazError(f"line {at}: key {key!r:.40} of {what} is not one of {', '.join(kinds)}")
        if type(value) is not kinds[key]:
            raise NumjazError(f"line {at}: key {key!r} of {what} must be {KINDS[kinds[key]]}, not {value!r:.40}")
        if isinstance(value, list) and not all(isinstance(entry, str) for entry in value):
            raise NumjazError(f"line {at}: key {key!r} of {what} must be a list of texts")
        if isinstance(value, dict) and not all(_plain(entry) for entry in value.values()):
            wrong = next(name for name, entry in value.items() if not _plain(entry))
            raise NumjazError(
                f"line {at}: key {key!r} of {what}: {wrong!r:.40} is neither text, a number nor true or false"
            )
    for key in required:
        if key not in held:
            raise NumjazError(f"line {line}: {what} lacks the key {key!r}")
    return held


def _plain(value: Any) -> bool:
    return isinstance(value, (str, bool, int)) or (isinstance(value, float) and math.isfinite(value))


def _cell(held: Mapping[str, Any], head: Mapping[str, Any], line: int, text: str) -> Cell:
    quantity = held["quantity"]

    def wrong(key: str, why: str) -> NumjazError:
        return NumjazError(f"line {_line(text, key, line)}: key {key!r}: {why}")

    for key, most in LONGEST.items():
        if not held[key].strip() or len(held[key]) > most:
            raise wrong(key, f"must have 1 to {most} characters")
    for key, known in (("quantity", QUANTITIES), ("unit", UNITS)):
        if held[key] not in known:
            raise wrong(key, f"{held[key]!r:.40} is not one of {', '.join(filter(None, known))}")
    fitting = FITTING.get(quantity, tuple(UNITS))
    if held["unit"] not in fitting:
        units = ", ".join(filter(None, fitting)) or "none"
        raise wrong("unit", f"{held['unit']!r} is no unit of {quantity}; its units are {units}")
    try:
        if quantity == "growth":
            degrees_of(held["printed"])
        elif held["printed"] not in NOTHING:
            printed_number(bare_number(held["printed"], held["unit"]))
    except NumjazError as error:
        raise wrong("printed", str(error)) from None
    if quantity == "growth" and (not held.get("symbols") or not all(type(v) is str for v in held["symbols"].values())):
        raise NumjazError(f'line {line}: a growth needs symbols = {{ T = "window", … }}')
    if quantity == "ratio" and len(held.get("of", ())) != 2:
        raise NumjazError(f"line {line}: a ratio needs of = [id, id]")
    if quantity == "sum" and len(held.get("of", ())) < 2:
        raise NumjazError(f"line {line}: a sum needs of = [id, id, …]")
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
