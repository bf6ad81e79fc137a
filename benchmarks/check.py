"""Check Jazbat-Net as `numjaz check` does, with several faults, and say how long that takes beside a forward pass.

python benchmarks/check.py [REPEATS]

Exits with 1 where a check takes longer than LIMIT_S.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

import numjaz
from numjaz.compare.divergence import excite
from numjaz.compare.runs import run_model
from numjaz.layers import Array, BatchNormalization

WINDOWS, LENGTH, LIMIT_S = 8, 256, 2.0
NETWORKS = {"jazbat()": numjaz.jazbat(), "watch-3d": numjaz.load("jazbat-watch-3d-activity")}


def gates_exchanged(model: numjaz.Model) -> numjaz.Model:
    """Reset before update, where Keras has update before reset: in both directions, in every array."""

    def exchanged(array: Array) -> Array:
        update, reset, candidate = np.split(array, 3, axis=-1)
        return np.concatenate([reset, update, candidate], axis=-1)

    return model.replace({name: exchanged(a) for name, a in model.parameters.items() if name.startswith("bigru/")})


def of_epsilon(model: numjaz.Model) -> numjaz.Model:
    """The normalization with torch's epsilon."""
    layer = BatchNormalization(1e-5)
    return numjaz.Model([replace(n, layer=layer) if n.name == "norm" else n for n in model.nodes], model.parameters)


def edited(name: str, change: Callable[[Array], Array]) -> Callable[[numjaz.Model], numjaz.Model]:
    """The network with one array that is another."""
    return lambda model: model.replace({name: change(model.parameters[name])})


SIDES: dict[str, Callable[[numjaz.Model], numjaz.Model]] = {
    "none": lambda model: model,
    "GRU gates exchanged": gates_exchanged,
    "epsilon": of_epsilon,
    "kernel reversed": edited("module1_branch5/kernel", lambda a: a[::-1]),
    "unknown, in the GRU": edited("bigru/forward/recurrent_kernel", lambda a: 1.01 * a),
    "unknown, behind it": edited("reduction/bias", lambda a: a + 0.02),
}


def measured(work: Callable[[], Any], repeats: int) -> list[float]:
    """Seconds of each call."""
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return seconds


def main() -> int:
    """Print a line a network and fault; 0 where none took too long."""
    repeats, slowest = int(sys.argv[1]) if len(sys.argv) > 1 else 7, 0.0
    print(f"{WINDOWS} windows of {LENGTH} samples; milliseconds, median [least, most] of {repeats}")
    for network, model in NETWORKS.items():
        x = {name: array[::3][:WINDOWS] for name, array in excite(model, LENGTH).items()}  # of each size
        model.predict(x)
        forward = statistics.median(measured(lambda m=model, x=x: m.predict(x), repeats))  # type: ignore[misc]
        print(f"{network}: {1e3 * forward:.1f} a forward pass")
        for fault, side in SIDES.items():
            run = run_model(side(model), x)
            seconds = measured(lambda m=model, r=run: numjaz.compare(m, r), repeats)  # type: ignore[misc]
            found, middle = numjaz.compare(model, run), statistics.median(seconds)
            slowest = max(slowest, middle)
            said = "agree" if found.agree else f"{found.node}: {found.cause}"
            spread = f"[{1e3 * min(seconds):,.0f}, {1e3 * max(seconds):,.0f}]"
            print(f"  {fault:20}{1e3 * middle:7,.0f} {spread:14} {middle / forward:5.0f} x  {said}", flush=True)
    print(f"the slowest takes {slowest:.2f} s; at most {LIMIT_S:g} s are allowed")
    return 0 if slowest <= LIMIT_S else 1


if __name__ == "__main__":
    sys.exit(main())
