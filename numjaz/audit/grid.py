"""A function of whole numbers at very many places, from few: what it is at all of them, where it is a polynomial."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np

from numjaz.errors import NumjazError
from numjaz.layers import Array

DEGREE = 2  # in each number; sizes of networks have no higher one


def everywhere(function: Callable[..., float], axes: Sequence[Sequence[int]]) -> Array | None:
    """The function at every combination of numbers, one from each axis; None where it is no polynomial there.

    Newton's forward differences from `DEGREE` + 1 numbers of each axis, which are exact in whole numbers; compared with
    the function itself at the ends and in between.

    Examples
    --------
    >>> everywhere(lambda r, h: 6 * h * h + r, [[1, 2, 9], [4, 5]])
    array([[ 97., 151.],
           [ 98., 152.],
           [105., 159.]])
    >>> everywhere(lambda t: t // 2, [range(20)])
    """
    starts = [axis[len(axis) // 2] for axis in axes]
    size = DEGREE + 1
    try:
        near = product(*(range(start, start + size) for start in starts))
        found: Any = np.array([function(*at) for at in near], dtype=np.float64).reshape((size,) * len(axes))
        places = {tuple(axis[k] for axis in axes) for k in (0, -1, len(axes[0]) // 3) if k < min(map(len, axes))}
        places.add(tuple(axis[-(d % 2)] for d, axis in enumerate(axes)))
        known = {place: function(*place) for place in places}
    except NumjazError:
        return None
    for d, (axis, start) in enumerate(zip(axes, starts, strict=True)):
        differences = found
        terms = []
        for _ in range(size):
            terms.append(np.take(differences, 0, axis=d))
            differences = np.diff(differences, axis=d)
        offsets = np.asarray(axis, dtype=np.float64) - start
        chosen = [np.ones_like(offsets)]  # offsets over 0, 1, 2, …: binomial coefficients
        for k in range(1, size):
            chosen.append(chosen[-1] * (offsets - k + 1) / k)
        found = np.moveaxis(np.tensordot(np.stack(chosen, axis=-1), np.stack(terms), axes=1), 0, d)
    index = [{n: k for k, n in enumerate(axis)} for axis in axes]
    for place, value in known.items():
        at = tuple(where[n] for where, n in zip(index, place, strict=True))
        if not np.isclose(found[at], value, rtol=1e-12, atol=0):
            return None
    return np.asarray(found)
