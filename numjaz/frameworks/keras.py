"""The Keras twin: one Keras layer an owner of arrays, under names that Keras takes."""

from __future__ import annotations

from typing import Any

from numjaz.errors import NumjazError
from numjaz.formats.keras_writing import configuration, keras_list, plain_dtype
from numjaz.layers import Normalization
from numjaz.model import Model
from numjaz.nodes import layers_by_owner, owned_parameters

try:
    import keras
except ImportError:
    raise NumjazError("the Keras twin needs Keras: pip install keras tensorflow-cpu") from None


def keras_model(model: Model) -> Any:
    """A functional Keras model of a network, with its weights.

    Parameters
    ----------
    model : Model
        Any that Keras has the layers for.

    Returns
    -------
    keras.Model
        In float64 where an array is, else in float32. Inputs and outputs stand in the network's order.

    Raises
    ------
    NumjazError
        Naming the node, and what this Keras has no word for.
    """
    major = int(keras.__version__.split(".")[0])
    config = configuration(model.nodes, model.outputs, plain_dtype(model.parameters.values()), major)
    twin = keras.Model.from_config(config["config"])
    kinds, owned = layers_by_owner(model.nodes), owned_parameters(model.nodes)
    for layer in keras_list(model.nodes, model.outputs):
        held = [model.parameters[f"{layer.owner}/{name}"] for name in owned[layer.owner]]
        if held:
            there = twin.get_layer(layer.name)
            counted = isinstance(kinds[layer.owner], Normalization)
            there.set_weights([*held, *(there.get_weights()[len(held) :] if counted else [])])
            if counted:
                there.finalize_state()
    return twin
