"""The one door for ``.npz``: arrays by name, each header looked at before its numbers are read."""

from __future__ import annotations

import re
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from numjaz.doors.shapes import elements
from numjaz.doors.zip import Zip
from numjaz.errors import NumjazError

if TYPE_CHECKING:
    from pathlib import Path

SUFFIX = ".npy"
MAX_HEADER = 10_000  # bytes; NumPy's own bound
MAGIC = b"\x93NUMPY"
LENGTHS = {(1, 0): 2, (2, 0): 4}  # version -> bytes of the header's length; 3 is for records, which are refused
# The dict that NumPy writes, its keys in any order; 3L is how Python 2 wrote 3. Between any two parts that
# repeat stands a character that neither can take, so that a header costs time in proportion to its length.
SIZE = rb"[ \t]*(?:0|[1-9]\d{0,18})L?[ \t]*"
ITEM = (
    rb"[ \t]*(?:'descr'[ \t]*:[ \t]*'([^'\\]{1,40})'|'fortran_order'[ \t]*:[ \t]*(True|False)"
    rb"|'shape'[ \t]*:[ \t]*\(((?:%b,)*(?:%b)?|[ \t]*)\))[ \t]*" % (SIZE, SIZE)
)
HEADER = re.compile(rb"[ \t]*\{%b,%b,%b(?:,[ \t]*)?\}[ \t]*\n?" % (ITEM, ITEM, ITEM))
DTYPE = re.compile(r"[<>|=]?[A-Za-z]\d{1,6}")


class Header(NamedTuple):
    """What an array's header says, and how long it is."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]
    bytes: int


class Npz:
    """A ``.npz`` archive, stored or compressed, opened for guarded reading; a context manager.

    Parameters
    ----------
    path : path
        A regular file that is a zip archive of ``.npy`` entries.

    Raises
    ------
    NumjazError
        By every method, in one line that names the file, the array and what is wrong.
    """

    def __init__(self, path: str | Path) -> None:
        self._zip = Zip(path, deflated=True)
        self.path = self._zip.path
        self.names = tuple(name.removesuffix(SUFFIX) for name in self._zip.names if name.endswith(SUFFIX))

    def __enter__(self) -> Npz:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._zip.close()

    def close(self) -> None:
        """Close the file."""
        self._zip.close()

    def header(self, name: str, kinds: str = "iufb") -> Header:
        """An array's shape, order and dtype; its numbers are not read.

        Parameters
        ----------
        name : str
            The array's name.
        kinds : str
            The NumPy dtype kinds it may have: ``f`` floats, ``i`` and ``u`` integers, ``b`` booleans,
            ``U`` and ``S`` text. No other may be asked for.
        """
        entry = name + SUFFIX
        start = self._zip.start(entry, MAX_HEADER + 12)
        size = LENGTHS.get((start[6], start[7])) if start[:6] == MAGIC and len(start) > 12 else None
        if size is None:
            raise self._wrong(name, f"begins with {start[:8]!r}; not an array of plain numbers in .npy's form 1 or 2")
        length = 8 + size + int.from_bytes(start[8 : 8 + size], "little")
        if length > min(len(start), MAX_HEADER):
            raise self._wrong(name, f"declares a header of {length:,} bytes; at most {MAX_HEADER:,} are read")
        descr, fortran, sizes = _parts(HEADER.fullmatch(start, 8 + size, length))
        if descr is None or fortran is None or sizes is None:
            raise self._wrong(name, f"has a header of no array of plain numbers, {start[8 + size : length][:60]!r}")
        dtype = self._dtype(descr.decode("latin1"), kinds, name)
        if sizes.strip() and b"," not in sizes:
            raise self._wrong(name, f"has a shape that is no tuple, ({sizes.decode()})")
        shape = tuple(int(text) for text in sizes.replace(b"L", b"").split(b",") if text.strip())
        count = elements(shape)
        if count is None:
            raise self._wrong(name, f"declares a shape of {str(shape)[:60]}, which no array has")
        if length + count * dtype.itemsize != self._zip.sizes[entry]:
            raise self._wrong(
                name, f"declares {count:,} x {dtype.itemsize} bytes; there are {self._zip.sizes[entry] - length:,}"
            )
        return Header(shape, fortran == b"True", dtype, length)

    def array(self, name: str, kinds: str = "iufb") -> NDArray[Any]:
        """An array, read-only, in the dtype and byte order it is stored in."""
        shape, fortran, dtype, start = self.header(name, kinds)
        content = self._zip.read(name + SUFFIX)
        flat = np.frombuffer(memoryview(content)[start:], dtype)
        return flat.reshape(shape[::-1]).T if fortran else flat.reshape(shape)

    def _dtype(self, descr: str, kinds: str, name: str) -> np.dtype[Any]:
        plain = DTYPE.fullmatch(descr) and descr.lstrip("<>|=")[0] in kinds
        try:
            dtype = np.dtype(descr if plain else "O")
        except TypeError:
            dtype = np.dtype("O")
        if dtype.kind not in kinds or not dtype.itemsize or (dtype.kind in "iuf" and dtype.itemsize > 8):
            raise self._wrong(name, f"holds {descr!r}, not plain numbers")
        return dtype

    def _wrong(self, name: str, what: str) -> NumjazError:
        return NumjazError(f"{self.path}: array {name!r:.80} {what}")


def _parts(said: re.Match[bytes] | None) -> list[bytes | None]:
    """dtype, order and shape as they are written; None for what is missing."""
    groups = said.groups() if said else ()
    return [next((text for text in groups[k::3] if text is not None), None) for k in range(3)]
