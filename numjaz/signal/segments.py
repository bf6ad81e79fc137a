"""From pieces to uninterrupted stretches at one steady rate.

Three stages, each given one piece after the other in constant memory: `Split` ends a stretch where time,
subject or activity is interrupted; `Measured` ends one where the recorded rate changes and measures it;
`Resampled` brings a stretch to the network's rate. `through` puts an iterator through a stage.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol, TypeVar

import numpy as np

from numjaz.signal.recording import Floats, Piece, Report, Times

BLOCK = 64  # steps whose median is one measurement of the rate
RATE_CHANGE = 1.25  # a stretch ends where the median step changes by more than this factor
SLOWEST = 0.5  # of the network's rate: what was recorded more slowly is left out
AT_ONCE = 65_536  # resampled rows made at a time
LARGEST = 1e30  # no sensor gives more; its square, and what a network makes of it, can still be held
RATE_TOLERANCE = 0.03  # below this difference the samples are taken as they are


class Steady(NamedTuple):
    """Samples of one uninterrupted stretch; ``rate_hz`` is the same in all its pieces."""

    piece: Piece
    rate_hz: float


Taken = TypeVar("Taken", contravariant=True)
Given = TypeVar("Given", covariant=True)


class Stage(Protocol[Taken, Given]):
    """What is given one item after the other; ``finish`` gives what still waited for another."""

    def push(self, item: Taken, /) -> Iterator[Given]: ...

    def finish(self) -> Iterator[Given]: ...


def through(items: Iterable[Taken], stage: Stage[Taken, Given]) -> Iterator[Given]:
    """What a stage makes of all items."""
    for item in items:
        yield from stage.push(item)
    yield from stage.finish()


class Split:
    """End a stretch at gaps, at steps back in time, and where the subject or the activity changes.

    Rows with a value that is not finite, and rows whose time repeats, are left out and counted.
    A row left out is no gap of its own: the next one decides, by its time.
    """

    def __init__(self, *, gap_s: float, report: Report) -> None:
        self.gap_s, self.report = gap_s, report
        self._met: Piece | None = None  # the piece before, whether or not anything of it was kept
        self._last: Piece | None = None  # the last of which something was
        self._begins = True

    def push(self, piece: Piece) -> Iterator[Piece]:
        report, met = self.report, self._met
        report.rows += len(piece.time_ns)
        self._begins = self._begins or piece.begins
        if met is not None and piece.subject != met.subject:
            report.break_at("change(s) of subject")
            self._begins = True
        elif met is not None and piece.activity != met.activity:
            report.break_at("change(s) of activity")
            self._begins = True
        self._met = piece
        piece = _finite(piece, report)
        if not len(piece.time_ns):
            return
        time, begins, last = piece.time_ns, self._begins, self._last
        before = np.concatenate((time[:1] if begins or last is None else last.time_ns[-1:], time[:-1]))
        step = time - before  # (n,) against the row before, 0 for the first row of a stretch
        repeated = (step == 0) & ~_first_only(len(step), begins)
        report.skip("row(s) whose time repeats", int(repeated.sum()))
        back, gap = step < 0, step > round(self.gap_s * 1e9)
        report.break_at("step(s) back in time", int(back.sum()))
        report.break_at(f"gap(s) over {self.gap_s:g} s", int(gap.sum()))
        starts = back | gap | _first_only(len(step), begins)
        keep = np.flatnonzero(~repeated)
        if not len(keep):
            return
        cuts = np.flatnonzero(starts[keep])
        for a, b in zip(np.concatenate(([0], cuts)), np.concatenate((cuts, [len(keep)])), strict=True):
            if a == b:
                continue
            rows = keep[a:b]
            self._last = Piece(time[rows], piece.values[rows], piece.subject, piece.activity, bool(starts[rows[0]]))
            self._begins = False
            yield self._last

    def finish(self) -> Iterator[Piece]:
        return iter(())


class Measured:
    """Measure each stretch's rate, and end the stretch where the rate changes.

    The rate is one over the median step of the first 64 steps (of all, in a shorter stretch). Each
    further block of 64 steps is measured alike: one that departs by more than a quarter begins a
    new stretch. A window in which the two still mix is found by its duration (`windows`).
    """

    def __init__(self, *, report: Report) -> None:
        self.report = report
        self._held: Piece | None = None  # rows that are no whole block yet
        self._rate = 0.0

    def push(self, piece: Piece) -> Iterator[Steady]:
        """Cut every stretch at multiples of 64 rows, however it came; its last 64 to 127 rows stay one."""
        if piece.begins:
            yield from self.finish()
        held = self._held
        if held is None:
            held = piece
        else:
            time, values = np.concatenate((held.time_ns, piece.time_ns)), np.concatenate((held.values, piece.values))
            held = held._replace(time_ns=time, values=values)
        ready = (len(held.time_ns) // BLOCK - 1) * BLOCK  # one whole block stays, to take up a short end
        if ready > 0:
            yield from self._measured(_rows(held, 0, ready))
            held = _rows(held, ready, len(held.time_ns))._replace(begins=False)
        self._held = held

    def finish(self) -> Iterator[Steady]:
        held, self._held = self._held, None
        if held is not None:
            yield from self._measured(held)

    def _measured(self, piece: Piece) -> Iterator[Steady]:
        bounds = [*range(0, max(len(piece.time_ns) // BLOCK, 1) * BLOCK, BLOCK), len(piece.time_ns)]
        start = 0
        for a, b, here in zip(bounds, bounds[1:], _rates(piece.time_ns, bounds), strict=False):
            if piece.begins and a == 0:
                self._rate = here
            elif not self._rate / RATE_CHANGE < here < self._rate * RATE_CHANGE and b - a > BLOCK // 2:
                self.report.break_at("change(s) of rate")
                if a > start:
                    yield Steady(_rows(piece, start, a), self._rate)
                piece, start, self._rate = piece._replace(begins=False), a, here
                yield Steady(_rows(piece, a, b)._replace(begins=True), self._rate)
                start = b
        if start < len(piece.time_ns):
            yield Steady(_rows(piece, start, len(piece.time_ns)), self._rate)


class Resampled:
    """Bring every stretch to ``rate_hz`` by its timestamps.

    A stretch recorded within 3 % of ``rate_hz`` passes as it is. Otherwise sample k of the result
    belongs to time t0 + k / rate_hz. From a slower recording it is the linear interpolant at that
    time; from a faster one the interpolant's mean over the 1 / rate_hz around it, which keeps
    what the new rate cannot hold from folding back. One recorded at less than half of ``rate_hz``
    lacks half of what the network listens to: it is left out and counted. With ``resample=False``
    everything passes.
    """

    def __init__(self, rate_hz: float, *, resample: bool, report: Report) -> None:
        self.rate_hz, self.resample, self.report = rate_hz, resample, report
        self._grid: _Grid | None = None
        self._slow = False

    def push(self, stretch: Steady) -> Iterator[Steady]:
        (piece, recorded), rate_hz, report = stretch, self.rate_hz, self.report
        if piece.begins:
            yield from self.finish()
            self._slow = self.resample and recorded < rate_hz * SLOWEST
            report.skip(f"stretch(es) recorded at less than half of {rate_hz:g} Hz", int(self._slow))
            # A single sample has no rate; it passes.
            near = abs(recorded / rate_hz - 1) <= RATE_TOLERANCE or np.isinf(recorded)
            if not near and not self._slow:
                report.change_rate(recorded, rate_hz, self.resample)
                self._grid = _Grid(rate_hz, average=recorded > rate_hz) if self.resample else None
        if self._grid is not None:
            yield from self._grid.push(piece)
        elif not self._slow:
            yield Steady(piece, recorded if self.resample else rate_hz)

    def finish(self) -> Iterator[Steady]:
        grid, self._grid = self._grid, None
        if grid is not None:
            yield from grid.finish()


class _Grid:
    """Resamples one stretch, a piece at a time; the bits do not depend on how it was cut."""

    def __init__(self, rate_hz: float, *, average: bool) -> None:
        self.rate_hz, self.average = rate_hz, average
        self.half_ns = 0.5e9 / rate_hz if average else 0.0
        self.next = 0  # index of the next sample to make
        self.tail: Piece | None = None  # recorded samples that later ones still need
        self.origin = 0

    def push(self, piece: Piece) -> Iterator[Steady]:
        if self.tail is None:
            self.origin = int(piece.time_ns[0])
            self.tail = piece
        else:
            self.tail = self.tail._replace(
                time_ns=np.concatenate((self.tail.time_ns, piece.time_ns)),
                values=np.concatenate((self.tail.values, piece.values)),
            )
        yield from self._make()

    def finish(self) -> Iterator[Steady]:
        """The samples whose averaging interval reaches past the end: the interval is cut there."""
        yield from self._make(last=True)

    def _make(self, last: bool = False) -> Iterator[Steady]:
        assert self.tail is not None
        known = (self.tail.time_ns - self.origin).astype(np.float64)  # ns since the stretch began
        reach = known[-1] if last else known[-1] - self.half_ns
        end = int(np.floor(reach * self.rate_hz / 1e9 + 1e-9)) + 1
        for first in range(self.next, end, AT_ONCE):
            yield self._interpolated(known, first, min(first + AT_ONCE, end))
        if end <= self.next:
            return
        self.next = end
        done = end * (1e9 / self.rate_hz) - self.half_ns  # nothing before this is needed again
        keep = max(int(np.searchsorted(known, done, side="right")) - 1, 0)
        self.tail = self.tail._replace(time_ns=self.tail.time_ns[keep:], values=self.tail.values[keep:])

    def _interpolated(self, known: Floats, first: int, end: int) -> Steady:
        assert self.tail is not None
        at: Floats = np.arange(first, end, dtype=np.float64) * (1e9 / self.rate_hz)
        if self.average and len(known) > 1:  # one sample has no mean around it
            values = _means(known, self.tail.values, at - self.half_ns, at + self.half_ns)
        else:
            values = np.stack([np.interp(at, known, column) for column in self.tail.values.T], axis=1)
        time = self.origin + np.rint(at).astype(np.int64)
        return Steady(self.tail._replace(time_ns=time, values=values, begins=first == 0), self.rate_hz)


def _means(time: Floats, values: Floats, low: Floats, high: Floats) -> Floats:
    """Mean of the linear interpolant of (time, values) over each of the adjoining [low, high)."""
    edges = np.clip(np.append(low, high[-1]), time[0], time[-1])
    knots = np.unique(np.concatenate((edges, time[(time > edges[0]) & (time < edges[-1])])))
    width = np.diff(knots)
    first = np.searchsorted(knots, edges)
    mean = np.empty((len(low), values.shape[1]))
    for c, column in enumerate(values.T):
        y = np.interp(knots, time, column)
        area = width * (y[1:] + y[:-1]) / 2
        mean[:, c] = np.add.reduceat(area, first[:-1]) / np.diff(edges)
    return mean


def _finite(piece: Piece, report: Report) -> Piece:
    good = (np.abs(piece.values) <= LARGEST).all(axis=1)  # not of what is no number
    if good.all():
        return piece
    report.skip("row(s) with a value that is no number, or beyond 1e30", int((~good).sum()))
    return piece._replace(time_ns=piece.time_ns[good], values=piece.values[good])


def _rows(piece: Piece, a: int, b: int) -> Piece:
    return piece._replace(time_ns=piece.time_ns[a:b], values=piece.values[a:b], begins=piece.begins and a == 0)


def _rates(time_ns: Times, bounds: list[int]) -> list[float]:
    """Samples a second by the median step of each block; infinite where no step is above 0."""
    whole = len(bounds) - 2  # all blocks but the last are 64 long
    steps = [np.median(np.diff(time_ns[: whole * BLOCK].reshape(whole, BLOCK), axis=1), axis=1)] if whole else []
    end = np.diff(time_ns[bounds[-2] :])
    steps.append(np.array([np.median(end) if len(end) else 0.0]))
    return [1e9 / float(step) if step > 0 else float("inf") for step in np.concatenate(steps)]


def _first_only(n: int, value: bool) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    flags = np.zeros(n, dtype=np.bool_)
    flags[0] = value
    return flags
