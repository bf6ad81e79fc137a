"""What ``torch.save`` writes: a zip archive of a pickle and the storages it refers to, of torch 1.6 and later.

::

    <prefix>/data.pkl       which tensor is which view of which storage
    <prefix>/data/<key>     a storage's numbers
    <prefix>/byteorder      little or big; torch before 2.1 wrote none
    <prefix>/numjaz.json    the note that numjaz writes

The pickle is never loaded; `numjaz.doors.pickle` reads it.
"""

from __future__ import annotations

import math
import struct
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from numjaz.doors.pickle import MAX_PICKLE, SIZES, Tensor, tensor_tables
from numjaz.doors.zip import Zip
from numjaz.doors.zip_writer import write_stored
from numjaz.errors import NumjazError, NumjazWarning
from numjaz.formats.numbers import BFLOAT16, MAX_NOTE, decode, note_text, plain_floats, tell_widened

PICKLE, NOTE, PREFIX = "data.pkl", "numjaz.json", "archive/"
ORDERS: Mapping[bytes, Literal["<", ">"]] = {b"little": "<", b"big": ">"}
OF_TRAINERS = ("callbacks", "loops", "lr_schedulers", "optimizer", "optimizers", "optimizer_states")
MAX_VIEWS = 4  # what a table's tensors take over what its storages hold; tied weights reach 2
MAX_UNSHARED = 16 << 20  # bytes that they may take, whatever they share


def prefix_of(names: tuple[str, ...]) -> str | None:
    """The folder that an archive of torch keeps its entries in; None where the names are not of one."""
    return next((name[: -len(PICKLE)] for name in names if name.endswith(f"/{PICKLE}") and name.count("/") == 1), None)


def is_script(names: tuple[str, ...], prefix: str) -> bool:
    """Whether the archive is a TorchScript program."""
    return f"{prefix}constants.pkl" in names or any(name.startswith(f"{prefix}code/") for name in names)


class TorchFile:
    """A state dict of a ``.pt`` or ``.pth``; `numjaz.formats.tensor_files.open_tensors` opens it.

    Parameters
    ----------
    path : str
        The file.
    key : str, optional
        The state dict's path in the checkpoint; without it, the only one there is.
    """

    kind = "torch"

    def __init__(self, path: str, key: str | None = None) -> None:
        self.path = path
        self._zip = Zip(path)
        try:
            prefix = prefix_of(self._zip.names)
            if prefix is None:
                raise NumjazError(f"{path}: no archive of torch's: it holds no {PICKLE}")
            self._prefix = prefix
            self._order = self._byteorder()
            pickle = self._zip.read(prefix + PICKLE, MAX_PICKLE)
            self._tensors = self._chosen(tensor_tables(pickle, f"{path}: {prefix}{PICKLE}"), key)
            self._check()
            note = prefix + NOTE
            self.note = (
                note_text(self._zip.read(note, MAX_NOTE), f"{path}: {note}") if note in self._zip.names else None
            )
        except BaseException:
            self._zip.close()
            raise
        self._storages: dict[tuple[str, str], NDArray[Any]] = {}
        self.shapes: Mapping[str, tuple[int, ...]] = MappingProxyType({n: t.shape for n, t in self._tensors.items()})
        self.dtypes: Mapping[str, str] = MappingProxyType({n: t.dtype for n, t in self._tensors.items()})

    def __enter__(self) -> TorchFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._zip.close()
        self._storages.clear()

    def array(self, name: str) -> NDArray[Any]:
        """A tensor as a read-only view of its storage; bfloat16 as float32, anything else as it is stored."""
        if name not in self._tensors:
            raise NumjazError(f"{self.path}: holds no tensor {name!r:.80}")
        tensor = self._tensors[name]
        numbers = self._storage(tensor)
        if not math.prod(tensor.shape):
            return np.zeros(tensor.shape, numbers.dtype)
        # The stride along an axis of length 1 says nothing, and may be any number.
        strides = [step * numbers.itemsize if n > 1 else 0 for n, step in zip(tensor.shape, tensor.stride, strict=True)]
        return np.ndarray(tensor.shape, numbers.dtype, numbers, tensor.offset * numbers.itemsize, strides)

    def _storage(self, tensor: Tensor) -> NDArray[Any]:
        kept = tensor.storage, tensor.dtype
        if kept not in self._storages:
            if tensor.dtype == BFLOAT16 and not any(dtype == BFLOAT16 for _, dtype in self._storages):
                tell_widened(self.path, self.dtypes.values())
            self._storages[kept] = decode(self._zip.read(self._entry(tensor)), tensor.dtype, self._order)
        return self._storages[kept]

    def _entry(self, tensor: Tensor) -> str:
        return f"{self._prefix}data/{tensor.storage}"

    def _byteorder(self) -> Literal["<", ">"]:
        name = f"{self._prefix}byteorder"
        said = self._zip.read(name, 64) if name in self._zip.names else b"little"
        if said not in ORDERS:
            raise NumjazError(f"{self.path}: {name} says {said!r}, neither little nor big")
        return ORDERS[said]

    def _chosen(self, tables: dict[str, dict[str, Tensor]], key: str | None) -> dict[str, Tensor]:
        if not tables:
            raise NumjazError(f"{self.path}: holds no state dict, no tensors under names")
        known = ", ".join(f"{path or '(root)'!r:.80} of {len(tables[path])} tensors" for path in list(tables)[:8])
        known += ", …" if len(tables) > 8 else ""
        if key is not None:
            if key not in tables:
                raise NumjazError(f"{self.path}: holds no state dict {key!r:.80}; there are {known}")
            return tables[key]
        # A trainer keeps tensors of its own beside the network's.
        tables = {path: held for path, held in tables.items() if path.split(".")[0] not in OF_TRAINERS} or tables
        path, table = next(iter(tables.items()))
        if any(other is not table for other in tables.values()):
            raise NumjazError(f"{self.path}: holds several state dicts: {known}; choose one with key=")
        if path:
            warnings.warn(f"{self.path}: took {path!r:.80}, the state dict in it", NumjazWarning, stacklevel=4)
        return table

    def _check(self) -> None:
        """The storages are there, as long as they are said to be; the tensors are no more than views of them."""
        storages, views = {}, {}
        for name, tensor in self._tensors.items():
            entry, size = self._entry(tensor), tensor.numel * SIZES[tensor.dtype]
            there = self._zip.sizes.get(entry)
            if there != size:
                what = "is missing" if there is None else f"holds {there:,} bytes"
                raise NumjazError(
                    f"{self.path}: {name!r:.80} needs {size:,} bytes of entry {entry!r:.80}, which {what}"
                )
            storages[entry] = size
            views[tensor] = math.prod(tensor.shape) * SIZES[tensor.dtype]
        if sum(views.values()) > max(MAX_VIEWS * sum(storages.values()), MAX_UNSHARED):
            raise NumjazError(
                f"{self.path}: its tensors take {sum(views.values()):,} bytes out of {sum(storages.values()):,}: "
                f"they overlap more than {MAX_VIEWS} times"
            )


