"""Which output of one run is which of another's."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from numjaz.layers import Array

NEAR = 1e-3  # of the largest number: outputs that are the same under other names
COARSE = 3e-2  # where one was computed in float16, layer after layer


def match(own: Mapping[str, Array], other: Mapping[str, Array]) -> dict[str, str]:
    """What each output is called in the other run.

    The same; or the same behind other words (``model.features.norm``). What is left is paired in order where both
    have as many of the same shapes in the same order, else where the numbers are nearly the same; what is neither
    stays unpaired.
    """
    found = {name: name for name in own if name in other and _place(own[name]) == _place(other[name])}
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
    return {name: found[name] for name in own if name in found}


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


def laid_out(there: Array, own: Array) -> Array:
    """A recorded output in numjaz's layout, (N, T, C); where T is C, in whichever is nearer."""
    if there.ndim != 3:
        return there
    turned = np.swapaxes(there, 1, 2)
    if there.shape != own.shape:
        return turned
    if turned.shape == own.shape and np.abs(turned - own).mean() < np.abs(there - own).mean():
        return turned
    return there
