"""Hostile and broken zip archives, torch containers, safetensors and npz files.

Each is made by hand, byte by byte where it must be; none needs a framework. Run by the tests; harmless
to run by hand. What would run code would make a file named ``canary`` beside the attack.
"""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

import numjaz

Attack = Callable[[Path], None]
ATTACKS: dict[str, tuple[Attack, str, str]] = {}  # name -> what makes it, what the message must say, its suffix
ROWS = np.arange(6, dtype="<f4").tobytes()


def attack(said: str, suffix: str) -> Callable[[Attack], Attack]:
    def register(make: Attack) -> Attack:
        assert make.__name__ not in ATTACKS
        ATTACKS[make.__name__] = (make, said, suffix)
        return make

    return register


# Zip archives, field by field -------------------------------------------------------------------------


def entry(name: str | bytes, data: bytes, *, deflated: bool = False, **central: Any) -> dict[str, Any]:
    """An entry as it should be; ``central`` changes the directory's record, ``local`` its own header."""
    packed = data
    if deflated:
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        packed = packer.compress(data) + packer.flush()
    fields = {"flags": 2048, "method": 8 * deflated, "crc": zlib.crc32(data), "packed": len(packed), "size": len(data)}
    fields |= {"name": name.encode() if isinstance(name, str) else name, "extra": b"", "attributes": 0}
    local = fields | central.pop("local", {})
    behind = central.pop("behind", b"")
    return {"data": packed, "local": local, "central": fields | central, "behind": behind}


def archive(entries: Iterable[dict[str, Any]], **end: Any) -> bytes:
    """A zip archive; ``end`` changes the end record, ``before``, ``between`` and ``after`` add bytes."""
    content = bytearray(end.get("before", b""))
    directory, count = b"", 0
    for held in entries:
        offset, f = len(content), held["local"]
        sizes = f["crc"], f["packed"], f["size"], len(f["name"]), len(f["extra"])
        if not held["central"].get("nowhere"):
            content += b"PK\3\4" + struct.pack("<5H3I2H", 20, f["flags"], f["method"], 0, 33, *sizes)
            content += f["name"] + f["extra"] + held["data"] + held["behind"]
        f = held["central"]
        sizes = f["crc"], f["packed"], f["size"], len(f["name"]), len(f["extra"]), f.get("comment", 0)
        places = 0, 0, f["attributes"], f.get("offset", offset)
        directory += b"PK\1\2" + struct.pack(
            "<6H3I5H2I", 20, f.get("version", 20), f["flags"], f["method"], 0, 33, *sizes, *places
        )
        directory += f["name"] + f["extra"] + b"c" * f.get("comment", 0)
        count += 1
    content += end.get("between", b"")
    start = end.get("start", len(content))
    content += directory
    count, size = end.get("count", count), end.get("size", len(directory))
    if "wide" in end:  # zip64 end record and locator
        wide = {"count": count, "size": size, "start": start, "at": len(content)} | end["wide"]
        numbers = wide["count"], wide["count"], wide["size"], wide["start"]
        content += b"PK\6\6" + struct.pack("<Q2H2I4Q", 44, 45, 45, 0, 0, *numbers)
        content += b"PK\6\7" + struct.pack("<IQI", 0, wide["at"], 1)
    comment, counts = end.get("comment", b""), [min(count, 65535)] * 2
    content += b"PK\5\6" + struct.pack("<4H2IH", 0, 0, *counts, size, start, len(comment)) + comment
    return bytes(content) + end.get("after", b"")


def npy(array: np.ndarray) -> bytes:
    content = io.BytesIO()
    np.lib.format.write_array(content, array, allow_pickle=False)
    return content.getvalue()


WEIGHTS = npy(np.arange(6, dtype="<f4"))
WORST = "classes/bias.npy"


def zipped(path: Path, *more: dict[str, Any], **end: Any) -> None:
    """An ``.npz`` of one sound array and what else is named."""
    path.write_bytes(archive([entry("w.npy", WEIGHTS), *more], **end))


@attack("would unpack to", ".npz")
def deflated_1000_to_1(path: Path) -> None:
    zipped(path, entry("bomb.npy", b"\0" * (64 << 20), deflated=True))


