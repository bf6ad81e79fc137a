"""Faults that are in no catalogue, so that no name is right for them but ``unknown``. Imports nothing of numjaz."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from place import Family, Place, Planted, after, before

UNKNOWN = "^unknown$"
SEED = 20


def entries(place: Place) -> Iterator[Planted]:
    """Single numbers of a kernel changed: to say of the array that it has other values is right as well."""
    for name, array in place.step.weights.items():
        leaf = name.rpartition("/")[2]
        if not leaf.endswith("kernel") or array.size < 12:
            continue
        told = (UNKNOWN, rf"(?<![a-z_]){re.escape(leaf)} has other values")
        one, row = array.copy(), array.copy()
        largest = np.unravel_index(np.argmax(np.abs(array)), array.shape)
        one[largest] *= 1.01
        yield place.fault("one weight times 1.01", name, told, name, place.step.holding({name: one}))
        row[(*[slice(None)] * (array.ndim - 2), array.shape[-2] // 2)] *= 2
        yield place.fault("one row doubled", name, told, name, place.step.holding({name: row}))


def outputs(place: Place) -> Iterator[Planted]:
    """Something done to what a layer makes."""
    if place.step.kind in ("InputLayer", "Dropout"):
        return
    forms = {
        "rounded to two decimals": lambda y: (y * 100).round() / 100,
        "noise of a thousandth": _noise,
        "dropout left on": _dropped,
        "half of the channels shuffled": _shuffled,
    }
    if "kernel" in place.step.weights and "bias" not in place.step.weights:  # a kernel of other values would do it
        del forms["half of the channels shuffled"]
    for family, op in forms.items():
        yield place.fault(family, place.step.kind, UNKNOWN, "output", after(place.step, op))
    if place.step.kind == "Add":
        leaky = before(place.step, lambda x: 0.9 * x)
        yield place.fault("leaky residual", "0.9 of one side", UNKNOWN, "inputs", leaky)


def strange_functions(place: Place) -> Iterator[Planted]:
    """A function that nobody uses."""
    step = place.step
    if step.cell.get("activation") == "tanh":
        yield place.fault("sin for tanh", step.kind, UNKNOWN, "activation", step.configured(activation="sin"))
    if step.cell_kind in ("GRU", "LSTM"):
        limited = step.ported(gate_limit=0.6)
        yield place.fault("a gate limited", step.kind, UNKNOWN, "gates", limited)


def _generator(y: Any) -> Any:
    import torch

    return torch.Generator().manual_seed(SEED + y.shape[-1])


def _noise(y: Any) -> Any:
    import torch

    size = float(y.abs().max()) * 1e-3
    return y + size * torch.randn(y.shape, generator=_generator(y), dtype=torch.float64).to(y.dtype)


def _dropped(y: Any) -> Any:
    import torch

    kept = torch.rand(y.shape, generator=_generator(y), dtype=torch.float64) >= 0.1
    return y * kept / 0.9


def _shuffled(y: Any) -> Any:
    half = y.shape[-1] // 2
    order = [*[(k + 1) % half for k in range(half)], *range(half, y.shape[-1])] if half > 1 else [*range(y.shape[-1])]
    return y[..., order]


FAMILIES: tuple[Family, ...] = (entries, outputs, strange_functions)
