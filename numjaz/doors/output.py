"""Output files appear whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from numjaz.errors import NumjazError

if TYPE_CHECKING:
    from pathlib import Path


@contextmanager
def whole(path: str | Path) -> Iterator[Path]:
    """A path beside ``path`` to write to; it is renamed to ``path`` when the block ends well.

    An error or an interrupt inside the block leaves ``path`` as it was and nothing beside it.
    """
    import tempfile  # who only reads does not pay for these
    from pathlib import Path

    target = Path(os.path.realpath(path))  # a link stays a link
    if target.exists() and not target.is_file():
        raise NumjazError(f"{path}: not a regular file, so it is not replaced")
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent)
        os.close(handle)
    except OSError as error:
        raise NumjazError(f"{target}: cannot be written ({error.strerror})") from None
    beside = Path(name)
    try:
        yield beside
        beside.chmod(target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask())
        beside.replace(target)
    except OSError as error:
        raise NumjazError(f"{target}: cannot be written ({error.strerror or error})") from None
    finally:
        beside.unlink(missing_ok=True)


def _umask() -> int:
    """The permission bits that new files lack; reading them means setting them."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
