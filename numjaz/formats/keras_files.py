"""Writing Keras's files: ``.keras`` and ``.weights.h5`` of Keras 3, legacy ``.h5`` of Keras 2."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from numjaz.doors.output import whole
from numjaz.doors.zip_writer import write_stored
from numjaz.formats.description import note_of
from numjaz.formats.keras_weights import NOTE, NOTE_ENTRY, group_names, places, snake_case
from numjaz.formats.keras_writing import configuration, keras_list, plain_dtype
from numjaz.layers import (
    Array,
    Bidirectional,
    DepthwiseConv1D,
    Layer,
    MultiHeadAttention,
    Normalization,
    Recurrent,
    innermost,
)
from numjaz.model import Model
from numjaz.nodes import layers_by_owner, owned_parameters

KERAS_3, KERAS_2 = "3.0.0", "2.15.0"  # whose forms are written
COUNT = np.zeros((), np.int64)  # how many batches a Normalization saw; Keras keeps it as a weight
MAX_ATTRIBUTE = 60_000  # bytes; HDF5 holds no longer ones


def write_keras(model: Model, path: str | Path) -> None:
    """A ``.keras`` archive for Keras 3."""
    dtype = plain_dtype(model.parameters.values())
    config = configuration(model.nodes, model.outputs, dtype, 3)
    weights = io.BytesIO()
    _write_tree(weights, model, dtype)
    metadata = {"keras_version": KERAS_3, "date_saved": "1980-01-01@00:00:00"}
    entries = {
        "metadata.json": json.dumps(metadata),
        "config.json": json.dumps(config),
        NOTE_ENTRY: note_of(model),
    }
    write_stored(
        path, [*((name, text.encode()) for name, text in entries.items()), ("model.weights.h5", weights.getvalue())]
    )


def write_weights(model: Model, path: str | Path) -> None:
    """A ``.weights.h5`` file for Keras 3."""
    dtype = plain_dtype(model.parameters.values())
    configuration(model.nodes, model.outputs, dtype, 3)  # refuses what Keras cannot hold
    with whole(path) as beside:
        _write_tree(beside, model, dtype, note_of(model))


def write_legacy(model: Model, path: str | Path) -> None:
    """A legacy ``.h5`` file for Keras 2: network and weights."""
    import h5py

    dtype = plain_dtype(model.parameters.values())
    config = configuration(model.nodes, model.outputs, dtype, 2)
    note = note_of(model)
    with whole(path) as beside, h5py.File(beside, "w") as file:
        root = file.create_group("model_weights")
        for at in (file, root):
            at.attrs["keras_version"], at.attrs["backend"] = np.bytes_(KERAS_2), np.bytes_("tensorflow")
        file.attrs["model_config"] = json.dumps(config).encode()  # of any length, as np.bytes_ is not
        layers = keras_list(model.nodes, model.outputs)
        _write_names(root, "layer_names", [layer.name for layer in layers])
        kinds, owned = layers_by_owner(model.nodes), owned_parameters(model.nodes)
        for layer in (*layers, None):
            group = root.create_group(layer.name if layer else "top_level_model_weights")
            arrays = {}
            if layer:
                own = {name: _cast(model.parameters[f"{layer.owner}/{name}"], dtype) for name in owned[layer.owner]}
                arrays = dict(_legacy_arrays(layer.name, kinds[layer.owner], own))
            _write_names(group, "weight_names", list(arrays))
            for name, array in arrays.items():
                group[name] = array
        file[NOTE] = np.frombuffer(note.encode(), np.uint8)


def _write_tree(target: Any, model: Model, dtype: str, note: str = "") -> None:
    import h5py

    kinds, owned = layers_by_owner(model.nodes), owned_parameters(model.nodes)
    layers = keras_list(model.nodes, model.outputs)
    with h5py.File(target, "w") as file:
        for layer, group in zip(layers, group_names(layers), strict=True):
            file.create_group(f"layers/{group}/vars").attrs["name"] = layer.name
            for place, names in places(kinds[layer.owner], list(owned[layer.owner])).items():
                at = file.require_group(f"layers/{group}/{place}")
                for i, name in enumerate(names):
                    at[str(i)] = _cast(model.parameters[f"{layer.owner}/{name}"], dtype)
                if names and isinstance(innermost(kinds[layer.owner]), Normalization):
                    at[str(len(names))] = COUNT
        file.create_group("vars")
        if note:
            file[NOTE] = np.frombuffer(note.encode(), np.uint8)


def _legacy_arrays(called: str, layer: Layer, own: Mapping[str, Array]) -> Iterator[tuple[str, Array]]:
    """A layer's arrays by the names that Keras 2 gives its variables."""
    inner = innermost(layer)
    for name, array in own.items():
        side, _, leaf = name.rpartition("/")
        if isinstance(inner, Bidirectional):
            half = inner.forward_layer if side == "forward" else inner.backward_layer
            folder = f"{side}_{_snake(half)}/{_snake(half)}_cell/"
        elif isinstance(inner, Recurrent):
            folder = f"{_snake(inner)}_cell/"
        elif isinstance(inner, MultiHeadAttention):
            folder = f"{'attention_output' if side == 'output' else side}/"
        else:
            folder = ""
        if isinstance(inner, DepthwiseConv1D) and leaf == "kernel":
            leaf = "depthwise_kernel"
        yield f"{called}/{folder}{leaf}:0", array
    if isinstance(inner, Normalization) and inner.mean is None:
        yield f"{called}/count:0", COUNT


def _snake(layer: Layer) -> str:
    return snake_case(type(layer).__name__)


def _write_names(group: Any, attribute: str, names: list[str]) -> None:
    """A list of names, over several attributes where HDF5 holds it in none."""
    held = np.array([name.encode() for name in names], dtype="S") if names else np.zeros(0, "S1")
    if held.nbytes <= MAX_ATTRIBUTE:
        group.attrs[attribute] = held
        return
    rows = max(MAX_ATTRIBUTE // held.itemsize, 1)
    for k, at in enumerate(range(0, len(held), rows)):
        group.attrs[f"{attribute}{k}"] = held[at : at + rows]


def _cast(array: Array, dtype: str) -> Array:
    return array.astype(dtype)
