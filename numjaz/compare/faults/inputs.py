"""Known faults before and between layers: units, scaling, the order of channels and of axes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import permutations

import numpy as np

from numjaz.compare.faults.edit import Edit, Site, Step
from numjaz.layers import (
    Activation,
    Add,
    Array,
    Concatenate,
    Flatten,
    LayerNormalization,
    Permute,
    Rescaling,
    Reshape,
    Subtract,
)
from numjaz.layers.base import Arrays

GRAVITY = 9.80665  # m/s^2 in one g
SCALES = {
    f"{GRAVITY}": (GRAVITY, "m/s^2 for g"),
    f"1/{GRAVITY}": (1 / GRAVITY, "g for m/s^2"),
    "9.81": (9.81, "m/s^2 for g"),
    "1/9.81": (1 / 9.81, "g for m/s^2"),
    "1000": (1000.0, "thousandths for units"),
    "1/1000": (0.001, "units for thousandths"),
    "180/pi": (180 / math.pi, "degrees for radians"),
    "pi/180": (math.pi / 180, "radians for degrees"),
}
SMALL = (0.0, 1e-8, 1e-7, 1e-6, 1e-5, 1e-3)  # what is added to a deviation's square
CHANNELS = 4  # of which every order is tried


def input_faults(site: Site) -> Iterator[Edit]:
    """What the other side may do to its input before the first layer."""
    layer, params = site.layer, site.params

    def edit(cause: str, fix: str, **how: object) -> Edit:
        return Edit(cause, fix, "input", layer, params, **how)  # type: ignore[arg-type]

    for written, (scale, units) in SCALES.items():
        yield edit(f"inputs scaled by {written}: {units}", "give both the same units", before=Rescaling(scale))
    x = site.inputs[0]
    if x.ndim != 3 or len(site.inputs) != 1:
        return
    fix = "give the windows as they are"
    for axes, each in (((1,), "each channel of a window"), ((1, 2), "each window")):
        for epsilon in SMALL:
            normal = LayerNormalization(epsilon, scale=False, center=False, axis=axes)
            yield edit(f"normalization: {each} standardized", fix, before=normal)
    whole = Step(_standardized)
    yield edit("normalization: each channel standardized over all windows", fix, before=whole, whole=True)
    if 1 < x.shape[2] <= CHANNELS:
        for order in list(permutations(range(x.shape[2])))[1:]:
            cause = f"input channels in the order {', '.join(map(str, order))}"
            yield edit(cause, "give the channels in their order", given=_channels(order))
    if x.shape[2] > 1:
        cause = "input reshaped, not transposed"
        yield edit(
            cause,
            "exchange the axes, a reshape keeps the order in memory: x.swapaxes(1, 2)",
            given=lambda i: (_reread(i[0]),),
        )
    yield edit("input turned round in time", "give the samples in their order", given=lambda i: (i[0][:, ::-1],))


def _standardized(x: Array) -> Array:
    off = x - x.mean(axis=(0, 1), keepdims=True)
    return np.asarray(off / np.sqrt((off * off).mean(axis=(0, 1), keepdims=True)))


def _reread(x: Array) -> Array:
    """Windows of time before channels, taken for channels before time."""
    n, time, channels = x.shape
    return x.reshape(n, channels, time).swapaxes(1, 2)


def shape_faults(site: Site) -> Iterator[Edit]:
    """What a layer that moves values may have."""
    layer, x = site.layer, site.inputs[0]
    if isinstance(layer, (Flatten, Reshape)) and x.ndim == 3:
        cause = "flattened with channels before time, where numjaz and Keras have time before channels"
        fix = "exchange the two axes before flattening: x.swapaxes(1, 2).reshape(len(x), -1)"
        yield Edit(cause, fix, "order", layer, {}, before=Permute((2, 1)))
    if isinstance(layer, Reshape) and len(layer.target) == 2:
        turned = replace(layer, target=layer.target[::-1])
        cause = "reshaped with channels before time"
        yield Edit(cause, "fill time before channels", "order", turned, {}, after=Permute((2, 1)))
    if isinstance(layer, Permute):
        yield Edit("axes not exchanged", "exchange the axes", "order", Reshape((-1, x.shape[1])), {})


def merge_faults(site: Site) -> Iterator[Edit]:
    """What a layer of several inputs may have: their order, or one that is missing."""
    layer, count = site.layer, len(site.inputs)
    if isinstance(layer, (Concatenate, Subtract)) and count <= CHANNELS:
        for order in list(permutations(range(count)))[1:]:
            cause = f"inputs in the order {', '.join(map(str, order))}"
            fix = "give them in their order"
            yield Edit(cause, fix, "order", layer, {}, given=_picked(order))
    if isinstance(layer, Add) and count == 2:
        fix = "add the two: y = a + b"
        yield Edit("inputs subtracted, not added", fix, "sum", Subtract(), {})
        cause = "inputs subtracted, not added, the second less the first"
        yield Edit(cause, fix, "sum", Subtract(), {}, given=_picked((1, 0)))
    if isinstance(layer, Add):
        for k in range(count):
            kept = tuple(j for j in range(count) if j != k)
            rest = Activation("linear") if count == 2 else layer
            yield Edit(f"input {k} not added", "add all inputs", "sum", rest, {}, given=_picked(kept))


def missing_layer(site: Site) -> Iterator[Edit]:
    """The layer is not there at all."""
    if len(site.inputs) == 1 == len(site.recorded) and site.inputs[0].shape == site.recorded[0].shape:
        kind = type(site.layer).__name__
        words = {"Normalization": "normalization", "Rescaling": "normalization (Rescaling)"}
        cause = f"{words.get(kind, kind)} forgotten"
        yield Edit(cause, f"apply the {kind}", "missing", Activation("linear"), {}, rare=True)


def _channels(order: tuple[int, ...]) -> Callable[[Arrays], Arrays]:
    return lambda inputs: (inputs[0][..., order],)


def _picked(order: tuple[int, ...]) -> Callable[[Arrays], Arrays]:
    return lambda inputs: tuple(inputs[k] for k in order)
