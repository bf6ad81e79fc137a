"""What is compared: the outputs of every node of a network for some inputs, wherever they were computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from numjaz.doors.npz import Npz
from numjaz.doors.output import whole
from numjaz.errors import NumjazError
from numjaz.layers import Array
from numjaz.model import Model

INPUT, OUTPUT = "input/", "output/"  # what the names of a recording's arrays begin with


@dataclass(frozen=True)
class Run:
    """One execution of a network.

    Attributes
    ----------
    name : str
        What it is called in reports.
    inputs : dict of str to array
        By input node.
    outputs : dict of str to array
        Of every node that was recorded, by its name; ``node[1]`` is a second output.
    """

    name: str
    inputs: Mapping[str, Array]
    outputs: Mapping[str, Array]


def run_model(model: Model, x: Array | Mapping[str, Array], name: str = "numjaz") -> Run:
    """A run of numjaz's own, in the dtype of ``x``; of float16 in float32."""
    given = dict(x) if isinstance(x, Mapping) else {model.inputs[0]: np.asarray(x)}
    given = {key: array.astype(np.float32) if array.dtype == np.float16 else array for key, array in given.items()}
    return Run(name, given, model.activations(given))


def write_run(run: Run, path: str | Path) -> None:
    """A recording as an ``.npz``, whole or not at all; `read_run` needs no framework to read it."""
    arrays = {f"{INPUT}{name}": array for name, array in run.inputs.items()}
    arrays |= {f"{OUTPUT}{name}": array for name, array in run.outputs.items()}
    with whole(path) as beside, beside.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


def read_run(path: str | Path) -> Run:
    """A recording from an ``.npz``; `NumjazError` where it is none."""
    with Npz(path) as file:
        arrays = {name: file.array(name) for name in file.names}
    inputs = {name.removeprefix(INPUT): array for name, array in arrays.items() if name.startswith(INPUT)}
    outputs = {name.removeprefix(OUTPUT): array for name, array in arrays.items() if name.startswith(OUTPUT)}
    if not inputs or not outputs:
        raise NumjazError(f"{path}: holds no recorded run: arrays named {INPUT}… and {OUTPUT}…")
    return Run(str(path), inputs, outputs)


def is_run(path: str | Path) -> bool:
    """Whether a file is a recording, told from what it holds."""
    if not Path(path).is_file():
        return False
    try:
        with Npz(path) as file:
            return any(name.startswith(INPUT) for name in file.names)
    except NumjazError:
        return False
