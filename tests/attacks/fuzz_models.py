"""Mutate HDF5 model files and Keras configurations: an error of numjaz's or a model, in bounded time and memory.

    python tests/attacks/fuzz_models.py [MINUTES] [hdf5|config] [SEED]

MINUTES for each door (default 1). The HDF5 library is a program in C, so that mutants are read in a child
process: where it dies or hangs, the mutant is a finding and another child goes on. Mutants that reach a
new line of numjaz are kept and mutated further. The exit code is 1 where something was found.
"""

from __future__ import annotations

import copy
import faulthandler
import json
import random
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

from fuzz_tensors import PATIENCE_S, SLOW_S, WORDS, Lines, bound_memory, mutated

import numjaz
from numjaz.errors import NumjazError
from numjaz.formats.keras_config import described
from numjaz.nodes import parameter_table

FIXTURES = Path(__file__).parent.parent / "fixtures"
WORDS += [b"TREE", b"SNOD", b"HEAP", b"GCOL", b"FRHP", b"BTHD", b"OHDR", b"OCHK", b"\x89HDF\r\n\x1a\n", b"\xff" * 8]
VALUES: list[Any] = [
    None, True, False, -1, 0, 1, 2, 3, 7, 10**6, 10**12, 2**63, -(2**63), 0.5, -0.5, 1e300, 1e-300, "", "x", "input",
    "relu", "same", "causal", "../x", "a/b", "a:1", "a[1]", "\x1b[2J", [], [1], [0], [-1], [1, 2], [[1]], {}, {"a": 1},
    [None, None], ["input", 0, 0], ["input", 0, 0, {}], [["input", 0, 0, {}]], "Bidirectional", "TimeDistributed",
    "GRU", "Sequential", "Functional", "InputLayer", "Lambda", "Conv1D", "Add", "Concatenate", "MultiHeadAttention",
]  # fmt: skip


def hdf5_seeds() -> list[bytes]:
    """Small files of numjaz's own and of Keras's."""
    paths = [*FIXTURES.glob("numjaz-format-*.h5"), *FIXTURES.glob("keras-*/plain*.h5")]
    return [path.read_bytes() for path in sorted(paths)]