@attack("would unpack to", ".npz")
def many_small_bombs(path: Path) -> None:
    bomb = entry("0.npy", b"\0" * (15 << 20), deflated=True)
    names = [f"{k}.npy".encode() for k in range(100)]
    zipped(path, *({**bomb, **{part: bomb[part] | {"name": name} for part in ("local", "central")}} for name in names))


@attack("would unpack to", ".npz")
def a_bomb_in_a_bomb(path: Path) -> None:
    inner = archive([entry("inner.npy", b"\0" * (1 << 26), deflated=True)])
    zipped(path, *(entry(f"{k}.npy", inner * 60, deflated=True) for k in range(16)))


def jazbat(path: Path, worst: Callable[[bytes], dict[str, Any]]) -> None:
    """The arrays of a network, so that they are asked for; one of them is made by ``worst`` of its bytes."""
    arrays = {f"{name}.npy": npy(array) for name, array in numjaz.jazbat().parameters.items()}
    entries = [worst(data) if name == WORST else entry(name, data) for name, data in arrays.items()]
    path.write_bytes(archive(entries))


@attack("does not unpack to", ".npz")
def unpacks_to_more_than_it_declares(path: Path) -> None:
    def worst(data: bytes) -> dict[str, Any]:
        lie = {"size": len(data)}
        return entry(WORST, data + b"\0" * (64 << 20), deflated=True, **lie, local=lie)

    jazbat(path, worst)


@attack("does not unpack to", ".npz")
def unpacks_to_less_than_it_declares(path: Path) -> None:
    def worst(data: bytes) -> dict[str, Any]:
        lie = {"size": len(data)}
        return entry(WORST, data[:-1], deflated=True, **lie, local=lie)

    jazbat(path, worst)


@attack("does not unpack to", ".npz")
def something_behind_the_packed_data(path: Path) -> None:
    def worst(data: bytes) -> dict[str, Any]:
        made = entry(WORST, data, deflated=True)
        made["data"] += b"hidden"
        for part in ("local", "central"):
            made[part]["packed"] += len(b"hidden")
        return made

    jazbat(path, worst)


@attack("checksum is wrong", ".npz")
def wrong_checksum(path: Path) -> None:
    jazbat(path, lambda data: entry(WORST, data, crc=1, local={"crc": 1}))


@attack("is damaged", ".npz")
def not_deflate_at_all(path: Path) -> None:
    zipped(path, entry("w2.npy", b"\xff" * 200, method=8, local={"method": 8}))


@attack("would unpack to", ".npz")
def a_bomb_beside_what_is_large(path: Path) -> None:
    large = entry("large.npy", bytes(npy(np.zeros(1 << 18))))
    zipped(path, large, entry("bomb.npy", b"\0" * (17 << 20), deflated=True))


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


# torch's pickles, opcode by opcode ---------------------------------------------------------------------


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def number(value: int) -> bytes:
    raw = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(raw)]) + raw


def tuple_of(*values: int) -> bytes:
    return b"(" + b"".join(number(value) for value in values) + b"t"


def named(full: str) -> bytes:
    module, _, name = full.rpartition(".")
    return f"c{module}\n{name}\n".encode()


EMPTY = named("collections.OrderedDict") + b")R"


def storage(kind: str = "torch.FloatStorage", key: str = "0", numel: int = 6) -> bytes:
    return b"(" + text("storage") + named(kind) + text(key) + text("cpu") + number(numel) + b"tQ"


def tensor(
    shape: bytes = tuple_of(2, 3),
    stride: bytes = tuple_of(3, 1),
    offset: bytes = number(0),
    held: bytes | None = None,
    hooks: bytes = EMPTY,
    metadata: bytes = b"",
) -> bytes:
    parts = (held or storage()) + offset + shape + stride + b"\x89" + hooks + metadata
    return named("torch._utils._rebuild_tensor_v2") + b"(" + parts + b"tR"


def table(*pairs: tuple[str, bytes]) -> bytes:
    return EMPTY + b"(" + b"".join(text(name) + value for name, value in pairs) + b"u"


def torch_file(
    path: Path, root: bytes, *more: dict[str, Any], protocol: int = 2, zeros: int = 0, **byteorder: bytes
) -> None:
    """A checkpoint of torch's with this value in its pickle and one storage of six floats, or of zeros."""
    entries = [entry("archive/data.pkl", b"\x80" + bytes([protocol]) + root + b".")]
    entries += [entry(f"archive/{name}", said) for name, said in byteorder.items()]
    entries += [entry("archive/data/0", b"\0" * zeros or ROWS), *more, entry("archive/version", b"3\n")]
    path.write_bytes(archive(entries))


