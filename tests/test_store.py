"""A store gives the windows that `numjaz.windows` gives, in any order, and holds little of them."""

from __future__ import annotations

import gc
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_windows import TWENTY_HZ_NS, Row, contract, ramp, recording, regular_rows

import numjaz
from numjaz.learn.spool import Spool
from numjaz.learn.store import Store
from numjaz.learn.windows import Part, as_windows
from numjaz.signal import Piece, Recording, Report


def labelled(n: int, activity: str | None = "walking", subject: str = "1") -> list[Row]:
    return [Row(k * TWENTY_HZ_NS, subject, activity) for k in range(n)]


@settings(max_examples=150, deadline=None)
@given(
    regular_rows(),
    regular_rows(),
    st.integers(1, 20),
    st.integers(1, 30),
    st.lists(st.integers(1, 240)),
    st.sampled_from([("ax", "ay", "az"), ("magnitude",)]),
    st.sampled_from([0, 700, 1 << 20]),
)
def test_windows_are_those_of_the_recordings_to_the_bit(
    first: list[Row],
    second: list[Row],
    window: int,
    hop: int,
    cuts: list[int],
    features: tuple[str, ...],
    memory: int,
) -> None:
    found = []
    for name, rows in (("a", first), ("b", second)):
        values = np.random.default_rng(len(rows)).standard_normal((len(rows), 3))
        values[7::31] = 0.1  # some windows of the misprinted magnitude have no value, and are breaks
        made = recording(rows, cuts, values)
        wanted = contract(window, hop, features=features)
        found.append(numjaz.windows(Recording(name, made.channels, made.pieces), wanted, check=False))
    direct = [(each.recording.source, w) for each in found for w in each]
    if not direct:
        with pytest.raises(numjaz.NumjazError, match="no window"):
            Store.of(found, memory=memory)
        return
    store = Store.of(found, memory=memory)
    assert store.shape == (len(direct), window, len(features))
    rows_drawn = np.random.default_rng(0).integers(0, len(direct), 2 * len(direct))
    expected = np.stack([w.x for _, w in direct]).astype(np.float32)
    for rows_taken in (np.arange(len(direct)), rows_drawn, rows_drawn[:0]):
        taken = store.take(rows_taken)
        assert taken.dtype == np.float32
        np.testing.assert_array_equal(taken, expected[rows_taken])
    assert [store.classes[k] for k in store.labels] == [w.activity for _, w in direct]
    assert [store.people[k] for k in store.persons] == [w.subject for _, w in direct]
    about = store.about
    assert about.person.tolist() == [w.subject for _, w in direct]
    assert about.recording.tolist() == [source for source, _ in direct]
    for name in ("start_s", "end_s", "stretch"):
        assert getattr(about, name).tolist() == [getattr(w, name) for _, w in direct]


def test_neighbours_share_their_samples_and_what_is_left_out_parts_them() -> None:
    """20 s at 20 Hz, of which sample 200 is lost: what is held is every sample once, but that one."""
    rows = [Row((k + (k >= 200)) * TWENTY_HZ_NS, "1", "walking") for k in range(400)]
    found = numjaz.windows(recording(rows, [], ramp(400)), contract(10, 2), check=False)
    store = Store.of([found])
    spans = [
        range(round(a * 20), round(b * 20) + 1) for a, b in zip(store.about.start_s, store.about.end_s, strict=True)
    ]
    # Windows over the lost sample last a tenth longer, as one in nine steps: they stay out.
    assert not any(200 in span for span in spans)
    assert len(store._samples) == 3 * len({k for span in spans for k in span})
    first = store.take(np.arange(len(spans)))[:, 0, 0]
    assert first.tolist() == [span[0] - (span[0] > 200) for span in spans]


def test_a_stretch_goes_on_from_batch_to_batch() -> None:
    found = numjaz.windows(recording(labelled(3001), [], ramp(3001)), contract(10, 4), check=False)
    store = Store.of([found])
    first = store.take(np.arange(store.shape[0]))[:, 0, 0]
    assert first.tolist() == list(range(0, 2992, 4))  # 748 windows: three batches
    assert len(store._runs) == 1


@pytest.mark.parametrize(("window", "hop"), [(10, 3), (3, 10), (4, 4)])
def test_no_sample_is_held_twice(window: int, hop: int) -> None:
    found = numjaz.windows(recording(labelled(101), [], ramp(101)), contract(window, hop), check=False)
    store = Store.of([found])
    held = {int(v) for v in store.take(np.arange(store.shape[0]))[:, :, 0].ravel()}
    assert len(store._samples) == 3 * len(held)


