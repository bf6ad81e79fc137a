"""numjaz's own file: HDF5 that describes itself.

::

    /                 attributes  format = "numjaz", version = 2
    /description      JSON as bytes: nodes, outputs, classes, contract, provenance
    /parameters/…     one dataset an array, under its name
    /golden/x, y      a test case: an input, and the output it must give; of a network with several
                      inputs or outputs a group, with the arrays 0, 1, … in their order

Every version ever written stays readable; `VERSION` is raised when the layout changes. Version 1 had
one input and one output.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from numjaz.doors.hdf5 import Hdf5
from numjaz.doors.output import whole
from numjaz.doors.text import MAX_JSON, parse_json
from numjaz.errors import NumjazError
from numjaz.formats.description import MAX_GOLDEN, by_name, describe, described, golden_of
from numjaz.layers import Array, Input
from numjaz.model import Model
from numjaz.nodes import parameter_table

if TYPE_CHECKING:
    from pathlib import Path

FORMAT = "numjaz"
VERSION = 2


def save(model: Model, path: str | Path) -> None:
    """Write a model, whole or not at all; without a golden test case of its own it gets one."""
    import h5py

    golden = golden_of(model)
    text = json.dumps(describe(model), ensure_ascii=False).encode()
    _refuse_clashes(model)
    with whole(path) as beside, h5py.File(beside, "w") as file:
        file.attrs["format"] = np.bytes_(FORMAT)
        file.attrs["version"] = VERSION
        file["description"] = np.frombuffer(text, dtype=np.uint8)
        for name, array in model.parameters.items():
            file[f"parameters/{name}"] = array
        for key, arrays, names in (("x", golden.x, model.inputs), ("y", golden.y, model.outputs)):
            held = by_name(arrays, names)
            for k, array in enumerate(held.values()):
                file[f"golden/{key}/{k}" if len(held) > 1 else f"golden/{key}"] = array


def load(file: Hdf5) -> Model:
    """Read a model from an opened file."""
    version = file.attribute("", "version")
    if version not in (1, VERSION):
        raise NumjazError(f"{file.path}: numjaz format version {version!r:.60}; this numjaz reads 1 and {VERSION}")
    where = f"{file.path}: description"
    values = parse_json(file.array("description", kinds="u", limit=MAX_JSON).tobytes(), where)
    try:
        about = described(values)
        arrays = {name: file.array(f"parameters/{name}", p.shape) for name, p in parameter_table(about.nodes).items()}
        inputs = sum(isinstance(node.layer, Input) for node in about.nodes)
        return about.model(arrays, _case(file, "golden/x", inputs), _case(file, "golden/y", len(about.outputs)))
    except NumjazError as error:
        message = str(error)
        raise NumjazError(message if message.startswith(file.path) else f"{where}: {message}") from None


def _case(file: Hdf5, place: str, count: int) -> list[Array]:
    places = [place] if count == 1 else [f"{place}/{k}" for k in range(count)]
    return [file.array(at, limit=MAX_GOLDEN) for at in places]


def _refuse_clashes(model: Model) -> None:
    """A name cannot be an array and a folder: ``a/kernel`` beside ``a/kernel/bias``."""
    for name in model.parameters:
        parts = name.split("/")
        for k in range(1, len(parts)):
            if "/".join(parts[:k]) in model.parameters:
                raise NumjazError(f"{'/'.join(parts[:k])!r} is an array and the folder of {name!r}; rename a node")
