"""Networks run by Keras itself, the faulty ones as clones with other options and arrays. Imports nothing of numjaz."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import keras
import numpy as np
from networks import built
from steps import Network, array, read, variables

RUNNER = f"keras {keras.__version__}" + (
    f" {keras.backend.backend()} backend" if keras.backend.backend() == "torch" else ""
)


def run(model: keras.Model, x: np.ndarray) -> dict[str, np.ndarray]:
    """Every layer's output by its name."""
    names, outputs = _recorder(model)
    return {name: array(output) for name, output in zip(names, outputs(x, training=False), strict=True)}


@lru_cache(maxsize=256)
def _recorder(model: keras.Model) -> tuple[list[str], keras.Model]:
    """The layers' names, and a model that gives all of their outputs."""
    layers = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    return [layer.name for layer in layers], keras.Model(model.inputs, [layer.output for layer in layers])


def clone(model: keras.Model, network: Network) -> keras.Model:
    """The model with the options and the arrays of these steps; what Keras refuses raises `ValueError`."""

    def made(layer: keras.layers.Layer) -> keras.layers.Layer:
        if isinstance(layer, keras.layers.InputLayer):
            return layer
        return type(layer).from_config(_said(network[layer.name].config))

    twin = keras.models.clone_model(model, clone_function=made)
    assign(twin, network)
    return twin


def _said(config: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration, functions in the place of activations that this Keras has no word for."""
    said: dict[str, Any] = {}
    for key, value in config.items():
        if key in ("layer", "backward_layer"):
            value = {**value, "config": _said(value["config"])}
        said[key] = FUNCTIONS.get(value, value) if key.endswith("activation") else value
    return said


def _leaky(x: Any) -> Any:
    return keras.activations.relu(x, 0.2)


def _hard_sigmoid_keras2(x: Any) -> Any:
    return keras.activations.relu(0.2 * x + 0.5, max_value=1.0)


def _hard_sigmoid_keras3(x: Any) -> Any:
    return keras.activations.relu(x / 6.0 + 0.5, max_value=1.0)


def _gelu_tanh(x: Any) -> Any:
    return keras.activations.gelu(x, approximate=True)


FUNCTIONS = {
    "leaky_relu": _leaky,
    "hard_sigmoid_keras2": _hard_sigmoid_keras2,
    "hard_sigmoid_keras3": _hard_sigmoid_keras3,
    "gelu_tanh": _gelu_tanh,
}


def assign(model: keras.Model, network: Network) -> None:
    """Put the arrays of these steps into a model of such layers."""
    for layer in model.layers:
        for name, variable in variables(layer):
            value = network[layer.name].weights[name]
            if tuple(variable.shape) != value.shape:
                raise ValueError(f"{layer.name}/{name}: {value.shape} for {tuple(variable.shape)}")
            variable.assign(value.astype(str(variable.dtype).rpartition("'")[0].rpartition("'")[2] or variable.dtype))


def plantable(network: Network, faulty: Network) -> bool:
    """Whether a fault is one of options and arrays alone."""
    return all(
        (step.port, step.before, step.after) == (other.port, other.before, other.after)
        for step, other in zip(network.values(), faulty.values(), strict=True)
    )


def in_float16(name: str, network: Network, x: np.ndarray) -> dict[str, np.ndarray]:
    """The network built anew with the dtype policy float16, arrays and inputs rounded to it."""
    try:
        twin = built(name, "float16")
        assign(twin, network)
        return run(twin, x.astype(np.float16))
    finally:
        built(name, "float32")


__all__ = ["RUNNER", "assign", "clone", "in_float16", "plantable", "read", "run"]
