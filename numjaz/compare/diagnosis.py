"""Which known fault a node has: the one whose edit brings the difference back to rounding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from numjaz.compare.faults import Edit, edits
from numjaz.compare.isolated import alone
from numjaz.errors import NumjazError
from numjaz.layers import Array, Layer
from numjaz.layers.base import Arrays, Parameters

FEW = 2  # windows on which all edits are tried first
NEAR = 1e-2  # of the largest number, as near as they must come there


class Diagnosis(NamedTuple):
    """What explains a fault: the causes that do, all of one function, and what mends the first."""

    causes: tuple[str, ...]
    fix: str


def diagnose(layer: Layer, params: Parameters, inputs: Arrays, recorded: Arrays) -> Diagnosis | None:
    """The known faults that explain a recording, or None where none does."""
    few = tuple(x[:FEW] for x in inputs), tuple(y[:FEW] for y in recorded)
    found: list[Edit] = []
    for edit in edits(layer, params, inputs):
        if _promises(edit, *few) and _explains(edit, inputs, recorded):
            found.append(edit)
    if not found:
        return None
    return Diagnosis(tuple(dict.fromkeys(edit.cause for edit in found)), found[0].fix)


def _promises(edit: Edit, inputs: Arrays, recorded: Sequence[Array]) -> bool:
    """Whether the edit comes near the recording at all, which is quickly seen."""
    made = tuple(x.real.astype(np.float64) for x in inputs)
    try:
        with np.errstate(all="ignore"):
            for layer, params in edit.steps:
                made = layer.forward({name: a.real.astype(np.float64) for name, a in params.items()}, made).outputs
    except (NumjazError, ValueError, IndexError):  # of other shapes
        return False
    return all(
        y.shape == there.shape and bool(np.abs(y - there).max(initial=0) <= NEAR * np.abs(there).max(initial=0))
        for y, there in zip(made, recorded, strict=True)
    )


def _explains(edit: Edit, inputs: Arrays, recorded: Sequence[Array]) -> bool:
    try:
        made = inputs
        for layer, params in edit.steps:
            made = alone(layer, params, made, tuple(recorded))
    except (NumjazError, ValueError):  # of other shapes
        return False
    return all(
        y.shape == there.shape and bool((np.abs(there.astype(np.float64) - y.real) <= y.imag).all())
        for y, there in zip(made, recorded, strict=True)
    )
