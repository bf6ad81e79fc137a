"""Faults of stored arrays, whatever the layer: rounded, of another epoch, of another layer. Imports nothing of numjaz."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
from place import Family, Place, Planted


def truncated(place: Place) -> Iterator[Planted]:
    """Weights that were kept in half the bits."""
    step = place.step
    if not step.weights:
        return
    for dtype, cast in (("float16", _float16), ("bfloat16", _bfloat16)):
        told, cut = rf"\b{dtype}\b", {name: cast(a) for name, a in step.weights.items()}
        yield place.fault(dtype, "all arrays", told, " ".join(cut), step.holding(cut))
        for name in cut:
            leaf = re.escape(name.rpartition("/")[2])
            told = rf"(?<![a-z_]){leaf}\b.*\b{dtype}|\bweights in {dtype}"
            if len(cut) > 1 and name.endswith("kernel"):
                yield place.fault(dtype, name, told, name, step.holding({name: cut[name]}))


def _float16(a: np.ndarray) -> np.ndarray:
    return a.astype(np.float16).astype(np.float32)


def _bfloat16(a: np.ndarray) -> np.ndarray:
    bits = np.ascontiguousarray(a, np.float32).view(np.uint32).astype(np.uint64)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16 << 16).astype(np.uint32).view(np.float32)


def stale(place: Place) -> Iterator[Planted]:
    """One array of another epoch."""
    step, other = place.step, place.other[place.step.name]
    for name, array in step.weights.items():
        if array.shape == other.weights[name].shape and not np.array_equal(array, other.weights[name]):
            side, _, leaf = name.rpartition("/")
            told = rf"{side}.*(?<![a-z_]){re.escape(leaf)} has other values"
            yield place.fault("stale", name, told, name, step.holding({name: other.weights[name]}))


def exchanged(place: Place) -> Iterator[Planted]:
    """The arrays of another layer of the same shapes, which has this one's."""
    step, names = place.step, list(place.network)
    shapes = {name: a.shape for name, a in step.weights.items()}
    for other in place.network.values():
        later = names.index(other.name) > names.index(step.name)
        if shapes and later and {name: a.shape for name, a in other.weights.items()} == shapes:
            told = rf"holds the arrays of {re.escape(other.name)}"
            both = step.holding(other.weights), other.holding(step.weights)
            yield place.fault("holds the arrays of", other.name, told, " ".join(shapes), *both)


FAMILIES: tuple[Family, ...] = (truncated, stale, exchanged)