def call(full: str, argument: str) -> bytes:
    return named(full) + b"(" + text(argument) + b"tR"


for _full, _said in {
    "os.system": "names 'os.system'",
    "posix.system": "names 'posix.system'",
    "subprocess.Popen": "names 'subprocess.Popen'",
    "builtins.eval": "names 'builtins.eval'",
    "builtins.exec": "names 'builtins.exec'",
    "builtins.getattr": "names 'builtins.getattr'",
    "__builtin__.eval": "names '__builtin__.eval'",
    "copyreg._reconstructor": "names 'copyreg._reconstructor'",
    "numpy.load": "names 'numpy.load'",
    "numpy.core.multiarray._reconstruct": "names 'numpy.core",
    "torch.load": "names 'torch.load'",
    "torch.hub.load": "names 'torch.hub.load'",
    "__main__.Net": "names '__main__.Net'.* save the state dict alone",
    "torch.nn.modules.linear.Linear": "a whole model is not read.* save the state dict alone",
    "torch._utils._rebuild_sparse_tensor": "a sparse tensor is not",
    "torch._utils._rebuild_qtensor": "a quantised tensor is not",
    "torch._utils._rebuild_meta_tensor_no_storage": "on the meta device",
    "torch.ComplexFloatStorage": "a storage of complex numbers is not",
    "torch.QInt8Storage": "a quantised tensor is not",
    "collections.OrderedDict.__init__": "names 'collections.OrderedDict.__init__'",
}.items():

    def _global(path: Path, full: str = _full) -> None:
        torch_file(path, table(("w", tensor())) + text("x") + call(full, f"touch {path.with_name('canary')}") + b"s")

    _global.__name__ = f"global_{_full}"
    attack(_said, ".pt")(_global)


@attack("names 'posix.system'", ".pt")
def stack_global_from_the_memo(path: Path) -> None:
    names = b"\x8c\x05posix\x94\x8c\x06system\x94h\0h\1\x93"
    torch_file(path, names + b"(" + text(f"touch {path.with_name('canary')}") + b"tR", protocol=4)


@attack("names 'torch.Size.__class__'", ".pt")
def stack_global_with_dots(path: Path) -> None:
    torch_file(path, b"\x8c\x05torch\x8c\x0eSize.__class__\x93", protocol=4)


@attack("a name that is no text", ".pt")
def stack_global_of_numbers(path: Path) -> None:
    torch_file(path, b"K\1K\2\x93", protocol=4)


@attack("opcode INST", ".pt")
def inst(path: Path) -> None:
    torch_file(path, b"(" + text(f"touch {path.with_name('canary')}") + b"ios\nsystem\n")


@attack("opcode OBJ", ".pt")
def obj(path: Path) -> None:
    torch_file(path, b"(" + named("torch.Size") + text("touch canary") + b"o")


@attack("opcode NEWOBJ", ".pt")
def newobj(path: Path) -> None:
    torch_file(path, named("torch.Size") + b")\x81")


@attack("opcode EXT1", ".pt")
def extension(path: Path) -> None:
    torch_file(path, b"\x82\1")


@attack("opcode PERSID", ".pt")
def reference_as_text(path: Path) -> None:
    torch_file(path, b"P../../etc/passwd\n")


@attack("which is no function here", ".pt")
def calls_a_dtype(path: Path) -> None:
    torch_file(path, named("torch.float32") + b")R")


@attack("calls what is no function", ".pt")
def calls_text(path: Path) -> None:
    torch_file(path, text("os.system") + b")R")


@attack("a state that is no dict|no dict stands", ".pt")
def state_for_a_name(path: Path) -> None:
    torch_file(path, named("torch.Size") + b"}" + text("__class__") + text("x") + b"sb")


@attack("at most 4,194,304 are read", ".pt")
def ten_million_puts(path: Path) -> None:
    torch_file(path, b"N" + b"".join(b"r" + struct.pack("<I", k) for k in range(1000)) * 10_000)


@attack("more than 500,000 opcodes", ".pt")
def a_million_puts(path: Path) -> None:
    torch_file(path, b"N" + b"q\0" * 10**6)


