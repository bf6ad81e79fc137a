"""Time plans: Jazbat-Net beside all that can run it, every network beside three, and what costs how much.

python benchmarks/engines.py rivals|networks|costs [ROUNDS [ENGINE=PYTHON,…]]

Writes benchmarks/results/PART.json; benchmarks/charts.py draws what lies there.
"""

from __future__ import annotations

import io
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np

import numjaz
from numjaz.architectures import BUILDERS
from numjaz.cli import main as command
from numjaz.doors.output import whole
from numjaz.formats.shipped import shipped_models

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent / "tests"))
from numjaz_networks import TORCH  # noqa: E402 - the networks of the weight files stand beside their tests

RIVALS = "onnxruntime,litert,torch,keras,numjaz-file,numjaz-h5,numjaz-reference"
SHIPPED = shipped_models()
SECONDS = 0.2  # that a figure takes in each round

Run = Callable[[], int]  # computes, and says how many windows


def bench(*options: str) -> Any:
    """What `numjaz bench --json` prints."""
    said = io.StringIO()
    with redirect_stdout(said):
        code = command(["bench", *options, "--json"])
    if code:
        sys.exit(code)
    return json.loads(said.getvalue())


def rivals(rounds: str, pythons: list[str]) -> Any:
    """Jazbat-Net beside all that can run it."""
    return bench("jazbat", "--against", RIVALS, "--rounds", rounds, *pythons)


def networks(rounds: str, pythons: list[str]) -> Any:
    """Every network beside its reference, torch and ONNX Runtime."""
    options = ("--against", "numjaz-reference,torch,onnxruntime", "--rounds", rounds, "--batches", "64", "--no-cold")
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, model, window in known():
            path = Path(folder) / "network.npz"
            model.save(path)
            print(f"\n{name}", file=sys.stderr)
            found[name] = bench(str(path), "--window", str(window), *options, *pythons)
    return found


def known() -> Iterator[tuple[str, numjaz.Model, int]]:
    """The networks of one input: name, network, samples a window."""
    for name in SHIPPED:
        yield name, numjaz.load(name), 256
    yield "jazbat(6, reduction=6)", numjaz.jazbat(6, reduction=6), 256
    yield "cnn_bigru()", BUILDERS["cnn_bigru"](), 256
    for name, build in TORCH.items():
        if name != "nested":  # of two inputs
            yield f"{name} of the weight files", build(), 32 if name == "separable" else 256


def costs(rounds: str, pythons: list[str]) -> Any:
    """Milliseconds a window, in each round, by what they depend on."""
    found: dict[str, dict[str, list[float]]] = {}
    for what, cases in CASES.items():
        runs = {value: prepare(value) for value, prepare in cases.items()}
        found[what] = {str(value): [] for value in runs}
        for _ in range(int(rounds)):
            for value, run in runs.items():
                found[what][str(value)].append(1e3 * seconds(run))
    return found


def batches(count: int, window: int = 256, **options: int) -> Run:
    """So many windows at once."""
    plan = numjaz.compile(numjaz.jazbat(**options), count)  # type: ignore[arg-type]
    x = np.random.default_rng(0).normal(size=(count, window, 1)).astype(np.float32)
    return lambda: len(plan.predict(x))


def turns(count: int) -> Run:
    """So many networks in one process, a window each."""
    plans = [numjaz.compile(numjaz.jazbat(seed=k), 1) for k in range(count)]
    x = np.random.default_rng(0).normal(size=(1, 256, 1)).astype(np.float32)
    return lambda: sum(len(plan.predict(x)) for plan in plans)


CASES: dict[str, dict[int, Callable[[int], Run]]] = {
    "samples a window": dict.fromkeys((32, 64, 128, 256, 512, 1024, 2048), lambda t: batches(1, t)),
    "units of the GRU": dict.fromkeys((4, 8, 16, 32, 64, 128), lambda u: batches(1, units=u)),
    "windows at once": dict.fromkeys((1, 2, 8, 16, 32, 48, 64, 256), batches),
    "networks in turns": dict.fromkeys((1, 2, 4, 8, 16), turns),
}


def seconds(run: Run) -> float:
    """Seconds a window: the median of some calls."""
    run()
    taken: list[float] = []
    while len(taken) < 3 or sum(taken) < SECONDS:
        started = time.perf_counter()
        windows = run()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken) / windows


PARTS: dict[str, Callable[[str, list[str]], Any]] = {"rivals": rivals, "networks": networks, "costs": costs}

if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in PARTS:
        sys.exit(__doc__)
    part, rounds, *given = *sys.argv[1:3], *(["5"] if len(sys.argv) < 3 else []), *sys.argv[3:]
    result = PARTS[part](rounds, ["--python", given[0]] if given else [])
    (HERE / "results").mkdir(exist_ok=True)
    with whole(HERE / "results" / f"{part}.json") as path:
        path.write_text(json.dumps(result, indent=1) + "\n")
