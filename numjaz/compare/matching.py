"""Which output of one run is which of another's."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from numjaz.layers import Array

NEAR = 1e-3  # of the largest number: outputs that are the same under other names
ALIKE = 0.9  # correlation of outputs that are the same but for a fault
COARSE = 3e-2  # where one was computed in float16, layer after layer


def match(own: Mapping[str, Array], other: Mapping[str, Array]) -> dict[str, str]:
    """What each output is called in the other run.

    The same, whatever its shape; or the same behind other words (``model.features.norm``). What is left is paired in
    order where both have as many of the same shapes in the same order, else where the numbers are nearly the same; so
    is what stands between two that are; what is none of it stays unpaired.
    """
    found = {name: name for name in own if name in other and _rank(own[name]) == _rank(other[name])}
    tails = {name: [long for long in other if _tail(long, name)] for name in own if name not in found}
    found |= {
        name: long[0] for name, long in tails.items() if len(long) == 1 and _place(own[name]) == _place(other[long[0]])
    }
    rest = [name for name in own if name not in found]
    there = [name for name in other if name not in found.values()]
    if [_place(own[name]) for name in rest] == [_place(other[name]) for name in there]:
        found |= dict(zip(rest, there, strict=True))
    else:
        for name in rest:
            close = [long for long in there if long not in found.values() and near(own[name], other[long])]
            found |= {name: close[0]} if close else {}
        found |= _in_order(own, other, found)
        found |= _ends(own, other, found)
    return {name: found[name] for name in own if name in found}


def _in_order(own: Mapping[str, Array], other: Mapping[str, Array], found: Mapping[str, str]) -> dict[str, str]:
    """Between outputs that are paired, two or more of the same shapes in the same order, which go together.

    One alone may be a sum that no module makes, and an activation that the network has within a layer.
    """
    mine, theirs = list(own), list(other)
    places = sorted((mine.index(name), theirs.index(long)) for name, long in found.items())
    fixed = [(i, j) for i, j in places if all((i - a) * (j - b) >= 0 for a, b in places)]
    paired: dict[str, str] = {}
    for (i, j), (a, b) in pairwise([(-1, -1), *fixed, (len(mine), len(theirs))]):
        ours = [name for name in mine[i + 1 : a] if name not in found]
        free = [long for long in theirs[j + 1 : b] if long not in found.values()]
        if len(ours) == len(free) > 1 and all(
            _alike(own[name], other[long]) >= ALIKE for name, long in zip(ours, free, strict=True)
        ):
            paired |= dict(zip(ours, free, strict=True))
    return paired


def _alike(own: Array, there: Array) -> float:
    """How two outputs of one shape go together: their correlation."""
    if _place(own) != _place(there) or own.size < 2:
        return 0.0
    a, b = (each.astype(np.float64).ravel() for each in (own, laid_out(there, own)))
    if a.shape != b.shape or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return 0.0
    a, b = a - a.mean(), b - b.mean()
    lengths = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / lengths if lengths else 0.0


def _ends(own: Mapping[str, Array], other: Mapping[str, Array], found: Mapping[str, str]) -> dict[str, str]:
    """The last output of each, where both have no other yet: what a network makes is never left out."""
    (mine, theirs) = (list(run)[-1] for run in (own, other))
    free = mine not in found and theirs not in found.values()
    return {mine: theirs} if free and _place(own[mine]) == _place(other[theirs]) else {}


def _tail(long: str, name: str) -> bool:
    return long.replace("/", ".").endswith("." + name.replace("/", "."))


def near(own: Array, there: Array) -> bool:
    """Whether two outputs are the same but for small faults and rounding."""
    if _place(own) != _place(there) or not own.size:
        return False
    laid = laid_out(there, own)
    share = COARSE if there.dtype == np.float16 else NEAR
    return bool(np.abs(laid - own).max() <= share * np.abs(own).max())


def _place(array: Array) -> tuple[int, ...]:
    """A shape in which time before channels and channels before time are one."""
    return array.shape if array.ndim != 3 else (array.shape[0], *sorted(array.shape[1:]))


def _rank(array: Array) -> tuple[int, int]:
    """Windows and axes: where a name is the same, another number of steps or of channels is a fault."""
    return len(array), array.ndim


def laid_out(there: Array, own: Array) -> Array:
    """A recorded output in numjaz's layout, (N, T, C); where T is C, in whichever is nearer."""
    if there.ndim != 3:
        return there
    turned = np.swapaxes(there, 1, 2)
    if there.shape == turned.shape == own.shape:
        return turned if np.abs(turned - own).mean() < np.abs(there - own).mean() else there
    if own.shape not in (there.shape, turned.shape):  # another number of steps
        return turned if there.shape[2] != own.shape[2] == turned.shape[2] else there
    return there if there.shape == own.shape else turned