@attack("more than 500,000 opcodes", ".pt")
def the_most_memory_that_opcodes_take(path: Path) -> None:
    one = b"}" + b"h\0Ns"  # a dict with an item is Python's largest small thing
    torch_file(path, text("k") + b"q\0" + b"]" + one * 124_000 + b"\x88\x89" * 10_000)


@attack("a tuple is a key", ".pt")
def billion_laughs_as_a_key(path: Path) -> None:
    laughs = b")" + b"".join(b"q" + bytes([k]) + b"h" + bytes([k]) + b"\x86" for k in range(200))
    torch_file(path, b"}" + laughs + b"Ns")


@attack("has a shape of", ".pt")
def billion_laughs_as_a_shape(path: Path) -> None:
    laughs = b")" + b"".join(b"q" + bytes([k]) + b"h" + bytes([k]) + b"\x86" for k in range(200))
    torch_file(path, table(("w", tensor(shape=laughs))))


@attack("holds no state dict", ".pt")
def billion_laughs_of_lists(path: Path) -> None:
    laughs = b"]" + b"".join(b"q" + bytes([k]) + b"]h" + bytes([k]) + b"ah" + bytes([k]) + b"a" for k in range(28))
    torch_file(path, b"}" + text("x") + b"(" + laughs + b"ts")


@attack("cut short", ".pt")
def text_of_4_gb(path: Path) -> None:
    torch_file(path, b"X\xff\xff\xff\xffabc")


@attack("opcode BINUNICODE8", ".pt")
def text_of_an_exabyte(path: Path) -> None:
    torch_file(path, b"\x8d" + struct.pack("<Q", 2**60), protocol=4)


@attack("a frame at", ".pt")
def a_frame_of_an_exabyte(path: Path) -> None:
    torch_file(path, b"\x95" + struct.pack("<Q", 2**60), protocol=4)


@attack("opcode LONG ", ".pt")
def an_integer_of_a_million_digits(path: Path) -> None:
    torch_file(path, b"L" + b"9" * 10**6 + b"L\n")


@attack("opcode LONG4", ".pt")
def an_integer_of_a_megabyte(path: Path) -> None:
    torch_file(path, b"\x8b" + struct.pack("<i", 10**6) + b"\x7f" * 10**6)


@attack("stand behind the pickle's end", ".pt")
def opcodes_behind_the_end(path: Path) -> None:
    torch_file(path, table(("w", tensor())) + b"." + call("os.system", "touch canary"))


@attack("not a pickle of protocol 2 to 5", ".pt")
def protocol_99(path: Path) -> None:
    torch_file(path, table(("w", tensor())), protocol=99)


@attack("opcode 0x.* is none", ".pt")
def an_opcode_of_the_future(path: Path) -> None:
    torch_file(path, b"\xf0")


@attack("a value is missing", ".pt")
def an_empty_stack(path: Path) -> None:
    torch_file(path, b"a")


@attack("a mark is missing", ".pt")
def no_mark(path: Path) -> None:
    torch_file(path, b"]t")


@attack("nothing was kept", ".pt")
def a_memo_that_is_empty(path: Path) -> None:
    torch_file(path, b"j\xff\xff\xff\xff")


@attack("more or less than one value", ".pt")
def two_values(path: Path) -> None:
    torch_file(path, b"NN")


@attack("a list is a key", ".pt")
def a_key_that_cannot_be_one(path: Path) -> None:
    torch_file(path, b"}]Ns")


@attack("stands twice", ".pt")
def a_key_twice(path: Path) -> None:
    torch_file(path, table(("w", tensor()), ("w", tensor(offset=number(0)))))


@attack("more than 64 marks", ".pt")
def marks_nested_100_000_deep(path: Path) -> None:
    torch_file(path, b"(" * 100_000 + b"t" * 100_000)


@attack("nested too deep", ".pt")
def dicts_nested_100_000_deep(path: Path) -> None:
    torch_file(path, (b"}" + text("a")) * 100_000 + table(("w", tensor())) + b"s" * 100_000)


@attack("nested too deep", ".pt")
def nameless_dicts_nested_100_000_deep(path: Path) -> None:
    torch_file(path, text("") + b"q\0" + b"}h\0" * 99_000 + table(("w", tensor())) + b"s" * 99_000 + b"\x86")


