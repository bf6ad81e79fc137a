"""Recordings of text: WISDM's lines and tables with a header, their columns, units, times and irregularities."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from recordings import T_NS, XYZ, N, read, regular, samples, table, written

import numjaz


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


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # as in a program that does not make errors of them
@pytest.mark.parametrize("bad", [None, "oops", "1.0,2", "nan,,,"])
@pytest.mark.parametrize("header", ["time,x,y,z", "time_s,x,y,z"])
def test_fractions_of_seconds_are_never_cut_off(tmp_path: Path, header: str, bad: str | None) -> None:
    lines = table(header, regular()).splitlines()
    if bad is not None:
        lines.insert(300, bad)
    pieces, report = read(written(tmp_path, "\n".join(lines)))
    np.testing.assert_allclose(samples(pieces)[0], np.arange(600, dtype=np.int64) * 50_000_000, atol=1)
    assert sum(report.skipped.values()) == (bad is not None)


def test_fractions_of_seconds_in_a_plain_process(tmp_path: Path) -> None:
    import subprocess

    path = written(tmp_path, table("time_s,x,y,z", regular()))
    code = f"import numjaz; r = numjaz.signal.Report(); print(sum(len(set(p.time_ns)) for p in numjaz.read_recording({str(path)!r}).pieces(r)))"
    root = Path(numjaz.__file__).parent.parent
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert ended.stdout.strip() == "600"


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
