"""Writing zip archives: stored, whole or not at all, and the same bytes for the same content."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import TYPE_CHECKING

from numjaz.doors.output import whole
from numjaz.doors.zip import BAD_NAME
from numjaz.errors import NumjazError

if TYPE_CHECKING:
    from pathlib import Path

DATE = (1980, 1, 1, 0, 0, 0)  # the first that a zip archive can state
ALIGNMENT = 64  # of every entry's data, as torch has it: numbers can then be used where they lie
PADDING = 0x4246  # id of the extra field that torch pads with


def write_stored(path: str | Path, entries: Iterable[tuple[str, bytes]]) -> None:
    """Write an archive of named contents, in their order."""
    import zipfile

    seen: set[str] = set()
    at = 0
    with whole(path) as beside, zipfile.ZipFile(beside, "w") as archive:
        for name, content in entries:
            if BAD_NAME.search(name) or name.casefold() in seen:
                raise NumjazError(f"{path}: {name!r:.80} is no name that this file can hold, or differs too little")
            seen.add(name.casefold())
            info = zipfile.ZipInfo(name, DATE)
            info.create_system = 3  # on every system
            at += 30 + len(name.encode()) + 4
            padding = -at % ALIGNMENT
            info.extra = struct.pack("<2H", PADDING, padding) + b"Z" * padding
            archive.writestr(info, content)
            at += padding + len(content)