@attack("nested too deep", ".pt")
def names_of_megabytes(path: Path) -> None:
    inner = b"}h\0" + table(("w", tensor())) + b"s"
    torch_file(path, text("k" * (2 << 20)) + b"q\0" + inner.replace(b"}h\0", b"}h\0", 1) + b"\x86")


@attack("holds no state dict", ".pt")
def a_list_that_holds_itself(path: Path) -> None:
    torch_file(path, b"]q\0h\0a")


@attack("holds no state dict", ".pt")
def a_dict_that_holds_itself(path: Path) -> None:
    torch_file(path, b"}q\0" + text("a") + b"h\0s")


@attack("more than 1,000 state dicts", ".pt")
def too_many_state_dicts(path: Path) -> None:
    one = table(("w", b"h\0"))
    torch_file(path, b"(" + tensor() + b"q\0" + one * 1001 + b"t")


@attack("needs .* bytes of entry", ".pt")
def storage_that_lies_about_its_size(path: Path) -> None:
    torch_file(path, table(("w", tensor(held=storage(numel=7)))))


@attack("needs .* bytes of entry", ".pt")
def storage_of_2_40_elements(path: Path) -> None:
    torch_file(path, table(("w", tensor(held=storage(numel=2**40)))))


@attack("declares about 2\\^|elements", ".pt")
def storage_of_2_2000_elements(path: Path) -> None:
    torch_file(path, table(("w", tensor(held=storage(numel=2**2000)))))


@attack("declares -6 elements", ".pt")
def storage_of_less_than_nothing(path: Path) -> None:
    torch_file(path, table(("w", tensor(held=storage(numel=-6)))))


@attack("which is missing", ".pt")
def storage_that_is_missing(path: Path) -> None:
    torch_file(path, table(("w", tensor(held=storage(key="7")))))


@attack("which is missing", ".pt")
def storage_outside_the_archive(path: Path) -> None:
    torch_file(path, table(("w", tensor(held=storage(key="../../../../../etc/passwd")))))


@attack("begins at -1", ".pt")
def negative_offset(path: Path) -> None:
    torch_file(path, table(("w", tensor(offset=number(-1)))))


@attack("reaches to element", ".pt")
def offset_beyond_the_end(path: Path) -> None:
    torch_file(path, table(("w", tensor(offset=number(1)))))


@attack("reaches to element", ".pt")
def offset_of_2_1000(path: Path) -> None:
    torch_file(path, table(("w", tensor(offset=number(2**1000)))))


@attack("has strides of", ".pt")
def negative_strides(path: Path) -> None:
    torch_file(path, table(("w", tensor(stride=tuple_of(-3, 1), offset=number(3)))))


@attack("reaches to element", ".pt")
def strides_beyond_the_end(path: Path) -> None:
    torch_file(path, table(("w", tensor(stride=tuple_of(4, 1)))))


@attack("has strides of", ".pt")
def fewer_strides_than_axes(path: Path) -> None:
    torch_file(path, table(("w", tensor(stride=tuple_of(1)))))


@attack("an expanded one", ".pt")
def overlapping_strides(path: Path) -> None:
    torch_file(path, table(("w", tensor(shape=tuple_of(3, 3, 3), stride=tuple_of(1, 1, 1)))))


@attack("an expanded one", ".pt")
def stride_0_to_2_40(path: Path) -> None:
    torch_file(path, table(("w", tensor(shape=tuple_of(2**40), stride=tuple_of(0)))))


@attack("has a shape of", ".pt")
def shape_that_wraps_around(path: Path) -> None:
    torch_file(path, table(("w", tensor(shape=tuple_of(2**32, 2**32), stride=tuple_of(0, 0)))))


@attack("has a shape of", ".pt")
def shape_with_a_zero_and_more(path: Path) -> None:
    torch_file(path, table(("w", tensor(shape=tuple_of(0, 2**60, 2**60), stride=tuple_of(1, 1, 1)))))


@attack("has a shape of", ".pt")
def negative_shape(path: Path) -> None:
    torch_file(path, table(("w", tensor(shape=tuple_of(-2, -3)))))


@attack("has a shape of", ".pt")
def shape_of_a_thousand_axes(path: Path) -> None:
    torch_file(path, table(("w", tensor(shape=tuple_of(*[1] * 1000), stride=tuple_of(*[1] * 1000)))))


