"""The one door for reading zip archives: all that an archive says of itself must agree before an entry is read.

The standard library's reader takes what it can use: the last of two entries of one name, data before
the archive, a directory of any length. Checks made beside it would look at one reading of the bytes and
use another, so here the directory is read once, by this module alone. An archive passes where its
entries stand one after the other from the file's first byte to the directory, each with a local header
that says what the directory says, and the end record closes the file. Keras, NumPy and PyTorch write
nothing else.
"""

from __future__ import annotations

import os
import re
import stat
import struct
import zlib
from collections.abc import Mapping
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, NamedTuple

from numjaz.doors.regular import open_regular
from numjaz.errors import NumjazError

if TYPE_CHECKING:
    from pathlib import Path

LOCAL, CENTRAL, DESCRIPTOR = b"PK\3\4", b"PK\1\2", b"PK\7\10"
END, END_64, LOCATOR_64 = b"PK\5\6", b"PK\6\6", b"PK\6\7"
MAX_ENTRIES = 10_000
MAX_DIRECTORY = 4 << 20  # bytes
MAX_VERSION = 45  # of the format, times ten; zip64 needs this one
MAX_RATIO = 20  # unpacked over packed bytes; weights and recordings reach 5
MAX_UNPACKED = 16 << 20  # bytes that anything may unpack to, whatever its ratio
ENCRYPTED, DESCRIBED, UTF8 = 1, 8, 2048  # flags; DESCRIBED: sizes and checksum stand behind the data
KNOWN_FLAGS = DESCRIBED | UTF8 | 6  # 6: how hard the packer tried
STORED, DEFLATED = 0, 8  # methods
ZIP64 = 1  # id of the extra field that holds what 32 bits do not
FULL, FULL_16 = 0xFFFFFFFF, 0xFFFF  # "look in the zip64 field"
BAD_NAME = re.compile(r"[\x00-\x1f\x7f-\x9f\\]|^/|^[A-Za-z]:|(^|/)\.\.?(/|$)|//|^$")


class _Entry(NamedTuple):
    name: str
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    offset: int  # of its local header


