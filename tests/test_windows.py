"""Windows against brute force, and what may never happen whatever the timestamps are."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import numjaz
from numjaz.signal import Piece, Recording, Report

TWENTY_HZ_NS = 50_000_000


class Row(NamedTuple):
    time_ns: int
    subject: str
    activity: str | None


def contract(
    window: int, hop: int, rate_hz: float = 20.0, features: tuple[str, ...] = ("ax", "ay", "az")
) -> numjaz.Contract:
    magnitude = "minus_g" if features == ("magnitude",) else None
    return numjaz.Contract(features=features, rate_hz=rate_hz, window=window, hop=hop, magnitude=magnitude)


def recording(rows: list[Row], cuts: list[int], values: np.ndarray | None = None) -> Recording:
    """Rows as a recording whose pieces end at the cuts, and where subject or activity change."""
    samples = np.tile([0.0, 0.0, 9.81], (len(rows), 1)) if values is None else values

    def pieces(report: Report) -> Iterator[Piece]:
        changes = [i for i in range(1, len(rows)) if rows[i][1:] != rows[i - 1][1:]]
        bounds = sorted({0, len(rows), *changes, *(c for c in cuts if 0 < c < len(rows))})
        for a, b in pairwise(bounds):
            time = np.array([row.time_ns for row in rows[a:b]], dtype=np.int64)
            yield Piece(time, samples[a:b], rows[a].subject, rows[a].activity)

    return Recording("test", ("ax", "ay", "az"), pieces)


def ramp(n: int) -> np.ndarray:
    """Samples that name themselves: ax is the row's number."""
    return np.stack((np.arange(n, dtype=float), np.zeros(n), np.full(n, 9.81)), axis=1)


@st.composite
def regular_rows(draw: st.DrawFn) -> list[Row]:
    """Rows at 20 Hz with gaps, steps back, repeated times and changes of subject and activity."""
    rows: list[Row] = []
    time, subject, activity = 0, "1", "walking"
    for _ in range(draw(st.integers(1, 6))):
        for _ in range(draw(st.integers(1, 40))):
            rows.append(Row(time, subject, activity))
            time += TWENTY_HZ_NS
        match draw(st.sampled_from(["gap", "back", "repeat", "subject", "activity", "small gap"])):
            case "gap":
                time += draw(st.integers(1_000_000_000, 10**12))
            case "back":
                time -= draw(st.integers(2 * TWENTY_HZ_NS, 10**12))
            case "repeat":
                time -= TWENTY_HZ_NS
            case "subject":
                subject = draw(st.sampled_from(["1", "2", "3"]))
            case "activity":
                activity = draw(st.sampled_from(["walking", "jogging"]))
    return rows


def brute_force(rows: list[Row], window: int, hop: int) -> list[list[int]]:
    """Row numbers of every window, by walking row by row."""
    stretches: list[list[int]] = []
    last: int | None = None
    for i, row in enumerate(rows):
        if last is not None and row.time_ns == rows[last].time_ns and row[1:] == rows[last][1:]:
            continue
        joins = last is not None and row[1:] == rows[last][1:] and 0 < row.time_ns - rows[last].time_ns <= 1_000_000_000
        if not joins:
            stretches.append([])
        stretches[-1].append(i)
        last = i
    return [s[k : k + window] for s in stretches for k in range(0, len(s) - window + 1, hop)]


@given(regular_rows(), st.integers(1, 30), st.integers(1, 40), st.lists(st.integers(1, 240)))
def test_windows_equal_a_brute_force_enumeration(rows: list[Row], window: int, hop: int, cuts: list[int]) -> None:
    found = numjaz.windows(recording(rows, cuts, ramp(len(rows))), contract(window, hop), resample=False, check=False)
    got = list(found)
    expected = brute_force(rows, window, hop)
    assert [w.x[:, 0].astype(int).tolist() for w in got] == expected
    assert found.report.windows == len(expected)
    assert found.report.rows == len(rows)
    for w, numbers in zip(got, expected, strict=True):
        mine = [rows[i] for i in numbers]
        assert {(row.subject, row.activity) for row in mine} == {(w.subject, w.activity)}
        steps = np.diff([row.time_ns for row in mine])
        assert ((steps > 0) & (steps <= 10**9)).all()
        assert w.end_s - w.start_s == pytest.approx((mine[-1].time_ns - mine[0].time_ns) / 1e9)


