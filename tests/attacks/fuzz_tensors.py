"""Mutate zip, torch, safetensors and npz files: an error of numjaz's or arrays, in bounded time and memory.

    python tests/attacks/fuzz_tensors.py [MINUTES] [DOOR] [SEED]

MINUTES for each door (default 1); DOOR is one of zip, pickle, safetensors, npz. A mutant that reaches a
line of numjaz that none before it reached is kept, and mutated further. What is accepted must be read
alike by somebody else: the standard library's zipfile and pickle (with nothing to call), safetensors,
NumPy. A mutant that is slow or ends otherwise is kept in a folder that is printed; the exit code is 1.
"""

from __future__ import annotations

import faulthandler
import importlib
import random
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fuzz_doors import DOORS, arrays

import numjaz
from numjaz.errors import NumjazError

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
