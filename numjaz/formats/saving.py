"""Writing a model: numjaz's own file, or what a framework loads."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from numjaz.errors import NumjazError, NumjazWarning
from numjaz.formats import keras_files, own
from numjaz.formats.description import note_of
from numjaz.formats.npz_file import write_npz
from numjaz.formats.safetensors_file import write_safetensors
from numjaz.formats.tensor_models import foreign_layers, torch_table
from numjaz.formats.torch_file import write_torch
from numjaz.model import Model

Names = Mapping[str, str] | None

FORMATS: dict[str, tuple[str, ...]] = {
    "keras-weights": (".weights.h5",),
    "keras2": (),
    "keras": (".keras",),
    "torch": (".pt", ".pth"),
    "safetensors": (".safetensors",),
    "npz": (".npz",),
    "onnx": (".onnx",),
    "numjaz": (".h5", ".hdf5"),
}
"""The formats, and the endings that mean them; Keras 2's ``.h5`` must be asked for by name."""


def save(model: Model, path: str | Path, format: str | None = None, *, names: Names = None) -> None:
    """Write a model, whole or not at all.

    Every file carries the network's description and its test case where the format has room for a
    text; `numjaz.load` reads it back without an architecture, and ``numjaz check`` runs the test case.

    Parameters
    ----------
    model : Model
        Any.
    path : path
        Its ending says the format where ``format`` does not.
    format : str, optional
        ``numjaz`` (its own HDF5), ``keras`` (Keras 3's ``.keras``), ``keras-weights`` (its
        ``.weights.h5``), ``keras2`` (legacy ``.h5``, network and weights), ``torch`` (a state dict),
        ``safetensors``, ``npz``, ``onnx``.
    names : mapping, optional
        ``{node: module}``, what a torch state dict is to call them; their own names otherwise.

    Raises
    ------
    NumjazError
        Where the format cannot hold the network: it names the node and what is missing.

    Warns
    -----
    NumjazWarning
        What the format changes, before it is written.

    Examples
    --------
    >>> import numjaz, tempfile
    >>> path = tempfile.mkdtemp() + "/model.npz"
    >>> save(numjaz.jazbat(), path)
    >>> len(numjaz.load(path).parameters)
    50
    """
    kind = format or format_of(path)
    if kind not in FORMATS:
        raise NumjazError(f"format {kind!r:.60} is not one of {', '.join(FORMATS)}")
    if names and kind not in ("torch", "safetensors"):
        raise NumjazError(f"names= says how a torch state dict calls its modules; this is {kind}")
    writers: dict[str, Callable[[], None]] = {
        "numjaz": lambda: own.save(model, path),
        "keras": lambda: keras_files.write_keras(model, path),
        "keras-weights": lambda: keras_files.write_weights(model, path),
        "keras2": lambda: keras_files.write_legacy(model, path),
        "torch": lambda: write_torch(path, torch_table(model, names), note_of(model)),
        "safetensors": lambda: write_safetensors(path, torch_table(model, names), note_of(model)),
        "npz": lambda: write_npz(path, model.parameters, note_of(model)),
        "onnx": lambda: _write_onnx(model, path),
    }
    for text in _changes(model, kind):
        warnings.warn(f"{path}: {text}", NumjazWarning, stacklevel=3)
    writers[kind]()


def _write_onnx(model: Model, path: str | Path) -> None:
    from numjaz.formats.onnx_file import write_onnx

    write_onnx(path, model, note_of(model))


def format_of(path: str | Path) -> str:
    """The format that a file's ending means."""
    for kind, endings in FORMATS.items():
        if str(path).lower().endswith(endings):
            return kind
    known = [ending for endings in FORMATS.values() for ending in endings]
    raise NumjazError(f"{path}: the ending is none of {', '.join(known)}; format= (--to) says what to write")


def _changes(model: Model, kind: str) -> Iterator[str]:
    """What a format cannot hold as it is."""
    sizes = {np.dtype(array.dtype).itemsize for array in model.parameters.values()}
    if kind.startswith("keras"):
        if 2 in sizes:
            yield "float16 arrays are written as float32: the layers compute in it"
        if {4, 8} <= sizes:
            yield "float32 arrays are written as float64, for some are: Keras's layers have one dtype here"
        if model.classes or model.contract:
            yield "Keras has no place for class names and input contract; they lie in a note that Keras will not keep"
    if kind == "onnx" and sizes - {4}:
        yield "written in float32: ONNX Runtime's recurrent layers know nothing else"
    if kind in ("torch", "safetensors"):
        for owner, reason in foreign_layers(model).items():
            yield f"{owner}: {reason}; its arrays keep their own names and shapes"
