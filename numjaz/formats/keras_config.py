"""A Keras model's configuration, of Keras 2 or 3, as nodes.

Every entry of a layer's configuration is honoured, known not to matter to the forward pass, or
refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

from numjaz.errors import NumjazError
from numjaz.layers import (
    GRU,
    Activation,
    Add,
    BatchNormalization,
    Bidirectional,
    Conv1D,
    Dense,
    GlobalAveragePooling1D,
    Input,
    Layer,
)
from numjaz.nodes import Node

Config = Mapping[str, Any]

# How the weights came to be, how the layer is computed, what it is called: none of it changes y.
WITHOUT_EFFECT = {
    "name",
    "trainable",
    "implementation",
    "unroll",
    "dropout",
    "recurrent_dropout",
    "seed",
    "momentum",
    "synchronized",
    "renorm_clipping",  # without renorm, which is refused
    "renorm_momentum",
    *(
        f"{what}_{how}"
        for what in ("kernel", "recurrent", "bias", "beta", "gamma")
        for how in ("initializer", "regularizer", "constraint")
    ),
    "moving_mean_initializer",
    "moving_variance_initializer",
    "activity_regularizer",
    "batch_input_shape",
    "build_config",
    "optional",
    "zero_output_for_mask",  # a Masking layer would be refused
}
# Entries that numjaz has one form of: any other value is refused.
ONLY: dict[str, tuple[Any, ...]] = {
    "data_format": ("channels_last",),
    "strides": (1, [1]),
    "dilation_rate": (1, [1]),
    "groups": (1,),
    "stateful": (False,),
    "return_state": (False,),
    "go_backwards": (False,),
    "time_major": (False,),
    "keepdims": (False,),
    "sparse": (False,),
    "ragged": (False,),
    "renorm": (False,),
    "merge_mode": ("concat",),
    "quantization_config": (None,),
    "lora_rank": (None,),
    "lora_alpha": (None,),
    "max_value": (None,),
    "negative_slope": (0, 0.0, None),
    "threshold": (0, 0.0, None),
}
KERAS_PACKAGES = ("keras", "tf_keras", "tensorflow")
DTYPES = ("float32", "float64")


def nodes_of(model: Config, source: str) -> tuple[list[Node], list[str], list[tuple[str, str]]]:
    """Nodes in the order of execution, output nodes, and (layer name, Keras class) in Keras's order.

    Raises
    ------
    NumjazError
        Naming the layer and the entry that numjaz does not honour.
    """
    try:
        kind, config = model["class_name"], model["config"]
        layers = config["layers"] if isinstance(config, dict) else config
        order = [(entry["config"]["name"], entry["class_name"]) for entry in layers]
        if kind == "Sequential":
            nodes = _sequential(layers)
            return nodes, [nodes[-1].name], order
        if kind in ("Functional", "Model"):
            nodes, names = _functional(layers)
            outputs = [names[key] for key in _history(config["output_layers"])]
            return nodes, outputs, order
    except (KeyError, TypeError, IndexError, AttributeError, ValueError, OverflowError, RecursionError) as error:
        raise NumjazError(
            f"{source}: the model's configuration is not as Keras writes it ({type(error).__name__}: {error})"
        ) from None
    raise NumjazError(f"{source}: a {kind} model carries no list of layers; a weights-only reading needs architecture=")


def _sequential(layers: list[Config]) -> list[Node]:
    nodes: list[Node] = []
    first = layers[0]["config"]
    if layers[0]["class_name"] != "InputLayer" and "batch_input_shape" in first:  # Keras 2 may leave the layer out
        nodes.append(Node("input", Input(first["batch_input_shape"][-1])))
    for entry in layers:
        inputs = ((nodes[-1].name, 0),) if nodes else ()
        nodes.append(Node(entry["config"]["name"], _layer(entry), inputs))
    return nodes


def _functional(layers: list[Config]) -> tuple[list[Node], dict[tuple[str, int], str]]:
    """Nodes, and their names by (layer, which of its calls): a shared layer has several calls."""
    names: dict[tuple[str, int], str] = {}
    calls: list[tuple[str, Layer, list[tuple[str, int]], str]] = []
    for entry in layers:
        owner, layer = entry["config"]["name"], _layer(entry)
        inbound = entry["inbound_nodes"] or [[]]
        for k, call in enumerate(inbound):
            name = owner if k == 0 else f"{owner}:{k}"
            names[owner, k] = name
            calls.append((name, layer, _history(call), owner))
    waiting = {name: Node(name, layer, tuple((names[k], 0) for k in keys), owner) for name, layer, keys, owner in calls}
    try:
        ready = TopologicalSorter(
            {name: [source for source, _ in n.inputs] for name, n in waiting.items()}
        ).static_order()
        return [waiting[name] for name in ready], names
    except CycleError as error:
        raise NumjazError(f"layer {error.args[1][0]!r:.60} takes its input, at some remove, from itself") from None


def _history(call: Any) -> list[tuple[str, int]]:
    """The (layer, call) pairs in a call's arguments, in order, as Keras 2 and Keras 3 write them."""
    if isinstance(call, dict) and "keras_history" in call.get("config", {}):
        name, k, output = call["config"]["keras_history"]
        return _pair(name, k, output)
    if isinstance(call, dict) and "args" in call:
        given = {key: value for key, value in call.get("kwargs", {}).items() if value not in (None, False)}
        if given:
            raise NumjazError(f"a layer is called with {next(iter(given))}, which numjaz does not honour")
        return _history(call["args"])
    if isinstance(call, list) and len(call) in (3, 4) and isinstance(call[0], str):
        if len(call) == 4 and call[3]:
            raise NumjazError(f"a layer is called with {next(iter(call[3]))}, which numjaz does not honour")
        return _pair(*call[:3])
    if isinstance(call, list):
        return [pair for entry in call for pair in _history(entry)]
    raise NumjazError(f"a layer is called on {call!r:.60}, which is not another layer's output")