@given(regular_rows(), st.lists(st.integers(1, 240)), st.integers(1, 5), st.sampled_from([15.0, 20.0, 33.0, 100.0]))
def test_the_cut_into_pieces_changes_no_bit(rows: list[Row], cuts: list[int], size: int, rate_hz: float) -> None:
    values = np.random.default_rng(len(rows)).standard_normal((len(rows), 3))
    wanted = contract(8, 3, rate_hz)
    whole = numjaz.windows(recording(rows, [], values), wanted, check=False)
    parts = numjaz.windows(recording(rows, cuts, values), wanted, check=False)
    one, other = list(whole), [Window for batch in parts.batches(size) for Window in zip(*batch, strict=True)]
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a.x, b[0])
        assert a[1:] == tuple(b[1:])
    assert whole.report == parts.report


times = st.one_of(
    st.integers(-(2**62), 2**62), st.integers(0, 10**10), st.integers(0, 100).map(lambda k: k * 20_000_000)
)


@given(
    st.lists(st.tuples(times, st.sampled_from("ab"), st.sampled_from(["x", None])), max_size=200),
    st.integers(1, 20),
    st.integers(1, 30),
    st.floats(0.1, 1000),
    st.booleans(),
)
def test_no_timestamps_raise_anything_but_our_error(
    items: list[tuple[int, str, str | None]], window: int, hop: int, rate_hz: float, resample: bool
) -> None:
    rows = [Row(*item) for item in items]
    found = numjaz.windows(recording(rows, []), contract(window, hop, rate_hz), resample=resample, gap_s=1e6)
    try:
        for k, w in enumerate(found):
            assert w.x.shape == (window, 3)
            assert np.isfinite(w.x).all()
            if k == 50:  # a gap of 10^6 s may be filled with very many
                break
    except numjaz.NumjazError:
        pass


