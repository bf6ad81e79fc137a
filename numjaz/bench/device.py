"""What a network costs on the machine that this runs on; NumPy is all it needs."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from numjaz.engine import compile as compiled
from numjaz.model import Model

RUNS = 5  # whose medians are told
LEAST_S = 0.3  # that a run takes


@dataclass(frozen=True)
class Device:
    """Figures of one network on one machine.

    Attributes
    ----------
    latency_ms : tuple of float
        One window: the median of the runs' medians, the least and the most of them.
    windows_per_s : tuple of float
        Many windows at once, likewise.
    cpu_share : float or None
        Of one processor, where windows come at the network's hop.
    peak_rss_mb : float
        The most memory that this process has had, in MiB.
    arena_bytes : int
        Of the plan for one window.
    """

    latency_ms: tuple[float, float, float]
    windows_per_s: tuple[float, float, float]
    cpu_share: float | None
    peak_rss_mb: float
    arena_bytes: int


def measure(model: Model, window: int | None = None) -> Device:
    """Time a network's plans, for one window and for many."""
    length = window or model.window
    one, many = compiled(model, 1), compiled(model)
    latency = _medians(one, model, length, 1)
    rate = _medians(many, model, length, many.batch)
    hop_s = model.contract.hop / model.contract.rate_hz if model.contract else None
    return Device(
        latency_ms=_spread([1e3 * s for s in latency]),
        windows_per_s=_spread([many.batch / s for s in rate]),
        cpu_share=statistics.median(latency) / hop_s if hop_s else None,
        peak_rss_mb=peak_mib(),
        arena_bytes=one.arena_bytes,
    )


def peak_mib() -> float:
    """The most memory that this process has had."""
    try:
        # Of its own; in ru_maxrss Linux counts what the parent had when this began.
        with open("/proc/self/status") as status:  # noqa: PTH123 - runs where pathlib would count
            return next(int(line.split()[1]) / 2**10 for line in status if line.startswith("VmHWM"))
    except OSError:
        import resource
        import sys

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def _medians(plan: Any, model: Model, length: int, windows: int) -> list[float]:
    """Seconds a call: the median of each run."""
    features = {node.name: node.layer for node in model.nodes}[model.inputs[0]].features  # type: ignore[attr-defined]
    x = np.random.default_rng(0).normal(size=(windows, length, features)).astype(np.float32)
    plan.predict(x)
    found = []
    for _ in range(RUNS):
        seconds: list[float] = []
        while sum(seconds) < LEAST_S or len(seconds) < 3:
            started = time.perf_counter()
            plan.predict(x)
            seconds.append(time.perf_counter() - started)
        found.append(statistics.median(seconds))
    return found


def _spread(values: list[float]) -> tuple[float, float, float]:
    return statistics.median(values), min(values), max(values)
