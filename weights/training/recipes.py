"""What each shipped network is trained on, and how: the one place that says so."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

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
    lacking: tuple[str, ...] = ()  # of those kept apart, who have no window of this kind
    options: tuple[str, ...] = ()  # of numjaz's trainer, beside the common ones

    @property
    def classes(self) -> list[str]:
        return [ACTIVITIES[letter] for letter in self.letters]

    @property
    def apart(self) -> list[str]:
        return [person for person in KEPT_APART if person not in self.lacking]


LIMITS = {
    "watch": (
        "Adults of one university who did as they were told, a few minutes of each activity, a watch on the dominant wrist. "
        "Eating and drinking are confused with one another: see the recall of each class. Every window gets one of the classes, "
        "also when it is none of them. Not a medical device; not to be used to judge or to watch people without their consent."
    ),
    "phone": (
        "Six activities, because only these were recorded by everybody with the phone in the pocket. A phone in a pocket does not "
        "see a spoon: with all 18 classes and the few people who recorded them, the same network trained in torch reaches an "
        "accuracy of 0.27 on other people. Every window gets one of the six classes, also when it is none of them. Not a medical "
        "device; not to be used to judge or to watch people without their consent."
    ),
}
"""What a card says last, by where the sensor sat."""

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
        lacking=("1640",),  # whose gyroscope is not in the recordings
        options=TURNED,
    ),
}


def data_folder() -> Path:
    """The folder of the recordings, from the environment variable NUMJAZ_DATA."""
    try:
        return Path(os.environ["NUMJAZ_DATA"])
    except KeyError:
        raise SystemExit("set NUMJAZ_DATA to the folder that holds the wisdm2019_*.h5 recordings") from None