def test_classes_that_are_given_leave_others_out_and_say_so() -> None:
    rows = labelled(40) + [
        Row(k * TWENTY_HZ_NS, "1", a) for a, k in zip(["x"] * 30 + [None] * 30, range(40, 100), strict=True)
    ]
    found = numjaz.windows(recording(rows, [], ramp(100)), contract(10, 10), check=False)
    said: list[str] = []
    store = Store.of([found], classes=["jogging", "walking"], tell=said.append)
    assert (store.classes, store.labels.tolist()) == (("jogging", "walking"), [1] * 4)
    assert store.left_out == {"x": 3, None: 3}
    assert said[-2:] == [
        "left out: 3 windows of activity 'x', which is none of the classes",
        "left out: 3 windows without an activity",
    ]
    assert "test: 100 samples, 10 windows" in said
    assert Store.of([found]).classes == ("walking", "x")
    with pytest.raises(numjaz.NumjazError, match="no window of an activity that is asked for"):
        Store.of([found], classes=["running"])
    with pytest.raises(numjaz.NumjazError, match="no window"):
        Store.of([])


def test_the_nameless_are_called_after_their_recording() -> None:
    made = [recording(labelled(20, subject=who), [], ramp(20)) for who in ("", "", "7")]
    named = [Recording(name, each.channels, each.pieces) for name, each in zip("aba", made, strict=True)]
    store = Store.of([numjaz.windows(each, contract(10, 10), check=False) for each in named])
    assert store.about.person.tolist() == ["a", "a", "b", "b", "7", "7"]
    assert store.about.recording.tolist() == ["a", "a", "b", "b", "a", "a"]


def test_one_network_has_one_contract() -> None:
    made = recording(labelled(40), [], ramp(40))
    found = [numjaz.windows(made, contract(10, hop), check=False) for hop in (5, 6)]
    with pytest.raises(numjaz.NumjazError, match="another contract"):
        Store.of(found)


