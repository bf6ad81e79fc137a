"""Counting conventions: which operations make the number that is called MACs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numjaz.errors import NumjazError
from numjaz.layers import Operations

CONVENTIONS: dict[str, Callable[[Operations], Any]] = {
    "matmul": lambda operations: operations.total_macs,
}
"""What each convention makes of a node's operations."""


def convention_named(name: str) -> Callable[[Operations], Any]:
    """A convention by its name; `NumjazError` lists them."""
    if name not in CONVENTIONS:
        raise NumjazError(f"convention {name!r:.60} is not one of {', '.join(CONVENTIONS)}")
    return CONVENTIONS[name]