@attack("overlap more than", ".pt")
def a_thousand_views_of_one_storage(path: Path) -> None:
    held = storage(numel=1 << 18)
    view = [tensor(tuple_of((1 << 18) - k), tuple_of(1), number(k), held) for k in range(1000)]
    torch_file(path, table(*((f"w{k}", made) for k, made in enumerate(view))), zeros=1 << 20)


@attack("carries hooks", ".pt")
def hooks(path: Path) -> None:
    torch_file(path, table(("w", tensor(hooks=b"}" + text("a") + text("os.system") + b"s"))))


@attack("conjugate or negated", ".pt")
def a_negated_view(path: Path) -> None:
    torch_file(path, table(("w", tensor(metadata=b"}" + text("neg") + b"\x88s"))))


@attack("without its type", ".pt")
def storage_of_a_size(path: Path) -> None:
    torch_file(path, table(("w", tensor(held=storage("torch.Size")))))


@attack("a tensor without a storage", ".pt")
def tensor_of_a_dict(path: Path) -> None:
    torch_file(path, table(("w", tensor(held=b"}"))))


@attack("says b'middle'", ".pt")
def byteorder_that_is_none(path: Path) -> None:
    torch_file(path, table(("w", tensor())), byteorder=b"middle")


@attack("checksum is wrong", ".pt")
def pickle_with_a_wrong_checksum(path: Path) -> None:
    torch_file(path, table(("w", tensor())))
    path.write_bytes(path.read_bytes().replace(b"OrderedDict", b"orderedDict"))


@attack("entries must be stored as they are", ".pt")
def compressed_storage(path: Path) -> None:
    packed = entry("archive/data/1", b"\0" * 4000, deflated=True)
    torch_file(path, table(("w", tensor(held=storage(key="1", numel=1000)))), packed)


@attack("a TorchScript program", ".pt")
def torchscript(path: Path) -> None:
    torch_file(path, table(("w", tensor())), entry("archive/code/__torch__.py", b"import os\n"))


@attack("a bare pickle", ".pt")
def legacy_pickle(path: Path) -> None:
    path.write_bytes(b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19." + call("os.system", "touch canary") + b".")


@attack("a tar archive", ".pt")
def legacy_tar(path: Path) -> None:
    import tarfile

    with tarfile.open(path, "w") as tar:
        tar.addfile(tarfile.TarInfo("storages"))
        tar.addfile(tarfile.TarInfo("../../evil"))


@attack("holds no state dict", ".pt")
def an_optimizer_alone(path: Path) -> None:
    state = b"}" + number(0) + table(("exp_avg", tensor())) + b"s"
    torch_file(path, b"}" + text("state") + state + b"s" + text("param_groups") + b"]s")


@attack("several state dicts", ".pt")
def two_state_dicts(path: Path) -> None:
    torch_file(path, b"}" + text("a") + table(("w", tensor())) + b"s" + text("b") + table(("w", tensor())) + b"s")


@attack("is no text", ".pt")
def a_note_that_is_none(path: Path) -> None:
    torch_file(path, table(("w", tensor())), entry("archive/numjaz.json", b"\xff\xfe"))


@attack("at most 1,048,576 are read", ".pt")
def a_note_of_megabytes(path: Path) -> None:
    torch_file(path, table(("w", tensor())), entry("archive/numjaz.json", b" " * (2 << 20)))


# safetensors ------------------------------------------------------------------------------------------


def safetensors(path: Path, header: object, data: bytes = ROWS, length: int | None = None) -> None:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(raw) if length is None else length) + raw + data)


def described(start: int = 0, end: int = 24, dtype: object = "F32", shape: object = (2, 3)) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


@attack("declares a header of 9,223,372,036,854,775,808", ".safetensors")
def header_of_2_63(path: Path) -> None:
    safetensors(path, {"w": described()}, length=2**63)


@attack("declares a header of", ".safetensors")
def header_longer_than_the_file(path: Path) -> None:
    safetensors(path, {"w": described()}, length=500)


@attack("at most 4,194,304 are read", ".safetensors")
def header_of_40_mb(path: Path) -> None:
    safetensors(path, b"{" + b" " * (40 << 20) + b"}")


@attack("is not described", ".safetensors")
def the_most_memory_that_a_header_takes(path: Path) -> None:
    safetensors(path, b"{" + b",".join(b'"%x":{}' % k for k in range(100_000)) + b"}")


