"""The windows of recordings, each sample held once, so that a training draws them in any order."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from numjaz.contract import Contract
from numjaz.errors import NumjazError
from numjaz.learn.about import About
from numjaz.learn.spool import Spool
from numjaz.signal import Batch
from numjaz.signal import Windows as Found
from numjaz.signal.buffer import Rows

MEMORY = 256 << 20  # bytes of samples that are held before they go to disk
WINDOWS, PERSON, ACTIVITY, RECORDING, STRETCH = range(5)  # columns of the table of runs


class Store:
    """Windows of one or several recordings; `Store.of` makes it.

    Neighbouring windows share ``window - hop`` samples: a stretch's samples lie here once, as float32,
    and a window is a place among them. Windows that follow each other without a break are a run; a
    table of runs says whose they are. ``labels``, ``persons`` and ``about`` are written out of it when
    they are asked for.

    Attributes
    ----------
    shape : tuple of int
        (N, T, F).
    contract : Contract
        What the windows were cut by.
    classes : tuple of str
        The activities that ``labels`` count from 0.
    people : tuple of str
        Those whom ``persons`` count from 0. Who has no name is named after the recording.
    left_out : dict
        Windows that are not here, by activity; None is one without an activity.
    sha256 : str
        Of samples, labels and people; the same in memory and on disk.
    """

    def __init__(self, read: _Read, classes: Sequence[str] | None) -> None:
        runs, contract = read.runs.view, read.contract
        if contract is None or not len(runs):
            raise NumjazError("no window of an activity that is asked for; the recordings must state activities")
        self.contract = contract
        self.classes = tuple(classes) if classes is not None else tuple(sorted(read.activities))
        self.people, self.left_out, self._sources = tuple(read.people), read.left_out, tuple(read.sources)
        self._samples, self._times, self._runs = read.samples, read.times, runs
        self._label = np.array([self.classes.index(name) for name in read.activities])[runs[:, ACTIVITY]]
        self._step = min(contract.hop, contract.window)
        held = contract.window + (runs[:, WINDOWS] - 1) * self._step  # samples of each run
        self._begins, self._ends = np.cumsum(held) - held, np.cumsum(runs[:, WINDOWS])
        self.shape = int(self._ends[-1]), contract.window, len(contract.features)
        for column in (runs[:, WINDOWS], self._label, runs[:, PERSON]):
            read.hash.update(column.astype("<i8").tobytes())
        read.hash.update(repr((self.shape, self._step, self.classes, self.people)).encode())
        self.sha256 = read.hash.hexdigest()

    @classmethod
    def of(
        cls,
        found: Iterable[Found],
        *,
        classes: Sequence[str] | None = None,
        memory: int = MEMORY,
        tell: Callable[[str], None] = lambda line: None,
    ) -> Store:
        """Read recordings once and hold their windows.

        Parameters
        ----------
        found : iterable of numjaz.signal.Windows
            From `numjaz.windows`, all by one contract.
        classes : sequence of str, optional
            The activities, in order; windows of others are left out and counted. Where not given,
            all that the recordings state, sorted.
        memory : int
            The most bytes of samples that are held in memory, and an eighth of it for their times;
            beyond, they lie in a file in the folder of temporary files.
        tell : callable, optional
            Is given, a line at a time, what was met on the way.

        Raises
        ------
        NumjazError
            Where two recordings were cut by different contracts, no window of a known activity is
            there, or the disk is full.

        Examples
        --------
        >>> import numjaz
        >>> contract = numjaz.Contract(features=("magnitude",), rate_hz=20.0, magnitude="minus_g")
        >>> walk = numjaz.simulate_gait([("walking", 15.0), ("jogging", 20.0)])
        >>> store = Store.of([numjaz.windows(walk, contract)])
        >>> store.shape, store.classes, store.labels.tolist()
        ((7, 256, 1), ('jogging', 'walking'), [1, 1, 0, 0, 0, 0, 0])
        >>> store.take(np.array([6, 0])).shape
        (2, 256, 1)
        """
        read = _Read(classes, memory)
        for recording in found:
            read.all_of(recording)
            for line in recording.report.lines():
                tell(f"{recording.recording.source}: {line}")
        for name, count in read.left_out.items():
            what = "without an activity" if name is None else f"of activity {name!r}, which is none of the classes"
            tell(f"left out: {count:,} windows {what}")
        return cls(read, classes)

    def take(self, rows: NDArray[np.intp]) -> NDArray[np.float32]:
        """The windows of these numbers, in their order: (len(rows), T, F)."""
        count, window, features = self.shape
        if len(rows) and not (rows.min() >= 0 and rows.max() < count):
            raise IndexError(f"windows are numbered from 0 to {count - 1}")
        run = np.searchsorted(self._ends, rows, side="right")
        within = rows - (self._ends[run] - self._runs[run, WINDOWS])
        begins = (self._begins[run] + within * self._step) * features
        return self._samples.cuts(begins, window * features).reshape(len(rows), window, features)

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """(N,) places in ``classes``."""
        return self._of_windows(self._label)

    @cached_property
    def persons(self) -> NDArray[np.int64]:
        """(N,) places in ``people``."""
        return self._of_windows(self._runs[:, PERSON])

    @property
    def about(self) -> About:
        """Whose windows they are, and when; made anew, since names fill more memory than numbers."""
        times = self._times.cuts(np.zeros(1, np.int64), len(self._times)).reshape(self.shape[0], 2)
        person = np.array(self.people)[self.persons]
        if len(self._sources) == 1:  # one text, however many windows
            recording = np.broadcast_to(np.array(self._sources[0]), person.shape)
        else:
            recording = np.array(self._sources)[self._of_windows(self._runs[:, RECORDING])]
        return About(person, recording, times[:, 0], times[:, 1], self._of_windows(self._runs[:, STRETCH]))

    def _of_windows(self, of_runs: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.repeat(of_runs, self._runs[:, WINDOWS])


class _Read:
    """What grows while recordings are read, a batch at a time."""

    def __init__(self, classes: Sequence[str] | None, memory: int) -> None:
        self.samples, self.times = Spool("<f4", memory), Spool("<f8", memory // 8)
        self.runs = Rows((5,), np.int64)
        self.people: dict[str, int] = {}  # and their numbers, as in the next two
        self.activities: dict[str, int] = {}
        self.sources: dict[str, int] = {}
        self.left_out: dict[str | None, int] = {}
        self.hash = hashlib.sha256()
        self.contract: Contract | None = None
        self._classes = classes

    def all_of(self, found: Found) -> None:
        """Read a recording."""
        source = found.recording.source
        if self.contract is not None and found.contract != self.contract:
            raise NumjazError(f"{source}: cut by another contract than the recordings before it; one network has one")
        self.contract = found.contract
        begun: int | None = None  # the number of the stretch whose run goes on
        for batch in found.batches():
            bounds = np.flatnonzero(np.diff(batch.stretch)) + 1
            for a, b in pairwise((0, *bounds.tolist(), len(batch))):
                activity, stretch = batch.activity[a], int(batch.stretch[a])
                if activity is None or (self._classes is not None and activity not in self._classes):
                    self.left_out[activity] = self.left_out.get(activity, 0) + b - a
                    continue
                if begun != stretch:
                    numbers = (
                        _number(self.people, batch.subject[a] or source),
                        _number(self.activities, activity),
                        _number(self.sources, source),
                    )
                    self.runs.add(np.array([[0, *numbers, stretch]]))
                self._add(batch, a, b, begins=begun != stretch)
                begun = stretch

    def _add(self, batch: Batch, a: int, b: int, *, begins: bool) -> None:
        """Windows that follow each other: of all but a run's first, only what the one before has not."""
        assert self.contract is not None
        x = batch.x[a:b].astype("<f4")
        if begins:
            self._hold(x[0])
        self._hold(x[int(begins) :, -min(self.contract.hop, self.contract.window) :])
        self.times.add(np.stack((batch.start_s[a:b], batch.end_s[a:b]), axis=1))
        self.runs.view[-1, WINDOWS] += b - a

    def _hold(self, samples: NDArray[np.float32]) -> None:
        whole = np.ascontiguousarray(samples)
        self.hash.update(whole.data)
        self.samples.add(whole)


def _number(numbers: dict[str, int], name: str) -> int:
    return numbers.setdefault(name, len(numbers))
