"""Cut a week at 100 Hz into windows and say how much memory that took, beside an hour.

python benchmarks/long_recording.py [HOURS]
"""

from __future__ import annotations

import sys
import time
import tracemalloc
from collections.abc import Iterator

import numpy as np

import numjaz
from numjaz.signal import Piece, Report

RATE_HZ, ROWS = 100, 60_000


def recording(hours: int) -> numjaz.Recording:
    """Somebody at rest, ten minutes a piece."""

    def pieces(report: Report) -> Iterator[Piece]:
        values = np.random.default_rng(0).standard_normal((ROWS, 3)) + [0, 0, 9.81]
        for k in range(hours * 3600 * RATE_HZ // ROWS):
            yield Piece((k * ROWS + np.arange(ROWS)) * (10**9 // RATE_HZ), values)

    return numjaz.Recording("made", ("ax", "ay", "az"), pieces)


def main() -> None:
    """Print a line for an hour and a line for the long recording."""
    contract = numjaz.Contract(features=("magnitude",), rate_hz=20.0, magnitude="minus_g")
    for hours in (1, int(sys.argv[1]) if len(sys.argv) > 1 else 24 * 7):
        tracemalloc.start()
        started = time.perf_counter()
        count = sum(len(batch) for batch in numjaz.windows(recording(hours), contract).batches())
        seconds, peak = time.perf_counter() - started, tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        rows = hours * 3600 * RATE_HZ
        print(f"{hours} h, {rows:,} samples, {count:,} windows: peak {peak / 1e6:.1f} MB, {seconds:.1f} s", flush=True)


if __name__ == "__main__":
    main()
