"""The layers: each states its shapes, parameters and equations in one place, and knows no other room."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any

from numjaz.errors import NumjazError
from numjaz.layers.activation import ELU, Activation, PReLU, ReLU, Softmax
from numjaz.layers.attention import MultiHeadAttention
from numjaz.layers.base import Array, Backward, Forward, Layer, Parameter, Shape
from numjaz.layers.bidirectional import Bidirectional
from numjaz.layers.cells import GRU, LSTM, SimpleRNN
from numjaz.layers.convolution import Conv1D
from numjaz.layers.dense import Dense
from numjaz.layers.depthwise import DepthwiseConv1D, SeparableConv1D
from numjaz.layers.functions import ACTIVATIONS
from numjaz.layers.input import Input
from numjaz.layers.merge import Add, Average, Concatenate, Maximum, Minimum, Multiply, Subtract
from numjaz.layers.noise import Dropout
from numjaz.layers.normalization import BatchNormalization, LayerNormalization
from numjaz.layers.operations import ELEMENTARY, Operations
from numjaz.layers.pooling import AveragePooling1D, GlobalAveragePooling1D, GlobalMaxPooling1D, MaxPooling1D
from numjaz.layers.recurrent import Recurrent
from numjaz.layers.scaling import Normalization, Rescaling
from numjaz.layers.shape import Cropping1D, Flatten, Permute, RepeatVector, Reshape, UpSampling1D, ZeroPadding1D
from numjaz.layers.wrappers import TimeDistributed, innermost
from numjaz.records import frozen

__all__ = [
    "ACTIVATIONS",
    "ELEMENTARY",
    "ELU",
    "GRU",
    "LSTM",
    "Activation",
    "Add",
    "Array",
    "Average",
    "AveragePooling1D",
    "Backward",
    "BatchNormalization",
    "Bidirectional",
    "Concatenate",
    "Conv1D",
    "Cropping1D",
    "Dense",
    "DepthwiseConv1D",
    "Dropout",
    "Flatten",
    "Forward",
    "GlobalAveragePooling1D",
    "GlobalMaxPooling1D",
    "Input",
    "Layer",
    "LayerNormalization",
    "MaxPooling1D",
    "Maximum",
    "Minimum",
    "MultiHeadAttention",
    "Multiply",
    "Normalization",
    "Operations",
    "PReLU",
    "Parameter",
    "Permute",
    "ReLU",
    "Recurrent",
    "RepeatVector",
    "Rescaling",
    "Reshape",
    "SeparableConv1D",
    "Shape",
    "SimpleRNN",
    "Softmax",
    "Subtract",
    "TimeDistributed",
    "UpSampling1D",
    "ZeroPadding1D",
    "frozen",
    "innermost",
    "layer_from_config",
    "register_layer",
]

LAYERS: dict[str, type[Layer]] = {
    name: value
    for name, value in sorted(globals().items())
    if isinstance(value, type) and issubclass(value, Layer) and value not in (Layer, Recurrent)
}
"""Every layer by the name of its class, as files give it."""


def register_layer(kind: type[Layer]) -> None:
    """Make a layer of one's own known to `layer_from_config`, by the name of its class."""
    if not (isinstance(kind, type) and issubclass(kind, Layer)):
        raise NumjazError(f"a layer is a subclass of numjaz.layers.Layer, not {kind!r:.60}")
    if LAYERS.get(kind.__name__, kind) is not kind:
        raise NumjazError(f"a layer named {kind.__name__} is known already")
    LAYERS[kind.__name__] = kind


def layer_from_config(config: Any) -> Layer:
    """The inverse of ``Layer.config``; an unknown class or option raises `NumjazError`."""
    name = config.get("class") if isinstance(config, dict) else config
    if not isinstance(config, dict) or not isinstance(name, str) or name not in LAYERS:
        raise NumjazError(f"unknown layer {name!r:.60}; known are {', '.join(LAYERS)}")
    kind = LAYERS[name]
    options = {name: _option(value) for name, value in config.items() if name != "class"}
    known = {field.name: field.default for field in fields(kind)}
    for name in options:
        if name not in known:
            raise NumjazError(f"{kind.__name__}: unknown option {name!r:.60}; known are {', '.join(known) or 'none'}")
    for name, default in known.items():
        if default is MISSING and name not in options:
            raise NumjazError(f"{kind.__name__}: option {name} is missing")
    return kind(**options)


def _option(value: Any) -> Any:
    if isinstance(value, dict):
        return layer_from_config(value)
    return tuple(value) if isinstance(value, list) else value
