"""What the other side says of itself, where it is a network too: its options and its arrays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

import numpy as np

from numjaz.compare.faults.edit import Edit, Site
from numjaz.compare.faults.estimated import other_values
from numjaz.layers import Layer
from numjaz.layers.base import Parameters


def held_faults(site: Site, layer: Layer, params: Parameters) -> Iterator[Edit]:
    """Other options or arrays than this side's, as the other side holds them."""
    same = {name: a.shape for name, a in params.items()} == {name: a.shape for name, a in site.params.items()}
    unequal = [name for name in params if same and not np.array_equal(params[name], site.params[name].real)]
    if type(layer) is type(site.layer) and layer != site.layer and not (same and unequal):
        options = [o.name for o in fields(layer) if getattr(layer, o.name) != getattr(site.layer, o.name)]
        cause = " and ".join(f"{name} {_said(layer, name)}, not {_said(site.layer, name)}" for name in options)
        fix = ", ".join(f"{name}={_said(site.layer, name)}" for name in options)
        yield Edit(cause, f"use {fix}", "options", layer, params)
    if layer == site.layer and unequal:
        stale = [edit for edit in (other_values(site, name, params[name]) for name in unequal) if edit.stale]
        if len(stale) == len(unequal) == 1:
            yield stale[0]
        elif len(stale) == len(unequal):
            cause = f"{', '.join(unequal)} have other values: stale weights"
            yield Edit(cause, "load the arrays of the same training", "values", layer, params)


def _said(layer: Layer, option: str) -> str:
    value = getattr(layer, option)
    return f"{value:g}" if isinstance(value, float) else str(value)
