"""Recordings of every kind, and what is wrong with them, counted and said."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import numjaz
from numjaz.signal import Piece, Report

N = 40
T_NS = 90_426_708_196_641 + np.arange(N) * 50_000_000
XYZ = np.random.default_rng(0).standard_normal((N, 3)) + [0, 0, 9.81]


def read(path: Path, **options: object) -> tuple[list[Piece], Report]:
    report = Report()
    pieces = list(numjaz.read_recording(path, **options).pieces(report))  # type: ignore[arg-type]
    return pieces, report


def samples(pieces: list[Piece]) -> tuple[np.ndarray, np.ndarray]:
    return np.concatenate([p.time_ns for p in pieces]), np.concatenate([p.values for p in pieces])


def written(tmp_path: Path, text: str | bytes, name: str = "r.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def table(header: str, rows: object, sep: str = ",", end: str = "\n") -> str:
    return header + end + end.join(sep.join(map(str, row)) for row in rows) + end  # type: ignore[attr-defined]


def wisdm_lines() -> list[str]:
    return [f"1600,{'AB'[i // 20]},{T_NS[i]},{x},{y},{z};" for i, (x, y, z) in enumerate(XYZ.tolist())]


def test_wisdm_text(tmp_path: Path) -> None:
    pieces, report = read(written(tmp_path, "\n".join(wisdm_lines()) + "\n", "w.txt"))
    time, values = samples(pieces)
    np.testing.assert_array_equal(time, T_NS)
    np.testing.assert_array_equal(values, XYZ)
    assert [(p.subject, p.activity) for p in pieces] == [("1600", "walking"), ("1600", "jogging")]
    assert report.skipped == {}


def test_a_semicolon_alone_is_a_line_with_too_few_cells(tmp_path: Path) -> None:
    pieces, report = read(written(tmp_path, "\n".join([*wisdm_lines(), ";", " ; "]), "w.txt"))
    assert len(samples(pieces)[0]) == N
    assert report.skipped == {"line(s) with too few cells": 2}


def test_the_irregularities_of_wisdm_are_counted(tmp_path: Path) -> None:
    lines = wisdm_lines()
    lines[3] = lines[3][:-1] + ", ;"  # a stray cell
    lines[5] = lines[5] + lines[6]  # two records on one line
    lines[6] = ""
    lines[8] = "1600,A,,1,2,3;"
    lines[9] = "1600,A,90426;"
    lines[11] = "1600,A,90427258196641,0.1,x,0.3;"
    lines[12] = lines[12].rstrip(";")  # no semicolon
    lines[13] = ";" + lines[13]  # an empty record before it
    pieces, report = read(written(tmp_path, "\r\n".join(lines), "w.txt"))
    time, values = samples(pieces)
    kept = [i for i in range(N) if i not in (8, 9, 11)]
    np.testing.assert_array_equal(time, T_NS[kept])
    np.testing.assert_array_equal(values, XYZ[kept])
    assert report.skipped == {"line(s) with a cell that is not a number": 2, "line(s) with too few cells": 2}
    assert "line 9:" in report.examples["line(s) with a cell that is not a number"]
    assert report.irregular == {"line(s) with several records": 2, "record(s) without a semicolon": 1}
    assert "irregular: 1 record without a semicolon" in report.lines()


@pytest.mark.parametrize(
    ("header", "options"),
    [
        ("time,x,y,z", {"time_unit": "ns"}),
        ("timestamp_ns,ax,ay,az", {}),
        ("Time (ns),Acceleration x (m/s^2),Acceleration y (m/s^2),Acceleration z (m/s^2)", {}),
        ('"time","X-axis","Y-axis","Z-axis"', {}),
        ("timestamp,accel_x,accel_y,accel_z", {}),
        ("when,a,b,c", {"columns": {"time": "when", "ax": "a", "ay": "b", "az": "c"}, "time_unit": "ns"}),
    ],
)
@pytest.mark.parametrize("sep", [",", "\t", ";"])
@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
def test_csv_headers(tmp_path: Path, header: str, options: dict[str, object], sep: str, start: bytes) -> None:
    rows = [(t, *v) for t, v in zip(T_NS.tolist(), XYZ.tolist(), strict=True)]
    text = table(header.replace(",", sep), rows, sep, "\r\n")
    time, values = samples(read(written(tmp_path, start + text.encode()), **options)[0])
    np.testing.assert_array_equal(time, T_NS)
    np.testing.assert_array_equal(values, XYZ)


@pytest.mark.parametrize(("unit", "per_s"), [("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)])
@pytest.mark.parametrize("integers", [True, False])
def test_the_unit_of_time_is_told_by_its_steps(tmp_path: Path, unit: str, per_s: int, integers: bool) -> None:
    step_ms = 1000 if integers and unit == "s" else 50
    ticks = [k * step_ms * per_s / 1000 for k in range(N)]
    rows = [(int(t) if integers else f"{t:.6f}", *v) for t, v in zip(ticks, XYZ.tolist(), strict=True)]
    path = written(tmp_path, table("time,x,y,z", rows))
    if step_ms == 1000:  # 1 Hz could be milliseconds at 1 kHz
        with pytest.raises(numjaz.NumjazError, match="--time-unit"):
            read(path)
        return
    pieces, report = read(path)
    np.testing.assert_allclose(samples(pieces)[0], np.arange(N) * 50_000_000, atol=1)
    assert report.assumed == [f"time in {unit}, by the size of its steps"]


def test_nanoseconds_since_1970_lose_nothing(tmp_path: Path) -> None:
    time = 1_790_000_000_123_456_789 + np.arange(N) * 10_000_001
    rows = [(t, *v) for t, v in zip(time.tolist(), XYZ.tolist(), strict=True)]
    lines = table("time_ns,x,y,z", rows)
    np.testing.assert_array_equal(samples(read(written(tmp_path, lines))[0])[0], time)
    irregular = lines + "oops\n"  # the slower way of reading keeps them as well
    np.testing.assert_array_equal(samples(read(written(tmp_path, irregular))[0])[0], time)


def test_subject_activity_and_gyroscope_columns(tmp_path: Path) -> None:
    rows = [(i // 20, "sit down", i / 20, *v, *v) for i, v in enumerate(XYZ.tolist())]
    path = written(tmp_path, table("user,label,time_s,ax,ay,az,gyro_x,gyro_y,gyro_z", rows))
    pieces, _ = read(path, gyro_units="deg/s")
    assert [(p.subject, p.activity) for p in pieces] == [("0", "sit down"), ("1", "sit down")]
    np.testing.assert_allclose(samples(pieces)[1], np.concatenate((XYZ, XYZ * np.pi / 180), axis=1))
    assert numjaz.read_recording(path).channels == ("ax", "ay", "az", "wx", "wy", "wz")
    assert {p.subject for p in read(path, people=["1"])[0]} == {"1"}


def test_units_of_the_header_and_of_the_option(tmp_path: Path) -> None:
    rows = [(i / 20, *v) for i, v in enumerate(XYZ.tolist())]
    in_g = written(tmp_path, table("time_s,ax (g),ay (g),az (g)", rows))
    np.testing.assert_allclose(samples(read(in_g)[0])[1], XYZ * 9.80665)
    np.testing.assert_allclose(samples(read(in_g, units="m/s2")[0])[1], XYZ)
    plain = written(tmp_path, table("time_s,ax,ay,az", rows))
    np.testing.assert_allclose(samples(read(plain, units="g/64")[0])[1], XYZ * 9.80665 / 64)
    with pytest.raises(numjaz.NumjazError, match="units 'stone'"):
        read(plain, units="stone")
    with pytest.raises(numjaz.NumjazError, match="gyro units"):
        read(plain, gyro_units="rpm")


def test_rows_without_times_take_the_rate(tmp_path: Path) -> None:
    path = written(tmp_path, table("x,y,z", XYZ.tolist()))
    with pytest.raises(numjaz.NumjazError, match="--rate HZ"):
        read(path)
    np.testing.assert_array_equal(samples(read(path, rate_hz=20.0)[0])[0], np.arange(N) * 50_000_000)
    for rate in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(numjaz.NumjazError, match="rate_hz"):
            read(path, rate_hz=rate)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "empty"),
        (b"\n\n  \n", "empty"),
        (b"time,x,y,z\n", "no row that could be read"),
        (b"time_s,x,y,z\n", "no row that could be read"),
        (b"1,2,3,4\n5,6,7,8\n", "first line holds numbers"),
        (b"time,x,y\n1,2,3\n", "no column for az; the columns are time, x, y; --columns az=NAME"),
        (b"time_s,x,ax,y,z\n1,2,3,4,5\n", "could both be ax"),
        (b"time_s,x,y,z\n1,2,\0,4\n", "NUL"),
        (b"\x89PNG\r\n\x1a\n\0\0", "not text, at or after line 1"),
        (b"time_s,x,y,z\n\xff\xfe\n", "not text, at or after line 2"),
        (b"time_s,x,y,z\n0,1,2," + b"3" * 70_000 + b"\n", "longer than 65,536 bytes"),
        (b"time_s,x,y,z\n" + b",".join([b"1"] * 200_000), "longer than 65,536 bytes"),
        (b"time_s;x;y;z\n0,1;0,2;0,3;0,4\n", "no row that could be read .line 2: '0,1;0,2;0,3;0,4'"),
        (b"time_s,x,y,z\n1e400,1,2,3\nnan,1,2,3\n", None),
        (b"time_s,x,y,z\n0,null,true,1e999\n", "no row that could be read"),
    ],
)
def test_what_is_no_recording_gets_one_line(tmp_path: Path, text: bytes, said: str | None) -> None:
    path = written(tmp_path, text)
    if said is None:
        pieces, report = read(path)
        assert sum(len(p.time_ns) for p in pieces) == 0
        assert report.skipped == {"row(s) whose time is not a time": 2}
        return
    with pytest.raises(numjaz.NumjazError, match=said) as error:
        read(path)
    assert "\n" not in str(error.value)


@settings(max_examples=300)
@given(
    st.binary(max_size=300),
    st.sampled_from([b"", b"time,x,y,z\n", b"1600,A,1,2,3,4;\n", b"time_s\tx\ty\tz\n0\t1\t2\t3\n"]),
)
def test_no_bytes_raise_anything_but_our_error(
    tmp_path_factory: pytest.TempPathFactory, body: bytes, head: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(head + body)
    wanted = numjaz.Contract(features=("ax", "ay", "az"), rate_hz=20.0, window=2, hop=1)
    try:
        list(numjaz.windows(numjaz.read_recording(path), wanted))
    except numjaz.NumjazError as error:
        assert "\n" not in str(error)


def test_standard_input_can_be_read_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    from numjaz.signal import standard_input

    text = table("time_s,x,y,z", [(i / 20, *v) for i, v in enumerate(XYZ.tolist())])
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    standard_input.spooled.cache_clear()
    recording = numjaz.read_recording("-")
    for _ in range(2):
        assert sum(len(p.time_ns) for p in recording.pieces(Report())) == N
    standard_input.spooled().unlink()
    standard_input.spooled.cache_clear()


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


def test_paths_that_are_no_files(tmp_path: Path) -> None:
    for path, said in ((tmp_path, "not a regular file"), (tmp_path / "nothing", "No such file"), ("a\0b", "null")):
        with pytest.raises(numjaz.NumjazError, match=said):
            numjaz.read_recording(path)


def test_the_simulated_gait_is_a_walk() -> None:
    """Its strongest frequency is the pace, its mean is gravity, and the same seed gives the same bits."""
    (walk,) = numjaz.simulate_gait([("walking", 60.0)], rate_hz=100.0).pieces(Report())
    norm = np.sqrt((walk.values**2).sum(axis=1))
    spectrum = np.abs(np.fft.rfft(norm - norm.mean()))
    assert np.fft.rfftfreq(len(norm), 0.01)[spectrum.argmax()] == pytest.approx(1.9, rel=0.1)
    assert 8.5 < np.median(norm) < 13
    again = next(numjaz.simulate_gait([("walking", 60.0)], rate_hz=100.0).pieces(Report()))
    np.testing.assert_array_equal(walk.values, again.values)
    assert [p.activity for p in numjaz.simulate_gait().pieces(Report())] == ["standing", "walking", "jogging"]
    for wrong in ([("flying", 1.0)], [("walking", 0.0)], [("walking", 1e9)]):
        with pytest.raises(numjaz.NumjazError):
            numjaz.simulate_gait(wrong)


def regular(n: int = 600, rate_hz: float = 20.0) -> list[tuple[float, ...]]:
    return [(k / rate_hz, 0.1 * (k % 7), 0.0, 9.81) for k in range(n)]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # as in a program that does not make errors of them
@pytest.mark.parametrize("bad", [None, "oops", "1.0,2", "nan,,,"])
@pytest.mark.parametrize("header", ["time,x,y,z", "time_s,x,y,z"])
def test_fractions_of_seconds_are_never_cut_off(tmp_path: Path, header: str, bad: str | None) -> None:
    lines = table(header, regular()).splitlines()
    if bad is not None:
        lines.insert(300, bad)
    pieces, report = read(written(tmp_path, "\n".join(lines)))
    np.testing.assert_allclose(samples(pieces)[0], np.arange(600) * 50_000_000, atol=1)
    assert sum(report.skipped.values()) == (bad is not None)


def test_fractions_of_seconds_in_a_plain_process(tmp_path: Path) -> None:
    import subprocess

    path = written(tmp_path, table("time_s,x,y,z", regular()))
    code = f"import numjaz; r = numjaz.signal.Report(); print(sum(len(set(p.time_ns)) for p in numjaz.read_recording({str(path)!r}).pieces(r)))"
    root = Path(numjaz.__file__).parent.parent
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert ended.stdout.strip() == "600"


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


def test_units_in_headers_are_honoured_or_refused(tmp_path: Path) -> None:
    rows = [(*row, 180.0, 0.0, 0.0) for row in regular(20)]
    name = "time_s,ax (g),ay (g),az (g),gyro_x (deg/s),gyro_y (deg/s),gyro_z (deg/s)"
    values = samples(read(written(tmp_path, table(name, rows)))[0])[1]
    np.testing.assert_allclose(values[:, 2:4], np.tile([9.81 * 9.80665, np.pi], (20, 1)))
    plain = samples(read(written(tmp_path, table(name, rows)), units="m/s2", gyro_units="rad/s")[0])[1]
    np.testing.assert_allclose(plain[0, 2:4], [9.81, 180])
    for header, said in (
        ("time_s,ax (m/s2),ay (g),az (g)", "different units"),
        ("time_s,ax (furlong),ay (furlong),az (furlong)", "'furlong'.*--units"),
    ):
        with pytest.raises(numjaz.NumjazError, match=said):
            read(written(tmp_path, table(header, regular(20))))


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


def test_nothing_joins_across_people_that_were_left_out(tmp_path: Path) -> None:
    rows = [(2 if 100 <= k < 110 else 1, *row) for k, row in enumerate(regular(200))]
    path = written(tmp_path, table("user,time_s,x,y,z", rows))
    wanted = numjaz.Contract(features=("ax", "ay", "az"), rate_hz=20.0, window=50, hop=10)
    found = numjaz.windows(numjaz.read_recording(path, people=["1"]), wanted)
    assert all(w.end_s < 5.0 or w.start_s >= 5.5 for w in found)
    assert found.report.windows == 6 + 5


def test_a_zip_by_another_name_is_what_it_is(tmp_path: Path) -> None:
    np.savez(tmp_path / "r.npz", acc=XYZ, rate_hz=20.0)
    (tmp_path / "zip.npy").write_bytes((tmp_path / "r.npz").read_bytes())
    np.save(tmp_path / "r.npy", XYZ)
    (tmp_path / "r.dat").write_bytes((tmp_path / "r.npy").read_bytes())
    for name, rate_hz in (("zip.npy", None), ("r.dat", 20.0)):
        assert len(samples(read(tmp_path / name, rate_hz=rate_hz)[0])[0]) == N


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