class Zip:
    """A zip archive opened for guarded reading; a context manager.

    Parameters
    ----------
    path : path
        A regular file.
    deflated : bool
        Whether entries may be compressed; frameworks store weights as they are.

    Attributes
    ----------
    names : tuple of str
        The entries' names, in the order of the directory; folders are left out.
    sizes : mapping of str to int
        How many bytes each holds, unpacked.

    Raises
    ------
    NumjazError
        By every method, in one line that names the file, the entry and what is wrong.
    """

    def __init__(self, path: str | Path, deflated: bool = False) -> None:
        self.path = str(path)
        self._file = open_regular(self.path)
        try:
            self.bytes = os.fstat(self._file.fileno()).st_size
            entries, start = self._entries()
            self._check_names(entries)
            for entry in entries:
                self._check_entry(entry, deflated)
            unpacked = sum(entry.size for entry in entries)
            if unpacked > max(MAX_RATIO * self.bytes, MAX_UNPACKED):
                raise self._wrong(f"{self.bytes:,} bytes would unpack to {unpacked:,}; no real file does")
            self._data = self._check_places(entries, start)
        except BaseException:
            self._file.close()
            raise
        self._held = {entry.name: entry for entry in entries if not entry.name.endswith("/")}
        self.names = tuple(self._held)
        self.sizes: Mapping[str, int] = MappingProxyType({name: entry.size for name, entry in self._held.items()})

    def __enter__(self) -> Zip:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def read(self, name: str, limit: int | None = None) -> bytes:
        """An entry's content, whole and with its checksum right.

        Parameters
        ----------
        name : str
            The entry's name.
        limit : int, optional
            The most bytes it may hold.
        """
        entry = self._entry(name)
        if limit is not None and entry.size > limit:
            raise self._wrong(f"entry {_quoted(name)} holds {entry.size:,} bytes; at most {limit:,} are read")
        content = self._unpacked(entry, entry.size)
        if zlib.crc32(content) != entry.crc:
            raise self._wrong(f"entry {_quoted(name)} is damaged: its checksum is wrong")
        return content

    def start(self, name: str, count: int) -> bytes:
        """The first ``count`` bytes of an entry, or all where it has fewer; the checksum is not looked at."""
        entry = self._entry(name)
        return self._unpacked(entry, min(count, entry.size))

    def _entry(self, name: str) -> _Entry:
        if name not in self._held:
            raise self._wrong(f"entry {_quoted(name)} is missing from the archive")
        return self._held[name]

    def _unpacked(self, entry: _Entry, count: int) -> bytes:
        """The first ``count`` bytes; all that it declares must be all there is."""
        whole = count == entry.size
        place = self._data[entry.name]
        if entry.method == STORED:
            return self._bytes(place, count)
        packed = entry.packed if whole else min(entry.packed, 2 * count + 4096)  # deflate does not add a half
        stream = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            content = stream.decompress(self._bytes(place, packed), count + whole)  # one more would show
        except zlib.error as error:
            raise self._wrong(f"entry {_quoted(entry.name)} is damaged ({error})") from None
        if len(content) != count or (whole and (not stream.eof or stream.unused_data)):
            raise self._wrong(
                f"entry {_quoted(entry.name)} does not unpack to the {entry.size:,} bytes that it declares"
            )
        return content

    def _entries(self) -> tuple[list[_Entry], int]:
        """What the central directory says, and where it begins."""
        start, size, count = self._end()
        if count > MAX_ENTRIES:
            raise self._wrong(f"{count:,} entries in the archive; at most {MAX_ENTRIES:,} are read")
        if size > MAX_DIRECTORY:
            raise self._wrong(f"a directory of {size:,} bytes; at most {MAX_DIRECTORY:,} are read")
        directory, at = self._bytes(start, size), 0
        entries: list[_Entry] = []
        while at < size:
            if size - at < 46 or directory[at : at + 4] != CENTRAL:
                raise self._wrong(f"the directory does not hold the {count:,} entries that the end record declares")
            fixed = struct.unpack_from("<4s4H2H3I3H2H2I", directory, at)
            _, _, version, flags, method, _, _, crc, packed, unpacked, *lengths, disk, _, attributes, offset = fixed
            texts = directory[at + 46 : at + 46 + sum(lengths)]
            at += 46 + sum(lengths)
            name = self._name(texts[: lengths[0]], flags)
            wide = self._zip64(texts[lengths[0] : lengths[0] + lengths[1]], (unpacked, packed, offset), name)
            if version % 256 > MAX_VERSION:
                raise self._wrong(f"entry {_quoted(name)} asks for version {version % 256 / 10} of the format")
            if at > size or disk:
                raise self._wrong(f"entry {_quoted(name)} reaches beyond the directory, or onto another disk")
            if stat.S_IFMT(attributes >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise self._wrong(
                    f"entry {_quoted(name)} is a link or a device; only content of the file itself is read"
                )
            entries.append(_Entry(name, flags, method, crc, packed=wide[1], size=wide[0], offset=wide[2]))
        if len(entries) != count:
            raise self._wrong(f"the directory does not hold the {count:,} entries that the end record declares")
        return entries, start

    def _end(self) -> tuple[int, int, int]:
        """Where the directory begins, its length, and how many entries it has, by the end records."""
        at = self.bytes - 22
        end = self._bytes(at, 22) if at >= 0 else b""
        if end[:4] != END or end[20:] != b"\0\0":
            tail_at = max(self.bytes - FULL_16 - 22, 0)
            behind = self._bytes(tail_at, self.bytes - tail_at).rfind(END)
            if behind < 0:
                raise self._wrong("not a readable zip archive: cut short, it has no end record")
            extra = self.bytes - tail_at - behind - 22
            raise self._wrong(f"{extra:,} bytes stand behind the end of the archive; nothing may be appended")
        disk, directory_disk, here, count, size, start = struct.unpack_from("<4H2I", end, 4)
        if disk or directory_disk or here != count:
            raise self._wrong("an archive in several parts")
        locator = self._bytes(at - 20, 20) if at >= 20 else b""
        if locator[:4] == LOCATOR_64:
            record_disk, record_at, disks = struct.unpack_from("<IQI", locator, 4)
            record = self._bytes(at - 76, 56) if at >= 76 else b""
            if record[:4] != END_64 or record_at != at - 76 or record_disk or disks > 1:
                raise self._wrong("the zip64 end record does not stand where it is said to stand")
            length, _, _, disk, directory_disk, here, wide_count, wide_size, wide_start = struct.unpack_from(
                "<Q2H2I4Q", record, 4
            )
            for narrow, full, wide in (
                (count, FULL_16, wide_count),
                (size, FULL, wide_size),
                (start, FULL, wide_start),
            ):
                if narrow not in (full, wide):
                    raise self._wrong(f"the two end records contradict each other ({narrow:,} and {wide:,})")
            if length != 44 or disk or directory_disk or here != wide_count:
                raise self._wrong("the zip64 end record is not one of a single plain archive")
            at, count, size, start = at - 76, wide_count, wide_size, wide_start
        if start + size != at:
            raise self._wrong(
                f"the directory of {size:,} bytes at {start:,} does not end where the end record begins ({at:,}): "
                f"data stand before or within the archive"
            )
        return start, size, count

    def _name(self, raw: bytes, flags: int) -> str:
        try:
            return raw.decode("utf-8" if flags & UTF8 else "ascii")
        except UnicodeDecodeError:
            raise self._wrong(f"entry {raw[:60]!r} has a name that is no text") from None

    def _zip64(self, extra: bytes, narrow: tuple[int, ...], name: str) -> list[int]:
        """The numbers, those that are full taken from the zip64 field, which must hold them and no others."""
        fields, at = [], 0
        while len(extra) - at >= 4:
            kind, length = struct.unpack_from("<2H", extra, at)
            if kind == ZIP64:
                fields.append(extra[at + 4 : at + 4 + length])
            at += 4 + length
        full = narrow.count(FULL)
        needed = [8 * full] if full else []
        idle = [struct.pack("<2Q", *narrow[:2])]  # Python before 3.11.4 says the sizes twice
        if at != len(extra) or ([len(field) for field in fields] != needed and (full or fields != idle)):
            raise self._wrong(f"entry {_quoted(name)} has extra fields, or zip64 sizes, that do not fit")
        wide = iter(struct.unpack(f"<{full}Q", fields[0]) if full else ())
        return [next(wide) if number == FULL else number for number in narrow]

    def _check_names(self, entries: list[_Entry]) -> None:
        seen: dict[str, str] = {}
        for name in (entry.name for entry in entries):
            if BAD_NAME.search(name):
                raise self._wrong(f"entry {_quoted(name)} has a name that leads out of the archive or is no plain path")
            plain = name.casefold().rstrip("/")
            if plain in seen:
                also = "twice in the archive" if seen[plain] == name else f"beside its twin {_quoted(seen[plain])}"
                raise self._wrong(f"entry {_quoted(name)} stands {also}")
            seen[plain] = name

    def _check_entry(self, entry: _Entry, deflated: bool) -> None:
        name = _quoted(entry.name)
        if entry.flags & ~KNOWN_FLAGS:
            what = "encrypted" if entry.flags & ENCRYPTED else f"marked {entry.flags:#x}, which is not read"
            raise self._wrong(f"entry {name} is {what}")
        if entry.method != STORED and not (deflated and entry.method == DEFLATED):
            allowed = "stored or deflated" if deflated else "stored as they are"
            raise self._wrong(f"entry {name} is compressed (method {entry.method}); entries must be {allowed}")
        if entry.method == STORED and entry.size != entry.packed:
            raise self._wrong(f"entry {name} is stored, but declares {entry.size:,} bytes in {entry.packed:,}")
        if entry.packed > self.bytes:
            raise self._wrong(f"entry {name} declares {entry.packed:,} bytes; the file has {self.bytes:,}")
        if entry.size > max(MAX_RATIO * entry.packed, MAX_UNPACKED):
            raise self._wrong(f"entry {name}, {entry.packed:,} bytes, would unpack to {entry.size:,}; no real one does")
        if entry.name.endswith("/") and entry.size:
            raise self._wrong(f"entry {name} is a folder that holds {entry.size:,} bytes")

    def _check_places(self, entries: list[_Entry], directory: int) -> dict[str, int]:
        """Where each entry's data begin; the entries must fill the file up to the directory, side by side."""
        data, at = {}, 0
        if not entries:
            raise self._wrong("holds nothing")
        ordered = sorted(entries, key=lambda entry: entry.offset)
        for entry, end in zip(ordered, [*(other.offset for other in ordered[1:]), directory], strict=True):
            if entry.offset != at:
                raise self._wrong(
                    f"entry {_quoted(entry.name)} begins at {entry.offset:,}, what precedes it ends at {at:,}: "
                    f"entries overlap, or data stand between them"
                )
            data[entry.name] = self._check_local(entry)
            at = data[entry.name] + entry.packed
            if at > end:
                raise self._wrong(f"entry {_quoted(entry.name)} overlaps what follows it")
            if entry.flags & DESCRIBED:
                self._check_descriptor(entry, at, end - at)
                at = end
        if at != directory:
            raise self._wrong(f"{directory - at:,} bytes stand between the entries and the directory")
        return data

    def _check_local(self, entry: _Entry) -> int:
        """Where the data begin, by the local header, which must say what the directory says."""
        fixed = struct.unpack("<4s5H3I2H", self._bytes(entry.offset, 30))
        signature, _, flags, method, _, _, crc, packed, size, name_length, extra_length = fixed
        texts = self._bytes(entry.offset + 30, name_length + extra_length)
        if signature != LOCAL or self._name(texts[:name_length], flags) != entry.name:
            raise self._wrong(f"entry {_quoted(entry.name)} does not stand where the directory says")
        if crc or packed or size:
            size, packed = self._zip64(texts[name_length:], (size, packed), entry.name)
        late = entry.flags & DESCRIBED and not (crc or packed or size)  # not known yet when the header was written
        expected = entry.crc, entry.packed, entry.size
        if (flags, method) != (entry.flags, entry.method) or ((crc, packed, size) != expected and not late):
            raise self._wrong(f"entry {_quoted(entry.name)}: its own header contradicts the directory")
        return entry.offset + 30 + len(texts)

    def _check_descriptor(self, entry: _Entry, at: int, length: int) -> None:
        """What stands behind the data: checksum and sizes again, in 32 or 64 bits."""
        wide = max(entry.packed, entry.size) >= FULL or length > 16
        numbers = struct.pack("<I2Q" if wide else "<3I", entry.crc, entry.packed, entry.size)
        if self._bytes(at, min(length, 32)) not in (numbers, DESCRIPTOR + numbers):  # the longest has 24
            raise self._wrong(f"entry {_quoted(entry.name)}: what stands behind its data contradicts the directory")

    def _bytes(self, at: int, count: int) -> bytes:
        try:
            self._file.seek(at)
            content = self._file.read(count)
        except (OSError, ValueError) as error:
            raise self._wrong(f"cannot be read ({getattr(error, 'strerror', None) or error})") from None
        if len(content) != count:
            raise self._wrong(f"cut short: {count:,} bytes were to be read at {at:,}, {len(content):,} are there")
        return content

    def _wrong(self, what: str) -> NumjazError:
        return NumjazError(f"{self.path}: {what}")


def _quoted(name: str) -> str:
    """A name for a message, its control characters spelled out, its end cut off where it is long."""
    return repr(name if len(name) <= 80 else name[:79] + "…")
