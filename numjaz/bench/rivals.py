"""Engines beside one another, in rounds: each in its own process, on the same network, within one run."""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from numjaz.bench.engine import COLD, Engine, cold_start
from numjaz.errors import NumjazError
from numjaz.frameworks.prepare import prepare
from numjaz.frameworks.timed import ENGINES
from numjaz.layers import Array
from numjaz.model import Model

BATCHES = (16, 64, 256)  # beside one window; the best of them is the throughput
AGREE = 1e-4  # of a probability: engines that differ by more compute something else
LEAST_S = 0.25  # of calls in a round


class Figure(NamedTuple):
    """The median of the rounds, the least and the most."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Figure:
        """The figure of some rounds."""
        return cls(statistics.median(values), min(values), max(values))


@dataclass(frozen=True)
class Measured:
    """One engine.

    Attributes
    ----------
    latency_ms : Figure
        One window.
    windows_per_s : dict of int to Figure
        By how many at once.
    cold_start_s, peak_rss_mb : Figure or None
        From starting an interpreter to its end with the first answer, and its memory in MiB.
    start_ratio : Figure or None
        Of that over the time of a process that imports NumPy and reads the window, each round by itself.
    installed_mb : float
        Of the packages that it loads, in MiB on disk.
    differs : float
        The largest difference of an output from the reference's.
    latency_ratio, throughput_ratio : Figure
        This engine's latency over numjaz's, and numjaz's windows a second over this engine's, each round by itself.
    """

    name: str
    latency_ms: Figure
    windows_per_s: dict[int, Figure]
    cold_start_s: Figure | None
    peak_rss_mb: Figure | None
    start_ratio: Figure | None
    installed_mb: float
    differs: float
    latency_ratio: Figure
    throughput_ratio: Figure

    @property
    def best(self) -> int:
        """How many windows at once are the most a second."""
        return max(self.windows_per_s, key=lambda n: self.windows_per_s[n].median)


def benchmark(
    model: Model,
    against: Sequence[str],
    *,
    pythons: Mapping[str, str] | None = None,
    rounds: int = 5,
    threads: int = 1,
    window: int | None = None,
    batches: Sequence[int] = BATCHES,
    cold: bool = True,
    tell: Callable[[str], None] = lambda what: None,
) -> list[Measured]:
    """Time engines in turns.

    Parameters
    ----------
    model : Model
        With one input and one output.
    against : sequence of str
        Of ``onnxruntime``, ``litert``, ``torch``, ``tf-function``, ``keras``, ``numjaz-file`` (the exported file),
        ``numjaz-h5`` (which starts from HDF5, not from ``.npz``), ``numjaz-reference`` (the layers as they are stated).
    pythons : dict of str to str
        The interpreter of each engine, where it is not this one.
    rounds : int
        Each asks every engine once; the median of them is told.
    threads : int
        That each engine may use.
    window : int, optional
        Samples a window; the contract's, or 256.
    batches : sequence of int
        How many windows at once are tried, beside one.
    cold : bool
        Whether starts are timed too.
    tell : callable
        Is told what is being done.

    Returns
    -------
    list of Measured
        numjaz first.

    Raises
    ------
    NumjazError
        For an engine that there is not, that cannot run the network, or that computes something else.
    """
    names, batches = list(dict.fromkeys(("numjaz", *against))), sorted(set(batches))
    unknown = [name for name in names if name not in ENGINES]
    if unknown:
        raise NumjazError(f"no engine is named {unknown[0]!r:.40}; there are {', '.join(ENGINES)}")
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise NumjazError("engines are timed on networks of one input and one output")
    strange = [name for name in pythons or {} if name not in names]
    if strange:
        raise NumjazError(f"an interpreter is given for {strange[0]!r:.40}, which is not timed: {', '.join(names)} are")
    where = {name: (pythons or {}).get(name, sys.executable) for name in names}
    length = window or model.window
    with tempfile.TemporaryDirectory() as given:
        folder = Path(given)
        features = model.nodes[0].layer.features  # type: ignore[attr-defined]
        x = np.random.default_rng(1).normal(size=(4, length, features)).astype(np.float32)
        np.save(folder / "x.npy", x[:1])
        np.save(folder / "several.npy", x)
        prepare(model, folder, names, where, length, tell)
        engines: list[Engine] = []
        try:
            for name in names:
                tell(f"{name} is made ready")
                engines.append(Engine(name, where[name], str(folder / "network.npz"), length, threads))
            differs = {engine.name: _differs(engine, model, folder, x) for engine in engines}
            calls = _rounds(engines, (1, *batches), rounds, tell)
            installed = {engine.name: engine.ask("installed")["bytes"] / 2**20 for engine in engines}
        finally:
            for engine in engines:
                engine.close()
        starts = _starts(names, where, folder, rounds, threads, tell) if cold else {}
    return [_measured(name, calls, starts, installed, differs, batches) for name in names]


def _differs(engine: Engine, model: Model, folder: Path, x: Array) -> float:
    """How far an engine's outputs are from the reference's in float64."""
    expected = model.reference({model.inputs[0]: x.astype(np.float64)})[model.outputs[0]]
    made = np.asarray(engine.ask("outputs", x=str(folder / "several.npy"))["outputs"])
    found = float(np.abs(made - expected).max()) if made.shape == expected.shape else float("inf")
    if not found <= AGREE * max(1.0, float(np.abs(expected).max())):
        raise NumjazError(f"{engine.name} computes something else: its outputs differ by {found:.2g}; it is not timed")
    return found


def _rounds(
    engines: Sequence[Engine], batches: Sequence[int], rounds: int, tell: Callable[[str], None]
) -> dict[tuple[str, int], list[float]]:
    """Seconds a call of each engine and batch: the median of each round."""
    found: dict[tuple[str, int], list[float]] = {}
    for number in range(rounds):
        for count in batches:
            for engine in engines[:: 1 if number % 2 else -1]:  # who is asked first changes from round to round
                tell(f"round {number + 1} of {rounds}: {engine.name}, {count} at once")
                seconds = engine.ask("time", windows=count, repeats=3, least_s=LEAST_S)["seconds"]
                found.setdefault((engine.name, count), []).append(statistics.median(seconds))
    return found


def _starts(
    names: Sequence[str],
    where: Mapping[str, str],
    folder: Path,
    rounds: int,
    threads: int,
    tell: Callable[[str], None],
) -> dict[str, list[tuple[float, float]]]:
    """Seconds and MiB of each start, numpy's own among them."""
    kinds = ["numpy", *(name for name in names if name in COLD)]
    found: dict[str, list[tuple[float, float]]] = {}
    for number in range(rounds + 1):
        for name in kinds:
            tell(f"start {number + 1} of {rounds + 1}: {name}")
            once = cold_start(name, where.get(name, sys.executable), folder, threads)
            if number:  # the first fills the disk's cache
                found.setdefault(name, []).append(once)
    return found


def _measured(
    name: str,
    calls: Mapping[tuple[str, int], Sequence[float]],
    starts: Mapping[str, Sequence[tuple[float, float]]],
    installed: Mapping[str, float],
    differs: Mapping[str, float],
    batches: Sequence[int],
) -> Measured:
    rates = {n: [n / s for s in calls[name, n]] for n in (1, *batches)}
    own = {n: [n / s for s in calls["numjaz", n]] for n in (1, *batches)}
    best, ours = (max(r, key=lambda n: statistics.median(r[n])) for r in (rates, own))
    started = starts.get(name, [])
    return Measured(
        name,
        Figure.of([1e3 * s for s in calls[name, 1]]),
        {n: Figure.of(r) for n, r in rates.items()},
        Figure.of([s for s, _ in started]) if started else None,
        Figure.of([m for _, m in started]) if started else None,
        Figure.of([s / n for (s, _), (n, _) in zip(started, starts["numpy"], strict=True)]) if started else None,
        installed[name],
        differs[name],
        Figure.of([a / b for a, b in zip(calls[name, 1], calls["numjaz", 1], strict=True)]),
        Figure.of([a / b for a, b in zip(own[ours], rates[best], strict=True)]),
    )
