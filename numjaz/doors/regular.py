"""Opening what a user named: a regular file, or one line that says why not."""

from __future__ import annotations

import os
import stat
from io import BufferedReader
from typing import TYPE_CHECKING

from numjaz.errors import NumjazError

if TYPE_CHECKING:
    from pathlib import Path

HDF5 = b"\x89HDF\r\n\x1a\n"  # what such a file begins with; here, so that who asks imports no reader of them


def open_regular(path: str | Path) -> BufferedReader:
    """Open a regular file for reading bytes; a folder, a pipe or a device would hang or never end."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116 - pathlib would be a tenth of a start
            raise NumjazError(f"{path}: not a regular file")
        # Opened without waiting, and looked at again: a pipe may have taken the file's place.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        file = os.fdopen(handle, "rb")
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            file.close()
            raise NumjazError(f"{path}: not a regular file")
        return file
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise NumjazError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
