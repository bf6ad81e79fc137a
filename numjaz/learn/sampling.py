"""In which order an epoch draws its windows, and which it draws more often than others."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from numjaz.errors import NumjazError

SAMPLINGS = ("each", "class", "person", "both")


def order(labels: NDArray[Any], groups: NDArray[Any], *, sampling: str, seed: int, epoch: int) -> NDArray[np.intp]:
    """The windows of an epoch, in order; as many as there are windows.

    Parameters
    ----------
    labels : array (N,)
        Each window's class.
    groups : array (N,)
        Each window's person.
    sampling : str
        ``each``: every window once. ``class``: every class equally often. ``person``: every person.
        ``both``: every class equally often, and of its windows those of every person who has some.
        Equally is to within one, and whose turn the one more is, is drawn. A share larger than the
        windows that it is taken from goes round them, so each is drawn equally often, to within one.
    seed, epoch : int
        On which alone it depends: a training that was interrupted draws the same.

    Returns
    -------
    array (N,)
        Numbers of windows.

    Raises
    ------
    NumjazError
        Where ``sampling`` is none of these, or there are no windows.

    Examples
    --------
    >>> rows = order(np.array([0, 0, 0, 0, 0, 1]), np.zeros(6), sampling="class", seed=0, epoch=0)
    >>> sorted(rows.tolist())
    [0, 2, 3, 5, 5, 5]
    """
    if sampling not in SAMPLINGS:
        raise NumjazError(f"sampling {sampling!r} is none of {', '.join(SAMPLINGS)}")
    if not len(labels) or len(labels) != len(groups):
        raise NumjazError(f"{len(labels)} labels and {len(groups)} people: an epoch draws from windows that have both")
    # A stream of its own for each epoch: the seed alone would give the first one what others draw from it.
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(epoch,)))
    keys = {"each": (), "class": (labels,), "person": (groups,), "both": (labels, groups)}[sampling]
    return rng.permutation(_drawn(np.arange(len(labels)), keys, len(labels), rng))


def _drawn(
    rows: NDArray[np.intp], keys: tuple[NDArray[Any], ...], count: int, rng: np.random.Generator
) -> NDArray[np.intp]:
    """``count`` of the rows: equally many of each of the first key's values, of these of the next key's."""
    if not keys:
        return np.resize(rng.permutation(rows), count)
    values = keys[0][rows]
    by_value = np.argsort(values, kind="stable")
    values = values[by_value]
    parts = np.split(rows[by_value], np.flatnonzero(values[1:] != values[:-1]) + 1)
    shares = np.full(len(parts), count // len(parts))
    shares[rng.permutation(len(parts))[: count % len(parts)]] += 1
    return np.concatenate([_drawn(part, keys[1:], int(share), rng) for part, share in zip(parts, shares, strict=True)])
