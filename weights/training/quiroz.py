"""Quiroz's walks as a recording: sad, neutral and happy, as numjaz reads them.

    python weights/training/quiroz.py $NUMJAZ_DATA/quiroz_walking_emotion.h5 quiroz.h5
    python weights/training/quiroz.py $NUMJAZ_DATA/quiroz_walking_emotion.h5 quiroz-2.h5 --without-neutral

The watch took gravity off the acceleration. Samples carry no times: each walk's rate is its samples over
its logged duration, about 25 Hz. The walks of a person lie an hour apart, so that no window spans two.
"""

from __future__ import annotations

import argparse

import h5py
import numpy as np

from numjaz.doors.output import whole

EMOTIONS = {-1: "sad", 0: "neutral", 1: "happy"}
HOUR_NS = 3_600_000_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source")
    parser.add_argument("out")
    parser.add_argument("--without-neutral", action="store_true", help="happy and sad alone")
    args = parser.parse_args()
    with h5py.File(args.source) as file, whole(args.out) as beside, h5py.File(beside, "w") as made:
        segment = {name: table[()] for name, table in file["segment"].items()}
        kept = [k for k, emotion in enumerate(segment["emotion"]) if emotion or not args.without_neutral]
        wanted = sorted({int(segment["emotion"][k]) for k in kept})
        rows = [slice(segment["start"][k], segment["start"][k] + segment["length"][k]) for k in kept]
        lengths = segment["length"][kept].astype(np.int64)
        steps = np.round(1e6 * segment["log_duration_s"][kept].astype(float) / lengths).astype(np.int64)
        made["xyz"] = np.concatenate([file["linear_accel"][row] for row in rows])
        made["xyz"].attrs["scale"] = file["linear_accel"].attrs["scale"]
        made["dt_us"] = np.repeat(steps, lengths).astype(np.int32)
        table = {
            "start": np.cumsum(lengths) - lengths,
            "length": lengths,
            "subject": segment["participant"][kept].astype(np.int32),
            "activity": np.array([wanted.index(int(segment["emotion"][k])) for k in kept], np.int32),
            "t0_ns": segment["walk_order"][kept].astype(np.int64) * HOUR_NS,
            "has_timestamps": np.ones(len(kept), np.uint8),
        }
        for name, column in table.items():
            made[f"segment/{name}"] = column
        made.attrs["activity_names"] = [EMOTIONS[emotion] for emotion in wanted]
        made.attrs["units"] = "m/s2"


if __name__ == "__main__":
    main()
