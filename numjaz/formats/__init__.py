"""Weight files: numjaz's own and the frameworks'."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from numjaz.doors.regular import HDF5, open_regular
from numjaz.errors import NumjazError
from numjaz.model import Model
from numjaz.nodes import parameter_table

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["load"]

Names = Mapping[str, str] | None


def load(
    path: str | Path,
    architecture: str | Path | Model | None = None,
    *,
    names: Names = None,
    key: str | None = None,
    **options: Any,
) -> Model:
    """Read a model from a file.

    Reads numjaz's own HDF5; what Keras 2 and Keras 3 write (``.keras``, ``.weights.h5``, legacy
    ``.h5``); PyTorch's state dicts (``.pt``, ``.pth``), ``.safetensors`` and ``.npz``. What the file is,
    is told from its content. A legacy ``.h5`` names its layers' classes without their modules: a class
    of somebody's own that is named like one of Keras's cannot be told from it there.

    Parameters
    ----------
    path : path or str
        A file, or the name of a shipped network (`numjaz models` lists them).
    architecture : str, path or Model, optional
        The network of a file that holds weights only: a builder's name (``"jazbat"``, with the
        builder's options as ``options``), a model file, or a `Model`.
    names : mapping, optional
        ``{node: place in the file}``, where names and shapes do not tell which is which.
    key : str, optional
        Which state dict of a torch checkpoint that holds several.

    Returns
    -------
    Model
        With the file's own node names. Arrays keep the dtype they are stored in, but for bfloat16,
        which NumPy lacks and which becomes float32.

    Raises
    ------
    NumjazError
        Where the file is missing, damaged, hostile, of an unknown kind, or holds what numjaz does
        not honour; the message names the place.

    Warns
    -----
    NumjazWarning
        Where a weights-only file's layers are matched by something else than their own names: how;
        where arrays are converted.

    Examples
    --------
    >>> model = load("jazbat-watch-1d-activity")
    >>> model.classes[:2]
    ('walking', 'jogging')
    """
    network = _architecture(architecture, options)
    given = os.fspath(path)
    if not os.path.exists(given):  # noqa: PTH110 - pathlib takes as long to import as ten of these modules
        from numjaz.formats.shipped import shipped_path

        given = str(shipped_path(given) or given)
    try:
        return _read(given, network, names, key)
    except NumjazError as error:
        message = str(error)
        raise NumjazError(message if message.startswith(given) else f"{given}: {message}") from None


def _read(path: str, network: Model | None, names: Names, key: str | None) -> Model:
    """A model from a file, by what the file begins with and says of itself."""
    # What reads a kind of file is imported where there is one: starts on a small device are short.
    with open_regular(path) as file:
        start = file.read(len(HDF5))
    if start != HDF5:
        from numjaz.formats.tensor_files import open_tensors

        tensors = open_tensors(path, key)
        if tensors is not None:
            with tensors:
                return _of_tensors(tensors, network, names)
    if key is not None:
        raise NumjazError(f"{path}: key= chooses between the state dicts of a torch checkpoint, which this is not")
    if start[:4] == b"PK\x03\x04":
        from numjaz.formats import keras

        return keras.load_archive(path, network, names)
    if start != HDF5:
        raise NumjazError(
            f"{path}: neither HDF5, nor a Keras, torch, NumPy or safetensors file (it begins with {start!r})"
        )

    from numjaz.doors.hdf5 import Hdf5
    from numjaz.formats import own

    with Hdf5(path) as opened:
        if opened.attribute("", "format") != own.FORMAT:
            from numjaz.formats import keras

            return keras.load_hdf5(opened, network, names)
        if network is not None or names:
            raise NumjazError(f"{path}: states its own architecture; leave architecture= and names= out")
        return own.load(opened)


def _of_tensors(tensors: Any, network: Model | None, names: Names) -> Model:
    """A model from a table of tensors: numjaz's own names need no matching."""
    if tensors.kind == "npz" and tensors.note is not None and network is None and not names:
        from numjaz.formats.description import note_in

        note = note_in(tensors.note, f"{tensors.path}: note")
        if set(parameter_table(note.description.nodes)) == set(tensors.shapes):
            return note.model({name: tensors.array(name) for name in tensors.shapes})

    from numjaz.formats.tensor_models import load_tensors

    return load_tensors(tensors, network, names)


def _architecture(architecture: str | Path | Model | None, options: dict[str, Any]) -> Model | None:
    if not options and (architecture is None or isinstance(architecture, Model)):
        return architecture

    from numjaz.architectures import BUILDERS, build

    if isinstance(architecture, str) and architecture in BUILDERS:
        return build(architecture, options)
    if options:
        raise NumjazError(
            f"option {next(iter(options))!r} goes with a builder's name as architecture ({', '.join(BUILDERS)})"
        )
    if architecture is None or isinstance(architecture, Model):
        return architecture
    return load(architecture)