def test_the_hash_is_of_the_data_alone() -> None:
    def hashed(
        rows: list[Row],
        values: np.ndarray,
        cuts: tuple[int, ...] = (),
        memory: int = 1 << 20,
        source: str = "r",
    ) -> str:
        made = recording(rows, list(cuts), values)
        named = Recording(source, made.channels, made.pieces)
        return Store.of([numjaz.windows(named, contract(10, 4), check=False)], memory=memory).sha256

    rows, values = labelled(60), ramp(60)
    same = hashed(rows, values)
    assert same == hashed(rows, values, cuts=(13, 20)) == hashed(rows, values, memory=0)
    assert same == hashed(rows, values, source="another place")
    changed = values.copy()
    changed[59, 2] += 1e-3  # in the last window of 13, 4 * 12 + 10 = 58 samples: not in any
    assert same == hashed(rows, changed)
    changed[57, 2] += 1e-3
    others = [hashed(rows, changed), hashed(labelled(60, "jogging"), values), hashed(labelled(60, subject="2"), values)]
    assert len({same, *others}) == 4
    for field in ("subject", "activity"):  # three of them, and to whom the last quarter belongs
        one, other = (
            hashed([row._replace(**{field: names[k // 15]}) for k, row in enumerate(rows)], values)
            for names in ("xyzx", "xyzy")
        )
        assert one != other


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="files that are open are counted in /proc")
def test_the_file_is_gone_with_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    found = numjaz.windows(recording(labelled(60), [], ramp(60)), contract(10, 4), check=False)
    gc.collect()
    before = descriptors()
    store = Store.of([found], memory=0)
    assert list(tmp_path.iterdir()) == []  # not even now has it a name
    assert descriptors() == before + 2  # samples and times
    del store
    gc.collect()
    assert descriptors() == before
    assert not Store.of([found])._samples.on_disk


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is always full")
def test_a_full_disk_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: open("/dev/full", "wb", buffering=0))  # noqa: PTH123, SIM115
    found = numjaz.windows(recording(labelled(60), [], ramp(60)), contract(10, 4), check=False)
    with pytest.raises(numjaz.NumjazError, match=r"0 bytes of windows are there.*No space left.*TMPDIR") as error:
        Store.of([found], memory=100)
    assert "\n" not in str(error.value)
    del error
    gc.collect()


def test_a_spool_in_memory_and_on_disk_is_the_same() -> None:
    values = np.random.default_rng(0).standard_normal(1000).astype(np.float32)
    one, other = Spool(np.float32, 1 << 20), Spool(np.float32, 2000)  # the other goes to disk on its way
    for a in range(0, 1000, 100):
        one.add(values[a : a + 100])
        other.add(values[a : a + 100])
        assert len(one) == len(other) == a + 100
        assert other.on_disk == (a >= 500)
    starts = np.random.default_rng(1).integers(0, 990, 300)
    for spool in (one, other):
        np.testing.assert_array_equal(spool.cuts(starts, 10), values[starts[:, None] + np.arange(10)])


@pytest.mark.parametrize("rows", [[-1], [0, 13]])
def test_what_is_no_window_is_not_given(rows: list[int]) -> None:
    store = Store.of([numjaz.windows(recording(labelled(60), [], ramp(60)), contract(10, 4), check=False)])
    assert store.shape[0] == 13
    with pytest.raises(IndexError, match="from 0 to 12"):
        store.take(np.array(rows))


def minutes(count: int) -> Recording:
    """So many minutes at 100 Hz, made as they are read."""

    def pieces(report: Report) -> Iterator[Piece]:
        values = np.tile([0.0, 0.0, 9.81], (6_000, 1))
        for k in range(count):
            yield Piece((k * 6_000 + np.arange(6_000, dtype=np.int64)) * 10_000_000, values, "1", "walking")

    return Recording("long", ("ax", "ay", "az"), pieces)


def test_reading_takes_no_more_memory_for_more() -> None:
    peaks = []
    for count in (60, 360):  # 0.9 MB and 5.2 MB of float32
        tracemalloc.start()
        store = Store.of([numjaz.windows(minutes(count), contract(256, 32), check=False)], memory=0)
        store.take(np.arange(64) * (store.shape[0] // 64))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert len(store._samples) * 4 > 14_000 * count
    assert peaks[1] < 1.05 * peaks[0]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read in /proc")
def test_a_recording_larger_than_the_memory_that_it_takes(tmp_path: Path) -> None:
    """256 MB of HDF5, in a process of its own: far less is resident, at any time, beside what it starts with."""
    path, rows = tmp_path / "long.h5", 16_000_000
    with h5py.File(path, "w") as file:
        file.attrs["activity_names"] = ["walking", "jogging"]
        xyz, steps = file.create_dataset("xyz", (rows, 3), "i4"), file.create_dataset("dt_us", (rows,), "i4")
        xyz.attrs["scale"] = 1.0
        at_rest, step = np.tile(np.array([0, 0, 10], np.int32), (1_000_000, 1)), np.full(1_000_000, 10_000, np.int32)
        for a in range(0, rows, 1_000_000):
            xyz[a : a + 1_000_000], steps[a : a + 1_000_000] = at_rest, step
        starts = np.arange(0, rows, 2_000_000)
        for name, column in {
            "subject": starts % 3,
            "activity": starts // 2_000_000 % 2,
            "start": starts,
            "length": np.full(8, 2_000_000),
            "t0_ns": starts * 0,
            "has_timestamps": np.ones(8, np.int64),
        }.items():
            file[f"segment/{name}"] = column  # fmt: skip
    code = f"""
import numpy as np, numjaz
from numjaz.bench.device import peak_mib
from numjaz.learn.store import Store
contract = numjaz.Contract(features=("ax", "ay", "az"), rate_hz=20.0, hop=128)
simple = numjaz.simulate_gait([("walking", 60.0)])
Store.of([numjaz.windows(simple, contract)], memory=0).take(np.arange(2))
import h5py
before = peak_mib()
store = Store.of([numjaz.windows(numjaz.read_recording({str(path)!r}), contract)], memory=0)
for k in range(200):
    store.take(np.random.default_rng(k).integers(0, store.shape[0], 64))
print(store.shape[0], peak_mib() - before)
"""
    root = str(Path(numjaz.__file__).parent.parent)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    windows, grown = done.stdout.split()
    assert int(windows) == 8 * ((400_000 - 256) // 128 + 1)
    assert float(grown) < 80


def test_arrays_are_windows() -> None:
    x = np.random.default_rng(0).standard_normal((6, 4, 2))
    windows = as_windows(x)
    assert windows.shape == (6, 4, 2)
    rows = np.array([5, 0, 5])
    np.testing.assert_array_equal(windows.take(rows), x[rows].astype(np.float32))
    assert windows.take(rows).dtype == np.float32
    assert as_windows(windows) is windows
    assert as_windows(np.ones((2, 3, 1), np.int16)).take(np.array([1])).dtype == np.float32
    part = Part(Part(windows, np.array([1, 3, 5])), np.array([2, 0]))
    assert part.shape == (2, 4, 2)
    np.testing.assert_array_equal(part.take(np.array([1, 0])), x[[1, 5]].astype(np.float32))


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (np.zeros((3, 4)), r"\(N windows, T samples, F features\).*not \(3, 4\)"),
        (np.zeros((0, 4, 1)), r"not \(0, 4, 1\)"),
        (np.zeros((3, 4, 1), bool), "not bool"),
        (np.zeros((3, 4, 1), complex), "not complex"),
        (np.array([[["a"]]]), "not <U1"),
        (np.array([[[0.0]], [[np.nan]]]), "window 1 holds"),
        (np.concatenate((np.zeros((3000, 1, 1)), np.full((1, 1, 1), 1e39))), "window 3000 holds.*float32"),
    ],
)
def test_what_is_no_array_of_windows_is_refused(x: np.ndarray, said: str) -> None:
    with pytest.raises(numjaz.NumjazError, match=said):
        as_windows(x)
