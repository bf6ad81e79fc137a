"""In which dtype a run says that it was computed, and what its inputs and weights are there."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from numjaz.compare.rounding import UNITS, rounded
from numjaz.layers import Array


def coarsest(arrays: Iterable[Array]) -> str:
    """The dtype of the fewest digits: what reads or makes it may have been computed in it."""
    return max((str(array.dtype) for array in arrays), key=lambda name: UNITS[name])


def held_in(dtype: str, array: Array) -> Array:
    """What a side that computes in a dtype has of a number that it was not given in it.

    That is the number rounded to nearest, as every framework casts. A layer that a mixed policy keeps in float32 has
    the number itself: so that it is known with the error of that rounding, and where the dtype holds it, without one.
    """
    if array.dtype.kind == "f" and array.dtype.itemsize <= np.dtype(dtype).itemsize:
        return array
    value = array.real.astype(np.float64)
    with np.errstate(over="ignore"):
        cast = value.astype(dtype).astype(np.float64)
    lost = np.where(cast == value, 0.0, np.abs(cast - value))
    known = np.array(rounded(cast, lost + array.imag))
    return known if known.imag.any() else cast
