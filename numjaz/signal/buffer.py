"""The latest rows of something that goes on, side by side in memory."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class Rows:
    """Rows that are added behind and dropped in front; memory grows only when they need more.

    Examples
    --------
    >>> rows = Rows((), np.int64)
    >>> for k in range(5):
    ...     rows.add(np.array([k]))
    >>> rows.drop(3)
    >>> rows.view.tolist()
    [3, 4]
    """

    def __init__(self, shape: tuple[int, ...], dtype: Any) -> None:
        self._memory = np.empty((64, *shape), dtype)
        self._first = self._end = 0

    def __len__(self) -> int:
        return self._end - self._first

    @property
    def view(self) -> NDArray[Any]:
        """All rows that are held; what is added or dropped later may change what it shows."""
        return self._memory[self._first : self._end]

    def add(self, rows: NDArray[Any]) -> None:
        """Add rows behind the others."""
        count, needed = len(self), len(self) + len(rows)
        if self._end + len(rows) > len(self._memory):
            old = self.view
            if needed > self._first:  # twice as much: so that moving them is rare, and never onto themselves
                self._memory = np.empty((2 * needed, *old.shape[1:]), old.dtype)
            self._memory[:count] = old
            self._first, self._end = 0, count
        self._memory[self._end : self._end + len(rows)] = rows
        self._end += len(rows)

    def drop(self, count: int) -> None:
        """Forget rows in front."""
        self._first += count
        if self._first >= self._end:
            self._first = self._end = 0
