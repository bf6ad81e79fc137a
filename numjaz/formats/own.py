"""numjaz's own file: HDF5 that describes itself.

::

    /                 attributes  format = "numjaz", version = 1
    /description      JSON as bytes: nodes, outputs, classes, contract, provenance
    /parameters/…     one dataset an array, under its name
    /golden/x, y      a test case: an input, and the output it must give

Every version ever written stays readable; `VERSION` is raised when the layout changes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from numjaz.contract import Contract
from numjaz.doors.hdf5 import Hdf5
from numjaz.doors.output import whole
from numjaz.doors.text import MAX_JSON, parse_json
from numjaz.errors import NumjazError
from numjaz.layers import Input, layer_from_config
from numjaz.model import Golden, Model
from numjaz.nodes import WINDOW, Node, parameter_table

FORMAT = "numjaz"
VERSION = 1
MAX_GOLDEN = 1 << 20  # bytes of the golden case's input, and of its output


def save(model: Model, path: str | Path) -> None:
    """Write a model, whole or not at all; without a golden test case of its own it gets one."""
    import h5py

    golden = model.golden or _make_golden(model)
    text = json.dumps(describe(model), ensure_ascii=False).encode()
    with whole(path) as beside, h5py.File(beside, "w") as file:
        file.attrs["format"] = np.bytes_(FORMAT)
        file.attrs["version"] = VERSION
        file["description"] = np.frombuffer(text, dtype=np.uint8)
        for name, array in model.parameters.items():
            file[f"parameters/{name}"] = array
        file["golden/x"], file["golden/y"] = golden


def load(file: Hdf5) -> Model:
    """Read a model from an opened file."""
    version = file.attribute("", "version")
    if version != VERSION:
        raise NumjazError(f"{file.path}: numjaz format version {version!r:.60}; this numjaz reads version {VERSION}")
    where = f"{file.path}: description"
    description = parse_json(file.array("description", kinds="u", limit=MAX_JSON).tobytes(), where)
    try:
        nodes = [_node(entry) for entry in _entry(description, "nodes", list)]
        arrays = {name: file.array(f"parameters/{name}", p.shape) for name, p in parameter_table(nodes).items()}
        contract = _entry(description, "contract", dict, None)
        model = Model(
            nodes,
            arrays,
            outputs=_texts(description, "outputs"),
            classes=_texts(description, "classes") if description.get("classes") is not None else None,
            contract=Contract.from_dict(contract) if contract is not None else None,
            provenance=_entry(description, "provenance", dict),
            golden=Golden(file.array("golden/x", limit=MAX_GOLDEN), file.array("golden/y", limit=MAX_GOLDEN)),
        )
    except NumjazError as error:
        message = str(error)
        raise NumjazError(message if message.startswith(file.path) else f"{where}: {message}") from None
    return model


def describe(model: Model) -> dict[str, Any]:
    """All of a model but its arrays, as plain values."""
    return {
        "nodes": [
            {
                "name": node.name,
                "layer": node.layer.config(),
                "inputs": [list(source) for source in node.inputs],
                "owner": node.owner,
            }
            for node in model.nodes
        ],
        "outputs": list(model.outputs),
        "classes": list(model.classes) if model.classes is not None else None,
        "contract": model.contract.to_dict() if model.contract is not None else None,
        "provenance": dict(model.provenance),
    }


def _node(entry: Any) -> Node:
    inputs = _entry(entry, "inputs", list)
    if not all(isinstance(i, list) and len(i) == 2 and isinstance(i[0], str) and type(i[1]) is int for i in inputs):
        raise NumjazError("a node's inputs are not (node, output) pairs")
    name = _entry(entry, "name", str)
    if name.startswith("/") or ".." in name.split("/"):
        raise NumjazError(f"a node cannot be named {name!r:.60}")
    return Node(
        name,
        layer_from_config(_entry(entry, "layer", dict)),
        tuple((i[0], i[1]) for i in inputs),
        _entry(entry, "owner", str),
    )


def _entry(values: Any, key: str, kind: type, *default: Any) -> Any:
    value = values.get(key, *default) if isinstance(values, dict) else None
    if default and value is None:
        return default[0]
    if not isinstance(value, kind):
        raise NumjazError(f"entry {key!r} must be a {kind.__name__}, not {value!r:.60}")
    return value


def _texts(values: Any, key: str) -> list[str]:
    texts: list[str] = _entry(values, key, list)
    for text in texts:
        if not isinstance(text, str):
            raise NumjazError(f"entry {key!r} must hold text, not {text!r:.60}")
    return texts


def _make_golden(model: Model) -> Golden:
    """A seeded input, at the window's length, and what the network gives for it in float64."""
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise NumjazError("a network with several inputs or outputs cannot be saved by this version")
    (features,) = (node.layer.features for node in model.nodes if isinstance(node.layer, Input))
    window = min(model.contract.window if model.contract else WINDOW, MAX_GOLDEN // (8 * features))
    x = np.random.default_rng(0).standard_normal((1, window, features))
    return Golden(x, model.predict(x))
