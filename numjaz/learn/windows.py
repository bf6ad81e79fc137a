"""Windows as a training takes them: any rows, whenever it wants them, wherever they lie."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numjaz.errors import NumjazError

AT_ONCE = 1024  # windows looked at together


@runtime_checkable
class Windows(Protocol):
    """N windows of T samples of F features; only what is taken need be in memory."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """(N, T, F)."""

    def take(self, rows: NDArray[np.intp]) -> NDArray[np.float32]:
        """The windows of these numbers, in their order: (len(rows), T, F), a copy."""


class Part:
    """Some windows of others, as windows of their own.

    Parameters
    ----------
    windows : Windows
        Those of which this is a part.
    rows : array (n,)
        Their numbers; one may stand more than once.

    Examples
    --------
    >>> five = as_windows(np.arange(10.0).reshape(5, 2, 1))
    >>> part = Part(five, np.array([4, 0, 4]))
    >>> part.shape
    (3, 2, 1)
    >>> part.take(np.array([1, 2]))[..., 0].tolist()
    [[0.0, 1.0], [8.0, 9.0]]
    """

    def __init__(self, windows: Windows, rows: NDArray[np.intp]) -> None:
        self._windows, self._rows = windows, rows

    @property
    def shape(self) -> tuple[int, int, int]:
        """(n, T, F)."""
        return len(self._rows), *self._windows.shape[1:]

    def take(self, rows: NDArray[np.intp]) -> NDArray[np.float32]:
        """The windows of these numbers within the part."""
        return self._windows.take(self._rows[rows])

    @property
    def sha256(self) -> str:
        """Of those of which this is a part, and which part; empty where those state none."""
        of = str(getattr(self._windows, "sha256", ""))
        return hashlib.sha256(of.encode() + self._rows.astype("<i8").tobytes()).hexdigest() if of else ""


class _Array:
    """Windows that are one array; what is taken becomes float32."""

    def __init__(self, x: NDArray[Any]) -> None:
        self._x = x
        self.shape: tuple[int, int, int] = (x.shape[0], x.shape[1], x.shape[2])

    def take(self, rows: NDArray[np.intp]) -> NDArray[np.float32]:
        return self._x[rows].astype(np.float32, copy=False)

    @cached_property
    def sha256(self) -> str:
        """Of the values, a stretch of windows after the other."""
        digest = hashlib.sha256()
        for first in range(0, len(self._x), AT_ONCE):
            digest.update(np.ascontiguousarray(self._x[first : first + AT_ONCE].astype("<f4")).tobytes())
        return digest.hexdigest()


def as_windows(x: ArrayLike | Windows) -> Windows:
    """An array as windows; what is windows already stays as it is.

    Parameters
    ----------
    x : array (N, T, F) of integers or floats, or Windows
        The array is not copied.

    Returns
    -------
    Windows

    Raises
    ------
    NumjazError
        Where the array has other axes, holds something else than numbers, or a window holds a number
        that is not finite in float32; the message names the axes or the window.

    Examples
    --------
    >>> as_windows(np.zeros((5, 256, 1))).take(np.array([3, 3])).shape
    (2, 256, 1)
    """
    if isinstance(x, Windows) and not hasattr(x, "__array__"):
        return x
    array = np.asarray(x)
    if array.ndim != 3 or 0 in array.shape:
        raise NumjazError(f"windows are an array (N windows, T samples, F features), none of them 0, not {array.shape}")
    if array.dtype.kind not in "iuf":
        raise NumjazError(f"windows hold integers or floats, not {array.dtype}")
    for first in range(0, len(array), AT_ONCE):
        with np.errstate(over="ignore"):
            sound = np.isfinite(array[first : first + AT_ONCE].astype(np.float32)).all(axis=(1, 2))
        if not sound.all():
            raise NumjazError(f"window {first + int(sound.argmin())} holds a value that is no finite number in float32")
    return _Array(array)
