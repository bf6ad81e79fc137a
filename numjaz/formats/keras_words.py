"""What Keras 2 or 3 calls each layer, its options and its activations; what it has no word for is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from numjaz.errors import NumjazError
from numjaz.formats.keras_weights import keras_class
from numjaz.layers import (
    ELU,
    GRU,
    LSTM,
    Activation,
    AveragePooling1D,
    BatchNormalization,
    Bidirectional,
    Concatenate,
    Conv1D,
    Cropping1D,
    Dense,
    DepthwiseConv1D,
    Dropout,
    GlobalAveragePooling1D,
    GlobalMaxPooling1D,
    Input,
    Layer,
    LayerNormalization,
    MaxPooling1D,
    MultiHeadAttention,
    Normalization,
    Permute,
    PReLU,
    ReLU,
    RepeatVector,
    Rescaling,
    Reshape,
    SeparableConv1D,
    SimpleRNN,
    Softmax,
    TimeDistributed,
    UpSampling1D,
    ZeroPadding1D,
)

Config = dict[str, Any]

KERAS_2 = {
    *("elu", "exponential", "gelu", "linear", "mish", "relu"),
    *("selu", "sigmoid", "softmax", "softplus", "softsign", "tanh"),
}
RENAMED_2 = {"hard_sigmoid_keras2": "hard_sigmoid", "silu": "swish"}


def serialised(layer: Layer, name: str, dtype: str, keras: int, held: Sequence[list[Any]] = ()) -> Config:
    """A layer as Keras writes it, without where it stands; ``held`` are its inputs' shapes."""
    for kind, words in WORDS.items():
        if isinstance(layer, kind):
            config = words(layer, name, dtype, keras)
            break
    else:
        if type(layer).__module__.split(".")[0] != "numjaz":
            raise NumjazError(f"{type(layer).__name__} is a layer of somebody's own, which Keras does not know")
        config = {}
    if isinstance(layer, TimeDistributed) and len(held) > 1 and keras == 3:
        raise NumjazError("Keras 3's TimeDistributed takes a layer with one input")
    if isinstance(layer, MultiHeadAttention) and keras == 2:  # which Keras 2 builds from what it says of its inputs
        config |= {"query_shape": held[0], "value_shape": held[1], "key_shape": held[-1]}
    config = {"name": name, "dtype": dtype, **config}
    return {"module": "keras.layers", "class_name": keras_class(layer), "config": config, "registered_name": None}


def _activation(name: str, keras: int) -> str:
    if keras == 2:
        if name not in KERAS_2 and name not in RENAMED_2:
            raise NumjazError(f"Keras 2 has no activation {name!r}")
        return RENAMED_2.get(name, name)
    if name == "hard_sigmoid_keras2":
        raise NumjazError("Keras 3's hard_sigmoid is another function than Keras 2's, which this network has")
    if name == "glu":
        raise NumjazError("Keras's Activation takes glu for a function that keeps the shape, and fails behind it")
    return "sparsemax" if name == "sparsemax_keras" else name


