"""Streams against the offline run with the same plan: the same windows, the same bits, however samples come."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import numjaz
from numjaz import Contract, NumjazError, Stream
from numjaz.engine.runtime.listening import Verdict
from numjaz.signal import Piece, Report

CONTRACT = Contract(features=("ax", "ay", "az"), rate_hz=20.0, window=24, hop=5)
MODEL = numjaz.jazbat(3, ("still", "moving"), units=4, modules=1).derive(contract=CONTRACT)
PLAN = numjaz.compile(MODEL, 1)
few = settings(max_examples=settings().max_examples // 2)


def samples(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 3)).cumsum(axis=0) + [0, 0, 9.81]


def offline(time_ns: np.ndarray, values: np.ndarray, contract: Contract = CONTRACT) -> list[tuple[Any, ...]]:
    def pieces(report: Report) -> Iterator[Piece]:
        yield Piece(time_ns, values)

    recording = numjaz.Recording("made", ("ax", "ay", "az"), pieces)
    found = []
    for batch in numjaz.windows(recording, contract, check=False).batches():
        for start, end, y in zip(batch.start_s, batch.end_s, PLAN.predict(batch.x), strict=True):
            found.append((float(start), float(end), y.tobytes()))
    return found


def seen(verdicts: list[Verdict]) -> list[tuple[Any, ...]]:
    return [(v.start_s, v.end_s, v.probabilities.tobytes()) for v in verdicts if v.label is not None]


@few
@given(
    rate=st.sampled_from([20.0, 20.3, 25.0, 50.0, 12.5, 100.0]),
    count=st.integers(1, 400),
    cuts=st.lists(st.integers(0, 400), max_size=12),
    lost=st.lists(st.integers(0, 399), max_size=4),
    gap=st.sampled_from([None, 100, 150]),
    hop=st.sampled_from([5, 1, 24, 31]),
)
def test_however_samples_are_cut_it_is_the_offline_run(
    rate: float, count: int, cuts: list[int], lost: list[int], gap: int | None, hop: int
) -> None:
    values, time_s = samples(count), np.arange(count) / rate
    if gap is not None:
        time_s[gap:] += 2.5
    values[[k for k in lost if k < count]] = np.nan
    stream = Stream(MODEL, rate, hop, plan=PLAN, coverage=0)
    bounds = [0, *sorted(min(k, count) for k in cuts), count]
    verdicts = [v for a, b in pairwise(bounds) for v in stream.push(values[a:b], time_s[a:b])]
    verdicts += stream.finish()
    assert seen(verdicts) == offline(np.rint(time_s * 1e9).astype(np.int64), values, replace(CONTRACT, hop=hop))


def test_one_sample_after_the_other_without_times() -> None:
    for rate in (20.0, 50.0):
        values = samples(500)
        stream = Stream(MODEL, rate, plan=PLAN)
        verdicts = [v for row in values for v in stream.push(row)] + stream.finish()
        expected = offline(np.rint(np.arange(500) * (1e9 / rate)).astype(np.int64), values)
        assert seen(verdicts) == expected
        assert len(expected) > 30
        assert {v.coverage for v in verdicts} == {1.0}


LONG = """
import hashlib, numpy as np, numjaz
stream = numjaz.Stream(numjaz.load("jazbat-watch-1d-activity"), 50.0)
values = np.random.default_rng(3).normal(size=(20_000, 3)) + [0, 0, 9.81]
hashed = hashlib.sha256()
for k in range(0, len(values), 37):
    for v in stream.push(values[k : k + 37]):
        hashed.update(v.probabilities.tobytes())
