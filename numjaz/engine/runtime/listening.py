"""Samples in as they come, verdicts out: the offline run, a sample at a time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from numjaz.contract import Contract
from numjaz.engine.runtime.layout import Array
from numjaz.errors import NumjazError
from numjaz.records import Frozen, frozen
from numjaz.signal.buffer import Rows
from numjaz.signal.features import ACCELERATION_UNITS
from numjaz.signal.recording import Piece, Report
from numjaz.signal.segments import RATE_TOLERANCE, Resampled, Split, Steady
from numjaz.signal.windows import Cut, Cutter

COVERAGE = 0.9  # of a window's samples, below which there is no verdict
TIMED = 9  # windows whose median is the time of computing one


class Verdict(NamedTuple):
    """What the network says of one window.

    Attributes
    ----------
    start_s, end_s : float
        The window's first and last sample, since the stream's first.
    label : str or None
        The class, or its number where classes have no names; None where the stream abstains.
    probability : float
        Of that class; not a number where the stream abstains.
    probabilities : array (C,)
        The network's output; empty where the stream abstains.
    coverage : float
        How many of the samples that should have been there were.
    """

    start_s: float
    end_s: float
    label: str | None
    probability: float
    probabilities: Array
    coverage: float


@frozen
class Delay(Frozen):
    """What lies between a movement and its verdict, whatever the machine.

    Attributes
    ----------
    window_s : float
        The verdict speaks of so long, so a movement that has just begun is a small part of it.
    hop_s : float
        A verdict comes so often.
    resampling_s : float
        At most: a sample at the network's rate waits for the next one recorded and, where those come faster, for
        the half of its own mean that is still to come.
    compute_s : float
        One window, measured here.
    """

    window_s: float
    hop_s: float
    resampling_s: float
    compute_s: float

    def __str__(self) -> str:
        return (
            f"a verdict every {self.hop_s:g} s, of the last {self.window_s:g} s, "
            f"{1e3 * (self.resampling_s + self.compute_s):.3g} ms after its last sample "
            f"({1e3 * self.resampling_s:.3g} resampling, {1e3 * self.compute_s:.3g} computing)"
        )


class Listener:
    """A network that listens; `numjaz.Stream` says what it is given and gives.

    Parameters
    ----------
    predict : callable
        Windows (N, T, F) to (N, C).
    contract : Contract
        What it expects, with the hop that is wanted.
    classes : sequence of str
        Names of the columns; numbers where there are none.
    rate_hz, units, coverage, gap_s
        As of a stream.
    """

    def __init__(
        self,
        predict: Callable[[Array], Array],
        contract: Contract,
        classes: Sequence[str] = (),
        *,
        rate_hz: float | None = None,
        units: str = "m/s2",
        coverage: float = COVERAGE,
        gap_s: float = 1.0,
    ) -> None:
        if not isinstance(units, str) or units not in ACCELERATION_UNITS:
            raise NumjazError(f"units {units!r:.40}: one of {', '.join(ACCELERATION_UNITS)}")
        if not _number(coverage) or not 0 <= coverage <= 1:
            raise NumjazError(f"coverage is a share, from 0 to 1, not {coverage!r:.40}")
        if not _number(gap_s) or not 0 < gap_s <= 1e9:
            raise NumjazError(f"gap_s must be a number of seconds above 0, not {gap_s!r:.40}")
        rate = contract.rate_hz if rate_hz is None else rate_hz
        if not _number(rate) or not 1e-3 <= rate <= 1e6:
            raise NumjazError(f"rate_hz must be a number from 0.001 to 10^6, not {rate_hz!r:.40}")
        if rate < contract.rate_hz / 2:
            raise NumjazError(f"{rate:g} Hz: less than half of the network's {contract.rate_hz:g} Hz")
        self.predict, self.contract, self.classes = predict, contract, classes
        self.rate_hz, self.coverage, self.gap_s = float(rate), coverage, gap_s
        self._factor = ACCELERATION_UNITS[units]
        self._channels = 6 if len(contract.features) == 6 else 3
        self.reset()

    def reset(self) -> None:
        """Forget all samples: the next one is the first."""
        self.report, self._over = Report(), False
        self._pushed = 0
        self._origin: int | None = None
        self._split = Split(gap_s=self.gap_s, report=self.report)
        self._resampled = Resampled(self.contract.rate_hz, resample=True, report=self.report)
        self._cutter = Cutter(self.contract, True, self.report)
        self._times = Rows((), np.int64)  # of the samples that are real, for as long as a window may ask

    def push(self, samples: Any, time_s: Any = None) -> list[Verdict]:
        """Samples as they come, and the verdicts that they complete.

        Parameters
        ----------
        samples : array (n, 3) or (n, 6), or one sample
            Acceleration, and for six features angular rate in rad/s. A sample that is not finite is lost.
        time_s : array (n,), optional
            When each was recorded, in seconds; steady at ``rate_hz`` where nothing is said.

        Returns
        -------
        list of Verdict

        Raises
        ------
        NumjazError
            For samples of another shape.
        """
        if self._over:
            raise NumjazError("this stream is over: reset() begins another")
        try:
            values = np.atleast_2d(np.asarray(samples, np.float64))
        except (ValueError, TypeError):
            raise NumjazError(f"samples must be numbers, {self._channels} each") from None
        if not values.size:
            return []
        if values.ndim != 2 or values.shape[1] != self._channels:
            raise NumjazError(f"samples have shape {values.shape}; {self._channels} numbers each are expected")
        if self._factor != 1.0:
            values = values.copy()
            values[:, :3] *= self._factor
        piece = Piece(self._when(len(values), time_s), values)
        return list(self._verdicts(piece))

    def finish(self) -> list[Verdict]:
        """The verdicts that waited for more samples; the stream is over, `reset` begins another."""
        self._over = True
        return [v for steady in self._resampled.finish() for v in self._of(steady)]

    @property
    def delay(self) -> Delay:
        """What lies between a movement and its verdict; times one window."""
        contract = self.contract
        x = np.zeros((1, contract.window, len(contract.features)), np.float32)
        self.predict(x)
        seconds = []
        for _ in range(TIMED):
            started = time.perf_counter()
            self.predict(x)
            seconds.append(time.perf_counter() - started)
        near = abs(self.rate_hz / contract.rate_hz - 1) <= RATE_TOLERANCE
        half = 0.5 / contract.rate_hz if self.rate_hz > contract.rate_hz else 0.0
        return Delay(
            contract.window / contract.rate_hz,
            contract.hop / contract.rate_hz,
            0.0 if near else half + 1 / self.rate_hz,
            float(np.median(seconds)),
        )

    def _when(self, count: int, time_s: Any) -> Array:
        """Nanoseconds of the samples."""
        if time_s is None:
            steps = np.arange(self._pushed, self._pushed + count) * (1e9 / self.rate_hz)
        else:
            steps = np.atleast_1d(np.asarray(time_s, np.float64)) * 1e9
            if steps.shape != (count,) or not np.isfinite(steps).all() or np.abs(steps).max() > 4e18:
                raise NumjazError(f"time_s must hold a finite number of seconds for each of {count} samples")
        self._pushed += count
        rounded: Array = np.rint(steps).astype(np.int64)
        return rounded

    def _verdicts(self, piece: Piece) -> Iterator[Verdict]:
        for part in self._split.push(piece):
            if self._origin is None:
                self._origin = int(part.time_ns[0])
            if part.begins:  # what the stretch before still holds is judged by its own times
                for steady in self._resampled.finish():
                    yield from self._of(steady)
                self._times.drop(len(self._times))
            self._times.add(part.time_ns)
            for steady in self._resampled.push(Steady(part, self.rate_hz)):
                yield from self._of(steady)

    def _of(self, steady: Steady) -> Iterator[Verdict]:
        cut = self._cutter.push(steady)
        if cut is not None:
            for k in range(len(cut.x)):
                yield self._judged(cut, k)
            # Nothing before the next window is asked for again. Its first sample is a hop further, at the pace of
            # this window's, which may not be the network's to the last digit.
            pace = (int(cut.last_ns[-1]) - int(cut.first_ns[-1])) / max(self.contract.window - 1, 1)
            ahead = int(cut.first_ns[-1]) + int((self.contract.hop - 1) * pace)
            self._times.drop(int(np.searchsorted(self._times.view, ahead)))

    def _judged(self, cut: Cut, k: int) -> Verdict:
        first, last = int(cut.first_ns[k]), int(cut.last_ns[k])
        origin = self._origin or 0
        start_s, end_s = (first - origin) / 1e9, (last - origin) / 1e9
        coverage = self._covered(first, last)
        if not cut.sound[k] or coverage < self.coverage:
            return Verdict(start_s, end_s, None, float("nan"), np.empty(0), coverage)
        y = self.predict(cut.x[k].T[None])[0]
        best = int(y.argmax())
        label = self.classes[best] if self.classes else str(best)
        return Verdict(start_s, end_s, label, float(y[best]), y, coverage)

    def _covered(self, first: int, last: int) -> float:
        """Real samples in a window, by how many there should be."""
        a, b = np.searchsorted(self._times.view, (first, last + 1))
        expected = math.floor((last - first) * self.rate_hz / 1e9 + 1e-6) + 1
        return min(1.0, int(b - a) / expected)


def _number(value: object) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
