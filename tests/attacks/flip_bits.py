"""Flip bits of model files, one at a time: an error of numjaz's or a model, within seconds, nothing else.

    python tests/attacks/flip_bits.py [STEP]

Every STEP-th bit (default 13 for numjaz's own file, 1601 for Keras's) in a child process that is
watched from outside.
"""

from __future__ import annotations

import faulthandler
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numjaz

FIXTURES = Path(__file__).parent.parent / "fixtures"
PATIENCE_S = 5


def flipped(source: Path, step: int) -> None:
    content, path = source.read_bytes(), Path(tempfile.mkdtemp()) / source.name
    refused, slowest, last_said = 0, 0.0, time.monotonic()
    for bit in range(0, 8 * len(content), step):
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        faulthandler.dump_traceback_later(PATIENCE_S, exit=True)
        started = time.perf_counter()
        try:
            numjaz.load(path)
        except numjaz.NumjazError as error:
            refused += 1
            assert "\n" not in str(error), bit
        slowest = max(slowest, time.perf_counter() - started)
        if time.monotonic() - last_said > 30:
            last_said = time.monotonic()
            print(f"  {source.name}: bit {bit:,} of {8 * len(content):,}", flush=True)
    faulthandler.cancel_dump_traceback_later()
    tried = -(-8 * len(content) // step)
    print(f"{source.name}: {tried:,} flips, {refused:,} refused, slowest {slowest:.2f} s", flush=True)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    step = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    flipped(FIXTURES / "numjaz-format-1.h5", step or 13)
    for folder in sorted(FIXTURES.glob("keras-*")):
        for name in ("plain.h5", "plain.keras"):
            flipped(folder / name, step or 1601)
