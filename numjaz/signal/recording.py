"""What a recording is: pieces of samples in the order in which they were recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from numjaz.errors import NumjazError

Floats = NDArray[np.float64]
Times = NDArray[np.int64]


OWN_TIMES = "the file's own times; --rate is for samples that have none"


class Piece(NamedTuple):
    """Consecutive samples of one subject and one activity.

    ``time_ns`` counts nanoseconds on the recording's own clock. ``begins`` says that nothing may
    be joined to what came before, whatever the clock says.
    """

    time_ns: Times  # (n,)
    values: Floats  # (n, channels)
    subject: str = ""
    activity: str | None = None
    begins: bool = False


@dataclass
class Report:
    """What was met on the way from a recording to its windows: counted, so that it can be said.

    Attributes
    ----------
    rows : int
        Samples read.
    skipped : dict
        Samples left out, by reason, and windows left out, by reason.
    examples : dict
        The first place at which each reason was met, where a place can be named.
    irregular : dict
        What was odd in the file and could be read all the same.
    breaks : dict
        Where one uninterrupted stretch ended and the next began, by reason.
    resampled : dict
        ``"25.1 -> 20 Hz"`` and how many stretches.
    windows : int
        Windows delivered.
    longest_s : float
        The longest uninterrupted stretch, in seconds.
    """

    rows: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    examples: dict[str, str] = field(default_factory=dict)
    irregular: dict[str, int] = field(default_factory=dict)
    breaks: dict[str, int] = field(default_factory=dict)
    resampled: dict[str, int] = field(default_factory=dict)
    assumed: list[str] = field(default_factory=list)
    windows: int = 0
    longest_s: float = 0.0

    def skip(self, reason: str, count: int = 1, example: str = "") -> None:
        """Count what was left out, and keep the first example."""
        if count:
            self.skipped[reason] = self.skipped.get(reason, 0) + count
            if example:
                self.examples.setdefault(reason, example)

    def meet(self, oddity: str) -> None:
        """Count something odd that could be read all the same."""
        self.irregular[oddity] = self.irregular.get(oddity, 0) + 1

    def break_at(self, reason: str, count: int = 1) -> None:
        """Count the end of an uninterrupted stretch."""
        if count:
            self.breaks[reason] = self.breaks.get(reason, 0) + count

    def change_rate(self, recorded: float, rate_hz: float, resample: bool) -> None:
        """Count a stretch that was recorded at another rate than the network's."""
        how = f"-> {rate_hz:g} Hz" if resample else f"Hz taken as {rate_hz:g} Hz (no resampling)"
        what = f"{recorded:.3g} {how}"
        self.resampled[what] = self.resampled.get(what, 0) + 1

    def assume(self, what: str) -> None:
        """Keep, once, something that the recording did not say."""
        if what not in self.assumed:
            self.assumed.append(what)

    def lines(self) -> list[str]:
        """The report in words, a line each, without the lines that have nothing to say."""
        lines = [f"{self.rows:,} samples, {self.windows:,} windows"]
        lines += [f"assumed: {what}" for what in self.assumed]
        lines += [
            f"resampled {what} in {_times(count, 'stretch', 'stretches')}" for what, count in self.resampled.items()
        ]
        if self.breaks:
            lines.append(
                "no window spans: " + ", ".join(_named(reason, count) for reason, count in self.breaks.items())
            )
        lines += [f"irregular: {_named(oddity, count)}" for oddity, count in self.irregular.items()]
        for reason, count in self.skipped.items():
            example = f" (first: {self.examples[reason]})" if reason in self.examples else ""
            lines.append(f"left out: {_named(reason, count)}{example}")
        return lines


@dataclass(frozen=True)
class Recording:
    """A recording that can be read again and again, a piece at a time.

    Attributes
    ----------
    source : str
        Where it came from: a path, ``-``, or what made it.
    channels : tuple of str
        ``ax, ay, az`` in m/s², and ``wx, wy, wz`` in rad/s where a gyroscope was joined.
    pieces : callable
        ``pieces(report)`` begins a new pass: an iterator of `Piece`, in constant memory,
        that counts the recording's irregularities in ``report``.
    """

    source: str
    channels: tuple[str, ...]
    pieces: Callable[[Report], Iterator[Piece]]


def only(recording: Recording, people: Sequence[str]) -> Recording:
    """A recording of these subjects alone; nothing joins across the rows that are left out."""

    def pieces(report: Report) -> Iterator[Piece]:
        missing, passed_over = set(people), False
        for piece in recording.pieces(report):
            if piece.subject in people:
                missing.discard(piece.subject)
                yield piece._replace(begins=piece.begins or passed_over)
            passed_over = piece.subject not in people
        if missing:
            raise NumjazError(f"{recording.source}: no subject {min(missing)} in it")

    return Recording(recording.source, recording.channels, pieces)


def _times(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def _named(reason: str, count: int) -> str:
    """``reason`` is written for one, with the plural's ending in brackets: ``gap(s) over 1 s``."""
    plural = "" if count == 1 else None
    text = reason.replace("(s)", "" if plural == "" else "s").replace("(es)", "" if plural == "" else "es")
    return f"{count:,} {text}"