@attack("an overlap or a hole", ".safetensors")
def tensors_that_overlap(path: Path) -> None:
    safetensors(path, {"v": described(), "w": described()})


@attack("an overlap or a hole", ".safetensors")
def a_hole_between_tensors(path: Path) -> None:
    safetensors(path, {"v": described(), "w": described(28, 52)}, ROWS * 3)


@attack("its tensors end at", ".safetensors")
def data_behind_the_tensors(path: Path) -> None:
    safetensors(path, {"w": described()}, ROWS + b"hidden")


@attack("not two places in", ".safetensors")
def a_tensor_beyond_the_data(path: Path) -> None:
    safetensors(path, {"w": described(0, 2400, shape=[600])})


@attack("not two places in", ".safetensors")
def a_tensor_before_the_data(path: Path) -> None:
    safetensors(path, {"w": described(-24, 0)})


@attack("not two places in", ".safetensors")
def offsets_that_are_no_integers(path: Path) -> None:
    safetensors(path, {"w": described() | {"data_offsets": [0.0, 24.0]}})


@attack("a key stands twice", ".safetensors")
def one_tensor_twice(path: Path) -> None:
    one = json.dumps({"w": described()})[1:-1]
    safetensors(path, f"{{{one},{one}}}".encode())


@attack("a shape that no array has", ".safetensors")
def a_shape_that_wraps_around(path: Path) -> None:
    safetensors(path, {"w": described(shape=[2**32, 2**32])})


@attack("a shape that no array has", ".safetensors")
def a_negative_shape(path: Path) -> None:
    safetensors(path, {"w": described(shape=[-2, -3])})


@attack("a shape that no array has", ".safetensors")
def a_shape_of_fractions(path: Path) -> None:
    safetensors(path, {"w": described(shape=[2.0, 3])})


@attack("declares 7 x 4 bytes", ".safetensors")
def a_shape_of_another_size(path: Path) -> None:
    safetensors(path, {"w": described(shape=[7])})


@attack("has dtype 'F8_E4M3'", ".safetensors")
def floats_of_8_bits(path: Path) -> None:
    safetensors(path, {"w": described(dtype="F8_E4M3", shape=[24])})


@attack("has dtype 'Q7'", ".safetensors")
def an_unknown_dtype(path: Path) -> None:
    safetensors(path, {"w": described(dtype="Q7")})


@attack("has dtype \\[", ".safetensors")
def a_dtype_that_is_a_list(path: Path) -> None:
    safetensors(path, {"w": described(dtype=["F32"])})


@attack("NaN is not JSON", ".safetensors")
def an_offset_that_is_no_number(path: Path) -> None:
    safetensors(path, b'{"w": {"dtype": "F32", "shape": [NaN], "data_offsets": [0, 24]}}')


@attack("not readable as JSON", ".safetensors")
def a_header_that_is_no_json(path: Path) -> None:
    safetensors(path, b"{'w': __import__('os').system('touch canary')}")


@attack("nested too deep", ".safetensors")
def a_header_nested_deep(path: Path) -> None:
    safetensors(path, b'{"w":' * 100_000)


@attack("not an object of texts", ".safetensors")
def metadata_that_is_no_text(path: Path) -> None:
    safetensors(path, {"__metadata__": {"numjaz": 3}, "w": described()})


@attack("is not described", ".safetensors")
def a_tensor_with_more_to_say(path: Path) -> None:
    safetensors(path, {"w": described() | {"stride": [1, 2]}})


@attack("\\(length|declares a header", ".safetensors")
def a_header_cut_short(path: Path) -> None:
    path.write_bytes(struct.pack("<Q", 200) + b'{"w": ')


# npz --------------------------------------------------------------------------------------------------


def headed(header: str, data: bytes = ROWS, version: tuple[int, int] = (1, 0), length: int | None = None) -> bytes:
    raw = header.encode() + b"\n"
    size = struct.pack("<H" if version[0] == 1 else "<I", len(raw) if length is None else length)
    return b"\x93NUMPY" + bytes(version) + size + raw + data


def npz(path: Path, content: bytes) -> None:
    path.write_bytes(archive([entry("w.npy", content)]))


def header(descr: str = "'<f4'", shape: str = "(2, 3)", more: str = "") -> str:
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, {more}}}"


