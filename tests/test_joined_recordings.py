"""Several sensors as one recording: the gyroscope joined on time, gravity added."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from recordings import read, regular, samples, table, written

import numjaz


def test_two_sensors_are_joined_on_time(tmp_path: Path) -> None:
    """The gyroscope runs at another rate and misses a stretch; a line stays a line."""
    t = np.arange(200) / 20
    accel = written(tmp_path, table("time_s,x,y,z", [(s, 0, 0, 9.81) for s in t]), "a.csv")
    u = np.arange(12, 700) / 80 + 0.003
    u = u[(u < 3) | (u > 4.5)]
    gyro = written(tmp_path, table("time_s,x,y,z", [(f"{s:.6f}", s, 2 * s, -s) for s in u]), "g.csv")
    pieces, report = read(accel, gyro=gyro)
    time, values = samples(pieces)
    s = time / 1e9
    np.testing.assert_allclose(values[:, 3:], np.stack((s, 2 * s, -s), axis=1), atol=1e-6)
    assert ((s > 0.15) & (s < 8.75) & ((s < 3.0) | (s > 4.5))).all()
    assert report.skipped == {"row(s) without the gyroscope": 200 - len(s)}
    recording = numjaz.read_recording(accel, gyro=gyro)
    wanted = numjaz.Contract(features=("ax", "ay", "az", "wx", "wy", "wz"), rate_hz=20.0, window=16, hop=16)
    found = numjaz.windows(recording, wanted)
    assert all(not (w.start_s < 3.5 < w.end_s) for w in found)
    assert found.report.rows == 200


def test_the_join_keeps_people_and_activities_apart(tmp_path: Path) -> None:
    def text(offset: float) -> str:
        return "".join(
            f"{who},{a},{k * 50_000_000},{offset + ord(a)},0,9.81;\n" for who in (1, 2) for a in "AB" for k in range(9)
        )

    accel, gyro = written(tmp_path, text(0), "a.txt"), written(tmp_path, text(100).replace("2,B", "2,C"), "g.txt")
    pieces, report = read(accel, gyro=gyro)
    assert [(p.subject, p.activity, p.values[0, 3]) for p in pieces] == [
        ("1", "walking", 165),
        ("1", "jogging", 166),
        ("2", "walking", 165),
    ]
    assert report.skipped == {"row(s) without the gyroscope": 9}


def test_gravity_is_added(tmp_path: Path) -> None:
    rows = [(k / 20, 1, 2, 3) for k in range(30)]
    linear = written(tmp_path, table("time_s,x,y,z", rows), "l.csv")
    gravity = written(tmp_path, table("time_s,x,y,z", [(t, 0, 0, 9.81) for t, *_ in rows]), "g.csv")
    np.testing.assert_allclose(samples(read(linear, gravity=gravity)[0])[1], np.tile([1, 2, 12.81], (30, 1)))


def test_a_gyroscope_is_no_accelerometer(tmp_path: Path) -> None:
    gyro = written(tmp_path, table("time_s,gyro_x,gyro_y,gyro_z", regular(40)), "g.csv")
    with pytest.raises(numjaz.NumjazError, match="--gyro FILE"):
        read(gyro)
    both = written(tmp_path, table("time_s,ax,ay,az,wx,wy,wz", [(*row, 1, 2, 3) for row in regular(40)]), "b.csv")
    accel = written(tmp_path, table("time_s,x,y,z", regular(40)), "a.csv")
    np.testing.assert_allclose(samples(read(accel, gyro=both)[0])[1][:, 3:], np.tile([1, 2, 3], (40, 1)))


def test_gravity_is_not_added_twice(tmp_path: Path) -> None:
    accel = written(tmp_path, table("time_s,x,y,z", regular(200)))
    with pytest.raises(numjaz.NumjazError, match=r"gravity is in it.*leave --gravity out"):
        read(accel, gravity=accel)
