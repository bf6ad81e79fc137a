"""What each shipped network is trained on, and how: the one place that says so."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import numjaz
from numjaz.signal.wisdm import ACTIVITIES

SEED = 20261121
EPOCHS = 12
BATCH = 64
LEARNING_RATE = 1e-3  # at the start; it falls to 0 along half a cosine

# Every fifth of the 45 people whose recordings are open, in the order of their numbers: nobody
# trains on them, and nothing (epochs, rates, seeds) was chosen by them.
KEPT_APART = ("1600", "1606", "1611", "1617", "1623", "1628", "1635", "1640", "1646")

EVERYBODY_DID = "ABCMPR"  # with the phone in the pocket, everybody recorded these six


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One network: its data, its input contract and its classes."""

    title: str
    file: str
    contract: numjaz.Contract
    letters: str
    rate_hz: float | None  # of the rows that carry no timestamps; None leaves them out
    gyro: str | None = None  # the gyroscope's recordings
    options: tuple[str, ...] = ()  # of numjaz's trainer, beside the common ones

    @property
    def classes(self) -> list[str]:
        return [ACTIVITIES[letter] for letter in self.letters]


WATCH = "watch on the wrist of the dominant hand"
PHONE = "phone in a trousers' pocket"

# Chosen on six people of the 36 (every sixth), with nobody of those kept apart: with windows turned by at most
# 15 degrees 0.700 of their windows were right, 30: 0.736, 60: 0.752.
TURNED = ("--rotation-degrees", "60", "--scaling", "0.1")

RECIPES = {
    "jazbat-watch-1d-activity": Recipe(
        title="18 activities from the magnitude of a watch's acceleration",
        file="wisdm2019_watch_accel.h5",
        contract=numjaz.Contract(features=("magnitude",), rate_hz=20.0, magnitude="minus_g", placement=WATCH),
        letters="".join(ACTIVITIES),
        rate_hz=20.0,
    ),
    "jazbat-watch-3d-activity": Recipe(
        title="18 activities from the three axes of a watch's acceleration",
        file="wisdm2019_watch_accel.h5",
        contract=numjaz.Contract(features=("ax", "ay", "az"), rate_hz=20.0, placement=WATCH),
        letters="".join(ACTIVITIES),
        rate_hz=20.0,
        options=TURNED,
    ),
    "jazbat-phone-1d-activity": Recipe(
        title="6 activities from the magnitude of a phone's acceleration",
        file="wisdm2019_phone_accel.h5",
        contract=numjaz.Contract(features=("magnitude",), rate_hz=20.0, magnitude="minus_g", placement=PHONE),
        letters=EVERYBODY_DID,
        rate_hz=None,
    ),
    "jazbat-phone-3d-activity": Recipe(
        title="6 activities from the three axes of a phone's acceleration",
        file="wisdm2019_phone_accel.h5",
        contract=numjaz.Contract(features=("ax", "ay", "az"), rate_hz=20.0, placement=PHONE),
        letters=EVERYBODY_DID,
        rate_hz=None,
        options=TURNED,
    ),
    "jazbat-watch-6d-activity": Recipe(
        title="18 activities from the three axes of a watch's acceleration and of its gyroscope",
        file="wisdm2019_watch_accel.h5",
        contract=numjaz.Contract(features=numjaz.contract.CHANNELS[6], rate_hz=20.0, placement=WATCH),
        letters="".join(ACTIVITIES),
        rate_hz=20.0,
        gyro="wisdm2019_watch_gyro.h5",
        options=TURNED,
    ),
}


def data_folder() -> Path:
    """The folder of the recordings, from the environment variable NUMJAZ_DATA."""
    try:
        return Path(os.environ["NUMJAZ_DATA"])
    except KeyError:
        raise SystemExit("set NUMJAZ_DATA to the folder that holds the wisdm2019_*.h5 recordings") from None


def labelled_windows(recipe: Recipe) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All windows of a recipe: x (N, T, F) float32, class (N,), subject (N,)."""
    index = {name: i for i, name in enumerate(recipe.classes)}
    recording = numjaz.read_recording(data_folder() / recipe.file, rate_hz=recipe.rate_hz)
    x, y, who = [], [], []
    for batch in _progress(numjaz.windows(recording, recipe.contract).batches(4096)):
        keep = np.array([name in index for name in batch.activity])
        x.append(batch.x[keep].astype(np.float32))
        y += [index[name] for name in batch.activity if name in index]
        who += [subject for subject, kept in zip(batch.subject, keep, strict=True) if kept]
    return np.concatenate(x), np.array(y), np.array(who)


def random_split(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Four fifths and one fifth of these rows, drawn at random: the literature's split."""
    mixed = np.random.default_rng(SEED).permutation(rows)
    return np.sort(mixed[len(mixed) // 5 :]), np.sort(mixed[: len(mixed) // 5])


def _progress(batches: Iterator[numjaz.Batch]) -> Iterator[numjaz.Batch]:
    count = 0
    for batch in batches:
        count += len(batch)
        print(f"\r{count:,} windows cut", end="", flush=True)
        yield batch
    print()
