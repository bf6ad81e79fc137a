"""JSON that came in a file: bounded, and with nothing that two readers could read differently."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from numjaz.errors import NumjazError

MAX_JSON = 16 << 20  # bytes
MAX_DEPTH = 64
MAX_VALUES = 250_000  # a list of three letters takes a hundred bytes


def parse_json(text: str | bytes, where: str) -> Any:
    """Parse JSON; duplicate keys, NaN, infinities and endless nesting are refused, naming ``where``."""
    if len(text) > MAX_JSON:
        raise NumjazError(f"{where}: {len(text):,} bytes of JSON; at most {MAX_JSON:,} are read")
    if sum(text.count(mark) if isinstance(text, str) else text.count(mark.encode()) for mark in "[{,") > MAX_VALUES:
        raise NumjazError(f"{where}: JSON of over {MAX_VALUES:,} values is not read")

    def constant(name: str) -> NoReturn:
        raise ValueError(f"{name} is not JSON")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        values = dict(pairs)
        if len(values) != len(pairs):
            raise ValueError("a key stands twice")
        return values

    try:
        values = json.loads(text, parse_constant=constant, object_pairs_hook=unique)
        if _deeper(values, MAX_DEPTH):
            raise RecursionError
        return values
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
        reason = "nested too deep" if isinstance(error, RecursionError) else " ".join(str(error).split())[:160]
        raise NumjazError(f"{where}: not readable as JSON ({reason})") from None


def _deeper(values: Any, depth: int) -> bool:
    """Whether lists and objects stand in one another more than ``depth`` deep."""
    level = [values]
    for _ in range(depth + 1):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return False
    return True


def _inside(values: Any) -> list[Any]:
    return list(values.values()) if isinstance(values, dict) else values if isinstance(values, list) else []