def configurations() -> list[Any]:
    """What Keras wrote, and each of its layers within the others' wrappers."""
    found = []
    for path in sorted(FIXTURES.glob("keras-*/*.keras")):
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as held:
                found.append(json.loads(held.read("config.json")))
    return found


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every container and key in a tree of plain values."""
    found: list[tuple[Any, Any]] = []
    todo = [value]
    while todo:
        held = todo.pop()
        keys = list(held) if isinstance(held, dict) else range(len(held)) if isinstance(held, list) else []
        found += [(held, key) for key in keys]
        todo += [held[key] for key in keys]
    return found


def changed(rng: random.Random, config: Any, corpus: list[Any]) -> Any:
    """A configuration with a few values exchanged, removed, doubled or taken from elsewhere."""
    config = copy.deepcopy(config)
    for _ in range(rng.choice((1, 1, 2, 3, 5))):
        where = places(config)
        if not where:
            return config
        held, key = rng.choice(where)
        kind = rng.randrange(6)
        if kind <= 1:
            held[key] = copy.deepcopy(rng.choice(VALUES))
        elif kind == 2:
            del held[key]
        elif kind == 3:
            other, at = rng.choice(where)
            if not any(other is inner for inner, _ in places(held[key])):
                held[key] = copy.deepcopy(other[at])
        elif kind == 4 and isinstance(held, list):
            held.insert(key, copy.deepcopy(held[key]))
        else:
            elsewhere = places(rng.choice(corpus))
            other, at = rng.choice(elsewhere)
            held[key] = copy.deepcopy(other[at])
        if len(where) > 20_000:
            break
    return config


def fuzz_config(minutes: float, seed: int) -> int:
    rng, lines = random.Random(seed), Lines()
    corpus, known = configurations(), set()
    end, tried, accepted, findings, slowest = time.monotonic() + 60 * minutes, 0, 0, 0, 0.0
    while time.monotonic() < end and findings < 20:
        config = changed(rng, rng.choice(corpus), corpus)
        faulthandler.dump_traceback_later(PATIENCE_S, exit=True)
        started, tried = time.process_time(), tried + 1

        def call(config: Any = config) -> None:
            found = described(config, "config", rng.choice((2, 3, None)))
            parameter_table(found.nodes)

        try:
            try:
                lines.of(call)
                accepted += 1
            except NumjazError as error:
                assert "\n" not in str(error), error
                assert len(str(error)) < 2000, error
            took = time.process_time() - started
            slowest = max(slowest, took)
            assert took < SLOW_S, f"{took:.1f} s"
        except Exception:
            findings += 1
            kept = Path(tempfile.mkdtemp(prefix="fuzz-config-")) / "finding.json"
            kept.write_text(json.dumps(config))
            print(f"{kept}\n{traceback.format_exc(limit=-4)}", flush=True)
        if not lines.reached <= known:
            known |= lines.reached
            corpus.append(config)
    faulthandler.cancel_dump_traceback_later()
    report("config", tried, accepted, len(corpus), len(known), slowest, findings)
    return findings


def report(door: str, tried: int, accepted: int, corpus: int, known: int, slowest: float, findings: int) -> None:
    print(
        f"{door}: {tried:,} executions, {accepted:,} accepted, corpus {corpus}, {known:,} lines reached, "
        f"slowest {slowest:.2f} s, {findings} findings",
        flush=True,
    )


def child(minutes: float, seed: int, folder: Path) -> None:
    """Mutate and read until the time is over; what is being read lies in the folder."""
    rng, lines = random.Random(seed), Lines()
    corpus = hdf5_seeds() + [path.read_bytes() for path in sorted(folder.glob("kept-*"))]
    known: set[tuple[str, int]] = set()
    end, tried, accepted, slowest = time.monotonic() + 60 * minutes, 0, 0, 0.0
    path, seeds = folder / "mutant", list(corpus)
    bound_memory()
    while time.monotonic() < end:
        data = seeds.pop() if seeds else mutated(rng, rng.choice(corpus), corpus)
        path.write_bytes(data)
        faulthandler.dump_traceback_later(PATIENCE_S, exit=True)
        started, tried = time.process_time(), tried + 1
        try:
            architecture = None if tried % 2 else ARCHITECTURE
            lines.of(partial(numjaz.load, path, architecture))
            accepted += 1
        except NumjazError as error:
            assert "\n" not in str(error), error
        took = time.process_time() - started
        slowest = max(slowest, took)
        assert took < SLOW_S, f"{took:.1f} s"
        if not lines.reached <= known:
            known |= lines.reached
            if data not in corpus:
                corpus.append(data)
                (folder / f"kept-{len(corpus)}").write_bytes(data)
        if tried % 200 == 0:
            state = {
                "tried": tried,
                "accepted": accepted,
                "corpus": len(corpus),
                "lines": len(known),
                "slowest": slowest,
            }
            (folder / "state.json").write_text(json.dumps(state))


ARCHITECTURE = numjaz.jazbat(units=6, modules=2, reduction=6)


def fuzz_hdf5(minutes: float, seed: int) -> int:
    folder, end = Path(tempfile.mkdtemp(prefix="fuzz-hdf5-")), time.monotonic() + 60 * minutes
    findings, sums = 0, {"tried": 0, "accepted": 0}
    last: dict[str, Any] = {}
    while time.monotonic() < end and findings < 20:
        left = (end - time.monotonic()) / 60
        command = [sys.executable, __file__, "--child", str(left), str(seed + findings), str(folder)]
        ended = subprocess.run(command, capture_output=True, text=True)
        if (folder / "state.json").exists():
            last = json.loads((folder / "state.json").read_text())
            (folder / "state.json").unlink()
            for key in sums:
                sums[key] += last[key]
        if ended.returncode:
            findings += 1
            kept = folder / f"finding-{findings}.h5"
            kept.write_bytes((folder / "mutant").read_bytes())
            print(f"{kept}: exit {ended.returncode}\n{ended.stderr[-1500:]}", flush=True)
    report(
        "hdf5",
        sums["tried"],
        sums["accepted"],
        last.get("corpus", 0),
        last.get("lines", 0),
        last.get("slowest", 0),
        findings,
    )
    return findings


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    if sys.argv[1:2] == ["--child"]:
        child(float(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
        sys.exit(0)
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    doors = {"hdf5": fuzz_hdf5, "config": fuzz_config}
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.randrange(10**6)
    print(f"seed {seed}", flush=True)
    sys.exit(1 if sum([doors[door](minutes, seed) for door in sys.argv[2:3] or doors]) else 0)
