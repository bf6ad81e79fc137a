"""Windows: what a network sees of a recording, one batch after the other, in constant memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from numjaz.contract import Contract
from numjaz.errors import NumjazError
from numjaz.signal.buffer import Rows
from numjaz.signal.features import checked, features
from numjaz.signal.recording import Floats, Recording, Report, Times
from numjaz.signal.segments import Measured, Resampled, Split, Steady, through

DURATION_TOLERANCE = 0.1  # of a window's nominal duration, between its first and its last sample


class Batch(NamedTuple):
    """Consecutive windows; item i of every field belongs to window i."""

    x: Floats  # (N, T, F)
    start_s: Floats  # (N,) first sample's time, seconds since the subject's first sample
    end_s: Floats  # (N,) last sample's time
    subject: list[str]
    activity: list[str | None]
    stretch: NDArray[np.int64]  # (N,) windows of one number follow each other without a break

    def __len__(self) -> int:
        return len(self.x)


class Window(NamedTuple):
    """One window; ``x`` is (T, F)."""

    x: Floats
    start_s: float
    end_s: float
    subject: str
    activity: str | None
    stretch: int


@dataclass
class Windows:
    """The windows of a recording, made anew at every iteration. See `windows`."""

    recording: Recording
    contract: Contract
    resample: bool = True
    check: bool = True
    gap_s: float = 1.0

    def __post_init__(self) -> None:
        self.report = Report()

    def __iter__(self) -> Iterator[Window]:
        for batch in self.batches():
            for x, start, end, subject, activity, stretch in zip(*batch, strict=True):
                yield Window(x, float(start), float(end), subject, activity, int(stretch))

    def batches(self, size: int = 256) -> Iterator[Batch]:
        """The windows, ``size`` at a time (the last batch may be smaller); begins a new ``report``."""
        self.report = Report()
        held: list[Batch] = []
        count = 0
        for batch in self._cut():
            held.append(batch)
            count += len(batch)
            while count >= size:
                whole = _joined(held)
                yield _part(whole, 0, size)
                held, count = [_part(whole, size, count)], count - size
        if count:
            yield _joined(held)

    def _cut(self) -> Iterator[Batch]:
        report, contract = self.report, self.contract
        origins: dict[str, int] = {}
        cutter = Cutter(contract, self.resample, report)
        pieces = self.recording.pieces(report)
        if self.check:
            pieces = checked(pieces, gravity=contract.gravity, source=self.recording.source)
        stretches = through(through(pieces, Split(gap_s=self.gap_s, report=report)), Measured(report=report))
        resampled = Resampled(contract.rate_hz, resample=self.resample, report=report)
        for piece, rate_hz in through(stretches, resampled):
            # The origin is the first sample met, not the earliest: a recording may step back in time.
            origin = origins.setdefault(piece.subject, int(piece.time_ns[0]))
            cut = cutter.push(Steady(piece, rate_hz))
            if cut is not None and cut.sound.any():
                x = np.ascontiguousarray(cut.x[cut.sound].transpose(0, 2, 1))  # (N, F, T) -> (N, T, F)
                start_s, end_s = ((times[cut.sound] - origin) / 1e9 for times in (cut.first_ns, cut.last_ns))
                kept = len(x)
                yield Batch(x, start_s, end_s, [piece.subject] * kept, [piece.activity] * kept, cut.stretch[cut.sound])
        cutter.end_stretch()


class Cut(NamedTuple):
    """Consecutive windows as views of what a `Cutter` holds, until it is given more."""

    x: Floats  # (N, F, T)
    first_ns: Times  # (N,) first sample's time
    last_ns: Times
    sound: NDArray[np.bool_]  # (N,) whether each has the duration that it should have, and finite features
    stretch: NDArray[np.int64]


class Cutter:
    """Cuts stretches of samples at the model's rate into windows."""

    def __init__(self, contract: Contract, resample: bool, report: Report) -> None:
        self.contract, self.report = contract, report
        self.nominal_ns = (contract.window - 1) * 1e9 / contract.rate_hz if resample else None
        self.values, self.time = Rows((len(contract.features),), np.float64), Rows((), np.int64)
        self.skip = 0  # samples still to pass over, where the hop is longer than the window
        self.begun_ns = self.ended_ns = 0
        self.rows = self.made = self.number = 0

    def push(self, stretch: Steady) -> Cut | None:
        """The windows that these samples complete."""
        piece = stretch.piece
        window, hop = self.contract.window, self.contract.hop
        if piece.begins:
            self.end_stretch()
            self.begun_ns = int(piece.time_ns[0])
        self.ended_ns = int(piece.time_ns[-1])
        self.rows += len(piece.time_ns)
        passed = min(self.skip, len(piece.time_ns))
        self.values.add(features(piece.values, self.contract)[passed:])
        self.time.add(piece.time_ns[passed:])
        self.skip -= passed
        count = (len(self.values) - window) // hop + 1
        if count <= 0:
            return None
        rows, times = self.values.view, self.time.view
        after, beside = rows.strides
        shape, strides = (count, rows.shape[1], window), (hop * after, beside, after)
        view: Floats = np.ndarray(shape, rows.dtype, buffer=rows, strides=strides)
        first, last = times[: count * hop : hop], times[window - 1 : window - 1 + count * hop : hop]
        keep = self._sound(view, first, last)
        self.made += count
        self.report.windows += int(keep.sum())
        made = Cut(view, first, last, keep, self.number + np.cumsum(~keep, dtype=np.int64))
        self.number = int(made.stretch[-1])  # a window left out is a break
        used = count * hop
        self.skip = max(used - len(self.values), 0)
        self.values.drop(min(used, len(self.values)))
        self.time.drop(min(used, len(self.time)))
        return made

    def _sound(self, view: Floats, first: Times, last: Times) -> NDArray[np.bool_]:
        """Which windows have the duration that their samples should have, and finite features."""
        keep = np.ones(len(view), dtype=np.bool_)
        if self.nominal_ns is not None and self.nominal_ns > 0:
            keep = np.abs((last - first) / self.nominal_ns - 1) <= DURATION_TOLERANCE
            self.report.skip(
                f"window(s) whose samples are not {self.contract.rate_hz:g} a second (lost samples, or two rates)",
                int((~keep).sum()),
            )
        finite = np.isfinite(view).all(axis=(1, 2))
        self.report.skip("window(s) in which the magnitude has no real value", int((keep & ~finite).sum()))
        return keep & finite

    def end_stretch(self) -> None:
        if self.rows:
            self.report.longest_s = max(self.report.longest_s, (self.ended_ns - self.begun_ns) / 1e9)
            if not self.made:
                self.report.skip("stretch(es) shorter than a window")
        self.values.drop(len(self.values))
        self.time.drop(len(self.time))
        self.rows = self.made = self.skip = 0
        self.number += 1


