"""Recordings of arrays: npy, npz and the HDF5 layout of the shared data."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from recordings import XYZ, N, read, samples

import numjaz


def test_npy_and_npz(tmp_path: Path) -> None:
    np.save(tmp_path / "r.npy", XYZ)
    with pytest.raises(numjaz.NumjazError, match="--rate HZ"):
        read(tmp_path / "r.npy")
    np.testing.assert_array_equal(samples(read(tmp_path / "r.npy", rate_hz=20.0)[0])[1], XYZ)
    labels = np.array(["walking"] * 10 + ["jogging"] * 30)
    np.savez_compressed(tmp_path / "r.npz", acc=XYZ, gyro=XYZ, time_ms=np.arange(N) * 50, activity=labels, subject="9")
    pieces, _ = read(tmp_path / "r.npz")
    time, values = samples(pieces)
    np.testing.assert_array_equal(time, np.arange(N) * 50_000_000)
    np.testing.assert_array_equal(values, np.concatenate((XYZ, XYZ), axis=1))
    assert [(p.subject, p.activity, len(p.time_ns)) for p in pieces] == [("9", "walking", 10), ("9", "jogging", 30)]


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"xyz": XYZ[:, :2], "rate_hz": 20.0}, r"\(40, 2\)"),
        ({"xyz": XYZ.astype(str), "rate_hz": 20.0}, "expected numbers"),
        ({"abc": XYZ}, "no array named"),
        ({"xyz": XYZ}, "--rate"),
        ({"xyz": XYZ, "rate_hz": -1.0}, "rate_hz must be"),
        ({"xyz": XYZ, "time_s": np.arange(3)}, "one number a sample"),
        ({"xyz": XYZ, "time_s": np.full(N, np.nan)}, "not a time"),
        ({"xyz": XYZ, "rate_hz": 20.0, "activity": np.array(["a", "b"])}, "one label"),
        ({"xyz": np.zeros((10**6, 3)), "rate_hz": 20.0}, "would unpack to"),
    ],
)
def test_wrong_npz_gets_one_line(tmp_path: Path, arrays: dict[str, np.ndarray], said: str) -> None:
    np.savez_compressed(tmp_path / "r.npz", **arrays)
    with pytest.raises(numjaz.NumjazError, match=said):
        read(tmp_path / "r.npz")


def test_pickles_are_never_loaded(tmp_path: Path) -> None:
    np.save(tmp_path / "r.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "r.npz", xyz=np.array([{"a": 1}], dtype=object))
    for name in ("r.npy", "r.npz"):
        with pytest.raises(numjaz.NumjazError, match="plain numbers"):
            read(tmp_path / name, rate_hz=20.0)


def hdf5(tmp_path: Path, **changes: object) -> Path:
    """A recording in the layout of the shared data: three segments of two people."""
    path = tmp_path / "r.h5"
    columns: dict[str, object] = {
        "segment/subject": np.array([1, 1, 2], np.uint16),
        "segment/activity": np.array([0, 1, 1], np.uint8),
        "segment/start": np.array([0, 10, 25]),
        "segment/length": np.array([10, 15, 15]),
        "segment/t0_ns": np.array([5_000_000_000, 0, 0]),
        "segment/has_timestamps": np.array([1, 1, 0], np.uint8),
        "xyz": np.rint(XYZ / 2**-16).astype(np.int32),
        "dt_us": np.where(np.isin(np.arange(N), (0, 10)) | (np.arange(N) >= 25), 0, 50_000).astype(np.int32),
        **changes,
    }
    with h5py.File(path, "w") as file:
        for name, values in columns.items():
            packed = {"compression": "gzip", "chunks": True} if name in ("xyz", "dt_us") else {}
            file.create_dataset(name, data=values, **packed)
        file["xyz"].attrs["scale"] = 2**-16
        file.attrs["activity_names"] = ["walking", "jogging"]
    return path


def test_hdf5_layout(tmp_path: Path) -> None:
    path = hdf5(tmp_path)
    pieces, report = read(path)
    time, values = samples(pieces)
    np.testing.assert_array_equal(
        time, [5_000_000_000 + k * 50_000_000 for k in range(10)] + [k * 50_000_000 for k in range(15)]
    )
    np.testing.assert_allclose(values, XYZ[:25], atol=2**-17)
    assert [(p.subject, p.activity, p.begins) for p in pieces] == [("1", "walking", True), ("1", "jogging", True)]
    assert report.skipped == {"row(s) without timestamps (--rate HZ gives their rate)": 15}
    assert [(p.subject, len(p.time_ns)) for p in read(path, rate_hz=20.0, people=["2"])[0]] == [("2", 15)]
    with pytest.raises(numjaz.NumjazError, match="no subject 3"):
        read(path, people=["3"])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"segment/start": np.array([0, 10, 30])}, "points outside"),
        ({"segment/start": np.array([0, -1, 25])}, "points outside"),
        ({"segment/activity": np.array([0, 1, 2])}, "points outside"),
        ({"segment/length": np.array([10, 15])}, "differ in length"),
        ({"dt_us": np.zeros(3, np.int32)}, "dt_us and xyz differ"),
        ({"xyz": np.zeros((N, 2), np.int32)}, r"xyz has shape \(40, 2\)"),
        ({"xyz": np.zeros((3 * 10**6, 3), np.int32)}, "declares"),
    ],
)
def test_wrong_hdf5_recordings_get_one_line(tmp_path: Path, changes: dict[str, object], said: str) -> None:
    with pytest.raises(numjaz.NumjazError, match=said):
        read(hdf5(tmp_path, **changes))


def test_an_npz_may_name_a_subject_a_sample(tmp_path: Path) -> None:
    who = np.array([1] * 20 + [2] * 20)
    np.savez(tmp_path / "r.npz", acc=XYZ, time_s=np.arange(N) / 20, subject=who, activity=np.array([b"walking"] * N))
    pieces, _ = read(tmp_path / "r.npz")
    assert [(p.subject, p.activity, len(p.time_ns)) for p in pieces] == [("1", "walking", 20), ("2", "walking", 20)]
    with pytest.raises(numjaz.NumjazError, match="no subject 99"):
        read(tmp_path / "r.npz", people=["99"])
    with pytest.raises(numjaz.NumjazError, match="--columns"):
        read(tmp_path / "r.npz", columns={"time": "t"})
    assert "file's own times" in read(tmp_path / "r.npz", rate_hz=3.0)[1].assumed[0]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"segment/t0_ns": np.array([2**64 - 5, 0, 0], np.uint64)}, "points outside"),
        ({"dt_us": np.full(N, np.nan)}, "not plain numbers"),
    ],
)
def test_times_of_hdf5_are_times(tmp_path: Path, changes: dict[str, object], said: str) -> None:
    with pytest.raises(numjaz.NumjazError, match=said):
        read(hdf5(tmp_path, **changes))