def _pair(name: Any, k: Any, output: Any) -> list[tuple[str, int]]:
    if not isinstance(name, str) or type(k) is not int or output != 0:
        raise NumjazError(f"output {output!r} of layer {name!r:.60} is not read")
    return [(name, k)]


def _layer(entry: Config) -> Layer:
    kind, config = entry["class_name"], entry["config"]
    if kind not in TRANSLATORS:
        raise NumjazError(
            f"layer {config.get('name', '?')!r:.60} is a {kind!r:.60}, which this version does not know; "
            f"known are {', '.join(TRANSLATORS)}"
        )
    module, registered = entry.get("module"), entry.get("registered_name")
    if registered is not None or (module is not None and str(module).split(".")[0] not in KERAS_PACKAGES):
        raise NumjazError(
            f"layer {config.get('name', '?')!r:.60} is a class {kind} of {str(module or registered)!r:.60}, "
            f"not Keras's own"
        )
    honoured, translate = TRANSLATORS[kind]
    for key, value in config.items():
        if key in honoured or key in WITHOUT_EFFECT:
            continue
        if key == "dtype":
            _check_dtype(kind, config)
        elif key not in ONLY or not any(type(value) is type(only) and value == only for only in ONLY[key]):
            raise NumjazError(
                f"layer {config.get('name', '?')!r:.60}: {kind} with {key}={value!r:.60} is not honoured by numjaz"
            )
    try:
        return translate(config)
    except KeyError as error:
        raise NumjazError(
            f"layer {config.get('name', '?')!r:.60}: {kind} without {error} in its configuration"
        ) from None


def _check_dtype(kind: str, config: Config) -> None:
    dtype = config["dtype"]
    if isinstance(dtype, dict):
        dtype = dtype.get("config", {}).get("name")
    if dtype not in DTYPES:
        raise NumjazError(
            f"layer {config.get('name', '?')!r:.60}: {kind} with dtype={dtype!r:.60} is not honoured by numjaz"
        )


def _only(values: Any) -> Any:
    """Keras writes a one-dimensional size as a number or as a list of one."""
    return values[0] if isinstance(values, list) and len(values) == 1 else values


def _input(config: Config) -> Layer:
    shape = config["batch_shape"] if "batch_shape" in config else config["batch_input_shape"]
    if not isinstance(shape, list) or len(shape) != 3 or shape[2] is None:
        raise NumjazError(f"the input has shape {shape}; numjaz takes (windows, time, features)")
    return Input(shape[2])


def _gru(config: Config) -> GRU:
    return GRU(
        config["units"],
        activation=config["activation"],
        recurrent_activation=config["recurrent_activation"],
        reset_after=config["reset_after"],
        use_bias=config["use_bias"],
        return_sequences=config["return_sequences"],
    )


def _bidirectional(config: Config) -> Layer:
    forward = _layer(config["layer"])
    held = config.get("backward_layer") or config["layer"]
    if config.get("backward_layer"):
        if held["config"].get("go_backwards") is not True:
            raise NumjazError("Bidirectional: the backward layer must have go_backwards=True")
        held = {**held, "config": {**held["config"], "go_backwards": False}}
    backward = _layer(held)
    if not isinstance(forward, GRU) or not isinstance(backward, GRU):
        raise NumjazError("Bidirectional: only GRU layers are read by this version")
    return Bidirectional(forward, backward)


def _batch_normalization(config: Config) -> Layer:
    if _only(config["axis"]) not in (-1, 2):
        raise NumjazError(
            f"BatchNormalization with axis={config['axis']} is not honoured by numjaz, which normalises the last"
        )
    return BatchNormalization(config["epsilon"], config["momentum"], config["scale"], config["center"])


def _softmax(config: Config) -> Layer:
    if _only(config["axis"]) != -1:
        raise NumjazError(f"Softmax with axis={config['axis']} is not honoured by numjaz, which takes the last")
    return Activation("softmax")


# Which entries each class honours, and what it becomes.
TRANSLATORS: dict[str, tuple[set[str], Callable[[Config], Layer]]] = {
    "InputLayer": ({"batch_shape", "batch_input_shape"}, _input),
    "GRU": ({"units", "activation", "recurrent_activation", "reset_after", "use_bias", "return_sequences"}, _gru),
    "Bidirectional": ({"layer", "backward_layer"}, _bidirectional),
    "BatchNormalization": ({"axis", "epsilon", "scale", "center"}, _batch_normalization),
    "Conv1D": (
        {"filters", "kernel_size", "padding", "activation", "use_bias"},
        lambda c: Conv1D(c["filters"], _only(c["kernel_size"]), c["padding"], c["activation"], c["use_bias"]),
    ),
    "Dense": ({"units", "activation", "use_bias"}, lambda c: Dense(c["units"], c["activation"], c["use_bias"])),
    "Add": (set(), lambda c: Add()),
    "GlobalAveragePooling1D": (set(), lambda c: GlobalAveragePooling1D()),
    "Activation": ({"activation"}, lambda c: Activation(c["activation"])),
    "ReLU": (set(), lambda c: Activation("relu")),
    "Softmax": ({"axis"}, _softmax),
}
