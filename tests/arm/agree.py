"""What the networks give on one machine, and whether another one gives the same.

``agree.py write FOLDER`` keeps windows, the networks as files that run elsewhere, and what both make of the windows;
``agree.py compare FOLDER`` runs them again. Recordings of people are in the folder that NUMJAZ_DATA names, if any.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

import numjaz
from numjaz.engine.exporting import export

NETWORKS = {
    "jazbat-watch-1d-activity": "wisdm2019_watch_accel.h5",
    "jazbat-phone-1d-activity": "wisdm2019_phone_accel.h5",
}
WINDOWS = 1000  # of each network; where there are recordings, half of them are people's
OFF = 1e-5  # of a probability
TIE = 1e-4  # between the two best: rounding may choose


def recorded(contract: numjaz.Contract, file: str) -> np.ndarray:
    """Windows (N, T, F) of many people, from all over their recordings."""
    if "NUMJAZ_DATA" not in os.environ:
        return np.empty((0, contract.window, len(contract.features)))
    recording = numjaz.read_recording(Path(os.environ["NUMJAZ_DATA"], file), rate_hz=20.0)
    x = np.concatenate([batch.x for batch in numjaz.windows(recording, contract, hop=contract.window).batches()])
    return x[np.linspace(0, len(x) - 1, WINDOWS // 2).astype(int)]


def drawn(shape: tuple[int, ...]) -> np.ndarray:
    """Random windows (N, T, F), from a hand that rests to one that shakes."""
    random = np.random.default_rng(0)
    return random.normal(size=shape) * random.choice([0.01, 0.1, 1, 10], size=(shape[0], 1, 1))


def outputs(network: numjaz.Model, file: str, x: np.ndarray) -> dict[str, np.ndarray]:
    """Of windows side by side, and one after the other."""
    return {"plan": network.predict(x), "exported file": import_module(file).predict(x)}


def write(folder: Path) -> None:
    """What `compare` needs."""
    for name, recording in NETWORKS.items():
        network = numjaz.load(name)
        network.save(folder / f"{name}.npz")
        export(network, folder / f"{name}.py")
        people = recorded(network.contract, recording)
        x = np.concatenate([people, drawn((WINDOWS - len(people), *people.shape[1:]))]).astype(np.float32)
        np.savez(folder / f"{name}-windows.npz", x=x, people=len(people), **outputs(network, name, x))


def compare(folder: Path) -> bool:
    """Whether all is as it was, in a line for each."""
    agreed = True
    for name in NETWORKS:
        print(name, flush=True)
        subprocess.run([sys.executable, folder / f"{name}.py", "--self-test"], check=True)
        network, hdf5 = numjaz.load(folder / f"{name}.npz"), numjaz.load(name)
        for key, array in network.parameters.items():
            np.testing.assert_array_equal(hdf5.parameters[key], array)
        there = np.load(folder / f"{name}-windows.npz")
        for what, here in outputs(network, name, there["x"]).items():
            second, best = np.sort(there[what])[:, -2:].T
            ties, others = best - second <= TIE, here.argmax(1) != there[what].argmax(1)
            off = np.abs(here - there[what]).max()
            print(
                f"{what}: {len(here):,} windows, {there['people']} of people: probabilities off by {off:.1e}, "
                f"another class in {others.sum()}; {ties.sum()} near ties"
            )
            agreed &= bool(off <= OFF and not (others & ~ties).any())
    return agreed


if __name__ == "__main__":
    task, folder = sys.argv[1:]
    sys.path.insert(0, folder)  # where the exported files are
    if task == "write":
        write(Path(folder))
    elif not compare(Path(folder)):
        sys.exit("numbers are others here")
