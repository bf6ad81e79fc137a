"""What hostile files of tensors are made from, field by field and opcode by opcode: no framework writes them."""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

ROWS = np.arange(6, dtype="<f4").tobytes()


def entry(name: str | bytes, data: bytes, *, deflated: bool = False, **central: Any) -> dict[str, Any]:
    """An entry as it should be; ``central`` changes the directory's record, ``local`` its own header."""
    packed = data
    if deflated:
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        packed = packer.compress(data) + packer.flush()
    fields = {"flags": 2048, "method": 8 * deflated, "crc": zlib.crc32(data), "packed": len(packed), "size": len(data)}
    fields |= {"name": name.encode() if isinstance(name, str) else name, "extra": b"", "attributes": 0}
    local = fields | central.pop("local", {})
    behind = central.pop("behind", b"")
    return {"data": packed, "local": local, "central": fields | central, "behind": behind}


def archive(entries: Iterable[dict[str, Any]], **end: Any) -> bytes:
    """A zip archive; ``end`` changes the end record, ``before``, ``between`` and ``after`` add bytes."""
    content = bytearray(end.get("before", b""))
    directory, count = b"", 0
    for held in entries:
        offset, f = len(content), held["local"]
        sizes = f["crc"], f["packed"], f["size"], len(f["name"]), len(f["extra"])
        if not held["central"].get("nowhere"):
            content += b"PK\3\4" + struct.pack("<5H3I2H", 20, f["flags"], f["method"], 0, 33, *sizes)
            content += f["name"] + f["extra"] + held["data"] + held["behind"]
        f = held["central"]
        sizes = f["crc"], f["packed"], f["size"], len(f["name"]), len(f["extra"]), f.get("comment", 0)
        places = 0, 0, f["attributes"], f.get("offset", offset)
        directory += b"PK\1\2" + struct.pack(
            "<6H3I5H2I", 20, f.get("version", 20), f["flags"], f["method"], 0, 33, *sizes, *places
        )
        directory += f["name"] + f["extra"] + b"c" * f.get("comment", 0)
        count += 1
    content += end.get("between", b"")
    start = end.get("start", len(content))
    content += directory
    count, size = end.get("count", count), end.get("size", len(directory))
    if "wide" in end:  # zip64 end record and locator
        wide = {"count": count, "size": size, "start": start, "at": len(content)} | end["wide"]
        numbers = wide["count"], wide["count"], wide["size"], wide["start"]
        content += b"PK\6\6" + struct.pack("<Q2H2I4Q", 44, 45, 45, 0, 0, *numbers)
        content += b"PK\6\7" + struct.pack("<IQI", 0, wide["at"], 1)
    comment, counts = end.get("comment", b""), [min(count, 65535)] * 2
    content += b"PK\5\6" + struct.pack("<4H2IH", 0, 0, *counts, size, start, len(comment)) + comment
    return bytes(content) + end.get("after", b"")


def npy(array: np.ndarray) -> bytes:
    content = io.BytesIO()
    np.lib.format.write_array(content, array, allow_pickle=False)
    return content.getvalue()


WEIGHTS = npy(np.arange(6, dtype="<f4"))


def zipped(path: Path, *more: dict[str, Any], **end: Any) -> None:
    """An ``.npz`` of one sound array and what else is named."""
    path.write_bytes(archive([entry("w.npy", WEIGHTS), *more], **end))


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def number(value: int) -> bytes:
    raw = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(raw)]) + raw


def tuple_of(*values: int) -> bytes:
    return b"(" + b"".join(number(value) for value in values) + b"t"


def named(full: str) -> bytes:
    module, _, name = full.rpartition(".")
    return f"c{module}\n{name}\n".encode()


EMPTY = named("collections.OrderedDict") + b")R"


def storage(kind: str = "torch.FloatStorage", key: str = "0", numel: int = 6) -> bytes:
    return b"(" + text("storage") + named(kind) + text(key) + text("cpu") + number(numel) + b"tQ"


def tensor(
    shape: bytes = tuple_of(2, 3),
    stride: bytes = tuple_of(3, 1),
    offset: bytes = number(0),
    held: bytes | None = None,
    hooks: bytes = EMPTY,
    metadata: bytes = b"",
) -> bytes:
    parts = (held or storage()) + offset + shape + stride + b"\x89" + hooks + metadata
    return named("torch._utils._rebuild_tensor_v2") + b"(" + parts + b"tR"


def table(*pairs: tuple[str, bytes]) -> bytes:
    return EMPTY + b"(" + b"".join(text(name) + value for name, value in pairs) + b"u"


def torch_file(
    path: Path, root: bytes, *more: dict[str, Any], protocol: int = 2, zeros: int = 0, **byteorder: bytes
) -> None:
    """A checkpoint of torch's with this value in its pickle and one storage of six floats, or of zeros."""
    entries = [entry("archive/data.pkl", b"\x80" + bytes([protocol]) + root + b".")]
    entries += [entry(f"archive/{name}", said) for name, said in byteorder.items()]
    entries += [entry("archive/data/0", b"\0" * zeros or ROWS), *more, entry("archive/version", b"3\n")]
    path.write_bytes(archive(entries))


def call(full: str, argument: str) -> bytes:
    return named(full) + b"(" + text(argument) + b"tR"


def safetensors(path: Path, header: object, data: bytes = ROWS, length: int | None = None) -> None:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(raw) if length is None else length) + raw + data)


def headed(header: str, data: bytes = ROWS, version: tuple[int, int] = (1, 0), length: int | None = None) -> bytes:
    raw = header.encode() + b"\n"
    size = struct.pack("<H" if version[0] == 1 else "<I", len(raw) if length is None else length)
    return b"\x93NUMPY" + bytes(version) + size + raw + data
