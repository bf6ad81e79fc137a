"""The doors that are fuzzed: their seeds, how a mutant becomes a file, and who else reads what is accepted."""

from __future__ import annotations

import contextlib
import io
import pickle
import struct
import tempfile
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from tensor_builders import archive, entry, table, tensor
from tensor_builders import safetensors as headed

from numjaz.doors.pickle import CALLS, NAMES, SIZES, tensor_tables
from numjaz.errors import NumjazError
from numjaz.formats.tensor_files import open_tensors

FIXTURES = Path(__file__).parent.parent / "fixtures"


def arrays(path: Path, key: str | None = None) -> dict[str, np.ndarray]:
    opened = open_tensors(path, key)
    if opened is None:
        raise NumjazError("none of the three")
    with opened:
        return {name: opened.array(name) for name in opened.shapes}


def zip_seeds() -> Iterable[bytes]:
    yield from (path.read_bytes() for path in FIXTURES.glob("torch-*/*.pt"))
    for write in (np.savez, np.savez_compressed):
        content = io.BytesIO()
        write(content, a=np.arange(6.0), b=np.zeros((2, 3), "<f4"))
        yield content.getvalue()


def zip_twin(path: Path, made: dict[str, np.ndarray]) -> None:
    """The standard library reads the same entries."""
    from numjaz.doors.zip import Zip

    with Zip(path, deflated=True) as ours, zipfile.ZipFile(path) as theirs:
        assert list(ours.names) == [name for name in theirs.namelist() if not name.endswith("/")]
        for name in ours.names:
            with contextlib.suppress(NumjazError):  # of an entry that nobody asked for
                assert ours.read(name) == theirs.read(name), name


def pickle_seeds() -> Iterable[bytes]:
    for path in FIXTURES.glob("torch-*/**/*.pt"):
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as held:
                yield from (held.read(name) for name in held.namelist() if name.endswith("/data.pkl"))
    yield b"\x80\x02" + table(("w", tensor())) + b"."


def pickle_file(data: bytes) -> bytes:
    """With storages as long as the pickle says, but for one in eight."""
    sizes = {str(k): 96 for k in range(8)}
    try:
        found = tensor_tables(data, "pickle") if zlib.crc32(data) % 8 else {}
        sizes |= {t.storage: t.numel * SIZES[t.dtype] for held in found.values() for t in held.values()}
    except NumjazError:
        pass
    plain = {key: size for key, size in sizes.items() if size < 1 << 20 and key.isalnum()}
    return archive([entry("archive/data.pkl", data), *(entry(f"archive/data/{k}", bytes(n)) for k, n in plain.items())])


class Stand(tuple):
    """A tensor as the standard library's machine sees it: the arguments it would be built from."""


class Nothing(pickle._Unpickler):  # in Python: the one in C makes room for the largest memo number there is
    """The standard library's machine, with stand-ins for whatever it looks up or calls."""

    def find_class(self, module: str, name: str) -> Any:
        full = f"{module}.{name}"
        assert full in NAMES, full
        if full in ("collections.OrderedDict", "collections.Counter"):
            return OrderedDict
        if "_rebuild_tensor" in full:
            return lambda *arguments: Stand(arguments)
        if full == "torch._utils._rebuild_parameter":
            return lambda held, *rest: held
        return (lambda *arguments: tuple(arguments[0]) if arguments else ()) if full in CALLS else full

    def persistent_load(self, held: Any) -> Any:
        return held


def pickle_twin(path: Path, made: dict[str, np.ndarray]) -> None:
    """The standard library's machine finds the same tensors under the same names."""
    with zipfile.ZipFile(path) as held:
        data = held.read("archive/data.pkl")
    root = Nothing(io.BytesIO(data)).load()
    for key, found in tensor_tables(data, "twin").items():
        with contextlib.suppress(NumjazError):  # a storage may be missing or too long
            assert found.keys() == arrays(path, key).keys()
        for name, held_tensor in found.items():
            value = followed(root, key)[name]
            assert isinstance(value, Stand)
            assert (value[1], tuple(value[2]), tuple(value[3])) == (
                held_tensor.offset,
                held_tensor.shape,
                held_tensor.stride,
            )
            assert value[0][2] == held_tensor.storage


def followed(root: Any, path: str) -> Any:
    """What stands under a dotted path; a key may hold dots, so the longest that fits goes first."""
    if not path:
        return root
    for key in sorted((str(k) for k in (root if isinstance(root, dict) else range(len(root)))), key=len, reverse=True):
        if path == key or path.startswith(f"{key}."):
            inner = {str(k): v for k, v in root.items()} if isinstance(root, dict) else dict(enumerate(root))
            try:
                return followed(inner[key if isinstance(root, dict) else int(key)], path[len(key) + 1 :])
            except (KeyError, TypeError):
                continue
    raise KeyError(path)


def safetensors_seeds() -> Iterable[bytes]:
    yield from (path.read_bytes() for path in FIXTURES.glob("torch-*/*.safetensors"))
    path = Path(tempfile.mkdtemp()) / "seed"
    headed(path, {"__metadata__": {"a": "b"}, "w": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}})
    yield path.read_bytes()


def safetensors_file(data: bytes) -> bytes:
    """Half of them with a header's length that is right again: what stands before the data changed its place."""
    end = data.rfind(b"}", 8)
    return struct.pack("<Q", end + 1 - 8) + data[8:] if zlib.crc32(data) % 2 and end > 0 else data


def safetensors_twin(path: Path, made: dict[str, np.ndarray]) -> None:
    import safetensors.torch

    for name, theirs in safetensors.torch.load_file(path).items():
        values = theirs.float() if theirs.dtype == safetensors.torch.torch.bfloat16 else theirs
        assert made[name].tobytes() == values.numpy().tobytes(), name


def npz_seeds() -> Iterable[bytes]:
    for array in (np.arange(6.0), np.zeros((2, 3), ">f4"), np.asfortranarray(np.eye(3)), np.array(1), np.zeros((0, 2))):
        content = io.BytesIO()
        np.lib.format.write_array(content, array)
        yield content.getvalue()


def npz_file(data: bytes) -> bytes:
    return archive([entry("w.npy", data, deflated=bool(zlib.crc32(data) % 2))])


def npz_twin(path: Path, made: dict[str, np.ndarray]) -> None:
    with np.load(path, allow_pickle=False) as held:
        assert (held["w"].dtype, held["w"].shape, held["w"].tobytes()) == (
            made["w"].dtype,
            made["w"].shape,
            made["w"].tobytes(),
        )


DOORS: dict[str, tuple[Callable[[], Iterable[bytes]], Callable[[bytes], bytes], Callable[[Path, Any], None]]] = {
    "zip": (zip_seeds, lambda data: data, zip_twin),
    "pickle": (pickle_seeds, pickle_file, pickle_twin),
    "safetensors": (safetensors_seeds, safetensors_file, safetensors_twin),
    "npz": (npz_seeds, npz_file, npz_twin),
}