print(hashed.hexdigest())
"""


def test_a_long_stream_has_the_same_bits_in_every_run_and_cut() -> None:
    said = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        for code in (LONG, LONG.replace("37", "1000"))
    ]
    assert said[0] == said[1]
    assert len(said[0].strip()) == hashlib.sha256().digest_size * 2


def machine() -> str:
    """All that the last digits of a product may depend on: NumPy, and what the processor has."""
    try:
        from numpy._core._multiarray_umath import __cpu_features__ as features
    except ImportError:
        from numpy.core._multiarray_umath import __cpu_features__ as features  # NumPy 1
    has = ",".join(sorted(name for name, there in features.items() if there))
    return f"NumPy {np.__version__}, {platform.machine()}, {hashlib.sha256(has.encode()).hexdigest()[:12]}"


def test_the_bits_of_this_machine_are_those_of_other_days() -> None:
    made = subprocess.run(
        [sys.executable, "-c", LONG],
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    pinned = json.loads((Path(__file__).parent / "pinned.json").read_text())
    if machine() not in pinned:
        pytest.skip(f"tests/pinned.json has no hash for this machine; it gives {machine()!r}: {made!r}")
    assert made == pinned[machine()]


def test_lost_samples_are_counted_and_too_many_abstain() -> None:
    values, time_s = samples(200), np.arange(200) / 50
    values[60:64] = np.nan
    kept = np.r_[0:120, 135:200]
    stream = Stream(MODEL, 50.0, plan=PLAN)
    verdicts = stream.push(values[kept], time_s[kept]) + stream.finish()
    whole = int(23 / 20 * 50) + 1
    for v in verdicts:
        inside = (time_s[kept] >= v.start_s - 1e-9) & (time_s[kept] <= v.end_s + 1e-9) & np.isfinite(values[kept, 0])
        assert v.coverage == pytest.approx(min(1, inside.sum() / whole))
        assert (v.label is None) == (v.coverage < 0.9)
        assert len(v.probabilities) == (0 if v.label is None else 2)
    assert {v.label is None for v in verdicts} == {True, False}


def test_a_gap_ends_a_stretch() -> None:
    values, time_s = samples(100), np.arange(100) / 20
    time_s[50:] += 60
    verdicts = Stream(MODEL, plan=PLAN).push(values, time_s)
    assert verdicts
    assert all(v.end_s - v.start_s == pytest.approx(23 / 20) for v in verdicts)


def test_reset_begins_anew() -> None:
    values, stream = samples(60), Stream(MODEL, 25.0, plan=PLAN)
    first = stream.push(values)
    assert stream.push(values)[-1].end_s > first[-1].end_s
    stream.reset()
    again = stream.push(values)
    assert seen(again) == seen(first)
    assert [v.coverage for v in again] == [v.coverage for v in first]


def test_memory_stays_what_it_is() -> None:
    stream, values = Stream(MODEL, 50.0, plan=PLAN), samples(10)
    tracemalloc.start()
    for _ in range(1000):
        stream.push(values)
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    for _ in range(2000):
        stream.push(values)
    now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert now - before < 2_000
    assert peak - before < 30_000


def test_units_and_the_delay() -> None:
    values = samples(60)
    assert seen(Stream(MODEL, plan=PLAN, units="g").push(values / 9.80665)) != []
    in_g, in_si = (
        np.stack([v.probabilities for v in Stream(MODEL, plan=PLAN, units=u).push(x)])
        for u, x in (("g", values / 9.80665), ("m/s2", values))
    )
    np.testing.assert_allclose(in_g, in_si, atol=1e-5)
    delay = Stream(MODEL, 50.0, hop=4, plan=PLAN).delay
    assert (delay.window_s, delay.hop_s, delay.resampling_s) == (1.2, 0.2, 0.025 + 1 / 50)
    assert 0 < delay.compute_s < 1
    assert str(delay).startswith("a verdict every 0.2 s, of the last 1.2 s")
    assert Stream(MODEL, plan=PLAN).delay.resampling_s == 0


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Stream(numjaz.jazbat()), "says what it expects"),
        (lambda: Stream(MODEL, 5.0), "less than half"),
        (lambda: Stream(MODEL, 0.0), "rate_hz"),
        (lambda: Stream(MODEL, hop=0), "hop"),
        (lambda: Stream(MODEL, units="lbf"), "units 'lbf'"),
        (lambda: Stream(MODEL, coverage=2), "coverage"),
        (lambda: Stream(MODEL).push(np.zeros((4, 2))), "3 numbers each"),
        (lambda: Stream(MODEL).push(np.zeros((2, 3)), [0.0]), "each of 2 samples"),
        (lambda: Stream(MODEL).push(np.zeros((2, 3)), [0.0, np.nan]), "finite"),
    ],
)
def test_what_is_refused(make: Any, said: str) -> None:
    with pytest.raises(NumjazError, match=said):
        make()


def test_a_stream_runs_with_numpy_alone() -> None:
    code = LONG.replace("20_000", "2_000") + "\nimport sys\nassert 'scipy' not in sys.modules"
    subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, cwd=Path(numjaz.__file__).parent.parent
    )


class TestCoverage:
    """How many samples were there does not depend on what came behind, nor on how they were cut."""

    def test_the_last_window_before_a_gap_is_its_own(self) -> None:
        values, time_s = samples(200), np.arange(200) / 50
        time_s[100:] += 5
        for jump in (time_s, np.r_[time_s[:100], time_s[100:] - 30]):
            both = Stream(MODEL, 50.0, plan=PLAN).push(values, jump)
            alone = Stream(MODEL, 50.0, plan=PLAN)
            first = alone.push(values[:100], jump[:100]) + alone.finish()
            assert [v[:3] for v in both[: len(first)]] == [v[:3] for v in first]
            assert {v.coverage for v in first} == {v.coverage for v in both[: len(first)]} == {1.0}

    @pytest.mark.parametrize(("rate", "hop"), [(20.59, 1024), (20.5, 256), (19.5, 300), (20.0, 40), (50.0, 100)])
    @pytest.mark.parametrize("cut", [50, 1100])
    def test_however_samples_are_cut(self, rate: float, hop: int, cut: int) -> None:
        values, stream = samples(6000), Stream(MODEL, rate, hop, plan=PLAN)
        found = [v for k in range(0, 6000, cut) for v in stream.push(values[k : k + cut])]
        assert len(found) > 4
        assert {v.coverage for v in found} == {1.0}


def test_a_stream_that_is_over_takes_no_more() -> None:
    stream = Stream(MODEL, 21.5, plan=PLAN)
    stream.push(samples(50))
    stream.finish()
    with pytest.raises(NumjazError, match="this stream is over"):
        stream.push(samples(1))
    stream.reset()
    assert stream.push(samples(50))


@pytest.mark.parametrize("large", [1e39, 1e300, np.inf, np.nan])
def test_a_glitch_is_a_lost_sample(large: float) -> None:
    values = samples(60)
    values[30] = large
    verdicts = Stream(MODEL, plan=PLAN).push(values)
    assert verdicts
    assert all(np.isfinite(v.probabilities).all() for v in verdicts)
    assert min(v.coverage for v in verdicts) < 1


def test_the_delay_of_resampling_covers_what_is_seen() -> None:
    """The last sample recorded before a verdict comes lies at most so far behind the window's last."""
    for rate in (11.0, 20.6, 21.0, 50.0, 100.0):
        stream, worst = Stream(MODEL, rate, plan=PLAN), 0.0
        for k, sample in enumerate(samples(600)):
            for verdict in stream.push(sample):
                worst = max(worst, k / rate - verdict.end_s)
        assert worst <= stream.delay.resampling_s + 1e-6
        assert worst > stream.delay.resampling_s / 2


