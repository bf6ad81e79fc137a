"""A million windows through one plan: memory stays flat, and the same windows in pieces give the same bits.

python benchmarks/million.py [WINDOWS]

Exits with 1 where either does not hold.
"""

from __future__ import annotations

import hashlib
import sys
import time

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

import numjaz
from numjaz.bench.device import peak_mib

LENGTH, FLAT_MIB = 256, 16.0  # beside the outputs


def main(count: int) -> int:
    """Predict all at once, then in pieces of uneven length."""
    model = numjaz.load("jazbat-watch-1d-activity")
    plan = numjaz.compile(model)
    signal = np.random.default_rng(0).normal(size=count + LENGTH - 1).astype(np.float32)
    windows = sliding_window_view(signal, LENGTH)[..., None]  # (count, 256, 1), without a copy
    plan.predict(windows[: plan.batch])
    before, started = peak_mib(), time.perf_counter()
    whole = plan.predict(windows)
    took, grown = time.perf_counter() - started, peak_mib() - before - whole.nbytes / 2**20
    print(
        f"{count:,} windows in {took:.0f} s, {count / took:,.0f} a second; memory grew by {grown:.1f} MiB beside them"
    )
    rng, at, hashed = np.random.default_rng(1), 0, hashlib.sha256()
    while at < count:
        step = int(rng.integers(1, 5000))
        hashed.update(plan.predict(windows[at : at + step]).tobytes())
        at += step
    same = hashed.digest() == hashlib.sha256(whole.tobytes()).digest()
    print("in pieces: " + ("the same bits" if same else "OTHER BITS"))
    return int(grown > FLAT_MIB or not same)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000))
