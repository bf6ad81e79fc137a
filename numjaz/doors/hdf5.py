"""The one door for reading HDF5: every link, layout, size and type is looked at before a byte is read.

A few kilobytes of HDF5 can declare terabytes, name another file of the machine as their content,
contain themselves, or unpack without end. h5py follows all of it silently. Here only hard links,
plain storage and plain numbers pass, and nothing is walked: callers ask for the names they expect.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from types import SimpleNamespace, TracebackType
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from numjaz.doors.regular import HDF5, open_regular
from numjaz.errors import NumjazError

if TYPE_CHECKING:
    from pathlib import Path

HEAP = b"GCOL\1\0\0\0"
READ = 1 << 20  # bytes at a time, in search of heaps
MAX_NAMES = 100_000  # children of a group, entries of an attribute
MAX_TEXT = 16 << 20  # bytes of an attribute's text
MAX_CHUNK = 16 << 20  # bytes of one unpacked chunk of a compressed dataset
MAX_RATIO = 200  # declared over stored bytes; sensor recordings reach 10


class Hdf5:
    """An HDF5 file opened for guarded reading; a context manager.

    Parameters
    ----------
    path : path
        A regular file that begins with HDF5's signature.
    content : bytes, optional
        The file's content where it does not lie on its own (an entry of a zip archive); ``path``
        then only names it in messages.

    Raises
    ------
    NumjazError
        By every method, in one line that names the file, the place in it and what is wrong.
    """

    def __init__(self, path: str | Path, content: bytes | None = None) -> None:
        import h5py

        self.path = str(path)
        self._h5py = h5py
        self._content, self._heaps_checked = content, False
        if content is None:
            with open_regular(self.path) as file:
                self.bytes, start = os.fstat(file.fileno()).st_size, file.read(len(HDF5))
        else:
            self.bytes, start = len(content), content[: len(HDF5)]
        if start != HDF5:
            raise NumjazError(f"{self.path}: not an HDF5 file (it begins with {start!r})")
        with self._told(""):
            self._file = h5py.File(self.path if content is None else BytesIO(content), "r")

    def __enter__(self) -> Hdf5:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def exists(self, place: str) -> bool:
        """Whether something stands at ``place``; what stands there is not judged."""
        found = self._file.id
        with self._told(place):
            for name in place.split("/"):
                if not self._holds(found, name):
                    return False
                found = self._child(found, name, place)
        return True

    def is_group(self, place: str) -> bool:
        """Whether what stands at ``place`` holds other things."""
        with self._told(place):
            return isinstance(self._find(place), self._h5py.h5g.GroupID)

    def shape(self, place: str) -> tuple[int, ...]:
        """The shape that a dataset declares."""
        with self._told(place):
            return tuple(self._dataset(place, "iuf")[0].shape)

    def names(self, place: str) -> list[str]:
        """The names of a group's children."""
        with self._told(place):
            found = self._find(place)
            if not isinstance(found, self._h5py.h5g.GroupID):
                raise NumjazError(f"{self.path}: {place} is not a group")
            group = self._h5py.Group(found)
            if len(group) > MAX_NAMES:
                raise NumjazError(
                    f"{self.path}: group {place or '/'} has {len(group):,} members; at most {MAX_NAMES:,} are read"
                )
            names = list(group)
            strange = [name for name in names if not isinstance(name, str)]  # not UTF-8: h5py gives bytes
            if strange:
                raise NumjazError(
                    f"{self.path}: group {place or '/'} holds a name that is not text, {strange[0]!r:.60}"
                )
            return names

    def attribute(self, place: str, name: str) -> Any:
        """An attribute as text, list of text, number or list of numbers; None where there is none."""
        with self._told(f"{place or '/'} attribute {name}"):
            attributes = self._h5py.AttributeManager(SimpleNamespace(id=self._find(place)))
            if name not in attributes:
                return None
            held = attributes.get_id(name)
            count = int(np.prod(held.shape, dtype=object)) if held.shape is not None else 0
            text = self._h5py.check_string_dtype(held.dtype)
            if text is not None and text.length is None:
                self._check_heaps()
            if (
                not (text is not None or held.dtype.kind in "iufbS")
                or count > MAX_NAMES
                or count * held.dtype.itemsize > MAX_TEXT
            ):
                raise NumjazError(
                    f"{self.path}: {place or '/'} attribute {name}: "
                    f"type {held.dtype} with {count:,} entries is not read"
                )
            value = attributes[name]
            if isinstance(value, (str, bytes)):
                return _text(value)
            array = np.asarray(value)
            if text is not None or array.dtype.kind in "SO":
                return [_text(entry) for entry in array.ravel()] if array.ndim else _text(array.item())
            return array.tolist()

    def array(
        self, place: str, shape: tuple[int, ...] | None = None, kinds: str = "f", limit: int | None = None
    ) -> NDArray[Any]:
        """A dataset as frameworks write weights: plain numbers, stored in one uncompressed piece.

        Parameters
        ----------
        place : str
            Its path in the file.
        shape : tuple of int, optional
            The shape it must have.
        kinds : str
            The NumPy dtype kinds it may have: ``f`` floats, ``i`` and ``u`` integers.
        limit : int, optional
            The most bytes it may hold.
        """
        with self._told(place):
            held, dtype = self._dataset(place, kinds)
            if shape is not None and held.shape != shape:
                raise NumjazError(f"{self.path}: {place} has shape {held.shape}, expected {shape}")
            if held.get_create_plist().get_layout() == self._h5py.h5d.CHUNKED:
                raise NumjazError(
                    f"{self.path}: {place} is chunked or compressed; weights are stored in one plain piece"
                )
            stored = int(held.get_storage_size())
            declared = _declared(held.shape, dtype)
            if stored != declared or stored > self.bytes:
                raise NumjazError(f"{self.path}: {place} declares {declared:,} bytes and stores {stored:,}")
            if limit is not None and stored > limit:
                raise NumjazError(f"{self.path}: {place} holds {stored:,} bytes; at most {limit:,} are read")
            array = np.empty(held.shape, dtype)
            held.read(self._h5py.h5s.ALL, self._h5py.h5s.ALL, array)
            return array

    def table(self, place: str, columns: int | None = None, kinds: str = "iuf") -> Table:
        """A long dataset of integers or floats, plain or deflated, to be read a slice at a time."""
        with self._told(place):
            held = self._h5py.Dataset(self._dataset(place, kinds)[0])
            if len(held.shape) != (1 if columns is None else 2) or (columns is not None and held.shape[1] != columns):
                wanted = "(n,)" if columns is None else f"(n, {columns})"
                raise NumjazError(f"{self.path}: {place} has shape {held.shape}, expected {wanted}")
            filters = held.id.get_create_plist()
            allowed = {self._h5py.h5z.FILTER_DEFLATE, self._h5py.h5z.FILTER_SHUFFLE, self._h5py.h5z.FILTER_FLETCHER32}
            for k in range(filters.get_nfilters()):
                if filters.get_filter(k)[0] not in allowed:
                    raise NumjazError(
                        f"{self.path}: {place} uses filter {filters.get_filter(k)[0]}; "
                        f"only gzip, shuffle and checksums are read"
                    )
            chunk = int(np.prod(held.chunks or (0,), dtype=object)) * held.dtype.itemsize
            stored = int(held.id.get_storage_size())
            declared = _declared(held.shape, held.dtype)
            if chunk > MAX_CHUNK or stored > self.bytes or declared > MAX_RATIO * stored:
                raise NumjazError(
                    f"{self.path}: {place} declares {declared:,} bytes (chunks of {chunk:,}) and stores {stored:,}"
                )
            return Table(self, held, place)

    def _check_heaps(self) -> None:
        """Look at the heaps that hold texts of any length, once, before one is read from them."""
        if self._heaps_checked:
            return
        if self._content is not None:
            _check_heaps(BytesIO(self._content), self.bytes, self.path)
        else:
            with open_regular(self.path) as file:
                _check_heaps(file, self.bytes, self.path)
        self._heaps_checked = True

    def _find(self, place: str) -> Any:
        found = self._file.id
        for name in place.split("/") if place else []:
            if not self._holds(found, name):
                raise NumjazError(f"{self.path}: {place} is missing")
            found = self._child(found, name, place)
        return found

    def _holds(self, found: Any, name: str) -> bool:
        return isinstance(found, self._h5py.h5g.GroupID) and found.links.exists(name.encode())

    def _child(self, group: Any, name: str, place: str) -> Any:
        if group.links.get_info(name.encode()).type != self._h5py.h5l.TYPE_HARD:
            kind = self._h5py.Group(group).get(name, getclass=True, getlink=True).__name__
            raise NumjazError(
                f"{self.path}: {place} goes through {kind} {name!r}; only content of the file itself is read"
            )
        return self._h5py.h5o.open(group, name.encode())

    def _dataset(self, place: str, kinds: str) -> tuple[Any, np.dtype[Any]]:
        """The dataset, and its numbers' kind, which takes HDF5 as long to say as to read them."""
        held = self._find(place)
        if not isinstance(held, self._h5py.h5d.DatasetID):
            raise NumjazError(f"{self.path}: {place} is not a dataset")
        stored = held.get_create_plist()
        if stored.get_external_count() or stored.get_layout() == self._h5py.h5d.VIRTUAL:
            raise NumjazError(
                f"{self.path}: {place} keeps its data in another file; only content of the file itself is read"
            )
        nothing, dtype = held.get_space().get_simple_extent_type() == self._h5py.h5s.NULL, held.dtype
        if nothing or dtype.kind not in kinds or dtype.itemsize > 8:
            raise NumjazError(f"{self.path}: {place} holds {'nothing' if nothing else dtype}, not plain numbers")
        return held, dtype

    @contextmanager
    def _told(self, place: str) -> Iterator[None]:
        """Turn what the HDF5 library raises into one line."""
        try:
            yield
        except NumjazError:
            raise
        except (
            OSError,
            RuntimeError,
            KeyError,
            ValueError,
            TypeError,
            AttributeError,
            OverflowError,
            MemoryError,
        ) as error:
            reason = " ".join(str(error).split())[:160]
            raise NumjazError(
                f"{self.path}: damaged or cut short{' at ' + place if place else ''} ({reason})"
            ) from None


