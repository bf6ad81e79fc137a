"""The layers: each states its shapes, parameters and equations in one place, and knows no other room."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any

from numjaz.errors import NumjazError
from numjaz.layers.activation import ACTIVATIONS, Activation
from numjaz.layers.base import Array, Forward, Layer, Parameter, Shape
from numjaz.layers.convolution import Conv1D
from numjaz.layers.dense import Dense
from numjaz.layers.input import Input
from numjaz.layers.merge import Add
from numjaz.layers.normalization import BatchNormalization
from numjaz.layers.pooling import GlobalAveragePooling1D
from numjaz.layers.recurrent import GRU, Bidirectional

__all__ = [
    "ACTIVATIONS",
    "GRU",
    "Activation",
    "Add",
    "Array",
    "BatchNormalization",
    "Bidirectional",
    "Conv1D",
    "Dense",
    "Forward",
    "GlobalAveragePooling1D",
    "Input",
    "Layer",
    "Parameter",
    "Shape",
    "layer_from_config",
]

LAYERS: dict[str, type[Layer]] = {
    layer.__name__: layer
    for layer in (Activation, Add, BatchNormalization, Bidirectional, Conv1D, Dense, GRU, GlobalAveragePooling1D, Input)
}


def layer_from_config(config: Any) -> Layer:
    """The inverse of ``Layer.config``; an unknown class or option raises `NumjazError`."""
    name = config.get("class") if isinstance(config, dict) else config
    if not isinstance(config, dict) or not isinstance(name, str) or name not in LAYERS:
        raise NumjazError(f"unknown layer {name!r:.60}; known are {', '.join(LAYERS)}")
    kind = LAYERS[name]
    options = {
        name: layer_from_config(v) if isinstance(v, dict) else v for name, v in config.items() if name != "class"
    }
    known = {field.name: field.default for field in fields(kind)}
    for name in options:
        if name not in known:
            raise NumjazError(f"{kind.__name__}: unknown option {name!r:.60}; known are {', '.join(known) or 'none'}")
    for name, default in known.items():
        if default is MISSING and name not in options:
            raise NumjazError(f"{kind.__name__}: option {name} is missing")
    return kind(**options)
