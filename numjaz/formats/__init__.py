"""Weight files: numjaz's own and the frameworks'."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from numjaz.architectures import BUILDERS
from numjaz.doors.hdf5 import SIGNATURE, Hdf5
from numjaz.doors.regular import open_regular
from numjaz.errors import NumjazError
from numjaz.formats import keras, own
from numjaz.formats.shipped import shipped_models, shipped_path
from numjaz.model import Model

__all__ = ["load", "shipped_models"]


def load(path: str | Path, architecture: str | Path | Model | None = None, **options: Any) -> Model:
    """Read a model from a file.

    Reads numjaz's own HDF5, and Jazbat-Net and its like as Keras 2.15 and Keras 3 write them:
    ``.keras``, ``.weights.h5`` and legacy ``.h5``. What the file is, is told from its content. A
    legacy ``.h5`` names its layers' classes without their modules: a class of somebody's own that is
    named like one of Keras's cannot be told from it there.

    Parameters
    ----------
    path : path or str
        A file, or the name of a shipped network (`numjaz models` lists them).
    architecture : str, path or Model, optional
        The network of a file that holds weights only: a builder's name (``"jazbat"``, with the
        builder's options as ``options``), a model file, or a `Model`.

    Returns
    -------
    Model
        With the file's own node names. Arrays keep the dtype they are stored in.

    Raises
    ------
    NumjazError
        Where the file is missing, damaged, hostile, of an unknown kind, or holds what numjaz does
        not honour; the message names the place.

    Warns
    -----
    NumjazWarning
        Where a weights-only file's layers are matched by their order.

    Examples
    --------
    >>> model = load("jazbat-watch-1d-activity")
    >>> model.classes[:2]
    ('walking', 'jogging')
    """
    network = _architecture(architecture, options)
    given = Path(path)
    if not os.path.exists(given):  # noqa: PTH110 - Path.exists raises for a name that is too long
        given = shipped_path(str(path)) or given
    try:
        return _read(given, network)
    except NumjazError as error:
        message = str(error)
        raise NumjazError(message if message.startswith(str(given)) else f"{given}: {message}") from None


def _read(path: Path, network: Model | None) -> Model:
    """A model from a file, by what the file begins with and says of itself."""
    with open_regular(path) as file:
        start = file.read(len(SIGNATURE))
    if start[:4] == b"PK\x03\x04":
        return keras.load_archive(str(path), network)
    if start != SIGNATURE:
        raise NumjazError(f"{path}: neither an HDF5 file nor a .keras archive (it begins with {start!r})")
    with Hdf5(path) as opened:
        if opened.attribute("", "format") != own.FORMAT:
            return keras.load_hdf5(opened, network)
        if network is not None:
            raise NumjazError(f"{path}: states its own architecture; leave architecture= out")
        return own.load(opened)


def _architecture(architecture: str | Path | Model | None, options: dict[str, Any]) -> Model | None:
    if isinstance(architecture, str) and architecture in BUILDERS:
        try:
            return BUILDERS[architecture](**options)
        except TypeError as error:
            raise NumjazError(f"architecture {architecture}: {error}") from None
    if options:
        raise NumjazError(
            f"option {next(iter(options))!r} goes with a builder's name as architecture ({', '.join(BUILDERS)})"
        )
    if architecture is None or isinstance(architecture, Model):
        return architecture
    return load(architecture)
