"""What Keras writes: ``.keras``, ``.weights.h5`` and legacy ``.h5`` files, of Keras 2 and Keras 3."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from numjaz.doors.hdf5 import Hdf5
from numjaz.doors.text import MAX_JSON, parse_json
from numjaz.doors.zip import Zip
from numjaz.errors import NumjazError
from numjaz.formats.description import Note, by_name, note_in, run_golden
from numjaz.formats.keras_config import MODELS, KerasLayer, described
from numjaz.formats.keras_legacy import fits_legacy, has_layer_names, legacy_tree
from numjaz.formats.keras_loose import loose_legacy, loose_tree
from numjaz.formats.keras_weights import (
    NO_ARRAYS,
    NOTE,
    NOTE_ENTRY,
    TREES,
    has_own_classes,
    keras_order,
    weights_tree,
)
from numjaz.formats.keras_writing import keras_list, keras_names
from numjaz.formats.weights_only import no_architecture, say, with_weights
from numjaz.layers import Array
from numjaz.model import Model
from numjaz.nodes import owned_parameters, shapes_by_owner

Names = Mapping[str, str] | None


def load_archive(path: str, architecture: Model | None, names: Names) -> Model:
    """A ``.keras`` archive: configuration and weights."""
    with Zip(path) as archive:
        config = parse_json(archive.read("config.json", MAX_JSON), f"{path}: config.json")
        version = None
        if "metadata.json" in archive.names:
            metadata = parse_json(archive.read("metadata.json", MAX_JSON), f"{path}: metadata.json")
            version = metadata.get("keras_version") if isinstance(metadata, dict) else None
        note = None
        if NOTE_ENTRY in archive.names:
            note = note_in(archive.read(NOTE_ENTRY, MAX_JSON).decode(errors="replace"), f"{path}: {NOTE_ENTRY}")
        weights = archive.read("model.weights.h5")
    with Hdf5(path, weights) as file:
        if architecture is not None and isinstance(config, dict) and config.get("class_name") not in MODELS:
            return _weights_only(file, architecture, names)
        return _with_config(file, "", config, version, architecture, note, names)


def load_hdf5(file: Hdf5, architecture: Model | None, names: Names) -> Model:
    """A ``.h5`` or ``.weights.h5`` file."""
    config = file.attribute("", "model_config")
    note = None
    if file.exists(NOTE):
        text = file.array(NOTE, kinds="u", limit=MAX_JSON).tobytes().decode(errors="replace")
        note = note_in(text, f"{file.path}: {NOTE}")
    if config is not None:
        if not isinstance(config, str):
            raise NumjazError(f"{file.path}: attribute model_config is not text")
        version = file.attribute("", "keras_version") or file.attribute("model_weights", "keras_version")
        values = parse_json(config, f"{file.path}: model_config")
        if architecture is not None and isinstance(values, dict) and values.get("class_name") not in MODELS:
            return _weights_only(file, architecture, names, "model_weights")
        return _with_config(file, "model_weights", values, version, architecture, note, names)
    if architecture is None and note is not None:
        about = note.description
        arrays, _ = weights_tree(file, about.nodes, keras_list(about.nodes, about.outputs))
        return note.model(arrays)
    if not _top(file) and not has_layer_names(file, ""):
        raise NumjazError(f"{file.path}: an HDF5 file, but neither numjaz's nor one that Keras keeps weights in")
    if architecture is None:
        raise no_architecture(file.path)
    return _weights_only(file, architecture, names)


def _weights_only(file: Hdf5, architecture: Model, names: Names, root: str = "") -> Model:
    """Weights alone: by Keras's own order of a functional model's layers, or by what they are called."""
    nodes, layers = architecture.nodes, _layers_of(architecture)
    if has_layer_names(file, root):
        if names or not fits_legacy(file, root, nodes, layers):
            return _matched(file, architecture, *loose_legacy(file, root, nodes, names))
        arrays, named = legacy_tree(file, root, nodes, layers)
    elif names or not _top(file) <= set(TREES) or has_own_classes(file, layers):
        return _matched(file, architecture, *loose_tree(file, nodes, names))
    else:
        arrays, named = weights_tree(file, nodes, layers)
    if not named:
        twins = _same_shape(architecture, layers)
        rest = f"; {twins} have one shape and rest on that order alone" if twins else ""
        say(
            f"{file.path}: holds weights only; its layers are assumed to stand "
            f"in the order that Keras gives the architecture's{rest}"
        )
    return with_weights(architecture, arrays, file.path)


def _matched(file: Hdf5, architecture: Model, arrays: dict[str, Array], how: Any) -> Model:
    rest = f"; {', '.join(how.by_order[:4])} rest on their order alone" if how.by_order else ""
    say(f"{file.path}: holds weights only; matched by names and shapes: {how.text()}{rest}")
    return with_weights(architecture, arrays, file.path)


def _with_config(
    file: Hdf5, root: str, config: Any, version: Any, architecture: Model | None, note: Note | None, names: Names
) -> Model:
    if architecture is not None or names:
        raise NumjazError(f"{file.path}: states its own architecture; leave architecture= and names= out")
    if not isinstance(config, dict):
        raise NumjazError(f"{file.path}: the model's configuration is not an object")
    major = re.match(r"([23])\.", version) if isinstance(version, str) else None
    nodes, outputs, layers = described(config, file.path, int(major[1]) if major else None)
    if root:
        arrays, named = legacy_tree(file, root, nodes, layers)
        if not named:
            raise NumjazError(
                f"{file.path}: the layers under {root} have not the names that the configuration gives them"
            )
    else:
        arrays, _ = weights_tree(file, nodes, layers)
    provenance: dict[str, Any] = {"file": file.path, "framework": f"Keras {version}" if major else "Keras"}
    if keras_order(nodes, outputs) != layers:
        provenance["keras_layers"] = [_plain(layer) for layer in layers]
    model = Model(nodes, arrays, outputs=outputs, provenance=provenance)
    return model if note is None else _noted(model, note)


def _noted(model: Model, note: Note) -> Model:
    """The network under numjaz's own names, with what numjaz wrote beside it: classes, contract, test case.

    The network is what Keras's part of the file says; where the note means another one, the two give
    different outputs for the test case.
    """
    names = keras_names(note.description.nodes)
    other = NumjazError("the note that numjaz wrote into the file speaks of another network than the file")
    called = {
        f"{owner}/{name}": f"{names[owner]}/{name}"
        for owner, own in owned_parameters(note.description.nodes).items()
        for name in own
    }
    if set(called.values()) != set(model.parameters):
        raise other
    arrays = {name: model.parameters[twin] for name, twin in called.items()}
    noted = note.model(arrays)
    assert noted.golden is not None
    x = {names[name]: array for name, array in by_name(noted.golden.x, noted.inputs).items()}
    ours = by_name(run_golden(noted, noted.golden.x), noted.outputs)
    theirs = by_name(run_golden(model, x), model.outputs) if set(x) == set(model.inputs) else {}
    pairs = list(zip(ours.values(), theirs.values(), strict=False))
    if len(theirs) != len(ours) or not all(a.shape == b.shape and np.allclose(a, b, 1e-6, 1e-9) for a, b in pairs):
        raise other
    return noted


def _layers_of(model: Model) -> tuple[KerasLayer, ...]:
    """Keras's list of a network's layers: as its file had it, or as Keras would order them."""
    known = model.provenance.get("keras_layers")
    if isinstance(known, list):
        try:
            layers = tuple(_layer(entry) for entry in known)
        except (TypeError, ValueError, RecursionError):
            raise NumjazError(
                "the architecture's provenance lists Keras's layers in another form than numjaz's"
            ) from None
        owners = {owner for layer in layers for owner in _owners(layer)}
        if owners >= {owner for owner, own in owned_parameters(model.nodes).items() if own}:
            return layers
    return keras_order(model.nodes, model.outputs)


def _plain(layer: KerasLayer) -> list[Any]:
    return [layer.name, layer.kind, layer.owner, [_plain(inner) for inner in layer.layers]]


def _layer(entry: Any) -> KerasLayer:
    name, kind, owner, layers = entry
    if not all(isinstance(text, str) for text in (name, kind, owner)):
        raise ValueError
    return KerasLayer(name, kind, owner, tuple(_layer(inner) for inner in layers))


def _owners(layer: KerasLayer) -> set[str]:
    return {layer.owner} | {owner for inner in layer.layers for owner in _owners(inner)}


def _top(file: Hdf5) -> set[str]:
    """The groups at the root that layers may lie in."""
    skip = {*NO_ARRAYS, NOTE, "vars"}
    return {name for name in file.names("") if name not in skip and file.is_group(name) and file.names(name)}


def _same_shape(model: Model, layers: tuple[KerasLayer, ...]) -> str:
    """The layers that only their order tells apart, as text: the first such group."""
    groups: dict[Any, list[str]] = {}
    own = shapes_by_owner(model.nodes)
    for layer in layers:
        if layer.owner and own[layer.owner]:
            groups.setdefault((layer.kind, tuple(own[layer.owner].values())), []).append(layer.owner)
    twins = [owners for owners in groups.values() if len(owners) > 1]
    if not twins:
        return ""
    return ", ".join(twins[0][:4]) + (", …" if len(twins[0]) > 4 or len(twins) > 1 else "")
