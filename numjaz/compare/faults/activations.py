"""Known faults of activations: another one, none, one too many."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from numjaz.compare.faults.edit import Edit, Site, Step
from numjaz.layers import ACTIVATIONS, ELU, Activation, Array, Layer, ReLU, Softmax
from numjaz.layers.functions import softmax

USUAL = (
    "linear",
    "relu",
    "tanh",
    "sigmoid",
    "hard_sigmoid",
    "hard_sigmoid_keras2",
    "elu",
    "gelu",
    "selu",
    "silu",
    "softmax",
    "leaky_relu",
    "softsign",
)
"""Those that are likelier, and are looked for together with another fault."""
SLOPES = (0.01, 0.1, 0.2, 0.3, 0.05, 0.25)


def gelu_tanh(x: Array) -> Array:
    """Y = x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))), the approximation of Hendrycks and Gimpel 2016."""
    y: Array = 0.5 * x * (1 + np.tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)))
    return y


OTHERS: dict[str, Layer] = {"gelu_tanh": Step(gelu_tanh), "leaky_relu of 0.01": ReLU(negative_slope=0.01)}
"""What frameworks compute under a name that numjaz has not."""


def activation_faults(site: Site, option: str = "activation") -> Iterator[Edit]:
    """Another activation than the layer's."""
    layer: Any = site.layer
    own = getattr(layer, option, None)
    if isinstance(layer, ELU) or not isinstance(own, str) or own == "glu":
        return
    for other in dict.fromkeys((*USUAL, *ACTIVATIONS)):
        if other != own:
            cause = f"{option} is {other}, not {own}"
            if other == "linear":
                cause = "softmax forgotten" if own == "softmax" else f"{option} forgotten"
            changed = replace(layer, **{option: other})
            yield Edit(cause, f"use {own}", option, changed, site.params, rare=other not in USUAL)
    if option == "activation" and not hasattr(layer, "return_sequences"):
        plain = replace(layer, activation="linear")
        for other, step in OTHERS.items():
            cause = f"{option} is {other}, not {own}"
            yield Edit(cause, f"use {own}", option, plain, site.params, after=step, rare=own not in other)


def softmax_faults(site: Site) -> Iterator[Edit]:
    """What a softmax may have, alone or at a layer's end."""
    layer: Any = site.layer
    if isinstance(layer, Softmax):
        yield Edit("softmax forgotten", "apply the softmax", "activation", Activation("linear"), {})
        rank = site.inputs[0].ndim
        own = {axis % rank for axis in layer.axis}
        for axis in range(1, rank):
            if {axis} != own:
                cause = f"softmax over axis {axis}, not {', '.join(map(str, layer.axis))}"
                yield Edit(cause, f"use axis {', '.join(map(str, layer.axis))}", "axis", Softmax((axis,)), {})
    elif getattr(layer, "activation", "") == "softmax":
        plain = replace(layer, activation="linear")
        for axis in range(1, site.recorded[0].ndim - 1):
            cause, over = f"softmax over axis {axis}, not the last", Softmax((axis,))
            yield Edit(cause, "use the last axis", "activation", plain, site.params, after=over)
    if isinstance(layer, Softmax) or getattr(layer, "activation", "") == "softmax":
        plain = Activation("linear") if isinstance(layer, Softmax) else replace(layer, activation="linear")
        cause, over_all = "softmax over axis 0, the batch", Step(lambda x: softmax(x, 0))
        yield Edit(cause, "use the last axis", "axis", plain, site.params, after=over_all, whole=True)
        axes = getattr(layer, "axis", (-1,))
        yield Edit("softmax twice", "apply the softmax once", "twice", layer, site.params, after=Softmax(axes))


def slope_faults(site: Site) -> Iterator[Edit]:
    """What a rectifier may have."""
    layer: Any = site.layer
    if isinstance(layer, ReLU):
        for slope in (*SLOPES, 0.0):
            if slope != layer.negative_slope:
                cause = f"negative_slope {slope:g}, not {layer.negative_slope:g}"
                fix = f"use a slope of {layer.negative_slope:g}"
                yield Edit(cause, fix, "slope", replace(layer, negative_slope=slope), {})
        if layer.max_value is not None:
            yield Edit("max_value forgotten", f"use {layer.max_value:g}", "slope", replace(layer, max_value=None), {})
    own = str(layer)
    for name in USUAL:
        cause = "activation forgotten" if name == "linear" else f"activation is {name}, not {own}"
        yield Edit(cause, f"use {own}", "activation", Activation(name), {}, rare=True)


def added_faults(site: Site) -> Iterator[Edit]:
    """An activation behind a layer that ends with none."""
    for name in ("relu", "tanh", "sigmoid", "softmax"):
        after = Activation(name)
        cause = f"activation is {name}, not linear"
        yield Edit(cause, "apply no activation", "activation", site.layer, site.params, after=after)
