"""Which output of one run is which of another's."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from numjaz.layers import Array

NEAR = 1e-3  # of the largest number: outputs that are the same under other names
COARSE = 3e-2  # where one was computed in float16, layer after layer


def match(own: Mapping[str, Array], other: Mapping[str, Array]) -> dict[str, str]:
    """What each output is called in the other run.

    The same, whatever its shape; or the same behind other words (``model.features.norm``). What is left is paired in
    order where both have as many of the same shapes in the same order, else where the numbers are nearly the same;
    what is neither stays unpaired.
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
            near = [long for long in there if long not in found.values() and _near(own[name], other[long])]
            found |= {name: near[0]} if near else {}
        found |= _ends(own, other, found)
    return {name: found[name] for name in own if name in found}


def _ends(own: Mapping[str, Array], other: Mapping[str, Array], found: Mapping[str, str]) -> dict[str, str]:
    """The last output of each, where both have no other yet: what a network makes is never left out."""
    (mine, theirs) = (list(run)[-1] for run in (own, other))
    free = mine not in found and theirs not in found.values()
    return {mine: theirs} if free and _place(own[mine]) == _place(other[theirs]) else {}


def _tail(long: str, name: str) -> bool:
    return long.replace("/", ".").endswith("." + name.replace("/", "."))


def _near(own: Array, there: Array) -> bool:
    """Whether two outputs are the same but for small faults and rounding."""
    if _place(own) != _place(there) or not own.size:
        return False
    laid = laid_out(there, own)
    near = COARSE if there.dtype == np.float16 else NEAR
    return bool(np.abs(laid - own).max() <= near * np.abs(own).max())


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
