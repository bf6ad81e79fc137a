"""What holds of a recording of any kind: what is none gets one line, and nothing else is ever raised."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recordings import XYZ, N, read, regular, samples, table, written

import numjaz
from numjaz.signal import Report


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