@settings(max_examples=60)
@given(
    recorded=st.floats(12, 200),
    wanted=st.floats(12, 20),  # well above half of every recorded rate, below which nothing is made
    frequency=st.floats(0.3, 3.0),
    jitter=st.floats(0, 0.3),
    seed=st.integers(0, 2**32 - 1),
)
def test_resampling_a_sine_keeps_its_frequency(
    recorded: float, wanted: float, frequency: float, jitter: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    seconds = 40
    n = int(seconds * recorded)
    t = (np.arange(n) + rng.uniform(-jitter / 2, jitter / 2, n)) / recorded
    time = np.rint(t * 1e9).astype(np.int64)
    wave = np.sin(2 * np.pi * frequency * time / 1e9)
    rows = [Row(int(v), "1", None) for v in time]
    values = np.stack((wave, wave, wave + 9.81), axis=1)
    length = int((seconds - 2) * wanted)
    x = next(iter(numjaz.windows(recording(rows, [], values), contract(length, 1, wanted), check=False))).x[:, 0]
    size = 1 << 16
    peak = np.abs(np.fft.rfft((x - x.mean()) * np.hanning(length), size)).argmax() * wanted / size
    assert peak == pytest.approx(frequency, abs=0.01 + 0.03 * frequency)  # 3 %: rates nearer than that pass as they are
    assert 0.6 < x.std() * np.sqrt(2) < 1.05


def test_what_the_new_rate_cannot_hold_does_not_fold_back() -> None:
    time = np.arange(4000, dtype=np.int64) * 10_000_000  # 100 Hz
    wave = np.sin(2 * np.pi * 19.0 * time / 1e9)  # would appear at 1 Hz in every fifth sample
    rows = [Row(int(v), "1", None) for v in time]
    values = np.stack((wave, wave, wave), axis=1)
    x = next(iter(numjaz.windows(recording(rows, [], values), contract(256, 1), check=False))).x
    assert np.abs(wave[::5]).max() > 0.9
    assert np.abs(x[1:]).max() < 0.15  # the first interval is cut in half at the recording's start


def test_the_linear_interpolant_is_reproduced_exactly() -> None:
    """Resampling a straight line gives the straight line, whatever the rates and the jitter."""
    rng = np.random.default_rng(0)
    for wanted in (10.0, 20.0, 47.0):
        time = np.cumsum(rng.integers(20_000_000, 45_000_000, 500))
        rows = [Row(int(v), "1", None) for v in time]
        line = (time - time[0]) / 1e9
        values = np.stack((line, line, line), axis=1)
        for w in numjaz.windows(recording(rows, [], values), contract(32, 16, wanted), check=False):
            inside = slice(1, -1)  # the first and the last interval may be cut at the stretch's ends
            expected = w.start_s + np.arange(32) / wanted
            np.testing.assert_allclose(w.x[inside, 0], expected[inside], atol=1e-9)


def test_a_change_of_rate_ends_a_stretch() -> None:
    fast, slow = (
        np.arange(640, dtype=np.int64) * 10_000_000,
        6_400_000_000 + np.arange(640, dtype=np.int64) * TWENTY_HZ_NS,
    )
    rows = [Row(int(v), "1", None) for v in np.concatenate((fast, slow))]
    found = numjaz.windows(recording(rows, [], ramp(1280)), contract(64, 16), check=False)
    count = 0
    for w in found:
        count += 1
        assert w.end_s - w.start_s == pytest.approx(63 / 20, rel=0.1)
        crosses = w.start_s < 6.4 - 0.7 and w.end_s > 6.4 + 0.7  # one block of 64 rows may belong to either
        assert not crosses
    assert found.report.breaks == {"change(s) of rate": 1}
    assert found.report.resampled == {"100 -> 20 Hz": 1}
    assert count == ((128 - 64) // 16 + 1) + ((640 - 64) // 16 + 1)


def test_lost_samples_are_counted() -> None:
    rng = np.random.default_rng(1)
    kept = np.sort(rng.permutation(2000)[:1600])  # a fifth is lost; the steps' median stays
    rows = [Row(int(k) * TWENTY_HZ_NS, "1", None) for k in kept]
    found = numjaz.windows(recording(rows, []), contract(64, 64))
    assert list(found) == []
    assert sum(found.report.skipped.values()) == 1600 // 64
    assert "not 20 a second" in found.report.lines()[-1]
    assert len(list(numjaz.windows(recording(rows, []), contract(64, 64), resample=False))) == 1600 // 64


def test_values_that_are_no_numbers_are_counted() -> None:
    rows = [Row(k * TWENTY_HZ_NS, "1", None) for k in range(200)]
    values = ramp(200)
    values[50] = np.nan
    values[60, 1] = np.inf
    found = numjaz.windows(recording(rows, [], values), contract(40, 40), check=False)
    assert len(list(found)) == 198 // 40
    assert found.report.skipped == {"row(s) with a value that is no number, or beyond 1e30": 2}


@pytest.mark.parametrize(
    ("name", "value"), [("minus_g", 5.0 - 9.81), ("plain", 5.0), ("root_minus_g", np.sqrt(25 - 9.81))]
)
def test_the_three_readings_of_the_magnitude(name: str, value: float) -> None:
    rows = [Row(k * TWENTY_HZ_NS, "1", None) for k in range(8)]
    values = np.tile([3.0, 0.0, 4.0], (8, 1))
    wanted = numjaz.Contract(features=("magnitude",), rate_hz=20.0, window=8, hop=8, magnitude=name)
    (w,) = numjaz.windows(recording(rows, [], values), wanted, check=False)
    np.testing.assert_allclose(w.x, np.full((8, 1), value))


def test_the_misprinted_magnitude_has_no_value_near_free_fall() -> None:
    rows = [Row(k * TWENTY_HZ_NS, "1", None) for k in range(16)]
    values = np.tile([0.0, 0.0, 9.81], (16, 1))
    values[3] = 0.1
    wanted = numjaz.Contract(features=("magnitude",), rate_hz=20.0, window=8, hop=8, magnitude="root_minus_g")
    found = numjaz.windows(recording(rows, [], values), wanted, check=False)
    assert len(list(found)) == 1
    assert found.report.skipped == {"window(s) in which the magnitude has no real value": 1}


def test_normalisation_is_the_contracts() -> None:
    rows = [Row(k * TWENTY_HZ_NS, "1", None) for k in range(8)]
    wanted = numjaz.Contract(
        features=("ax", "ay", "az"), rate_hz=20.0, window=8, hop=8, mean=(1.0, 2.0, 0.81), std=(1.0, 2.0, 3.0)
    )
    (w,) = numjaz.windows(recording(rows, []), wanted)
    np.testing.assert_allclose(w.x[0], [-1.0, -1.0, 3.0])


def worn(scale: float, gravity: bool = True, n: int = 3000) -> Recording:
    """Somebody walking, as the simulator has it; without gravity its mean direction is taken off."""
    (piece,) = numjaz.simulate_gait([("walking", n / 20)]).pieces(Report())
    values = piece.values - (0 if gravity else piece.values.mean(axis=0))
    return recording([Row(int(t), "7", None) for t in piece.time_ns], [], values * scale)


@pytest.mark.parametrize(
    ("made", "gravity", "said"),
    [
        (worn(1 / 9.80665), True, r"subject 7: the median \|a\| is .*in g; --units g"),
        (worn(1000 / 9.80665), True, r"--units states.*mg"),
        (worn(64 / 9.80665), True, r"--units states.*g/64"),
        (worn(1.0, gravity=False), True, "gravity is missing.*--gravity FILE.*--unchecked"),
        (worn(1.0), False, "gravity is in it.*--unchecked"),
        (worn(1e200), True, "no worn sensor"),
    ],
)
def test_the_commonest_silent_failures_are_refused(made: Recording, gravity: bool, said: str) -> None:
    wanted = numjaz.Contract(features=("ax", "ay", "az"), rate_hz=20.0, gravity=gravity)
    with pytest.raises(numjaz.NumjazError, match=said):
        list(numjaz.windows(made, wanted))
    assert bool(list(numjaz.windows(made, wanted, check=False))) == ("no worn" not in said)


def test_the_check_looks_at_every_subject_before_any_of_its_windows() -> None:
    good, bad = (list(worn(s).pieces(Report()))[0] for s in (1.0, 1 / 9.80665))
    mixed = Recording("two", ("ax", "ay", "az"), lambda report: iter((good, bad._replace(subject="8"))))
    seen = []
    with pytest.raises(numjaz.NumjazError, match="subject 8"):
        for w in numjaz.windows(mixed, contract(64, 64)):
            seen.append(w.subject)
    assert set(seen) <= {"7"}
    assert list(numjaz.windows(worn(1.0), contract(64, 64)))


def test_contracts_are_checked() -> None:
    for wrong in (
        {"features": ("ax",)},
        {"rate_hz": 0.0},
        {"rate_hz": float("nan")},
        {"window": 0},
        {"hop": 1.5},
        {"gravity": 1},
        {"magnitude": "minus_g"},
        {"mean": (0.0,) * 3},
        {"mean": (0.0,) * 3, "std": (1.0, 0.0, 1.0)},
    ):
        with pytest.raises(numjaz.NumjazError):
            numjaz.Contract(**{"features": ("ax", "ay", "az"), "rate_hz": 20.0, **wrong})  # type: ignore[arg-type]
    with pytest.raises(numjaz.NumjazError, match="--gyro FILE"):
        numjaz.windows(worn(1.0), contract(8, 8, 20.0, ("ax", "ay", "az", "wx", "wy", "wz")))
    with pytest.raises(numjaz.NumjazError, match="hop"):
        numjaz.windows(worn(1.0), contract(8, 8), hop=0)
    with pytest.raises(numjaz.NumjazError, match="gap_s"):
        numjaz.windows(worn(1.0), contract(8, 8), gap_s=0)


def test_a_long_recording_takes_constant_memory() -> None:
    """An hour and six hours at 100 Hz: the same peak."""
    import tracemalloc

    def hours(count: int) -> Recording:
        def pieces(report: Report) -> Iterator[Piece]:
            values = np.tile([0.0, 0.0, 9.81], (10_000, 1))
            for k in range(36 * count):
                yield Piece((k * 10_000 + np.arange(10_000, dtype=np.int64)) * 10_000_000, values)

        return Recording("long", ("ax", "ay", "az"), pieces)

    peaks = []
    for count in (1, 6):
        tracemalloc.start()
        total = sum(len(batch) for batch in numjaz.windows(hours(count), contract(256, 32)).batches())
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert total == (count * 72_000 - 256) // 32 + 1
    assert peaks[1] < 1.2 * peaks[0]


def test_what_was_recorded_too_slowly_is_left_out() -> None:
    rows = [Row(k * 125_000_000, "1", None) for k in range(300)]  # 8 Hz
    found = numjaz.windows(recording(rows, []), contract(16, 16))
    assert list(found) == []
    assert found.report.skipped == {"stretch(es) recorded at less than half of 20 Hz": 1}
    assert len(list(numjaz.windows(recording(rows, []), contract(16, 16), resample=False))) == 300 // 16


def test_a_piece_of_which_nothing_is_left_still_interrupts() -> None:
    lost = np.full((1, 3), np.nan)
    for activity, begins in (("y", False), ("x", True)):

        def pieces(report: Report, activity: str = activity, begins: bool = begins) -> Iterator[Piece]:
            yield Piece(np.arange(20) * TWENTY_HZ_NS, np.ones((20, 3)), "1", "x")
            yield Piece(np.array([20 * TWENTY_HZ_NS]), lost, "1", activity, begins)
            yield Piece((21 + np.arange(20)) * TWENTY_HZ_NS, np.ones((20, 3)), "1", "x")

        made = Recording("test", ("ax", "ay", "az"), pieces)
        assert len(list(numjaz.windows(made, contract(8, 4), check=False))) == 8


def test_windows_that_follow_each_other_have_one_number() -> None:
    time = [k * TWENTY_HZ_NS for k in range(40)] + [10**12 + k * TWENTY_HZ_NS for k in range(40)]
    time[60:] = [t + 500_000_000 for t in time[60:]]  # half a second is lost: no gap, but windows that are too long
    found = numjaz.windows(recording([Row(t, "1", None) for t in time], []), contract(10, 5))
    starts: dict[int, list[float]] = {}
    for w in found:
        starts.setdefault(w.stretch, []).append(w.start_s)
    assert [len(group) for group in starts.values()] == [7, 3, 3]
    assert next(found.batches()).stretch.dtype == np.int64  # on a 32-bit processor too
    assert all(np.allclose(np.diff(group), 0.25) for group in starts.values())
    for wrong in (float("inf"), 1e300, float("nan")):
        with pytest.raises(numjaz.NumjazError, match="gap_s"):
            numjaz.windows(worn(1.0), contract(8, 8), gap_s=wrong)
