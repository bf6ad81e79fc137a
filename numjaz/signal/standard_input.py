"""Standard input as a file: it is kept on disk, so that it can be read more than once."""

from __future__ import annotations

import atexit
import shutil
import sys
import tempfile
from functools import cache
from pathlib import Path

from numjaz.errors import NumjazError


@cache
def spooled() -> Path:
    """A temporary file with all of standard input, removed when the process ends."""
    if sys.stdin is None:
        raise NumjazError("standard input is closed")
    with tempfile.NamedTemporaryFile(prefix="numjaz-", suffix=".txt", delete=False) as file:
        path = Path(file.name)
        atexit.register(path.unlink, missing_ok=True)
        shutil.copyfileobj(sys.stdin.buffer, file)
    return path
