"""``.npz`` files of plain arrays, one an entry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from io import BytesIO
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from numjaz.doors.npz import SUFFIX, Npz
from numjaz.errors import NumjazError
from numjaz.formats.numbers import MAX_NOTE, note_text, plain_floats

if TYPE_CHECKING:
    from pathlib import Path

NOTE = "numjaz"  # the array that holds the note, as bytes


class NpzFile:
    """The arrays of a ``.npz``; `numjaz.formats.tensor_files.open_tensors` opens it."""

    kind = "npz"

    def __init__(self, path: str) -> None:
        self.path = path
        self.note: str | None = None
        self._file = Npz(path)
        try:
            headers = {name: self._file.header(name) for name in self._file.names}
            note = headers.get(NOTE)
            if note is not None and note.dtype == np.uint8 and len(note.shape) == 1 and note.shape[0] <= MAX_NOTE:
                del headers[NOTE]
                self.note = note_text(self._file.array(NOTE).tobytes(), f"{path}: array {NOTE!r}")
        except BaseException:
            self._file.close()
            raise
        self.shapes: Mapping[str, tuple[int, ...]] = MappingProxyType({n: h.shape for n, h in headers.items()})
        self.dtypes: Mapping[str, str] = MappingProxyType({n: h.dtype.name for n, h in headers.items()})

    def __enter__(self) -> NpzFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def array(self, name: str) -> NDArray[Any]:
        """An array, read-only, as it is stored."""
        if name not in self.shapes:
            raise NumjazError(f"{self.path}: holds no array {name!r:.80}")
        return self._file.array(name)


def write_npz(path: str | Path, arrays: Mapping[str, NDArray[Any]], note: str) -> None:
    """Write arrays, whole or not at all; ``numpy.load`` reads them, and the note under ``numjaz``.

    Parameters
    ----------
    path : path
        Where to; the same arrays give the same bytes.
    arrays : mapping
        Arrays of floats by name; a name may hold ``/``.
    note : str
        Text that is kept beside them.
    """
    from numjaz.doors.zip_writer import write_stored  # who only reads needs none of it

    if NOTE in arrays:
        raise NumjazError(f"{path}: an array cannot be named {NOTE!r}, which is where the note stands")

    def entries() -> Iterator[tuple[str, bytes]]:
        yield NOTE + SUFFIX, _npy(np.frombuffer(note.encode(), np.uint8))
        for name, array in plain_floats(arrays, path):
            yield name + SUFFIX, _npy(array)

    write_stored(path, entries())


def _npy(array: NDArray[Any]) -> bytes:
    content = BytesIO()
    np.lib.format.write_array(content, array, version=(1, 0), allow_pickle=False)
    return content.getvalue()
