"""Known faults of convolutions and pooling: padding, steps, groups, the order of a kernel."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from typing import Any

import numpy as np

from numjaz.compare.faults.edit import Edit, Site
from numjaz.layers import (
    Array,
    AveragePooling1D,
    Conv1D,
    DepthwiseConv1D,
    GlobalAveragePooling1D,
    GlobalMaxPooling1D,
    MaxPooling1D,
    ZeroPadding1D,
)
from numjaz.layers.base import Arrays
from numjaz.layers.convolution import zeros_around


def convolution_faults(site: Site) -> Iterator[Edit]:
    """What a convolution may have besides another activation or kernel."""
    layer: Any = site.layer
    params = site.params
    yield from _padded(site, layer.span)
    if layer.dilation > 1:
        fix = f"use dilation={layer.dilation}"
        yield Edit("dilation ignored", fix, "dilation", replace(layer, dilation=1), params)
        taken = f"use dilation={layer.dilation}, strides=1"
        strided = replace(layer, dilation=1, strides=layer.dilation)
        yield Edit("dilation taken for strides", taken, "dilation", strided, params)
    if layer.strides > 1:
        fix = f"use strides={layer.strides}"
        yield Edit("strides ignored", fix, "strides", replace(layer, strides=1), params)
        dilated = replace(layer, dilation=layer.strides, strides=1)
        yield Edit("strides taken for dilation", fix, "strides", dilated, params)
    if isinstance(layer, Conv1D) and layer.groups > 1:
        yield from _groups(site)
    if isinstance(layer, DepthwiseConv1D) and layer.depth_multiplier > 1:
        kernel, many = params["kernel"], layer.depth_multiplier
        fix = "output c M + m belongs to channel c"
        turned = (kernel.shape[0], many, kernel.shape[1])
        for other in (kernel.swapaxes(1, 2).reshape(kernel.shape), kernel.reshape(turned).swapaxes(1, 2)):  # m C + c
            yield Edit("groups interleaved, in kernel", fix, "groups", layer, {**params, "kernel": other})
        order = np.arange(kernel.shape[1] * many).reshape(-1, many).T.ravel()
        cause = "groups interleaved, in the output"
        yield Edit(cause, fix, "groups", layer, params, undo=_columns(np.argsort(order)))


def _padded(site: Site, span: int) -> Iterator[Edit]:
    """Other zeros around."""
    layer: Any = site.layer
    pooling = isinstance(layer, (MaxPooling1D, AveragePooling1D))
    for padding in ("same", "valid") if pooling else ("same", "valid", "causal"):
        if padding != layer.padding:
            cause, fix = f"padding {padding}, not {layer.padding}", f"use padding={layer.padding!r}"
            yield Edit(cause, fix, "padding", replace(layer, padding=padding), site.params)
    if layer.padding != "same" or site.inputs[0].ndim != 3 or isinstance(layer, MaxPooling1D):
        return
    strides = layer.stride if pooling else layer.strides
    own = zeros_around(site.inputs[0].shape[1], span, strides, "same")
    half, odd = span // 2, (span - 1) // 2
    asked = {
        (own[1], own[0]): "before, not behind",
        (half, half): "alike on both sides",
        (odd, odd): "alike on both sides",
        (odd, half): "of one step, whatever the strides",
        (0, own[0] + own[1]): "all behind",
        (own[0] + own[1], 0): "all before",
    }
    if pooling:
        asked[own] = "counted into the mean"
    else:
        asked.pop(own, None)
    bare = replace(layer, padding="valid")
    for (before, behind), where in asked.items():
        fix = f"put {own[0]} zeros before and {own[1]} behind: F.pad(x, ({own[0]}, {own[1]}))"
        if pooling and where == "counted into the mean":
            fix = "divide by the samples that are there: count_include_pad=False"
        around = ZeroPadding1D(before, behind)
        yield Edit(f"padding {before}+{behind}: zeros {where}", fix, "padding", bare, site.params, before=around)


def _groups(site: Site) -> Iterator[Edit]:
    layer: Any = site.layer
    kernel, groups = site.params["kernel"], layer.groups
    tiled = np.tile(kernel, (1, groups, 1))  # every output reads every group by the same weights
    fix = f"use groups={groups}"
    whole = replace(layer, groups=1)
    yield Edit("groups ignored", fix, "groups", whole, {**site.params, "kernel": tiled})
    first = np.concatenate([kernel, np.zeros_like(tiled[:, kernel.shape[1] :])], axis=1)
    cause = "groups ignored: all outputs read the first group"
    yield Edit(cause, fix, "groups", whole, {**site.params, "kernel": first})
    columns, channels = np.arange(kernel.shape[2]), np.arange(site.inputs[0].shape[-1])
    side = "what belongs to one group stands side by side"
    for turned, what in ((True, "groups interleaved"), (False, "groups taken for interleaved ones")):
        order, read = (_interleaved(each, groups if turned else len(each) // groups) for each in (columns, channels))
        moved = {**site.params, "kernel": kernel[..., order]}
        yield Edit(f"{what}, in kernel", side, "groups", layer, moved)
        yield Edit(f"{what}, in the output", side, "groups", layer, site.params, undo=_columns(np.argsort(order)))
        yield Edit(f"{what}, in the input", side, "groups", layer, site.params, given=_columns(read))


def _interleaved(numbers: Array, groups: int) -> Array:
    """0, 1, 2 of the first group and so on, as the first of each group, the second of each."""
    return numbers.reshape(groups, -1).T.ravel()


def _columns(order: Array) -> Callable[[Arrays], Arrays]:
    return lambda arrays: (arrays[0][..., order],)


def pooling_faults(site: Site) -> Iterator[Edit]:
    """What a pooling may have."""
    layer: Any = site.layer
    kinds = {
        MaxPooling1D: (AveragePooling1D, "mean, not largest"),
        AveragePooling1D: (MaxPooling1D, "largest, not mean"),
        GlobalMaxPooling1D: (GlobalAveragePooling1D, "mean, not largest"),
        GlobalAveragePooling1D: (GlobalMaxPooling1D, "largest, not mean"),
    }
    other, cause = kinds[type(layer)]
    options = {option.name: getattr(layer, option.name) for option in fields(layer)}
    yield Edit(f"pooling by the {cause}", f"use the {cause.split()[-1]}", "pooling", other(**options), {})
    if isinstance(layer, (GlobalMaxPooling1D, GlobalAveragePooling1D)):
        yield Edit(
            "last step, not all of them", "pool over all steps", "pooling", layer, {}, given=lambda i: (i[0][:, -1:],)
        )
        yield Edit(
            "first step, not all of them", "pool over all steps", "pooling", layer, {}, given=lambda i: (i[0][:, :1],)
        )
        return
    yield from _padded(site, layer.pool_size)
    if layer.stride != 1:
        fix = f"use strides={layer.stride}"
        yield Edit("strides ignored", fix, "strides", replace(layer, strides=1), {})