def write_torch(path: str | Path, tensors: Mapping[str, NDArray[Any]], note: str) -> None:
    """Write a state dict, whole or not at all; ``torch.load(path)`` gives an OrderedDict of tensors.

    Parameters
    ----------
    path : path
        Where to; the same tensors give the same bytes.
    tensors : mapping
        Arrays of floats by name.
    note : str
        Text that is kept beside them; torch ignores it.
    """
    plain = dict(plain_floats(tensors, path))

    def entries() -> Iterator[tuple[str, bytes]]:
        yield PREFIX + PICKLE, _pickled(plain)
        yield PREFIX + "byteorder", b"little"
        yield PREFIX + NOTE, note.encode()
        for k, array in enumerate(plain.values()):
            yield f"{PREFIX}data/{k}", array.tobytes()
        yield PREFIX + "version", b"3\n"

    write_stored(path, entries())


def _pickled(tensors: Mapping[str, NDArray[Any]]) -> bytes:
    """The pickle of an OrderedDict of contiguous tensors, by hand: protocol 2, no memo."""
    parts = [b"\x80\x02", ORDERED_DICT, b"("]
    for k, (name, array) in enumerate(tensors.items()):
        steps = [stride // array.itemsize for stride in array.strides]
        storage = [b"(", _text("storage"), _name("torch", STORAGES[array.dtype.name]), _text(str(k)), _text("cpu")]
        parts += [_text(name), _name("torch._utils", "_rebuild_tensor_v2"), b"("]
        parts += [*storage, _number(array.size), b"tQ", _number(0), _tuple(array.shape), _tuple(steps)]
        parts += [b"\x89", ORDERED_DICT, b"tR"]  # False: no gradient; no hooks
    return b"".join([*parts, b"u."])


def _name(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def _text(text: str) -> bytes:
    raw = text.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def _number(number: int) -> bytes:
    raw = number.to_bytes(number.bit_length() // 8 + 1, "little")  # signed, so that its highest bit is 0
    return b"\x8a" + bytes([len(raw)]) + raw


def _tuple(numbers: Any) -> bytes:
    return b"".join([b"(", *(_number(int(number)) for number in numbers), b"t"])


ORDERED_DICT = _name("collections", "OrderedDict") + b")R"
STORAGES = {"float16": "HalfStorage", "float32": "FloatStorage", "float64": "DoubleStorage"}
