"""The one door for reading zip archives: stored entries of known names, at the size they declare."""

from __future__ import annotations

import zipfile
from pathlib import Path

from numjaz.errors import NumjazError

MAX_ENTRIES = 10_000


def read_stored(path: str | Path, names: tuple[str, ...]) -> dict[str, bytes]:
    """The content of the entries of these names.

    Raises
    ------
    NumjazError
        Where the file is no zip archive, an entry is missing or stands twice, is compressed or
        encrypted (frameworks store weights as they are), or is not as long as it declares.
    """
    try:
        size = Path(path).stat().st_size
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if len(entries) > MAX_ENTRIES:
                raise NumjazError(f"{path}: {len(entries):,} entries in the archive; at most {MAX_ENTRIES:,} are read")
            found: dict[str, bytes] = {}
            for name in names:
                held = [entry for entry in entries if entry.filename == name]
                if len(held) != 1:
                    raise NumjazError(f"{path}: entry {name} stands {len(held)} times in the archive, not once")
                entry = held[0]
                if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1 or entry.file_size > size:
                    raise NumjazError(
                        f"{path}: entry {name} is compressed, encrypted or longer than the file; "
                        f"weights are stored as they are"
                    )
                found[name] = archive.read(entry)
            return found
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError, EOFError) as error:
        raise NumjazError(f"{path}: not a readable zip archive ({error})") from None
