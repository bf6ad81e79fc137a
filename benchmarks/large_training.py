"""Train on recordings larger than memory: 2,000 steps of 64 windows, and how much memory that took.

python benchmarks/large_training.py [GIGABYTES] [FOLDER]

Writes the recordings (20 GB where not told otherwise) into a folder of their own beneath FOLDER, and takes
a fifth of that again for their windows; both are gone afterwards. Exits with 1 where 1 GB was resident.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import h5py
import numpy as np

import numjaz
from numjaz.bench.device import peak_mib
from numjaz.learn.store import Store

ACTIVITIES = {"resting": 0.0, "walking": 2.0, "jogging": 3.0, "cycling": 1.2}  # and their strides a second
RATE_HZ, HOUR, PEOPLE = 100, 360_000, 10
SCALE = 2.0**-16  # m/s² of one unit
BYTES = 16  # of a sample in the file: three axes and a step
STEPS, BATCH, LIMIT_MIB, MEMORY = 2_000, 64, 1e9 / 2**20, 64 << 20


def write(path: Path, hours: int, seed: int) -> None:
    """One person's recording: an hour of each activity in turn, with a night between two."""
    rng, t = np.random.default_rng(seed), np.arange(HOUR) / RATE_HZ
    made = []
    for strides_hz in ACTIVITIES.values():
        wave = 3 * np.sin(2 * np.pi * strides_hz * t[:, None] + rng.uniform(0, 6, 3)) + rng.normal(0, 0.5, (HOUR, 3))
        made.append(np.rint((wave + [0, 0, 9.81]) / SCALE).astype(np.int32))
    steps = np.full(HOUR, 1_000_000 // RATE_HZ, np.int32)
    steps[0] = 0
    with h5py.File(path, "w") as file:
        file.attrs["activity_names"] = list(ACTIVITIES)
        xyz = file.create_dataset("xyz", (hours * HOUR, 3), "i4")
        dt_us = file.create_dataset("dt_us", (hours * HOUR,), "i4")
        xyz.attrs["scale"] = SCALE
        for k in range(hours):
            part = slice(k * HOUR, (k + 1) * HOUR)
            xyz[part], dt_us[part] = np.roll(made[k % len(made)], int(rng.integers(HOUR)), axis=0), steps
        hour = np.arange(hours)
        for name, column in {
            "subject": np.full(hours, seed),
            "activity": hour % len(ACTIVITIES),
            "start": hour * HOUR,
            "length": np.full(hours, HOUR),
            "t0_ns": hour * 12 * 3600 * 10**9,
            "has_timestamps": np.ones(hours, np.int64),
        }.items():
            file[f"segment/{name}"] = column


class Enough(Exception):  # noqa: N818 - it is no error
    """Raised after the last step that is wanted."""


def train(store: Store) -> str:
    """The first steps of an epoch over all windows; what the last of them says."""
    from numjaz.learn.history import Progress
    from numjaz.learn.recipe import Recipe
    from numjaz.learn.training import fit

    said = ""

    def count(progress: Progress) -> None:
        nonlocal said
        said = f"loss {progress.loss:.3f}, accuracy {progress.accuracy:.3f}"
        if progress.step == STEPS:
            raise Enough

    recipe = Recipe(epochs=1 + STEPS * BATCH // store.shape[0], batch=BATCH, sampling="class")
    model = numjaz.jazbat(features=store.shape[2], classes=len(store.classes))
    with suppress(Enough):
        fit(model, store, store.labels, recipe, tell=count)
    return said


def main(gigabytes: float, folder: str | None) -> int:
    """Write, read, train, and print a line about each."""
    hours = max(round(gigabytes * 1e9 / BYTES / HOUR / PEOPLE), len(ACTIVITIES))
    contract = numjaz.Contract(features=("ax", "ay", "az"), rate_hz=20.0)
    with tempfile.TemporaryDirectory(prefix="numjaz-", dir=folder) as place:
        tempfile.tempdir = place  # for the store's files too
        paths, begun = [Path(place, f"{k}.h5") for k in range(PEOPLE)], time.perf_counter()
        for k, path in enumerate(paths):
            write(path, hours, 1600 + k)
        size = sum(os.path.getsize(path) for path in paths)  # noqa: PTH202
        print(f"written: {size / 1e9:.1f} GB in {time.perf_counter() - begun:.0f} s, {peak_mib():.0f} MiB", flush=True)
        begun = time.perf_counter()
        found = (numjaz.windows(numjaz.read_recording(path), contract) for path in paths)
        store = Store.of(found, memory=MEMORY)
        took = time.perf_counter() - begun
        print(f"read: {store.shape[0]:,} windows in {took:.0f} s, {peak_mib():.0f} MiB", flush=True)
        begun = time.perf_counter()
        said = train(store)
        took, peak = time.perf_counter() - begun, peak_mib()
        print(f"trained: {STEPS:,} steps of {BATCH} windows in {took:.0f} s, {said}; {peak:.0f} MiB at the most")
    return int(peak >= LIMIT_MIB)


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 20.0, sys.argv[2] if len(sys.argv) > 2 else None))
