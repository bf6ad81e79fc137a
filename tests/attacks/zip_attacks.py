"""Archives whose entries, directory and end contradict each other, overlap, hide something or lead out."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from attack_table import Attacks, entering
from tensor_builders import WEIGHTS, archive, entry, npy, zipped

ATTACKS: Attacks = {}
attack = entering(ATTACKS)


for _name, _said in {
    "../../evil.npy": "leads out of",
    "/etc/passwd.npy": "leads out of",
    "..\\..\\evil.npy": "leads out of",
    "C:/evil.npy": "leads out of",
    "a\0.npy": "leads out of",
    "a\x1b[2J.npy": "leads out of",
    "a/./../b.npy": "leads out of",
    "": "leads out of",
}.items():

    def _path_trick(path: Path, name: str = _name) -> None:
        zipped(path, entry(name, WEIGHTS))

    _path_trick.__name__ = f"path_trick_{_name!r}"
    attack(_said, ".npz")(_path_trick)


@attack("a name that is no text", ".npz")
def name_that_is_not_utf8(path: Path) -> None:
    zipped(path, entry(b"\xff\xfe.npy", WEIGHTS))


@attack("is a link or a device", ".npz")
def symlink_entry(path: Path) -> None:
    zipped(path, entry("link.npy", b"/etc/passwd", attributes=0o120777 << 16))


@attack("stands twice", ".npz")
def two_entries_of_one_name(path: Path) -> None:
    zipped(path, entry("w.npy", npy(np.ones(6, "<f4"))))


@attack("beside its twin", ".npz")
def case_folded_twins(path: Path) -> None:
    zipped(path, entry("W.NPY", npy(np.ones(6, "<f4"))))


@attack("is encrypted", ".npz")
def encrypted(path: Path) -> None:
    zipped(path, entry("secret.npy", WEIGHTS, flags=2049, local={"flags": 2049}))


@attack("method 12", ".npz")
def packed_by_bzip2(path: Path) -> None:
    zipped(path, entry("b.npy", WEIGHTS, method=12, local={"method": 12}))


@attack("overlap", ".npz")
def two_entries_on_the_same_data(path: Path) -> None:
    zipped(path, entry("x.npy", WEIGHTS, offset=0))


@attack("overlap", ".npz")
def an_entry_within_another(path: Path) -> None:
    inner = archive([entry("inner.npy", WEIGHTS)])
    outer = entry("outer.npy", inner[: inner.index(b"PK\1\2")])
    path.write_bytes(archive([outer, entry("inner.npy", WEIGHTS, offset=30 + len("outer.npy"), nowhere=True)]))


@attack("declares .* bytes; the file has", ".npz")
def stored_and_larger_than_the_file(path: Path) -> None:
    lie = {"packed": 2**31, "size": 2**31}
    zipped(path, entry("w2.npy", WEIGHTS, **lie, local=lie))


@attack("is stored, but declares", ".npz")
def stored_in_another_size(path: Path) -> None:
    lie = {"size": 10**6}
    zipped(path, entry("w2.npy", WEIGHTS, **lie, local=lie))


@attack("contradicts the directory", ".npz")
def header_with_another_size(path: Path) -> None:
    zipped(path, entry("w2.npy", WEIGHTS, local={"size": len(WEIGHTS) + 8}))


@attack("contradicts the directory", ".npz")
def header_with_another_method(path: Path) -> None:
    zipped(path, entry("w2.npy", WEIGHTS, local={"method": 8}))


@attack("does not stand where the directory says", ".npz")
def header_with_another_name(path: Path) -> None:
    zipped(path, entry("w2.npy", WEIGHTS, local={"name": b"w3.npy"}))


@attack("contradicts the directory", ".npz")
def descriptor_with_another_checksum(path: Path) -> None:
    late = {"flags": 2056, "crc": 0, "packed": 0, "size": 0}
    behind = b"PK\7\10" + struct.pack("<3I", 1, len(WEIGHTS), len(WEIGHTS))
    zipped(path, entry("w2.npy", WEIGHTS, flags=2056, local=late, behind=behind))


@attack("1,000,000 entries", ".npz")
def a_million_entries(path: Path) -> None:
    record = b"PK\1\2" + struct.pack("<6H3I5H2I", 20, 20, 0, 0, 0, 33, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0) + b"a.npy"
    first = archive([entry("a.npy", b"")])
    start = first.index(b"PK\1\2")
    with path.open("wb") as file:
        file.write(first[:start])
        file.write(record * 10**6)
        end = start + len(record) * 10**6
        file.write(b"PK\6\6" + struct.pack("<Q2H2I4Q", 44, 45, 45, 0, 0, 10**6, 10**6, end - start, start))
        file.write(b"PK\6\7" + struct.pack("<IQI", 0, end, 1))
        file.write(b"PK\5\6" + struct.pack("<4H2IH", 0, 0, 65535, 65535, end - start, start, 0))


@attack("does not hold the 3 entries", ".npz")
def more_entries_than_declared(path: Path) -> None:
    zipped(path, *(entry(f"{k}.npy", WEIGHTS) for k in range(9000)), count=3)


@attack("does not hold the 3 entries", ".npz")
def fewer_entries_than_declared(path: Path) -> None:
    zipped(path, count=3)


@attack("a directory of", ".npz")
def a_directory_of_megabytes(path: Path) -> None:
    zipped(path, *(entry(f"{k}.npy", WEIGHTS, comment=65535) for k in range(80)))


@attack("reaches beyond the directory", ".npz")
def comment_beyond_the_directory(path: Path) -> None:
    content = bytearray(archive([entry("w.npy", WEIGHTS)]))
    content[content.index(b"PK\1\2") + 32] = 200
    path.write_bytes(content)


@attack("contradict each other", ".npz")
def zip64_with_another_count(path: Path) -> None:
    zipped(path, wide={"count": 2})


@attack("does not stand where it is said", ".npz")
def zip64_record_elsewhere(path: Path) -> None:
    zipped(path, wide={"at": 2**63})


@attack("contradict each other|does not end where", ".npz")
def zip64_directory_beyond_the_end(path: Path) -> None:
    zipped(path, start=0xFFFFFFFF, wide={"start": 2**63})


@attack("bytes; the file has", ".npz")
def zip64_size_of_an_exabyte(path: Path) -> None:
    lie = {"packed": 0xFFFFFFFF, "size": 0xFFFFFFFF, "extra": struct.pack("<2H2Q", 1, 16, 2**60, 2**60)}
    zipped(path, entry("w2.npy", WEIGHTS, **lie, local=lie))


@attack("zip64 sizes, that do not fit", ".npz")
def zip64_size_that_is_missing(path: Path) -> None:
    lie = {"packed": 0xFFFFFFFF, "size": 0xFFFFFFFF}
    zipped(path, entry("w2.npy", WEIGHTS, **lie, local=lie))


@attack("zip64 sizes, that do not fit", ".npz")
def zip64_size_beside_another(path: Path) -> None:
    zipped(path, entry("w2.npy", WEIGHTS, extra=struct.pack("<2H2Q", 1, 16, 2**60, 2**60)))


@attack("neither (an )?HDF5", ".npz")
def a_picture_before_the_archive(path: Path) -> None:
    zipped(path)
    path.write_bytes(b"GIF89a" + b"\0" * 100 + path.read_bytes())


@attack("data stand before or within", ".npz")
def something_before_the_archive(path: Path) -> None:
    zipped(path)
    path.write_bytes(b"PK\3\4" + b"\0" * 100 + path.read_bytes())


@attack("data stand between them", ".npz")
def something_before_the_first_entry(path: Path) -> None:
    zipped(path, before=b"PK\3\4" + b"\0" * 100)


@attack("stand between the entries and the directory", ".npz")
def something_before_the_directory(path: Path) -> None:
    zipped(path, between=b"hidden" * 10)


@attack("stand behind the end", ".npz")
def something_behind_the_archive(path: Path) -> None:
    zipped(path, after=b"%PDF-1.7 and so on")


@attack("stand behind the end", ".npz")
def another_archive_in_the_comment(path: Path) -> None:
    zipped(path, comment=archive([entry("other.npy", npy(np.ones(6, "<f4")))])[:-22] + b"no end")


@attack("no end record", ".npz")
def cut_in_the_middle(path: Path) -> None:
    zipped(path)
    path.write_bytes(path.read_bytes()[:200])


@attack("asks for version 6.3", ".npz")
def a_version_of_the_format_to_come(path: Path) -> None:
    zipped(path, entry("w2.npy", WEIGHTS, version=63))


@attack("in several parts", ".npz")
def on_two_disks(path: Path) -> None:
    content = bytearray(archive([entry("w.npy", WEIGHTS)]))
    content[-18] = 1
    path.write_bytes(content)
