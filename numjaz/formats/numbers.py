"""What the tensor files share: numbers as raw bytes of a named dtype, and a note beside them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from numjaz.errors import NumjazError, NumjazWarning

if TYPE_CHECKING:
    from pathlib import Path

BFLOAT16 = "bfloat16"  # the upper half of a float32; NumPy has no dtype for it
FLOATS = ("float16", "float32", "float64")
MAX_NOTE = 1 << 20  # bytes


def decode(data: bytes, dtype: str, order: Literal["<", ">"] = "<") -> NDArray[Any]:
    """Bytes as a read-only array of one axis; bfloat16 becomes float32, which holds it exactly.

    Parameters
    ----------
    data : bytes
        As many as the numbers take.
    dtype : str
        ``"float32"``, ``"int64"``, ``"bfloat16"``, ….
    order : str
        ``"<"``: the least significant byte first; ``">"``: last.

    Examples
    --------
    >>> decode(bytes([0x80, 0x3F, 0xC0, 0xBF]), "bfloat16")
    array([ 1. , -1.5], dtype=float32)
    """
    if dtype != BFLOAT16:
        return np.frombuffer(data, np.dtype(dtype).newbyteorder(order))
    made = np.frombuffer(data, f"{order}u2").astype(np.uint32)
    made <<= 16
    made.flags.writeable = False
    return made.view(np.float32)


def tell_widened(path: str, dtypes: Iterable[str]) -> None:
    """Warn how many tensors of a file are bfloat16."""
    names = list(dtypes)
    warnings.warn(
        f"{path}: {names.count(BFLOAT16)} of {len(names)} tensors are bfloat16, made float32, which holds them exactly",
        NumjazWarning,
        stacklevel=3,
    )


def plain_floats(arrays: Mapping[str, NDArray[Any]], path: str | Path) -> Iterator[tuple[str, NDArray[Any]]]:
    """The arrays as files keep them: floats, the least significant byte first, row by row."""
    for name, array in arrays.items():
        if array.dtype.name not in FLOATS:
            raise NumjazError(f"{path}: {name!r:.80} is {array.dtype}; {', '.join(FLOATS)} are written")
        yield name, np.asarray(array, dtype=array.dtype.newbyteorder("<"), order="C")


def note_text(content: bytes, where: str) -> str:
    """A note's text."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise NumjazError(f"{where} is no text") from None
