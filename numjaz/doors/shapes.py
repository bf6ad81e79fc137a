"""Shapes that came in a file: how many elements they declare, exactly."""

from __future__ import annotations

import math
from typing import Any

MAX_DIMENSIONS = 32  # NumPy 1's
MAX_ELEMENTS = 1 << 40


def elements(shape: Any) -> int | None:
    """The product of a list or tuple of sizes; None where it is no shape that an array can have.

    Python's integers do not wrap around. Sizes beside a zero count too: NumPy refuses some of those.

    Examples
    --------
    >>> elements((3, 0, 2)), elements([]), elements((2**40, 2**40)), elements((-1,)), elements((2.0,))
    (0, 1, None, None, None)
    """
    if type(shape) not in (list, tuple) or len(shape) > MAX_DIMENSIONS:
        return None
    if not all(type(size) is int and size >= 0 for size in shape):
        return None
    return None if math.prod(size or 1 for size in shape) > MAX_ELEMENTS else math.prod(shape)