OTHER = numjaz.jazbat(3, ("still", "moving"), units=4, modules=1, seed=7).derive(contract=CONTRACT)
ROWS = numjaz.Model(MODEL.nodes, MODEL.parameters, outputs=[MODEL.nodes[1].name], contract=CONTRACT)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        *((lambda gap=gap: Stream(MODEL, gap_s=gap), "gap_s") for gap in (np.nan, np.inf, "x", -1, 0)),
        (lambda: Stream(MODEL, coverage="a"), "coverage"),
        (lambda: Stream(MODEL, units=[]), "units"),
        (lambda: Stream(MODEL, hop=1.5), "hop"),
        (lambda: Stream(MODEL, plan=5), "plan= is not of this network"),
        (lambda: Stream(MODEL, plan=numjaz.compile(OTHER, 1)), "plan= is not of this network"),
        (lambda: Stream(ROWS), "one row of classes"),
        (lambda: Stream(numjaz.jazbat(1, units=4, modules=1).derive(contract=CONTRACT)), "windows of 3 feature"),
        (lambda: Stream(MODEL).push("abc"), "samples must be numbers"),
        (lambda: Stream(MODEL).push([[1, 2, 3], [1]]), "samples must be numbers"),
    ],
)
def test_options_that_make_no_sense(make: Any, said: str) -> None:
    with pytest.raises(NumjazError, match=said):
        make()


def test_numbers_of_numpy_are_numbers() -> None:
    stream = Stream(MODEL, np.int64(50), np.int64(5), plan=PLAN, coverage=np.float32(0.5), gap_s=np.float64(1))
    assert stream.push([]) == []
    assert stream.push(samples(200))
