"""Time training beside torch, in turns: Jazbat-Net, batches of 64, Adam, float32.

    python benchmarks/training.py [ROUNDS]              steps, with one thread and with two
    python benchmarks/training.py epoch [ROUNDS]        an epoch of the watch data, windowing included

Both train the same network from the same weights; before anything is timed their losses over ten steps
are compared. Each runs in a process of its own. Writes benchmarks/results/training.json or
training-epoch.json: windows a second in each round.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import numjaz
from numjaz.doors.output import whole
from numjaz.learn.recipe import Recipe
from numjaz.learn.sampling import order
from numjaz.learn.store import Store
from numjaz.learn.trainer import Trainer

HERE = Path(__file__).parent
ENGINES = ("numjaz", "torch")
BATCH, WINDOW, CLASSES = 64, 256, 18
SECONDS = 6.0  # of a round
AGREE = 1e-3  # that the losses of ten steps may differ by, relative

Step = Callable[[np.ndarray, np.ndarray], float]  # windows and classes to a loss


def network(classes: int = CLASSES) -> numjaz.Model:
    """The network that both train."""
    return numjaz.jazbat(features=1, classes=classes, seed=1)


def ours(classes: int, threads: int) -> Step:
    """Numjaz's step."""
    trainer, count = Trainer(network(classes), Recipe(form="torch"), WINDOW), [0]
    rng = np.random.default_rng(0)

    def step(x: np.ndarray, labels: np.ndarray) -> float:
        count[0] += 1
        return trainer.step(x, labels, None, count[0], 1e-3, rng)[0].total / len(labels)

    return step


def torchs(classes: int, threads: int) -> Step:
    """Torch's step."""
    import torch

    from numjaz.frameworks.torch import torch_module
    from numjaz.learn.loss import without_softmax

    torch.set_num_threads(threads)
    module = torch_module(without_softmax(network(classes))).train()
    optimizer = torch.optim.Adam(module.parameters(), 1e-3)

    def step(x: np.ndarray, labels: np.ndarray) -> float:
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(module(torch.from_numpy(x)), torch.from_numpy(labels))
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


STEPS = {"numjaz": ours, "torch": torchs}


def batches() -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The same random batches for both."""
    rng = np.random.default_rng(0)
    while True:
        yield rng.normal(size=(BATCH, WINDOW, 1)).astype(np.float32), rng.integers(CLASSES, size=BATCH)


def steps(engine: str, threads: int) -> dict[str, Any]:
    """Windows a second, and the first ten losses."""
    step, drawn = STEPS[engine](CLASSES, threads), batches()
    losses = [step(*next(drawn)) for _ in range(10)]
    given = [next(drawn) for _ in range(8)]
    done, begun = 0, time.perf_counter()
    while time.perf_counter() - begun < SECONDS:
        step(*given[done % len(given)])
        done += 1
    return {"losses": losses, "windows_per_s": done * BATCH / (time.perf_counter() - begun)}


def epoch(engine: str, threads: int) -> dict[str, Any]:
    """Windows a second of an epoch: the recording read and cut by numjaz for both, every window trained on once."""
    begun = time.perf_counter()
    path = Path(os.environ["NUMJAZ_DATA"]) / "wisdm2019_watch_accel.h5"
    contract = numjaz.Contract(features=("magnitude",), rate_hz=20.0, magnitude="minus_g")
    store = Store.of([numjaz.windows(numjaz.read_recording(path, rate_hz=20.0), contract)])
    labels = store.labels
    step, losses = STEPS[engine](len(store.classes), threads), []
    rows = order(labels, labels, sampling="each", seed=0, epoch=0)
    for a in range(0, len(rows), BATCH):
        losses.append(step(store.take(rows[a : a + BATCH]), labels[rows[a : a + BATCH]]))
    seconds = time.perf_counter() - begun
    return {"losses": losses[:10], "windows_per_s": len(rows) / seconds, "seconds": seconds, "windows": len(rows)}


PARTS = {"steps": steps, "epoch": epoch}


def child(part: str, engine: str, threads: int) -> dict[str, Any]:
    """One engine's round in a process of its own, with so many threads."""
    limits = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    made = subprocess.run(
        [sys.executable, __file__, "--child", part, engine, str(threads)],
        env={**os.environ, **limits},
        capture_output=True,
        text=True,
    )
    if made.returncode:
        sys.exit(made.stderr)
    found: dict[str, Any] = json.loads(made.stdout)
    return found


def main() -> None:
    """Take turns, compare, and write what was found."""
    words = sys.argv[1:]
    part = words.pop(0) if words and words[0] in PARTS else "steps"
    rounds = int(words[0]) if words else 5
    found: dict[str, Any] = {}
    for threads in (1, 2) if part == "steps" else (1,):
        rates: dict[str, list[float]] = {engine: [] for engine in ENGINES}
        for number in range(rounds):
            made = {engine: child(part, engine, threads) for engine in ENGINES}
            first, second = (np.array(made[engine]["losses"]) for engine in ENGINES)
            if np.abs(first / second - 1).max() > AGREE:
                sys.exit(f"the losses differ: {first} and {second}")
            for engine in ENGINES:
                rates[engine].append(made[engine]["windows_per_s"])
            ratios = [a / b for a, b in zip(*rates.values(), strict=True)]
            print(f"{threads} thread(s), round {number + 1}: {ratios[-1]:.2f} x torch", file=sys.stderr, flush=True)
        found[str(threads)] = {**rates, "ratio": ratios}
        for engine in ENGINES:
            print(f"{threads} thread(s), {engine}: {said(rates[engine], 0)} windows/s")
        print(f"{threads} thread(s), numjaz over torch: {said(ratios, 2)}")
    name = "training" if part == "steps" else f"training-{part}"
    with whole(HERE / "results" / f"{name}.json") as path:
        path.write_text(json.dumps(found, indent=1) + "\n")


def said(values: list[float], digits: int) -> str:
    """The median, and the least and the most."""
    return f"{statistics.median(values):.{digits}f} [{min(values):.{digits}f}, {max(values):.{digits}f}]"


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        print(json.dumps(PARTS[sys.argv[2]](sys.argv[3], int(sys.argv[4]))))
    else:
        main()