@attack("not plain numbers", ".npz")
def array_of_objects(path: Path) -> None:
    np.savez(path, w=np.array([{"a": 1}], dtype=object))


@attack("not plain numbers", ".npz")
def pickle_in_an_array(path: Path) -> None:
    npz(
        path,
        headed(header("'|O'", "(1,)"), b"\x80\x02" + call("os.system", f"touch {path.with_name('canary')}") + b"."),
    )


@attack("has a header of no array", ".npz")
def records(path: Path) -> None:
    np.savez(path, w=np.zeros(3, dtype=[("a", "f4"), ("b", "i4")]))


@attack("not plain numbers", ".npz")
def texts(path: Path) -> None:
    np.savez(path, w=np.array(["a", "b"]))


@attack("not plain numbers", ".npz")
def complex_numbers(path: Path) -> None:
    np.savez(path, w=np.ones(3) * 1j)


@attack("not plain numbers", ".npz")
def dates(path: Path) -> None:
    np.savez(path, w=np.zeros(3, "M8[s]"))


@attack("not plain numbers", ".npz")
def long_doubles(path: Path) -> None:
    npz(path, headed(header("'<f16'", "(2,)"), b"\0" * 32))


@attack("has a header of no array", ".npz")
def a_dtype_of_terabytes(path: Path) -> None:
    npz(path, headed(header("('<f4', (1000000, 1000000))", "(1,)")))


@attack("declares a header of", ".npz")
def array_header_of_a_megabyte(path: Path) -> None:
    npz(path, headed(header() + " " * (1 << 20), version=(2, 0)))


@attack("declares a header of", ".npz")
def array_header_longer_than_the_entry(path: Path) -> None:
    npz(path, headed(header(), version=(2, 0), length=2**32 - 1))


@attack("has a header of no array", ".npz")
def code_in_the_header(path: Path) -> None:
    npz(path, headed(header(more=f"'x': __import__('os').system('touch {path.with_name('canary')}')")))


@attack("has a header of no array", ".npz")
def a_header_of_brackets(path: Path) -> None:
    npz(path, headed("(" * 9000))


@attack("has a header of no array", ".npz")
def a_header_of_signs(path: Path) -> None:
    npz(path, headed("{'shape': " + "-" * 9000 + "1}"))


@attack("has a header of no array", ".npz")
def a_header_with_a_number_of_thousands_of_digits(path: Path) -> None:
    npz(path, headed(header(shape=f"({'9' * 9000},)")))


@attack("has a header of no array", ".npz")
def a_header_without_a_shape(path: Path) -> None:
    npz(path, headed("{'descr': '<f4', 'fortran_order': False}"))


@attack("has a header of no array", ".npz")
def an_empty_dtype(path: Path) -> None:
    npz(path, headed(header("()")))


@attack("begins with b'NOTNUMPY'", ".npz")
def not_numpy(path: Path) -> None:
    npz(path, b"NOTNUMPY" + WEIGHTS[8:])


@attack("form 1 or 2", ".npz")
def a_version_of_the_future(path: Path) -> None:
    npz(path, headed(header(), version=(9, 0)))


@attack("form 1 or 2", ".npz")
def an_empty_entry(path: Path) -> None:
    npz(path, b"")


@attack("declares 1,000,000,000,000 x 4 bytes", ".npz")
def array_shape_of_10_12(path: Path) -> None:
    npz(path, headed(header(shape="(1000000, 1000000)")))


@attack("which no array has", ".npz")
def array_shape_that_wraps_around(path: Path) -> None:
    npz(path, headed(header(shape="(4294967296, 4294967296)")))


@attack("has a header of no array", ".npz")
def array_shape_below_zero(path: Path) -> None:
    npz(path, headed(header(shape="(-2, -3)")))


@attack("has a header of no array", ".npz")
def array_shape_of_truths(path: Path) -> None:
    npz(path, headed(header(shape="(True, 6)")))


@attack("there are 20", ".npz")
def array_cut_short(path: Path) -> None:
    npz(path, headed(header(), ROWS[:20]))


@attack("there are 30", ".npz")
def something_behind_the_array(path: Path) -> None:
    npz(path, headed(header(), ROWS + b"hidden"))


@attack("is no text", ".npz")
def a_note_of_other_bytes(path: Path) -> None:
    np.savez(path, w=np.zeros(3), numjaz=np.array([255, 254], np.uint8))