class Table:
    """A dataset read by slices of its first axis."""

    def __init__(self, file: Hdf5, held: Any, place: str) -> None:
        self._file, self._held, self.place = file, held, place

    def __len__(self) -> int:
        return int(self._held.shape[0])

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        with self._file._told(self.place):
            return np.asarray(self._held[rows])


def _check_heaps(file: IO[bytes], length: int, path: str) -> None:
    """Walk the global heaps: on some damaged ones the HDF5 library never ends.

    A heap is ``GCOL``, its version, its size, then objects, each an index and a size; index 0 is the
    free rest. The file is read, not mapped: a page that was looked at through a map counts as memory
    of this process, and a recording may be larger than that.
    """
    at = _next_heap(file, 0)
    while at >= 0:
        file.seek(at)
        size = int.from_bytes(file.read(16)[8:], "little")
        end, place = at + size, at + 16
        if size < 4096 or end > length:
            raise NumjazError(f"{path}: damaged or cut short (a heap of {size:,} bytes)")
        while end - place >= 16:
            file.seek(place)
            head = file.read(16)
            held = int.from_bytes(head[8:], "little")
            step = held if head[:2] == b"\0\0" else 16 + -(-held // 8) * 8
            if step < 16 or place + step > end:
                raise NumjazError(f"{path}: damaged or cut short (an object of {step:,} bytes in a heap)")
            place += step
        at = _next_heap(file, end)


def _next_heap(file: IO[bytes], at: int) -> int:
    """Where the next heap begins, from ``at`` on; -1 where there is none."""
    file.seek(at)
    kept = b""  # the end of what was read before: a heap's first bytes may lie across
    while block := file.read(READ):
        block = kept + block
        if (found := block.find(HEAP)) >= 0:
            return at + found
        kept = block[-len(HEAP) + 1 :]
        at += len(block) - len(kept)
    return -1


def _declared(shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:
    return math.prod(shape) * dtype.itemsize


def _text(value: Any) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)
