"""``.safetensors`` files, through the package of that name, after a look at their header.

::

    8 bytes     the header's length
    header      JSON: {name: {"dtype", "shape", "data_offsets"}, …, "__metadata__": {text: text}}
    data        every tensor's bytes, side by side
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from numjaz.doors.output import whole
from numjaz.doors.regular import open_regular
from numjaz.doors.shapes import elements
from numjaz.doors.text import parse_json
from numjaz.errors import NumjazError
from numjaz.formats.numbers import BFLOAT16, decode, plain_floats, tell_widened

if TYPE_CHECKING:
    from pathlib import Path

MAX_HEADER = 4 << 20  # bytes; a tensor takes 100
METADATA, NOTE = "__metadata__", "numjaz"
DTYPES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": BFLOAT16, "I64": "int64", "I32": "int32",
    "I16": "int16", "I8": "int8", "U64": "uint64", "U32": "uint32", "U16": "uint16", "U8": "uint8", "BOOL": "bool",
}  # fmt: skip


class SafetensorsFile:
    """The tensors of a ``.safetensors``; `numjaz.formats.tensor_files.open_tensors` opens it.

    The first array asked for reads the file, which then takes twice its size of memory for a moment,
    and once its size while it is open.
    """

    kind = "safetensors"

    def __init__(self, path: str) -> None:
        self.path = path
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            length = int.from_bytes(file.read(8), "little")
            if length > min(size - 8, MAX_HEADER):
                raise NumjazError(
                    f"{path}: declares a header of {length:,} bytes; the file has {size:,}, "
                    f"and at most {MAX_HEADER:,} are read"
                )
            self._header = file.read(length)
        header = parse_json(self._header, f"{path}: header")
        if not isinstance(header, dict):
            raise NumjazError(f"{path}: header: not an object")
        self.note = _note(header.pop(METADATA, {}), f"{path}: header: {METADATA}")
        self._check(header, size - 8 - length)
        self.shapes: Mapping[str, tuple[int, ...]] = MappingProxyType({n: tuple(t["shape"]) for n, t in header.items()})
        self.dtypes: Mapping[str, str] = MappingProxyType({n: DTYPES[t["dtype"]] for n, t in header.items()})
        self._package = _package("reading")
        self._data: dict[str, bytes] | None = None

    def __enter__(self) -> SafetensorsFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._data = None

    def array(self, name: str) -> NDArray[Any]:
        """A tensor, read-only; bfloat16 as float32, anything else as it is stored."""
        if name not in self.shapes:
            raise NumjazError(f"{self.path}: holds no tensor {name!r:.80}")
        if self._data is None:
            self._data = self._read()
        return decode(self._data[name], self.dtypes[name]).reshape(self.shapes[name])

    def _read(self) -> dict[str, bytes]:
        with open_regular(self.path) as file:
            content = file.read()
        if content[8 : 8 + len(self._header)] != self._header:
            raise NumjazError(f"{self.path}: was changed while it was read")
        try:
            data = {name: tensor["data"] for name, tensor in self._package.deserialize(content)}
        except self._package.SafetensorError as error:
            raise NumjazError(f"{self.path}: not readable as safetensors ({error})") from None
        if BFLOAT16 in self.dtypes.values():
            tell_widened(self.path, self.dtypes.values())
        return data

    def _check(self, header: dict[str, Any], size: int) -> None:
        """Every tensor's bytes are as many as its shape takes, and together they are the data."""
        spans = []
        for name, tensor in header.items():
            where = f"{self.path}: header: tensor {name!r:.80}"
            if not isinstance(tensor, dict) or set(tensor) != {"dtype", "shape", "data_offsets"}:
                raise NumjazError(f"{where} is not described by dtype, shape and data_offsets")
            dtype, shape, offsets = tensor["dtype"], tensor["shape"], tensor["data_offsets"]
            if not isinstance(dtype, str) or dtype not in DTYPES:
                raise NumjazError(f"{where} has dtype {dtype!r:.40}; {', '.join(DTYPES)} are read")
            count = elements(shape)
            if count is None:
                raise NumjazError(f"{where} has a shape that no array has, {str(shape)[:60]}")
            if (
                type(offsets) is not list
                or len(offsets) != 2
                or not all(type(n) is int and 0 <= n <= size for n in offsets)
            ):
                raise NumjazError(f"{where}: data_offsets are not two places in the {size:,} bytes of data")
            itemsize = 2 if DTYPES[dtype] == BFLOAT16 else np.dtype(DTYPES[dtype]).itemsize
            if offsets[1] - offsets[0] != count * itemsize:
                raise NumjazError(f"{where} declares {count:,} x {itemsize} bytes from {offsets[0]} to {offsets[1]}")
            spans.append((offsets[0], offsets[1], where))
        at = 0
        for start, end, where in sorted(spans):
            if start != at:
                raise NumjazError(f"{where} begins at {start:,}, what precedes it ends at {at:,}: an overlap or a hole")
            at = end
        if at != size:
            raise NumjazError(f"{self.path}: its tensors end at {at:,}, its data at {size:,}")


def write_safetensors(path: str | Path, tensors: Mapping[str, NDArray[Any]], note: str) -> None:
    """Write tensors, whole or not at all; the note stands among the metadata under ``numjaz``.

    Parameters
    ----------
    path : path
        Where to; the same tensors give the same bytes.
    tensors : mapping
        Arrays of floats by name.
    note : str
        Text that is kept beside them.
    """
    _package("writing")
    from safetensors.numpy import save  # type: ignore[import-not-found, unused-ignore]

    if METADATA in tensors:
        raise NumjazError(f"{path}: a tensor cannot be named {METADATA!r}")
    content = save(dict(plain_floats(tensors, path)))
    end = 8 + int.from_bytes(content[:8], "little")
    # The package writes metadata in any order; with the note put in here, the bytes are always the same.
    header = {METADATA: {"format": "pt", NOTE: note}, **json.loads(content[8:end])}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    with whole(path) as beside, beside.open("wb") as file:
        file.writelines((len(text).to_bytes(8, "little"), text, memoryview(content)[end:]))


def _note(metadata: Any, where: str) -> str | None:
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise NumjazError(f"{where} is not an object of texts")
    return metadata.get(NOTE)


def _package(doing: str) -> Any:
    try:
        import safetensors  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        raise NumjazError(
            f"{doing} .safetensors needs the safetensors package: pip install 'numjaz[safetensors]'"
        ) from None
    return safetensors
