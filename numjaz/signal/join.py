"""Two sensors of one person, joined on time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from numjaz.errors import NumjazError
from numjaz.signal.recording import Floats, Piece, Recording, Report, Times

REACH_NS = 200_000_000  # a sample needs the other sensor's samples this near, before it and behind it

Track = tuple[Times, Floats]


def joined(recording: Recording, other: Recording, what: str, combine: Callable[[Floats, Floats], Floats]) -> Recording:
    """``recording`` with ``other`` interpolated linearly to its times.

    Rows of the same subject and activity are joined; rows where the other sensor has no samples
    within 0.2 s on both sides are left out and counted. ``other`` is held in memory.
    """
    tracks: dict[tuple[str, str | None], Track] = {}

    def pieces(report: Report) -> Iterator[Piece]:
        if not tracks:
            tracks.update(_tracks(other))
        subjects = {subject for subject, _ in tracks}
        passed_over = False  # a piece that began a stretch and had no partner
        for piece in recording.pieces(report):
            # A recording that names no subject or activity joins with whatever the other names.
            key = (piece.subject, piece.activity)
            track = tracks.get(key) or (
                next(iter(tracks.values())) if len(tracks) == 1 and (not piece.subject or subjects == {""}) else None
            )
            near, values = (
                _at(track, piece.time_ns) if track else (np.zeros(len(piece.time_ns), np.bool_), np.empty((0, 3)))
            )
            report.skip(f"row(s) without the {what}", int((~near).sum()))
            report.rows += int((~near).sum())
            begins, passed_over = piece.begins or passed_over, (piece.begins or passed_over) and not near.any()
            if near.any():
                yield piece._replace(
                    begins=begins, time_ns=piece.time_ns[near], values=combine(piece.values[near], values)
                )

    return Recording(f"{recording.source} + {other.source}", recording.channels, pieces)


def _tracks(other: Recording) -> dict[tuple[str, str | None], Track]:
    """The other sensor's samples by subject and activity, in the order of time, no time twice."""
    parts: dict[tuple[str, str | None], list[Piece]] = {}
    for piece in other.pieces(Report()):
        parts.setdefault((piece.subject, piece.activity), []).append(piece)
    tracks = {}
    for key, pieces in parts.items():
        time, first = np.unique(np.concatenate([piece.time_ns for piece in pieces]), return_index=True)
        values = np.concatenate([piece.values[:, :3] for piece in pieces])[first]
        good = np.isfinite(values).all(axis=1)
        if good.any():
            tracks[key] = (time[good], values[good])
    if not tracks:
        raise NumjazError(f"{other.source}: no samples to join")
    return tracks


def _at(track: Track, time_ns: Times) -> tuple[np.ndarray[tuple[int], np.dtype[np.bool_]], Floats]:
    """Which of the times have neighbours in the track, and the values there."""
    time, values = track
    behind = np.clip(np.searchsorted(time, time_ns), 0, len(time) - 1)
    before = np.clip(np.searchsorted(time, time_ns, side="right") - 1, 0, len(time) - 1)
    near = (np.abs(time[behind] - time_ns) <= REACH_NS) & (np.abs(time_ns - time[before]) <= REACH_NS)
    near &= (time_ns >= time[0]) & (time_ns <= time[-1])
    at, known = (time_ns[near] - time[0]).astype(np.float64), (time - time[0]).astype(np.float64)
    return near, np.stack([np.interp(at, known, column) for column in values.T], axis=1)