def _constant(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _input(layer: Input, name: str, dtype: str, keras: int) -> Config:
    return {"batch_input_shape" if keras == 2 else "batch_shape": [None, *layer.axes, layer.features]}


def _taps(layer: Conv1D | DepthwiseConv1D | SeparableConv1D, name: str, dtype: str, keras: int) -> Config:
    """Each convolution's; what Keras has no option for is refused."""
    plain = isinstance(layer, Conv1D) or (keras == 2 and isinstance(layer, SeparableConv1D))
    if layer.padding == "causal" and not plain:
        raise NumjazError(f"Keras {keras} has no causal {type(layer).__name__}")
    return {
        "kernel_size": [layer.kernel_size],
        "strides": [layer.strides],
        "padding": layer.padding,
        "dilation_rate": [layer.dilation],
        "activation": _activation(layer.activation, keras),
        "use_bias": layer.use_bias,
        **({"filters": layer.filters} if not isinstance(layer, DepthwiseConv1D) else {}),
        **({"groups": layer.groups} if isinstance(layer, Conv1D) else {"depth_multiplier": layer.depth_multiplier}),
    }


def _recurrent(layer: SimpleRNN | GRU | LSTM, name: str, dtype: str, keras: int) -> Config:
    gates = {}
    if not isinstance(layer, SimpleRNN):
        gates = {"recurrent_activation": _activation(layer.recurrent_activation, keras)}
    return {
        "units": layer.units,
        "activation": _activation(layer.activation, keras),
        **gates,
        **({"reset_after": layer.reset_after} if isinstance(layer, GRU) else {}),
        "use_bias": layer.use_bias,
        "return_sequences": layer.return_sequences,
        "return_state": layer.return_state,
        "go_backwards": layer.go_backwards,
    }


def _bidirectional(layer: Bidirectional, name: str, dtype: str, keras: int) -> Config:
    forward, backward = layer.forward_layer, layer.backward_layer
    if forward.go_backwards != backward.go_backwards:
        raise NumjazError("Keras's Bidirectional does not read both ways in one direction")
    if forward.return_state and forward.STATES != backward.STATES:  # it counts the forward layer's twice
        raise NumjazError("Keras's Bidirectional gives the states of two layers that have as many")
    if keras == 2 and forward.use_bias != backward.use_bias:  # it shares the arrays out by halves
        raise NumjazError("Keras 2 loads a Bidirectional of layers that both have a bias, or neither")
    held = {"layer": serialised(forward, f"{name}_layer", dtype, keras)}
    if forward != backward or forward.go_backwards:  # of which Keras makes no backward layer itself
        other = serialised(backward, f"{name}_backward", dtype, keras)
        other["config"]["go_backwards"] = not backward.go_backwards
        held["backward_layer"] = other
    return {**held, "merge_mode": None if layer.merge == "none" else layer.merge}


def _attention(layer: MultiHeadAttention, name: str, dtype: str, keras: int) -> Config:
    return {
        "num_heads": layer.heads,
        "key_dim": layer.key_dim,
        "value_dim": layer.value_dim or None,
        "use_bias": layer.use_bias,
        "output_shape": [layer.output] if layer.output else None,
    }


def _batch_normalization(layer: BatchNormalization, name: str, dtype: str, keras: int) -> Config:
    same = ("epsilon", "momentum", "scale", "center", "axis")
    return {key: getattr(layer, key) for key in same}


def _layer_normalization(layer: LayerNormalization, name: str, dtype: str, keras: int) -> Config:
    if min(layer.axis) < 0 < max(layer.axis):  # Keras sorts them as numbers
        raise NumjazError(f"Keras's LayerNormalization takes axes counted from one end, not {layer.axis}")
    axis = list(layer.axis) if len(layer.axis) > 1 else layer.axis[0]
    return {"epsilon": layer.epsilon, "scale": layer.scale, "center": layer.center, "axis": axis}


def _normalization(layer: Normalization, name: str, dtype: str, keras: int) -> Config:
    if layer.epsilon != Normalization().epsilon:
        raise NumjazError(f"Keras's Normalization has the epsilon 1e-7, this one {layer.epsilon:g}")
    axis, mean, variance = list(layer.axis) or None, layer.mean, layer.variance
    if mean is not None and variance is not None:  # Keras wants as many numbers in both
        mean, variance = (array.tolist() for array in np.broadcast_arrays(np.squeeze(mean), np.squeeze(variance)))
        axis = axis if isinstance(mean, list) else None  # or Keras would ask how long the axis is
    return {"axis": axis, "mean": mean, "variance": variance, "invert": layer.invert}


def _relu(layer: ReLU, name: str, dtype: str, keras: int) -> Config:
    return {"max_value": layer.max_value, "negative_slope": layer.negative_slope, "threshold": layer.threshold}


def _pooling(layer: MaxPooling1D | AveragePooling1D, name: str, dtype: str, keras: int) -> Config:
    return {"pool_size": [layer.pool_size], "strides": [layer.strides or layer.pool_size], "padding": layer.padding}


def _dropout(layer: Dropout, name: str, dtype: str, keras: int) -> Config:
    if layer.kind == "ActivityRegularization":
        return {}
    return {"stddev" if layer.kind == "GaussianNoise" else "rate": layer.rate}


def _wrapped(layer: TimeDistributed, name: str, dtype: str, keras: int) -> Config:
    states = isinstance(layer.layer, (SimpleRNN, GRU, LSTM)) and layer.layer.return_state
    if states or (isinstance(layer.layer, Bidirectional) and (layer.layer.merge == "none" or _states(layer.layer))):
        raise NumjazError("Keras's TimeDistributed takes a layer with one output")
    return {"layer": serialised(layer.layer, f"{name}_layer", dtype, keras)}


def _states(layer: Bidirectional) -> bool:
    return layer.forward_layer.return_state


Words = Callable[[Any, str, str, int], Config]
WORDS: Mapping[type[Layer], Words] = {
    Input: _input,
    Conv1D: _taps,
    DepthwiseConv1D: _taps,
    SeparableConv1D: _taps,
    SimpleRNN: _recurrent,
    GRU: _recurrent,
    LSTM: _recurrent,
    Bidirectional: _bidirectional,
    TimeDistributed: _wrapped,
    MultiHeadAttention: _attention,
    BatchNormalization: _batch_normalization,
    LayerNormalization: _layer_normalization,
    Normalization: _normalization,
    Rescaling: lambda a, _name, _dtype, k: {"scale": _constant(a.scale), "offset": _constant(a.offset)},
    Dense: lambda a, _name, _dtype, k: {
        "units": a.units,
        "activation": _activation(a.activation, k),
        "use_bias": a.use_bias,
    },
    Activation: lambda a, _name, _dtype, k: {"activation": _activation(a.activation, k)},
    ReLU: _relu,
    PReLU: lambda a, _name, _dtype, k: {"shared_axes": list(a.shared_axes) or None},
    ELU: lambda a, _name, _dtype, k: {"alpha": a.alpha},
    Softmax: lambda a, _name, _dtype, k: {"axis": list(a.axis) if len(a.axis) > 1 else a.axis[0]},
    MaxPooling1D: _pooling,
    AveragePooling1D: _pooling,
    GlobalAveragePooling1D: lambda a, _name, _dtype, k: {"keepdims": a.keepdims},
    GlobalMaxPooling1D: lambda a, _name, _dtype, k: {"keepdims": a.keepdims},
    Concatenate: lambda a, _name, _dtype, k: {"axis": a.axis},
    Reshape: lambda a, _name, _dtype, k: {"target_shape": list(a.target)},
    Permute: lambda a, _name, _dtype, k: {"dims": list(a.order)},
    RepeatVector: lambda a, _name, _dtype, k: {"n": a.n},
    ZeroPadding1D: lambda a, _name, _dtype, k: {"padding": [a.before, a.behind]},
    Cropping1D: lambda a, _name, _dtype, k: {"cropping": [a.before, a.behind]},
    UpSampling1D: lambda a, _name, _dtype, k: {"size": a.size},
    Dropout: _dropout,
}
"""What each layer's options are called; those that are missing here have none."""
