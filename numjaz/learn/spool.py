"""Numbers that are written once, in order, and read at any place: in memory while they are few, else on disk."""

from __future__ import annotations

import io
import os
import tempfile
import weakref
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numjaz.errors import NumjazError


class Spool:
    """A sequence of numbers of one type that grows behind.

    Parameters
    ----------
    dtype : dtype
        Of the numbers.
    memory : int
        The most bytes held in memory; beyond, all of them lie in a file that has no name, which is
        gone with the process, or before, when nobody holds the spool any more. It is read, not
        mapped: what was read does not stay in this process's memory.

    Examples
    --------
    >>> for memory in (1000, 0):
    ...     spool = Spool(np.float32, memory)
    ...     spool.add(np.arange(5.0, dtype=np.float32))
    ...     spool.add(np.arange(5.0, 7.0, dtype=np.float32))
    ...     print(len(spool), spool.on_disk, spool.cuts(np.array([4, 0]), 3).tolist())
    7 False [[4.0, 5.0, 6.0], [0.0, 1.0, 2.0]]
    7 True [[4.0, 5.0, 6.0], [0.0, 1.0, 2.0]]
    """

    def __init__(self, dtype: Any, memory: int) -> None:
        self.dtype, self.memory = np.dtype(dtype), memory
        self._count = 0
        self._held: io.BytesIO | None = io.BytesIO()  # grows in place, where the system can: never two of it
        self._file: io.FileIO | None = None

    def __len__(self) -> int:
        return self._count

    @property
    def on_disk(self) -> bool:
        """Whether they lie in a file."""
        return self._file is not None

    def add(self, values: NDArray[Any]) -> None:
        """Add numbers behind the others.

        Raises
        ------
        NumjazError
            Where the disk is full, or cannot be written to.
        """
        raw = np.ascontiguousarray(values, self.dtype).reshape(-1).view(np.uint8).data
        if self._held is not None and self._held.tell() + raw.nbytes <= self.memory:
            self._held.write(raw)
        else:
            self._write(raw)
        self._count += raw.nbytes // self.dtype.itemsize

    def cuts(self, starts: NDArray[np.int64], length: int) -> NDArray[Any]:
        """``length`` numbers from each place in ``starts`` on: (len(starts), length), a copy."""
        if self._held is not None:
            values = np.frombuffer(self._held.getbuffer(), self.dtype)
            return np.lib.stride_tricks.sliding_window_view(values, length)[starts]
        out = np.empty((len(starts), length), self.dtype)
        for k in np.argsort(starts, kind="stable").tolist():  # in the file's order
            self._read(out[k], int(starts[k]) * self.dtype.itemsize)
        return out

    def _write(self, raw: memoryview) -> None:
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="numjaz-", buffering=0)  # noqa: SIM115 - closed with the spool
                weakref.finalize(self, self._file.close)
            if self._held is not None:
                held, self._held = self._held.getbuffer(), None
                self._write(held)
            while raw:
                raw = raw[self._file.write(raw) :]
        except OSError as error:
            raise NumjazError(
                f"{tempfile.gettempdir()}: {self._count * self.dtype.itemsize:,} bytes of windows are there and no "
                f"more can be written ({error.strerror}); make room, or name another folder by TMPDIR"
            ) from None

    def _read(self, row: NDArray[Any], at: int) -> None:
        assert self._file is not None
        found = os.pread(self._file.fileno(), row.nbytes, at)
        if len(found) != row.nbytes:  # somebody reached the file by its descriptor
            raise NumjazError(f"{tempfile.gettempdir()}: the file of windows was cut short while it was read")
        row[:] = np.frombuffer(found, self.dtype)
