"""Real recordings, where the environment variable NUMJAZ_DATA names their folder."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import h5py
import numpy as np
import pytest

import numjaz
from numjaz.cli import main
from numjaz.signal import Report

if "NUMJAZ_DATA" not in os.environ:
    pytest.skip("NUMJAZ_DATA does not name the folder of the recordings", allow_module_level=True)
DATA = Path(os.environ["NUMJAZ_DATA"])
RAW = DATA / "wisdm-dataset" / "raw"
ACCEL, GYRO = (RAW / "watch" / s / f"data_1600_{s}_watch.txt" for s in ("accel", "gyro"))
ROOT = Path(__file__).parents[2]
CARDS = sorted((ROOT / "weights").glob("jazbat-*.md"))


def test_the_published_text_and_the_hdf5_are_the_same_recording() -> None:
    def all_of(path: Path, **options: object) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        parts: dict[str, list[numjaz.signal.Piece]] = {}
        for piece in numjaz.read_recording(path, **options).pieces(Report()):  # type: ignore[arg-type]
            parts.setdefault(str(piece.activity), []).append(piece)
        return {
            a: (np.concatenate([p.time_ns for p in ps]), np.concatenate([p.values for p in ps]))
            for a, ps in parts.items()
        }

    text, packed = all_of(ACCEL), all_of(DATA / "wisdm2019_watch_accel.h5", people=["1600"])
    assert set(text) == set(packed)
    assert len(text) == 18
    for activity, (time, values) in text.items():
        np.testing.assert_allclose(packed[activity][0] - packed[activity][0][0], time - time[0], atol=2_000_000)
        np.testing.assert_allclose(packed[activity][1], values, atol=1e-5)


def test_six_channels_of_one_person() -> None:
    contract = numjaz.Contract(features=("ax", "ay", "az", "wx", "wy", "wz"), rate_hz=20.0)
    found = numjaz.windows(numjaz.read_recording(ACCEL, gyro=GYRO), contract)
    assert sum(len(batch) for batch in found.batches()) == found.report.windows > 1800


def test_units_and_gravity_of_real_recordings_are_told_apart(tmp_path: Path) -> None:
    """Every subject of the watch passes; in g, and with gravity taken off by another watch, none does."""
    contract = numjaz.Contract(features=("ax", "ay", "az"), rate_hz=20.0)
    for kind in ("watch", "phone"):
        recording = numjaz.read_recording(DATA / f"wisdm2019_{kind}_accel.h5", rate_hz=20.0)
        assert sum(len(batch) for batch in numjaz.windows(recording, contract, hop=256).batches()) > 5000
    in_g = numjaz.read_recording(ACCEL, units="m/s2")
    scaled = numjaz.Recording(
        "g", in_g.channels, lambda report: (p._replace(values=p.values / 9.80665) for p in in_g.pieces(report))
    )
    with pytest.raises(numjaz.NumjazError, match="--units g"):
        list(numjaz.windows(scaled, contract))
    with h5py.File(DATA / "quiroz_walking_emotion.h5") as file:
        linear, scale = file["linear_accel"], file["linear_accel"].attrs["scale"]
        starts, lengths, who = (file[f"segment/{name}"][()] for name in ("start", "length", "participant"))
        told = 0
        for person in np.unique(who):
            rows = [slice(b, b + n) for b, n, w in zip(starts, lengths, who, strict=True) if w == person]
            path = tmp_path / f"{person}.npz"
            np.savez(
                path, acceleration=np.concatenate([linear[r] for r in rows]) * scale, rate_hz=25.0, subject=str(person)
            )
            with pytest.raises(numjaz.NumjazError, match=r"gravity is missing|--units g"):
                next(iter(numjaz.windows(numjaz.read_recording(path), contract)))
            told += 1
    assert told == len(np.unique(who))


def test_the_readme_example_is_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(ACCEL), "--summary"]) == 0
    printed = capsys.readouterr().out.splitlines()
    table = printed[printed.index("") + 1 :]
    assert len(table) == 19
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for line in table:
        assert line in readme
    assert main(["run", str(ACCEL), "--json"]) == 0
    objects = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for line in table[1:]:
        activity, windows, majority, share = re.split(r"\s{2,}", line)
        mine = [o["class"] for o in objects if o["recorded"] == activity]
        assert len(mine) == int(windows)
        assert mine.count(majority) == max(map(mine.count, mine))
        assert f"{mine.count(activity) / len(mine):.2f}" == share


@pytest.mark.parametrize("card", CARDS, ids=lambda p: p.stem)
def test_the_figures_of_a_card_come_from_its_command(card: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = card.read_text(encoding="utf-8")
    (command,) = re.findall(r"Reproduce: `numjaz (score .*)`", text)
    assert main([*command.replace("$NUMJAZ_DATA", str(DATA)).split(), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    low, high = figures["accuracy_interval"]
    assert f"**accuracy {figures['accuracy']:.3f} [{low:.3f}, {high:.3f}]**" in text
    for person, p in figures["per_person"].items():
        assert f"| {person} | {p['windows']} | {p['accuracy']:.3f} | {p['macro_f1']:.3f} |" in text
    for (name, r), row in zip(figures["recall"].items(), figures["confusion"], strict=True):
        assert f"| {name} | {sum(row)} | {r['value']:.3f} [{r['interval'][0]:.3f}, {r['interval'][1]:.3f}] |" in text
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"{figures['accuracy']:.3f} [{low:.3f}, {high:.3f}]" in readme
