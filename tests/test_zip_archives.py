"""The reader of zip archives: what a plain archive may be, and each field that may be damaged."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensor_builders import archive, entry
from tensor_reading import read, same

from numjaz.doors.zip import Zip
from numjaz.errors import NumjazError


class Pipe(io.RawIOBase):
    """Something that can be written to and not be wound back, so that sizes stand behind the data."""

    def __init__(self) -> None:
        self.content = b""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.content += bytes(data)
        return len(data)


@pytest.mark.parametrize("force_zip64", [False, True])
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_archives_written_to_a_pipe(tmp_path: Path, method: int, force_zip64: bool) -> None:
    pipe, arrays = Pipe(), {"a": np.arange(5.0), "b": np.zeros(1000)}
    with zipfile.ZipFile(pipe, "w", method) as new:  # type: ignore[arg-type]
        for name, array in arrays.items():
            with new.open(f"{name}.npy", "w", force_zip64=force_zip64) as out:
                np.lib.format.write_array(out, array)
    (tmp_path / "m.npz").write_bytes(pipe.content)
    same(read(tmp_path / "m.npz"), arrays)


def test_reading_an_archive(tmp_path: Path) -> None:
    path = tmp_path / "m.zip"
    path.write_bytes(archive([entry("a/", b""), entry("a/b", b"text"), entry("c", b"0" * 9000, deflated=True)]))
    with Zip(path, deflated=True) as opened:
        assert opened.names == ("a/b", "c")
        assert dict(opened.sizes) == {"a/b": 4, "c": 9000}
        assert (opened.read("a/b", 4), opened.start("c", 3), opened.start("a/b", 9)) == (b"text", b"000", b"text")
        with pytest.raises(NumjazError, match="holds 4 bytes; at most 3 are read"):
            opened.read("a/b", 3)
        with pytest.raises(NumjazError, match="'d' is missing"):
            opened.read("d")
    with pytest.raises(NumjazError, match="method 8"):
        Zip(path)
    path.write_bytes(archive([entry("a/", b"hidden")]))
    with pytest.raises(NumjazError, match="a folder that holds 6 bytes"):
        Zip(path)


def test_an_extra_field_without_content(tmp_path: Path) -> None:
    (tmp_path / "m.zip").write_bytes(archive([entry("a", b"text", extra=b"\7\0\0\0")]))
    with Zip(tmp_path / "m.zip") as opened:
        assert opened.read("a") == b"text"


def test_sizes_that_are_said_twice(tmp_path: Path) -> None:
    """As Python before 3.11.4 says them in the headers of what NumPy saves."""
    path = tmp_path / "m.zip"
    for said, well in ((4, True), (5, False)):
        path.write_bytes(archive([entry("a", b"text", local={"extra": struct.pack("<2H2Q", 1, 16, said, 4)})]))
        if well:
            with Zip(path) as opened:
                assert opened.read("a") == b"text"
        else:
            with pytest.raises(NumjazError, match="zip64 sizes, that do not fit"):
                Zip(path)


SIZES = {"packed": 0, "size": 0, "crc": 0}
LATE = {"flags": 2056, "local": {"flags": 2056} | SIZES}


COMMENTED = archive([entry("a", b"0", comment=10)], count=2)


def one_entry(**end: Any) -> bytes:
    return archive([entry("a", b"0123456789")], **end)


def changed(content: bytes, mark: bytes, at: int, value: bytes) -> bytes:
    """An archive in which ``value`` stands ``at`` bytes behind the last ``mark``."""
    place = content.rindex(mark) + at
    return content[:place] + value + content[place + len(value) :]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (changed(one_entry(), b"PK\5\6", 20, b"\5"), "0 bytes stand behind the end"),  # a comment that is not there
        (changed(one_entry(), b"PK\5\6", 6, b"\1"), "in several parts"),
        (changed(one_entry(), b"PK\5\6", 8, b"\2"), "in several parts"),
        (changed(one_entry(), b"PK\1\2", 0, b"PK\3\4"), "does not hold the 1 entries"),
        (
            changed(one_entry(between=b"PK\1\2" + bytes(10), start=41, size=61), b"PK\1\2", 46, b"a"),
            "does not hold|beyond",
        ),
        (archive([entry("a", b"0")], between=b"PK\1\2", start=32, size=51, count=2), "does not hold|beyond"),
        (changed(one_entry(), b"PK\1\2", 34, b"\1"), "onto another disk"),
        (changed(changed(COMMENTED, b"PK\1\2", 32, b"\0\0"), b"c" * 10, 0, b"PK\1\2"), "does not hold the 2 entries"),
        (one_entry() + b"PK", "2 bytes stand behind"),
        (archive([entry("a", b"0", local={"name": b"b"})]), "does not stand where"),
        (changed(one_entry(), b"PK\3\4", 0, b"PK\3\5"), "does not stand where"),
        (changed(one_entry(), b"PK\3\4", 28, b"\xff\xff"), "cut short: 65,536 bytes were to be read at 30"),
        (archive([entry("a", b"0", extra=b"\1\0\4")]), "extra fields"),
        (archive([entry("a", b"0", extra=b"\7\0\xff\0")]), "extra fields"),
        (archive([entry("a", b"0123", **LATE, behind=b""), entry("b", b"")]), "what stands behind its data"),
        (archive([entry("a", b"0123", **LATE, behind=bytes(40)), entry("b", b"")]), "what stands behind its data"),
        (archive([entry("a", b"0123", **LATE, packed=60, size=60), entry("b", b"0123")]), "overlaps what follows"),
        (changed(one_entry(wide={}), b"PK\6\6", 0, b"PK\6\5"), "does not stand where it is said"),
        (changed(one_entry(wide={}), b"PK\6\6", 4, b"\1"), "not one of a single plain archive"),
        (changed(one_entry(wide={}), b"PK\6\6", 16, b"\1"), "not one of a single plain archive"),
        (changed(one_entry(wide={}), b"PK\6\6", 20, b"\1"), "not one of a single plain archive"),
        (changed(one_entry(wide={}), b"PK\6\6", 24, b"\2"), "not one of a single plain archive"),
        (changed(one_entry(wide={}), b"PK\6\7", 4, b"\1"), "does not stand where it is said"),
        (changed(one_entry(wide={}), b"PK\6\7", 16, b"\2"), "does not stand where it is said"),
    ],
)
def test_damaged_archives(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "m.zip"
    path.write_bytes(content)
    with pytest.raises(NumjazError, match=said) as error:
        Zip(path, deflated=True)
    assert str(error.value).startswith(f"{path}: ")