def windows(
    recording: Recording,
    contract: Contract,
    *,
    hop: int | None = None,
    resample: bool = True,
    check: bool = True,
    gap_s: float = 1.0,
) -> Windows:
    """Cut a recording into the windows that a network expects, lazily.

    No window spans a gap, a step back in time, a change of subject, of activity or of rate. What
    was left out is counted in ``.report`` of the result, once the iteration is over.

    Parameters
    ----------
    recording : Recording
        From `read_recording`.
    contract : Contract
        What the network expects: ``model.contract``.
    hop : int, optional
        Samples from one window's start to the next one's; the contract's where not given.
    resample : bool
        Bring stretches recorded at another rate to the contract's by their timestamps. False takes
        the samples as they are, as the paper does.
    check : bool
        Refuse a recording whose median |a| says that gravity is missing or that it is in g.
    gap_s : float
        A longer step between two samples ends a stretch, in seconds.

    Returns
    -------
    Windows
        Iterate over it for single windows, or over ``.batches(256)`` for arrays (N, T, F). Each
        iteration reads the recording again, in constant memory.

    Raises
    ------
    NumjazError
        Where the recording lacks a channel, or is refused by the check.

    Examples
    --------
    >>> import numjaz
    >>> contract = numjaz.Contract(features=("magnitude",), rate_hz=20.0, magnitude="minus_g")
    >>> walk = numjaz.simulate_gait([("walking", 30.0)])
    >>> batch = next(numjaz.windows(walk, contract).batches())
    >>> batch.x.shape
    (11, 256, 1)
    """
    if hop is not None:
        contract = Contract.from_dict({**contract.to_dict(), "hop": hop})
    if not 0 < gap_s <= 1e9:
        raise NumjazError(f"gap_s must be above 0 and at most 10^9 seconds, not {gap_s!r}")
    missing = [name for name in contract.features if name.startswith("w") and name not in recording.channels]
    if missing:
        raise NumjazError(
            f"{recording.source}: the network needs {', '.join(missing)}; --gyro FILE joins the gyroscope's recording"
        )
    return Windows(recording, contract, resample, check, gap_s)


def _joined(batches: list[Batch]) -> Batch:
    if len(batches) == 1:
        return batches[0]
    x, start, end, subject, activity, number = zip(*batches, strict=True)
    return Batch(
        np.concatenate(x),
        np.concatenate(start),
        np.concatenate(end),
        [*chain(*subject)],
        [*chain(*activity)],
        np.concatenate(number),
    )


def _part(batch: Batch, a: int, b: int) -> Batch:
    x, start, end, subject, activity, stretch = batch
    return Batch(x[a:b], start[a:b], end[a:b], subject[a:b], activity[a:b], stretch[a:b])
