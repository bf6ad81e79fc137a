"""In which dtype a run says that it was computed, and what its inputs and weights are there."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

import numpy as np

from numjaz.compare.rounding import UNITS, rounded
from numjaz.compare.runs import Run
from numjaz.errors import NumjazError
from numjaz.layers import Array


def numbers(run: Run, names: Collection[str]) -> Run:
    """A run without what is no number of a network's, as a graph's lengths and places are: integers, truth values.

    `NumjazError` where it is an input, or the output of one of these nodes.
    """
    for name, array in {**run.outputs, **run.inputs}.items():
        if str(array.dtype) not in UNITS and (name in names or name in run.inputs):
            raise NumjazError(
                f"{run.name}: {name} is recorded as {array.dtype}; a run can be compared in {', '.join(UNITS)}"
            )
    return replace(run, outputs={name: array for name, array in run.outputs.items() if str(array.dtype) in UNITS})


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
