"""A layer of Keras's configuration as a numjaz layer: every entry is honoured, without effect, or refused."""

from __future__ import annotations

import warnings
from typing import Any

from numjaz.errors import NumjazError, NumjazWarning
from numjaz.formats.keras_classes import OPERATIONS, TRANSLATORS, Config, Translate
from numjaz.layers import Layer

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
LAYERS_WITHIN = ("layer", "backward_layer")  # which are translated before the layer around them
KERAS_PACKAGES = ("keras", "tf_keras", "tensorflow")
DTYPES = ("float32", "float64")
ALIASES = {"swish": "silu", "hard_swish": "hard_silu", "sparsemax": "sparsemax_keras", None: "linear"}


REGISTERED: dict[str, Translate] = {}
"""The same for classes that a user made known by `numjaz.register`."""


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
        for key in LAYERS_WITHIN:
            if config.get(key):
                config[key] = layer_of(config[key], keras)
        return translate(_with_numjaz_names(config, keras, where))
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


def _with_numjaz_names(config: Config, keras: int | None, where: str) -> Config:
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
        if value == "hard_sigmoid" and keras != 3:
            if keras is None:
                raise NumjazError(f"{where}: hard_sigmoid, of which Keras 2's or 3's the file does not say")
            value = "hard_sigmoid_keras2"
        named[key] = ALIASES.get(value, value) if value is None or isinstance(value, str) else value
    return named


def _check_dtype(kind: str, config: Config) -> None:
    dtype = config["dtype"]
    if isinstance(dtype, dict):
        dtype = dtype.get("config", {}).get("name")
    if isinstance(dtype, str) and (dtype.startswith("mixed_") or dtype == "float16"):
        text = f"layer {config.get('name', '?')}: {dtype} computes in half precision; here it is in the input's"
        warnings.warn(text, NumjazWarning, stacklevel=2)
        return
    if dtype not in DTYPES:
        raise NumjazError(
            f"layer {config.get('name', '?')!r:.60}: {kind} with dtype={dtype!r:.60} is not honoured by numjaz"
        )
