"""Mutate zip, torch, safetensors and npz files: an error of numjaz's or arrays, in bounded time and memory.

    python tests/attacks/fuzz_tensors.py [MINUTES] [DOOR] [SEED]

MINUTES for each door (default 1); DOOR is one of zip, pickle, safetensors, npz. A mutant that reaches a
line of numjaz that none before it reached is kept, and mutated further. What is accepted must be read
alike by somebody else: the standard library's zipfile and pickle (with nothing to call), safetensors,
NumPy. A mutant that is slow or ends otherwise is kept in a folder that is printed; the exit code is 1.
"""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import io
import pickle
import random
import struct
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from tensor_attacks import archive, entry, table, tensor
from tensor_attacks import safetensors as headed

import numjaz
from numjaz.doors.pickle import CALLS, NAMES, SIZES, tensor_tables
from numjaz.errors import NumjazError
from numjaz.formats.tensor_files import open_tensors

FIXTURES = Path(__file__).parent.parent / "fixtures"
PACKAGE = str(Path(numjaz.__file__).parent)
PATIENCE_S, SLOW_S, MEMORY = 20, 2.0, 512 << 20
NUMBERS = [0, 1, 2, 8, 127, 128, 255, 256, 65535, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, 2**63, 2**64 - 1]
WORDS = [b"PK\3\4", b"PK\1\2", b"PK\5\6", b"PK\6\6", b"PK\6\7", b"PK\7\10", b"\1\0\20\0", b"../", b"\\", b"/data.pkl"]
WORDS += [
    b"cos\nsystem\n",
    b"ctorch\nSize\n",
    b"ctorch\nFloatStorage\n",
    b"}",
    b"]",
    b"(",
    b")",
    b"t",
    b"R",
    b"b",
    b"Q",
]
WORDS += [
    b"\x85",
    b"\x86",
    b"\x87",
    b"\x88",
    b"\x93",
    b"\x94",
    b"N",
    b"s",
    b"u",
    b"h\0",
    b"h\1",
    b"q\0",
    b".",
    b"a",
    b"e",
]
WORDS += [
    b'"F32"',
    b'"shape"',
    b'"data_offsets"',
    b'"__metadata__"',
    b":",
    b",",
    b"{",
    b"[",
    b"[]",
    b"-1",
    b"1e9",
    b"null",
]
WORDS += [b"'descr'", b"'<f8'", b"'|O'", b"True", b"L", b"(3,)", b"'shape'", b"\x93NUMPY\1\0", b"byteorder", b"big"]


def mutated(rng: random.Random, data: bytes, corpus: list[bytes]) -> bytes:
    made = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        at, length = rng.randrange(len(made) + 1), min(rng.choice((1, 1, 2, 4, 8, 30, 200)), len(made))
        kind = rng.randrange(8)
        if kind == 0 and at < len(made):
            made[at] ^= 1 << rng.randrange(8)
        elif kind == 1 and at < len(made):
            made[at] = rng.randrange(256)
        elif kind == 2:
            made[at:at] = rng.randbytes(length)
        elif kind == 3:
            del made[at : at + length]
        elif kind == 4:
            made[at:at] = made[rng.randrange(len(made) + 1) :][:length]
        elif kind == 5:
            size = rng.choice((1, 2, 4, 8))
            value = rng.choice(NUMBERS) + rng.choice((0, 0, -1, 1))
            made[at : at + size] = (value % 256**size).to_bytes(size, "little")
        elif kind == 6:
            word = rng.choice(WORDS)
            made[at : at + rng.choice((0, len(word)))] = word
        else:
            other = rng.choice(corpus)
            start = rng.randrange(len(other) + 1)
            made[at : at + length] = other[start : start + rng.choice((length, 400))]
    return bytes(made[: 1 << 20])


def arrays(path: Path, key: str | None = None) -> dict[str, np.ndarray]:
    opened = open_tensors(path, key)
    if opened is None:
        raise NumjazError("none of the three")
    with opened:
        return {name: opened.array(name) for name in opened.shapes}


# The doors: seeds, how a mutant becomes a file, and who else reads what is accepted ---------------------


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


class Lines:
    """The lines of numjaz that a call reached."""

    def __init__(self) -> None:
        self.reached: set[tuple[str, int]] = set()

    def _trace(self, frame: Any, event: str, argument: Any) -> Any:
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        self.reached.add((frame.f_code.co_filename, frame.f_lineno))
        return self._trace

    def of(self, call: Callable[[], Any]) -> set[tuple[str, int]]:
        self.reached = set()
        sys.settrace(self._trace)
        try:
            call()
        finally:
            sys.settrace(None)
        return self.reached


def fuzz(door: str, minutes: float, seed: int) -> int:
    seeds, as_file, twin = DOORS[door]
    rng, lines, folder = random.Random(seed), Lines(), Path(tempfile.mkdtemp(prefix=f"fuzz-{door}-"))
    corpus, known = sorted(set(seeds())), set()
    path, end = folder / "mutant", time.monotonic() + 60 * minutes
    tried = accepted = findings = 0
    slowest, first, good = 0.0, list(corpus), []
    while time.monotonic() < end or first:
        parents = good if good and rng.randrange(2) else corpus
        data = first.pop() if first else mutated(rng, rng.choice(parents), corpus)
        path.write_bytes(as_file(data))
        faulthandler.dump_traceback_later(PATIENCE_S, exit=True)
        started, held, made, before = time.process_time(), set(lines.reached), {}, accepted
        try:
            tried += 1
            try:
                held = lines.of(lambda made=made: made.update(arrays(path)))
                accepted += 1
                twin(path, made)
            except NumjazError as error:
                held = lines.reached
                assert "\n" not in str(error), error
                if "choose one with key=" in str(error):
                    accepted += 1
                    twin(path, made)
            took = time.process_time() - started
            assert took < SLOW_S, f"{took:.1f} s"
            slowest = max(slowest, took)
        except Exception:
            findings += 1
            held = lines.reached
            (folder / f"finding-{findings}").write_bytes(path.read_bytes())
            print(f"{folder / f'finding-{findings}'}\n{traceback.format_exc(limit=-4)}", flush=True)
            if findings >= 20:
                break
        if not held <= known:
            known |= held
            corpus += [data] * (data not in corpus)
        if accepted > before and len(good) < 1000:
            good.append(data)
    faulthandler.cancel_dump_traceback_later()
    print(
        f"{door}: {tried:,} executions, {accepted:,} accepted, corpus {len(corpus)}, {len(known):,} lines reached, "
        f"slowest {slowest:.2f} s, {findings} findings",
        flush=True,
    )
    return findings


def bound_memory() -> None:
    """No more address space than now and MEMORY; beyond it, MemoryError is a finding."""
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except (ImportError, OSError):
        return
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    doors = sys.argv[2:3] or list(DOORS)
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.randrange(10**6)
    if "safetensors" in doors:
        importlib.import_module("safetensors.torch")  # before memory is bounded
    bound_memory()
    print(f"seed {seed}", flush=True)
    sys.exit(1 if sum([fuzz(door, minutes, seed) for door in doors]) else 0)
