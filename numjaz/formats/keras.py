"""What Keras writes: ``.keras``, ``.weights.h5`` and legacy ``.h5`` files, of Keras 2.15 and Keras 3."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from numjaz.doors.hdf5 import Hdf5
from numjaz.doors.text import parse_json
from numjaz.doors.zip import read_stored
from numjaz.errors import NumjazError, NumjazWarning
from numjaz.formats.keras_config import nodes_of
from numjaz.formats.keras_weights import has_layer_names, keras_order, legacy_tree, weights_tree
from numjaz.layers import Array
from numjaz.model import Model
from numjaz.nodes import Node, owned_parameters

TREES = ("layers", "_layer_checkpoint_dependencies")  # the first by 2.15 and Keras 3, the second by 2.12 to 2.14


def load_archive(path: str, architecture: Model | None) -> Model:
    """A ``.keras`` archive: configuration and weights."""
    entries = read_stored(path, ("config.json", "model.weights.h5"))
    config = parse_json(entries["config.json"], f"{path}: config.json")
    with Hdf5(path, entries["model.weights.h5"]) as file:
        return _with_config(file, "", config, architecture)


def load_hdf5(file: Hdf5, architecture: Model | None) -> Model:
    """A ``.h5`` or ``.weights.h5`` file."""
    config = file.attribute("", "model_config")
    if config is not None:
        if not isinstance(config, str):
            raise NumjazError(f"{file.path}: attribute model_config is not text")
        return _with_config(file, "model_weights", parse_json(config, f"{file.path}: model_config"), architecture)
    if not any(file.exists(group) for group in TREES) and not has_layer_names(file, ""):
        raise NumjazError(f"{file.path}: an HDF5 file, but neither numjaz's nor one that Keras keeps weights in")
    if architecture is None:
        raise NumjazError(
            f"{file.path}: holds weights and no architecture; name one: "
            f"architecture='jazbat' (a builder, with its options), "
            f"a model file's path, or a Model"
        )
    nodes = architecture.nodes
    order = keras_order(nodes, architecture.outputs)
    arrays, named = _arrays(file, "", nodes, order)
    if not named:
        twins = _same_shape(architecture, order)
        rest = f"; {twins} have one shape and rest on that order alone" if twins else ""
        warnings.warn(
            f"{file.path}: holds weights only; its layers are assumed to stand "
            f"in the order that Keras gives the architecture's{rest}",
            NumjazWarning,
            stacklevel=3,
        )
    return architecture.derive(
        parameters=arrays, golden=None, provenance={"file": file.path, "architecture": "given, not in the file"}
    )


def _with_config(file: Hdf5, root: str, config: Any, architecture: Model | None) -> Model:
    if architecture is not None:
        raise NumjazError(f"{file.path}: states its own architecture; leave architecture= out")
    if not isinstance(config, dict):
        raise NumjazError(f"{file.path}: the model's configuration is not an object")
    nodes, outputs, order = nodes_of(config, file.path)
    arrays, named = _arrays(file, root, nodes, order)
    if root and not named:
        raise NumjazError(f"{file.path}: the layers under {root} have not the names that the configuration gives them")
    version = file.attribute(root, "keras_version") if root else None
    provenance: Mapping[str, Any] = {"file": file.path, "framework": f"Keras {version}" if version else "Keras"}
    return Model(nodes, arrays, outputs=outputs, provenance=provenance)


def _arrays(
    file: Hdf5, root: str, nodes: Sequence[Node], order: Sequence[tuple[str, str]]
) -> tuple[dict[str, Array], bool]:
    """The arrays, and whether names told which is which, not their order alone."""
    if root or has_layer_names(file, ""):
        return legacy_tree(file, root, nodes, order)
    if not file.exists(TREES[0]):
        raise NumjazError(
            f"{file.path}: written by TensorFlow 2.12 to 2.14, which this version does not read; "
            f"save it again with 2.15 or Keras 3"
        )
    return weights_tree(file, nodes, order), False


def _same_shape(model: Model, order: Sequence[tuple[str, str]]) -> str:
    """The layers that only their order tells apart, as text: the first such group."""
    groups: dict[Any, list[str]] = {}
    owned = owned_parameters(model.nodes)
    for owner, kind in order:
        if owned[owner]:
            groups.setdefault((kind, tuple(p.shape for p in owned[owner].values())), []).append(owner)
    twins = [owners for owners in groups.values() if len(owners) > 1]
    if not twins:
        return ""
    return ", ".join(twins[0][:4]) + (", …" if len(twins[0]) > 4 or len(twins) > 1 else "")
