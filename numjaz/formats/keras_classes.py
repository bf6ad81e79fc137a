"""What each class of Keras becomes, and which entries of its configuration that honours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from numjaz.errors import NumjazError
from numjaz.layers import (
    ELU,
    GRU,
    LSTM,
    Activation,
    Add,
    Average,
    AveragePooling1D,
    BatchNormalization,
    Bidirectional,
    Concatenate,
    Conv1D,
    Cropping1D,
    Dense,
    DepthwiseConv1D,
    Dropout,
    Flatten,
    GlobalAveragePooling1D,
    GlobalMaxPooling1D,
    Input,
    Layer,
    LayerNormalization,
    Maximum,
    MaxPooling1D,
    Minimum,
    MultiHeadAttention,
    Multiply,
    Normalization,
    Permute,
    PReLU,
    Recurrent,
    ReLU,
    RepeatVector,
    Rescaling,
    Reshape,
    SeparableConv1D,
    SimpleRNN,
    Softmax,
    Subtract,
    TimeDistributed,
    UpSampling1D,
    ZeroPadding1D,
)

Config = Mapping[str, Any]
Translate = Callable[[Config], Layer]


class Entry(NamedTuple):
    """What a Keras class becomes, and which entries of its configuration that honours."""

    honoured: frozenset[str]
    translate: Translate


def _only(values: Any) -> Any:
    """Keras writes a one-dimensional size as a number or as a list of one."""
    return values[0] if isinstance(values, list) and len(values) == 1 else values


def _pair(values: Any) -> tuple[Any, Any]:
    """Sizes before and behind: one for both, or two."""
    values = _only(values)
    return (values[0], values[1]) if isinstance(values, list) and len(values) == 2 else (values, values)


def _axes(values: Any) -> tuple[Any, ...]:
    return tuple(values) if isinstance(values, list) else () if values is None else (values,)


def _constant(value: Any) -> Any:
    """One number, or one a channel: also where Keras wraps it in axes of 1."""
    while isinstance(value, list) and len(value) == 1 and isinstance(value[0], list):
        value = value[0]
    return tuple(value) if isinstance(value, list) else value


def _input(config: Config) -> Layer:
    shape = config["batch_shape"] if "batch_shape" in config else config["batch_input_shape"]
    if not isinstance(shape, list) or len(shape) < 2 or shape[-1] is None:
        raise NumjazError(f"the input has shape {shape!r:.60}; numjaz takes (windows, time, features)")
    return Input(shape[-1], tuple(shape[1:-1]))


RECURRENT = ("units", "activation", "use_bias", "return_sequences", "return_state", "go_backwards")


def _recurrent(kind: type[Recurrent], *more: str) -> Entry:
    names = (*RECURRENT, *more)
    return Entry(frozenset(names), lambda c: kind(**{name: c[name] for name in names}))


def _cudnn(kind: type[GRU | LSTM]) -> Entry:
    names = ("units", "return_sequences", "return_state", "go_backwards")
    return Entry(frozenset(names), lambda c: kind(**{name: c[name] for name in names}))


def _bidirectional(config: Config) -> Layer:
    """The backward layer is given the sequence turned round, so that its own flag counts the other way."""
    forward, backward = config["layer"], config.get("backward_layer")
    for layer in (forward, backward or forward):
        if not isinstance(layer, Recurrent):
            raise NumjazError(f"Bidirectional of {type(layer).__name__!r}, which is not a recurrent layer")
    # Without one Keras makes the backward layer of the forward one.
    backward = replace(backward, go_backwards=not backward.go_backwards) if backward else forward
    return Bidirectional(forward, backward, "none" if config["merge_mode"] is None else config["merge_mode"])


def _multi_head_attention(config: Config) -> Layer:
    if config.get("attention_axes") not in (None, [1]):
        raise NumjazError(f"MultiHeadAttention with attention_axes={config['attention_axes']!r:.60}")
    shape = config.get("output_shape")
    output = 0 if shape is None else _only(shape)
    return MultiHeadAttention(
        config["num_heads"], config["key_dim"], config.get("value_dim") or 0, output, config["use_bias"]
    )


def _normalization(config: Config) -> Layer:
    return Normalization(
        _axes(config["axis"]), _constant(config["mean"]), _constant(config["variance"]), config.get("invert", False)
    )


def _softmax(config: Config) -> Layer:
    axes = _axes(config["axis"])
    return Activation("softmax") if axes == (-1,) else Softmax(axes)


def _relu(config: Config) -> Layer:
    layer = ReLU(config["max_value"], config.get("negative_slope") or 0.0, config.get("threshold") or 0.0)
    return Activation("relu") if layer == ReLU() else layer


def _leaky_relu(config: Config) -> Layer:
    return ReLU(negative_slope=float(config["alpha"] if "alpha" in config else config["negative_slope"]))


def _up_sampling(config: Config) -> Layer:
    return UpSampling1D(_only(config["size"]))


def _taps(config: Config) -> dict[str, Any]:
    """What the three convolutions share."""
    return {
        "kernel_size": _only(config["kernel_size"]),
        "padding": config["padding"],
        "activation": config["activation"],
        "use_bias": config["use_bias"],
        "strides": _only(config["strides"]),
        "dilation": _only(config["dilation_rate"]),
    }


def _conv(config: Config) -> Layer:
    return Conv1D(filters=config["filters"], groups=config.get("groups", 1), **_taps(config))


def _depthwise(config: Config) -> Layer:
    _one_group(config)
    return DepthwiseConv1D(depth_multiplier=config["depth_multiplier"], **_taps(config))


def _separable(config: Config) -> Layer:
    _one_group(config)
    return SeparableConv1D(filters=config["filters"], depth_multiplier=config["depth_multiplier"], **_taps(config))


def _one_group(config: Config) -> None:
    if config.get("groups", 1) != 1:
        raise NumjazError(f"groups={config['groups']!r:.60} is not honoured by numjaz here")


def _pooling(kind: type[MaxPooling1D | AveragePooling1D]) -> Entry:
    def translate(config: Config) -> Layer:
        size, strides = _only(config["pool_size"]), _only(config["strides"])
        return kind(size, 0 if strides in (None, size) else strides, config["padding"])

    return Entry(frozenset({"pool_size", "strides", "padding"}), translate)


def _global(kind: type[GlobalAveragePooling1D | GlobalMaxPooling1D]) -> Entry:
    return Entry(frozenset({"keepdims"}), lambda c: kind(c.get("keepdims", False)))


def _noise(kind: str, key: str) -> Entry:
    ignored = {"noise_shape", key}
    return Entry(frozenset(ignored), lambda c: Dropout(c[key], kind))


def _entry(translate: Translate, *honoured: str) -> Entry:
    return Entry(frozenset(honoured), translate)


CONVOLUTION = ("kernel_size", "padding", "activation", "use_bias", "strides", "dilation_rate", "groups")

TRANSLATORS: dict[str, Entry] = {
    "InputLayer": _entry(_input, "batch_shape", "batch_input_shape"),
    "Dense": _entry(lambda c: Dense(c["units"], c["activation"], c["use_bias"]), "units", "activation", "use_bias"),
    "Conv1D": _entry(_conv, "filters", *CONVOLUTION),
    "DepthwiseConv1D": _entry(_depthwise, "depth_multiplier", *CONVOLUTION),
    "SeparableConv1D": _entry(_separable, "filters", "depth_multiplier", *CONVOLUTION),
    "SimpleRNN": _recurrent(SimpleRNN),
    "GRU": _recurrent(GRU, "recurrent_activation", "reset_after"),
    "LSTM": _recurrent(LSTM, "recurrent_activation"),
    "CuDNNGRU": _cudnn(GRU),
    "CuDNNLSTM": _cudnn(LSTM),
    "Bidirectional": _entry(_bidirectional, "layer", "backward_layer", "merge_mode"),
    "TimeDistributed": _entry(lambda c: TimeDistributed(c["layer"]), "layer"),
    "MultiHeadAttention": _entry(
        _multi_head_attention, "num_heads", "key_dim", "value_dim", "use_bias", "output_shape", "attention_axes"
    ),
    "BatchNormalization": _entry(
        lambda c: BatchNormalization(c["epsilon"], c["momentum"], c["scale"], c["center"], _only(c["axis"])),
        *("axis", "epsilon", "scale", "center"),
    ),
    "LayerNormalization": _entry(
        lambda c: LayerNormalization(c["epsilon"], c["scale"], c["center"], _axes(c["axis"])),
        *("axis", "epsilon", "scale", "center"),
    ),
    "Normalization": _entry(_normalization, "axis", "mean", "variance", "invert"),
    "Rescaling": _entry(lambda c: Rescaling(_constant(c["scale"]), _constant(c["offset"])), "scale", "offset"),
    "Activation": _entry(lambda c: Activation(c["activation"]), "activation"),
    "ReLU": _entry(_relu, "max_value", "negative_slope", "threshold"),
    "LeakyReLU": _entry(_leaky_relu, "alpha", "negative_slope"),
    "PReLU": _entry(lambda c: PReLU(_axes(c["shared_axes"])), "shared_axes"),
    "ELU": _entry(lambda c: ELU(float(c["alpha"])), "alpha"),
    "Softmax": _entry(_softmax, "axis"),
    "MaxPooling1D": _pooling(MaxPooling1D),
    "AveragePooling1D": _pooling(AveragePooling1D),
    "GlobalAveragePooling1D": _global(GlobalAveragePooling1D),
    "GlobalMaxPooling1D": _global(GlobalMaxPooling1D),
    "Add": _entry(lambda c: Add()),
    "Subtract": _entry(lambda c: Subtract()),
    "Multiply": _entry(lambda c: Multiply()),
    "Average": _entry(lambda c: Average()),
    "Maximum": _entry(lambda c: Maximum()),
    "Minimum": _entry(lambda c: Minimum()),
    "Concatenate": _entry(lambda c: Concatenate(c["axis"]), "axis"),
    "Flatten": _entry(lambda c: Flatten()),
    "Reshape": _entry(lambda c: Reshape(tuple(c["target_shape"])), "target_shape"),
    "Permute": _entry(lambda c: Permute(tuple(c["dims"])), "dims"),
    "RepeatVector": _entry(lambda c: RepeatVector(c["n"]), "n"),
    "ZeroPadding1D": _entry(lambda c: ZeroPadding1D(*_pair(c["padding"])), "padding"),
    "Cropping1D": _entry(lambda c: Cropping1D(*_pair(c["cropping"])), "cropping"),
    "UpSampling1D": _entry(_up_sampling, "size"),
    "Dropout": _noise("Dropout", "rate"),
    "SpatialDropout1D": _noise("SpatialDropout1D", "rate"),
    "AlphaDropout": _noise("AlphaDropout", "rate"),
    "GaussianDropout": _noise("GaussianDropout", "rate"),
    "GaussianNoise": _noise("GaussianNoise", "stddev"),
    "ActivityRegularization": _entry(lambda c: Dropout(0.0, "ActivityRegularization"), "l1", "l2"),
    "Identity": _entry(lambda c: Activation("linear")),
}
"""What each class of Keras becomes."""

OPERATIONS: dict[str, type[Layer]] = {
    "Add": Add,
    "Subtract": Subtract,
    "Multiply": Multiply,
    "Maximum": Maximum,
    "Minimum": Minimum,
}
"""Operations of Keras 3 that mean the layer of their name, for inputs of as many axes."""
