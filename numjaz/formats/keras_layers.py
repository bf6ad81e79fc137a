"""A Keras layer's configuration, of Keras 2 or 3, as a numjaz layer.

Every entry of a configuration is honoured, known not to matter to the forward pass, or refused by
name.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from numjaz.errors import NumjazError, NumjazWarning
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


# How the weights came to be, how the layer is computed, what it is called: none of it changes y.
WITHOUT_EFFECT = {
    "name",
    "trainable",
    "implementation",
    "unroll",
    "dropout",
    "recurrent_dropout",
    "unit_forget_bias",  # says how a bias begins
    "seed",
    "momentum",
    "synchronized",
    "renorm_clipping",  # without renorm, which is refused
    "renorm_momentum",
    *(
        f"{what}_{how}"
        for what in ("kernel", "recurrent", "bias", "beta", "gamma", "depthwise", "pointwise", "alpha")
        for how in ("initializer", "regularizer", "constraint")
    ),
    "moving_mean_initializer",
    "moving_variance_initializer",
    "activity_regularizer",
    "batch_input_shape",
    "build_config",
    "optional",
    "zero_output_for_mask",  # a Masking layer would be refused
    "query_shape",
    "key_shape",
    "value_shape",
    "flash_attention",
}
# Entries that numjaz has one form of: any other value is refused.
ONLY: dict[str, tuple[Any, ...]] = {
    "data_format": ("channels_last", None),
    "stateful": (False,),
    "time_major": (False,),
    "sparse": (False,),
    "ragged": (False,),
    "renorm": (False,),
    "virtual_batch_size": (None,),
    "adjustment": (None,),
    "rms_scaling": (False,),
    "use_gate": (False,),
    "sliding_window": (None,),
    "quantization_config": (None,),
    "lora_rank": (None,),
    "lora_alpha": (None,),
}
KERAS_PACKAGES = ("keras", "tf_keras", "tensorflow")
DTYPES = ("float32", "float64")
ALIASES = {"swish": "silu", "hard_swish": "hard_silu", "sparsemax": "sparsemax_keras", None: "linear"}


def layer_of(entry: Config, keras: int | None) -> Layer:
    """A layer of its configuration, as Keras 2 or 3 (``keras``; None where unknown) wrote it."""
    check_known(entry)
    kind, config = entry["class_name"], {key: _unpacked(value) for key, value in entry["config"].items()}
    where = f"layer {config.get('name', '?')!r:.60}"
    module, registered = entry.get("module"), entry.get("registered_name")
    mine = kind.rpartition(">")[2]  # a legacy file has the package before it
    if mine in REGISTERED:
        return REGISTERED[mine](config)
    if is_operation(entry):
        return OPERATIONS[kind]()
    parts = str(module).split(".")
    if registered is not None or (module is not None and (parts[0] not in KERAS_PACKAGES or "layers" not in parts)):
        raise NumjazError(
            f"{where} is a class {kind} of {str(module or registered)!r:.60}, not Keras's own; "
            f"numjaz.register gives it a layer of yours"
        )
    honoured, translate = TRANSLATORS[kind]
    for key, value in config.items():
        if key in honoured or key in WITHOUT_EFFECT:
            continue
        if key == "dtype":
            _check_dtype(kind, config)
        elif key not in ONLY or not any(type(value) is type(only) and value == only for only in ONLY[key]):
            raise NumjazError(f"{where}: {kind} with {key}={value!r:.60} is not honoured by numjaz")
    try:
        return translate(_with_numjaz_names({**config, "keras": keras}, where))
    except KeyError as error:
        raise NumjazError(f"{where}: {kind} without {error} in its configuration") from None
    except NumjazError as error:
        raise NumjazError(str(error) if str(error).startswith("layer ") else f"{where}: {error}") from None


def check_known(entry: Config) -> None:
    """Raise where numjaz has no layer for a class."""
    kind = entry["class_name"]
    if kind in TRANSLATORS or str(kind).rpartition(">")[2] in REGISTERED:
        return
    raise NumjazError(
        f"layer {entry['config'].get('name', '?')!r:.60} is a {kind!r:.60}, which numjaz does not know; "
        f"numjaz.register gives it a layer of yours"
    )


def is_operation(entry: Config) -> bool:
    """Whether an entry is ``x + y`` and the like, written by Keras 3 as a layer."""
    return str(entry.get("module")).startswith(("keras.src.ops.", "keras.ops")) and entry["class_name"] in OPERATIONS


def _unpacked(value: Any) -> Any:
    """An entry that Keras held as an array, as plain values; TensorFlow 2.12 holds `ReLU`'s numbers so."""
    packed = isinstance(value, dict) and value.get("class_name") in ("__numpy__", "__tensor__")
    return value["config"]["value"] if packed else value


def _with_numjaz_names(config: Config, where: str) -> Config:
    """The configuration with activations as numjaz names them."""
    named = dict(config)
    for key in ("activation", "recurrent_activation"):
        value = config.get(key)
        if key not in config:
            continue
        if isinstance(value, dict) and str(value.get("module")).startswith("builtins"):
            value = value.get("config")
        if isinstance(value, dict):
            raise NumjazError(
                f"{where}: {key} is a {value.get('class_name')!r:.60} object; give the activation a layer of its own"
            )
        if value == "hard_sigmoid" and config["keras"] != 3:
            if config["keras"] is None:
                raise NumjazError(f"{where}: hard_sigmoid, of which Keras 2's or 3's the file does not say")
            value = "hard_sigmoid_keras2"
        named[key] = ALIASES.get(value, value) if value is None or isinstance(value, str) else value
    return named


def _check_dtype(kind: str, config: Config) -> None:
    dtype = config["dtype"]
    if isinstance(dtype, dict):
        dtype = dtype.get("config", {}).get("name")
    if isinstance(dtype, str) and dtype.startswith("mixed_"):
        text = f"layer {config.get('name', '?')}: {dtype} computes in half precision; here it is in the input's"
        warnings.warn(text, NumjazWarning, stacklevel=2)
        return
    if dtype not in DTYPES:
        raise NumjazError(
            f"layer {config.get('name', '?')!r:.60}: {kind} with dtype={dtype!r:.60} is not honoured by numjaz"
        )


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
    sides = [config["layer"], config.get("backward_layer")]
    layers = [layer_of(side, config["keras"]) for side in sides if side]
    if not all(isinstance(layer, Recurrent) for layer in layers):
        raise NumjazError(f"Bidirectional of {sides[0].get('class_name')!r:.60}, which is not a recurrent layer")
    forward, *given = layers
    if not given:  # Keras makes it of the forward layer
        return Bidirectional(forward, forward, _merge(config))  # type: ignore[arg-type]
    (backward,) = given
    turned = replace(backward, go_backwards=not backward.go_backwards)  # type: ignore[attr-defined, call-arg]
    return Bidirectional(forward, turned, _merge(config))  # type: ignore[arg-type]


def _merge(config: Config) -> Any:
    return "none" if config["merge_mode"] is None else config["merge_mode"]


def _time_distributed(config: Config) -> Layer:
    return TimeDistributed(layer_of(config["layer"], config["keras"]))


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
    "TimeDistributed": _entry(_time_distributed, "layer"),
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

REGISTERED: dict[str, Translate] = {}
"""The same for classes that a user made known by `numjaz.register`."""
