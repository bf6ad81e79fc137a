"""Tables of tensors: what real torch, safetensors and NumPy wrote, and what numjaz writes."""

from __future__ import annotations

import io
import struct
import sys
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensor_attacks import (
    EMPTY,
    archive,
    entry,
    headed,
    named,
    number,
    safetensors,
    storage,
    table,
    tensor,
    text,
    torch_file,
    tuple_of,
)

from numjaz.doors.npz import Npz
from numjaz.doors.pickle import tensor_tables
from numjaz.doors.shapes import elements
from numjaz.doors.zip import Zip
from numjaz.errors import NumjazError, NumjazWarning
from numjaz.formats.safetensors_file import SafetensorsFile
from numjaz.formats.tensor_files import Tensors, open_tensors, write_npz, write_safetensors, write_torch
from numjaz.formats.torch_file import TorchFile

FOLDERS = sorted(Path(__file__).parent.glob("fixtures/torch-*"))
NEW = FOLDERS[-1]
FILES = [path for folder in FOLDERS for path in sorted(folder.glob("*.pt"))]
PLAIN = [path for path in FILES if path.stem not in ("checkpoint", "nested")]
WRITERS = {"torch": write_torch, "safetensors": write_safetensors, "npz": write_npz}
SUFFIXES = {"torch": ".pt", "safetensors": ".safetensors", "npz": ".npz"}
ARRAYS = {
    "conv/weight": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    "turned": np.asfortranarray(np.arange(6, dtype=np.float64).reshape(2, 3)),
    "sliced": np.arange(20, dtype=np.float16)[3::4],
    "big-endian": np.array([1.5, -0.0], ">f4"),
    "odd values": np.array([np.inf, -np.inf, np.nan, -0.0, 5e-324]),
    "scalar": np.array(2.5, np.float32),
    "nothing": np.zeros((3, 0, 2), np.float32),
    "größe": np.ones(1),
}


def opened(path: Path, key: str | None = None) -> Tensors:
    tensors = open_tensors(path, key)
    assert tensors is not None
    return tensors


def read(path: Path, key: str | None = None) -> dict[str, np.ndarray]:
    with opened(path, key) as tensors:
        made = {name: tensors.array(name) for name in tensors.shapes}
        assert {name: array.shape for name, array in made.items()} == dict(tensors.shapes)
        return made


def same(made: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    """Equal bit for bit, in names, shapes, dtypes; the order in which bytes stand aside."""
    assert set(made) == set(expected)
    for name, values in expected.items():
        assert (made[name].dtype.name, made[name].shape) == (values.dtype.name, values.shape), name
        native = values.dtype.newbyteorder("=")
        assert made[name].astype(native).tobytes() == values.astype(native).tobytes(), name


def expected(path: Path, under: str = "") -> dict[str, np.ndarray]:
    with np.load(path.with_suffix(".npz")) as held:
        return {name.removeprefix(under): held[name] for name in held.files if name.startswith(under)}


def needs_package(kind: str) -> None:
    if kind == "safetensors":
        pytest.importorskip("safetensors")


@pytest.mark.filterwarnings("ignore:.*bfloat16")
@pytest.mark.parametrize("path", PLAIN, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_state_dicts_that_torch_wrote(path: Path) -> None:
    same(read(path), expected(path))


def test_what_a_file_says_without_reading_arrays() -> None:
    with opened(NEW / "state_dict.pt") as tensors:
        assert (tensors.kind, tensors.note, tensors.path) == ("torch", None, str(NEW / "state_dict.pt"))
        assert list(tensors.shapes)[:3] == ["reduction.weight", "reduction.bias", "norm.weight"]
        assert tensors.shapes["reduction.weight"] == (4, 3, 3)
        assert tensors.dtypes["norm.num_batches_tracked"] == "int64"
        with pytest.raises(NumjazError, match="holds no tensor 'x'"):
            tensors.array("x")


def test_arrays_cannot_be_changed(tmp_path: Path) -> None:
    write_npz(tmp_path / "m.npz", ARRAYS, "")
    for made in (read(NEW / "views.pt"), read(tmp_path / "m.npz")):
        assert not any(array.flags.writeable for array in made.values() if array.size)


def test_shared_storages_stay_shared() -> None:
    made = read(NEW / "tied.pt")
    assert np.shares_memory(made["embed.weight"], made["head.weight"])
    views = read(NEW / "views.pt")
    assert np.shares_memory(views["turned"], views["row"])


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_checkpoint_with_several_state_dicts(folder: Path) -> None:
    path = folder / "checkpoint.pt"
    with pytest.raises(NumjazError, match=r"'model_state_dict' of 10 tensors, 'ema.model' of 2 tensors; choose"):
        open_tensors(path)
    with pytest.raises(NumjazError, match="no state dict 'optimizer_state_dict'; there are"):
        open_tensors(path, key="optimizer_state_dict")
    same(read(path, "model_state_dict"), expected(path, "model_state_dict/"))
    same(read(path, "ema.model"), expected(path, "ema/model/"))


def test_the_one_state_dict_of_a_checkpoint_is_taken_aloud() -> None:
    with pytest.warns(NumjazWarning, match="took 'state_dict', the state dict in it"):
        same(read(NEW / "nested.pt"), expected(NEW / "nested.pt", "state_dict/"))


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_bfloat16_is_said_once_a_file(suffix: str) -> None:
    needs_package(suffix[1:])
    with opened((NEW / "kinds").with_suffix(suffix)) as tensors:
        assert tensors.dtypes["bfloat16"] == "bfloat16"
        with pytest.warns(NumjazWarning) as warned:
            kinds = {tensors.array(name).dtype for name in ("bfloat16", "bfloat16_turned", "float32", "bfloat16")}
    assert kinds == {np.dtype(np.float32)}
    (said,) = [str(warning.message) for warning in warned]
    assert "2 of 12 tensors are bfloat16" in said


@pytest.mark.filterwarnings("ignore:.*bfloat16")
def test_safetensors_that_the_package_wrote() -> None:
    pytest.importorskip("safetensors")
    same(read(NEW / "kinds.safetensors"), expected(NEW / "kinds.pt"))


def test_without_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(NumjazError, match=r"^reading .safetensors needs .* pip install 'numjaz\[safetensors\]'"):
        open_tensors(NEW / "kinds.safetensors")
    with pytest.raises(NumjazError, match=r"^writing .safetensors needs"):
        write_safetensors(tmp_path / "m.safetensors", {}, "")
    same(read(NEW / "state_dict.pt"), expected(NEW / "state_dict.pt"))  # nobody else needs it


REFUSED = {
    "attributed": "a tensor with attributes of its own is not read",
    "complex": "a storage of complex numbers is not read",
    "expanded": "12 elements, its storage 3; an expanded one",
    "legacy": "as torch wrote before 1.6",
    "meta": "on the meta device, is not read",
    "model": "'torch.nn.modules.linear.Linear': a whole model is not read; save the state dict alone",
    "negated": "a conjugate or negated view",
    "nothing": "holds no state dict",
    "quantised": "a quantised tensor is not read",
    "script": "a TorchScript program",
    "sparse": "a sparse tensor is not read",
}


@pytest.mark.parametrize(
    "path",
    [path for folder in FOLDERS for path in sorted(folder.glob("refused/*"))],
    ids=lambda p: f"{p.parts[-3]}-{p.stem}",
)
def test_what_torch_wrote_and_is_refused(path: Path) -> None:
    with pytest.raises(NumjazError, match=REFUSED[path.stem]) as error:
        open_tensors(path)
    assert str(error.value).startswith(str(path))


def rewritten(path: Path, change: Callable[[str, bytes], bytes | None], **options: Any) -> io.BytesIO:
    """An archive again, each entry's content changed, or left out."""
    content = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(content, "w", **options) as new:
        for name in old.namelist():
            changed = change(name, old.read(name))
            if changed is not None:
                new.writestr(name, changed)
    return content


def test_a_machine_that_stores_the_most_significant_byte_first(tmp_path: Path) -> None:
    sizes = {f"state_dict/data/{k}": 8 if k == 6 else 4 for k in range(10)}  # the seventh is num_batches_tracked

    def swapped(name: str, content: bytes) -> bytes:
        if name in sizes:
            return np.frombuffer(content, f"u{sizes[name]}").byteswap().tobytes()
        return b"big" if name == "state_dict/byteorder" else content

    path = tmp_path / "big.pt"
    path.write_bytes(rewritten(NEW / "state_dict.pt", swapped).getvalue())
    made = read(path)
    assert made["norm.weight"].dtype == ">f4"
    assert made["norm.num_batches_tracked"].dtype == ">i8"
    same(made, expected(NEW / "state_dict.pt"))
    path.write_bytes(rewritten(NEW / "state_dict.pt", lambda n, c: None if n.endswith("byteorder") else c).getvalue())
    same(read(path), expected(NEW / "state_dict.pt"))  # as torch before 2.1 left it out


def test_an_archive_packed_again_by_another_program(tmp_path: Path) -> None:
    path = tmp_path / "again.pt"
    with zipfile.ZipFile(NEW / "state_dict.pt") as old, zipfile.ZipFile(path, "w") as new:
        new.mkdir("archive") if hasattr(new, "mkdir") else new.writestr("archive/", b"")
        for name in reversed(old.namelist()):
            new.writestr(f"archive/{name.partition('/')[2]}", old.read(name))
    same(read(path), expected(NEW / "state_dict.pt"))
    path.write_bytes(rewritten(path, lambda n, c: c, compression=zipfile.ZIP_DEFLATED).getvalue())
    with pytest.raises(NumjazError, match="entries must be stored as they are"):
        open_tensors(path)


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


def test_npz_that_numpy_wrote(tmp_path: Path) -> None:
    arrays = ARRAYS | {"k": np.arange(3), "flags": np.array([True, False]), "u": np.array([1, 2], ">u2")}
    for write in (np.savez, np.savez_compressed):
        write(tmp_path / "m.npz", **arrays)
        same(read(tmp_path / "m.npz"), arrays)
        assert read(tmp_path / "m.npz")["big-endian"].dtype == ">f4"
        with opened(tmp_path / "m.npz") as tensors:
            assert (tensors.kind, tensors.note) == ("npz", None)
            assert list(tensors.shapes) == list(arrays)
            assert tensors.dtypes["u"] == "uint16"


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2L, 3L)}",  # Python 2's
        "{'shape':(2,3),'fortran_order':False,'descr':'<f4'}",
        "{ 'descr' : '=f4' ,\t'fortran_order': False, 'shape': ( 2 , 3 ), }   ",
    ],
)
@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
def test_npy_headers_that_others_wrote(tmp_path: Path, header: str, version: tuple[int, int]) -> None:
    (tmp_path / "m.npz").write_bytes(archive([entry("w.npy", headed(header, version=version))]))
    same(read(tmp_path / "m.npz"), {"w": np.arange(6, dtype=np.float32).reshape(2, 3)})


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f4' 'fortran_order': False, 'shape': (6,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (6,)}\v",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (06,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2,,3)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2 3)}",
        "{'descr': '<f4', 'descr': '<f4', 'shape': (6,)}",
        "{'shape': (6,), 'fortran_order': False, 'shape': (6,)}",
        "{'descr': '<f4', 'fortran_order': False, 'descr': '<f4'}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (6)}",
    ],
)
def test_npy_headers_that_numpy_does_not_read_either(tmp_path: Path, header: str) -> None:
    (tmp_path / "m.npz").write_bytes(archive([entry("w.npy", headed(header))]))
    with pytest.raises(NumjazError, match=r"header of no array|no tuple, \(6\)"):
        open_tensors(tmp_path / "m.npz")
    with np.load(tmp_path / "m.npz") as held, pytest.raises(ValueError), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the second attempt, as for Python 2
        held["w"]


def test_shapes_of_an_npz_are_listed_without_its_numbers(tmp_path: Path) -> None:
    np.savez(tmp_path / "m.npz", w=np.full(1000, 1.5))
    content = (tmp_path / "m.npz").read_bytes()
    (tmp_path / "m.npz").write_bytes(content.replace(struct.pack("<d", 1.5), struct.pack("<d", 1.0), 1))
    with opened(tmp_path / "m.npz") as tensors:
        assert dict(tensors.shapes) == {"w": (1000,)}
        with pytest.raises(NumjazError, match="checksum is wrong"):
            tensors.array("w")


def test_what_is_none_of_the_three(tmp_path: Path) -> None:
    path = tmp_path / "m"
    for content in (
        b"",
        b"{}",
        b"a\2",
        b"\x80\1",
        b"\x80",
        b"\x89HDF\r\n\x1a\n" + b"\0" * 600,
        archive([entry("a.npy", b""), entry("b.txt", b"")]),
    ):
        path.write_bytes(content)
        assert open_tensors(path) is None
    with pytest.raises(NumjazError, match="not a regular file"):
        open_tensors(tmp_path)
    write_npz(path, {"a": np.zeros(2)}, "")
    with pytest.raises(NumjazError, match=r"key= chooses .* this is npz"):
        open_tensors(path, key="a")


@pytest.mark.parametrize("kind", WRITERS)
def test_what_is_written_is_read_again(tmp_path: Path, kind: str) -> None:
    needs_package(kind)
    path = tmp_path / f"m{SUFFIXES[kind]}"
    note = '{"größe": "\\n"}'
    WRITERS[kind](path, ARRAYS, note)
    first = path.read_bytes()
    with opened(path) as tensors:
        assert (tensors.kind, tensors.note) == (kind, note)
        if kind != "safetensors":  # which sorts them
            assert list(tensors.shapes) == list(ARRAYS)
    same(read(path), ARRAYS)
    WRITERS[kind](path, ARRAYS, note)
    assert path.read_bytes() == first
    WRITERS[kind](path, {}, "")
    if kind == "torch":
        with pytest.raises(NumjazError, match="holds no state dict"):
            open_tensors(path)
    else:
        assert read(path) == {}


@pytest.mark.parametrize("kind", WRITERS)
def test_files_are_written_whole_or_not_at_all(tmp_path: Path, kind: str) -> None:
    needs_package(kind)
    path = tmp_path / f"m{SUFFIXES[kind]}"
    WRITERS[kind](path, {"a": np.zeros(2)}, "")
    before = path.read_bytes()
    with pytest.raises(NumjazError, match="'b' is int64; float16, float32, float64 are written"):
        WRITERS[kind](path, {"a": np.ones(2), "b": np.arange(2)}, "")
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_names_that_a_file_cannot_hold(tmp_path: Path) -> None:
    for names, said in ((("../a",), "no name"), (("a", "A"), "no name"), (("numjaz",), "where the note stands")):
        with pytest.raises(NumjazError, match=said):
            write_npz(tmp_path / "m.npz", dict.fromkeys(names, np.zeros(2)), "")
    pytest.importorskip("safetensors")
    with pytest.raises(NumjazError, match="cannot be named '__metadata__'"):
        write_safetensors(tmp_path / "m.safetensors", {"__metadata__": np.zeros(2)}, "")


def test_any_reader_of_archives_reads_what_is_written(tmp_path: Path) -> None:
    write_torch(tmp_path / "m.pt", ARRAYS, "note")
    with zipfile.ZipFile(tmp_path / "m.pt") as archive:
        assert archive.testzip() is None
        assert archive.read("archive/numjaz.json") == b"note"
        for info in archive.infolist():  # where torch may map them into memory
            assert (info.header_offset + 30 + len(info.filename.encode()) + len(info.extra)) % 64 == 0
    write_npz(tmp_path / "m.npz", ARRAYS, "note")
    with np.load(tmp_path / "m.npz") as held:
        same({name: held[name] for name in held.files if name != "numjaz"}, ARRAYS)
        assert held["numjaz"].tobytes() == b"note"


def test_an_array_that_is_only_named_like_the_note(tmp_path: Path) -> None:
    arrays = {"numjaz": np.arange(3.0)}
    np.savez(tmp_path / "m.npz", **arrays)
    same(read(tmp_path / "m.npz"), arrays)


def test_who_is_asked_for_something_else(tmp_path: Path) -> None:
    path = tmp_path / "m.npz"
    np.savez(path, a=np.zeros(2), text=np.array(["walking", "jogging"]), nothing=np.array([""]).view("U1"))
    with Npz(path) as held:
        assert held.array("text", "U").tolist() == ["walking", "jogging"]
        with pytest.raises(NumjazError, match="'text' holds '<U7', not plain numbers"):
            held.array("text")
    path.write_bytes(archive([entry("w.npy", headed("{'descr': '<U0', 'fortran_order': False, 'shape': (6,)}"))]))
    with Npz(path) as held, pytest.raises(NumjazError, match="'<U0'"):
        held.array("w", "U")
    write_npz(path, {"a": np.zeros(2)}, "")
    with opened(path) as tensors, pytest.raises(NumjazError, match="holds no array 'b'"):
        tensors.array("b")
    with pytest.raises(NumjazError, match=r"holds no data\.pkl"):
        TorchFile(str(path))


def test_how_many_elements_a_shape_has() -> None:
    assert elements([1] * 32) == 1
    assert elements([1] * 33) is None


# The pickle alone: what is a state dict, and where ----------------------------------------------------


def tables(root: bytes, protocol: int = 2) -> dict[str, list[str]]:
    made = tensor_tables(b"\x80" + bytes([protocol]) + root + b".", "data.pkl")
    return {path: list(table) for path, table in made.items()}


def pairs(*held: tuple[str, bytes]) -> bytes:
    return b"}(" + b"".join(text(key) + value for key, value in held) + b"u"


ONE = table(("w", tensor()))


def test_state_dicts_are_found_by_their_paths() -> None:
    assert tables(ONE) == {"": ["w"]}
    assert tables(pairs(("a", pairs(("b", ONE))), ("c", ONE))) == {"a.b": ["w"], "c": ["w"]}
    assert tables(ONE + text("inner") + ONE + b"s") == {"": ["w"], "inner": ["w"]}
    assert tables(b"(" + ONE + ONE + b"t") == {"0": ["w"], "1": ["w"]}
    assert tables(b"](" + ONE + b"Ne") == {"0": ["w"]}
    assert tables(b"N") == tables(tensor()) == tables(text("w")) == {}


def test_neighbours_that_are_no_tensors_are_left_out() -> None:
    held = (("a", b"N"), ("w", tensor()), ("b", number(-5)), ("c", b"\x88"), ("d", b"G" + struct.pack(">d", 0.5)))
    assert tables(table(*held, ("e", b"]"), ("f", storage()), ("g", EMPTY))) == {"": ["w"]}
    assert tables(b"}" + number(0) + tensor() + b"s") == {}  # under a number, not a name


def test_a_state_dict_by_two_paths_is_one() -> None:
    made = tensor_tables(b"\x80\x02" + pairs(("a", ONE + b"q\1"), ("b", b"h\1")) + b".", "data.pkl")
    assert list(made) == ["a", "b"]
    assert made["a"] is made["b"]


def test_one_table_under_two_names_needs_no_choice(tmp_path: Path) -> None:
    torch_file(tmp_path / "m.pt", pairs(("a", ONE + b"q\1"), ("b", b"h\1")))
    with pytest.warns(NumjazWarning, match="took 'a'"):
        assert list(read(tmp_path / "m.pt")) == ["w"]


def test_two_paths_that_read_alike() -> None:
    with pytest.raises(NumjazError, match=r"^data.pkl: two state dicts stand under the path 'a.b'"):
        tables(pairs(("a.b", ONE), ("a", pairs(("b", ONE)))))


def test_states_of_optimizers_are_no_state_dicts() -> None:
    by_name = pairs(("state", pairs(("layer.weight", pairs(("exp_avg", tensor()))))), ("param_groups", b"]"))
    assert tables(by_name) == {}
    assert tables(pairs(("optimizer", by_name), ("model", ONE))) == {"model": ["w"]}
    assert tables(pairs(("state", ONE))) == {"state": ["w"]}


def test_cycles_end() -> None:
    assert tables(b"}q\1" + text("self") + b"h\1s" + text("w") + tensor() + b"s") == {"": ["w"], "self": ["w"]}
    assert tables(b"]q\1(h\1h\1" + ONE + b"e") == {"2": ["w"]}


def test_opcodes_of_later_protocols() -> None:
    names = b"\x8c\x0bcollections\x94\x8c\x0bOrderedDict\x94\x93"
    assert (
        tables(b"\x95" + struct.pack("<Q", 20) + names + b")R(\x8c\x01w\x94h\2" + tensor()[0:0] + b"u", protocol=4)
        == {}
    )
    assert tables(names + b")R(\x8c\x01w" + tensor() + b"u", protocol=5) == {"": ["w"]}


def test_parameters_and_versions() -> None:
    parameter = b"ctorch._utils\n_rebuild_parameter\n" + tensor() + b"\x88" + EMPTY + b"\x87R"
    assert tables(table(("w", parameter))) == {"": ["w"]}
    assert tables(ONE + pairs(("_metadata", EMPTY)) + b"b") == {"": ["w"]}
    v3 = tensor(held=storage("torch.storage.UntypedStorage", numel=24)).replace(b"_v2", b"_v3")
    assert tables(table(("w", v3[:-2] + b"ctorch\nfloat32\ntR"))) == {"": ["w"]}
    for wrong in (v3[:-2] + b"NtR", v3, tensor().replace(b"_v2", b"_v3")[:-2] + b"ctorch\nfloat32\ntR"):
        with pytest.raises(NumjazError, match=r"without a dtype|without a storage|of 6 parts"):
            tables(wrong)
    for wrong in (b"ctorch._utils\n_rebuild_parameter\nN\x88" + EMPTY + b"\x87R", b"ccollections\nOrderedDict\n]\x85R"):
        with pytest.raises(NumjazError, match=r"more than a tensor|item by item"):
            tables(wrong)


def test_every_form_of_an_integer_and_of_the_memo() -> None:
    for two in (b"K\2", b"M\2\0", b"J\2\0\0\0", b"\x8a\1\2"):
        shape = b"(" + two + number(3) + b"t"
        assert tables(table(("w", tensor(shape=shape)))) == {"": ["w"]}
    kept = text("w") + b"r\1\1\0\0" + tensor() + b"sh\0" + text("v") + tensor() + b"s"
    assert tables(EMPTY + b"q\0" + kept.replace(b"sh\0", b"s") + b"j\0\0\0\0\x86") == {"0": ["w", "v"], "1": ["w", "v"]}
    assert tables(EMPTY + b"\x94(" + text("w") + b"\x94" + tensor() + b"u") == {"": ["w"]}


def test_a_stride_along_one_element_may_be_anything(tmp_path: Path) -> None:
    torch_file(tmp_path / "m.pt", table(("w", tensor(tuple_of(1, 6), tuple_of(2**200, 1)))))
    same(read(tmp_path / "m.pt"), {"w": np.arange(6, dtype=np.float32).reshape(1, 6)})


STORAGE = named("torch.FloatStorage")
REBUILD, HOOKS = named("torch._utils._rebuild_tensor_v2"), b"\x89" + EMPTY


@pytest.mark.parametrize(
    ("root", "said"),
    [
        (named("torch._utils._rebuild_nested_tensor"), "a nested tensor is not read"),
        (named("torch._utils._rebuild_parameter_with_state"), "attributes of its own is not read"),
        (named("torch.QUInt8Storage"), "a quantised tensor is not read"),
        (b"(N", "more or less than one value"),
        (b"", "more or less than one value"),
        (b"ctorch\nSize" + b"x" * 300, "a name at 9 that does not end"),
        (b"ctorch\n\xff\n", "text that is none"),
        (b"(Ne", "no list stands"),
        (b"q\0", "a value is missing"),
        (b"}(Nu", "a key without a value"),
        (b"K\1" + text("Size") + b"\x93", "a name that is no text"),
        (text("torch") + b"K\1\x93", "a name that is no text"),
        (named("torch.Size") + b"]R", "calls what is no function"),
        (b"NQ", "a reference that is no storage"),
        (text("storage") + b"\x85Q", "a reference that is no storage"),
        (
            b"(" + text("stowage") + STORAGE + text("0") + text("cpu") + number(6) + b"tQ",
            "a reference that is no storage",
        ),
        (b"(" + text("storage") + b"N" + text("0") + text("cpu") + number(6) + b"tQ", "without its type, key or place"),
        (b"(" + text("storage") + STORAGE + b"N" + text("cpu") + number(6) + b"tQ", "without its type, key or place"),
        (b"(" + text("storage") + STORAGE + text("0") + b"N" + number(6) + b"tQ", "without its type, key or place"),
        (b"(" + text("storage") + STORAGE + text("0") + text("cpu") + b"NtQ", "declares a NoneType elements"),
        (REBUILD + storage() + b"\x85R", "a tensor of 1 parts"),
        (REBUILD + b"(" + storage() + b"N" + tuple_of(6) + tuple_of(1) + HOOKS + b"tR", "begins at a NoneType"),
        (REBUILD + b"(" + storage() + number(0) + tuple_of(6) + b"]" + HOOKS + b"tR", "strides of a list"),
        (tensor(stride=b"](" + number(3) + number(1) + b"e"), "strides of a list"),
        (tensor(held=storage("torch.storage.UntypedStorage")), "without a storage of plain numbers"),
        (tensor(held=storage()).replace(b"_v2", b"_v3")[:-2] + named("torch.Size") + b"tR", "without a dtype"),
        (named("torch._utils._rebuild_parameter") + tensor() + b"\x85R", "more than a tensor"),
        (named("torch._utils._rebuild_parameter") + tensor() + b"\x88}NNs\x87R", "more than a tensor"),
        (named("collections.Counter") + b"]\x85R", "a Counter of what is no dict"),
        (named("collections.Counter") + b")R", "a Counter of what is no dict"),
        (named("torch.Size") + b"]\x85R", "a torch.Size of what is no tuple"),
        (named("torch.Size") + b"))\x86R", "a torch.Size of what is no tuple"),
        (bytes(4 << 20), "4,194,307 bytes; at most 4,194,304"),
    ],
)
def test_pickles_that_are_no_tables(root: bytes, said: str) -> None:
    with pytest.raises(NumjazError, match=f"^data.pkl: .*{said}"):
        tables(root)


def test_a_pickle_without_an_end() -> None:
    with pytest.raises(NumjazError, match=r"^data.pkl: cut short: the pickle does not end"):
        tensor_tables(b"\x80\2" + ONE, "data.pkl")


@pytest.mark.parametrize("start", [b"", b"\x80", b"}.", b"N\2}."])
def test_pickles_that_are_none(start: bytes) -> None:
    with pytest.raises(NumjazError, match="not a pickle of protocol 2 to 5"):
        tensor_tables(start, "data.pkl")


def test_an_empty_view_may_begin_behind_the_end() -> None:
    """As torch leaves it after cutting: an offset from which nothing is read."""
    assert tables(table(("w", tensor(shape=tuple_of(0, 3), offset=number(9))))) == {"": ["w"]}


def test_neighbours_that_checkpoints_hold() -> None:
    counter = b"ccollections\nCounter\n}" + number(3) + number(1) + b"s\x85R"
    size = b"ctorch\nSize\n(" + number(1) + b"t\x85R"
    device = b"ctorch\ndevice\n" + text("cpu") + b"\x85R"
    held = (("a", counter), ("b", size), ("c", device), ("d", b"ctorch\nbfloat16\n"))
    assert tables(pairs(*held, ("m", ONE))) == {"m": ["w"]}
    shaped = tensor(shape=b"ctorch\nSize\n" + b"(" + number(2) + number(3) + b"t\x85R")
    assert tables(table(("w", shaped))) == {"": ["w"]}


def test_a_header_of_safetensors_alone(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    path = tmp_path / "m.safetensors"
    later = {"dtype": "F32", "shape": [2], "data_offsets": [16, 24]}
    safetensors(path, {"b": later, "a": {"dtype": "I64", "shape": [2], "data_offsets": [0, 16]}})
    with opened(path) as tensors:
        assert list(tensors.shapes) == ["b", "a"]
        np.testing.assert_array_equal(tensors.array("b"), np.float32([4, 5]))
        with pytest.raises(NumjazError, match="holds no tensor"):
            tensors.array("c")


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (b"[1]", "header: not an object"),
        ({"w": [1]}, "is not described by"),
        ({"w": 1}, "is not described by"),
        ({"w": {"dtype": "F32", "shape": [2], "data_offsets": 8}}, "not two places"),
        ({"w": {"dtype": "F32", "shape": [2], "data_offsets": {}}}, "not two places"),
        ({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8, 8]}}, "not two places"),
        ({"__metadata__": ["format"]}, "__metadata__ is not an object of texts"),
    ],
)
def test_headers_of_safetensors_that_are_none(tmp_path: Path, header: object, said: str) -> None:
    safetensors(tmp_path / "m.safetensors", header, bytes(8))
    with pytest.raises(NumjazError, match=said):
        SafetensorsFile(str(tmp_path / "m.safetensors"))


@pytest.mark.parametrize("dtype", ["F64", "F32", "F16", "I64", "I32", "I16", "I8", "U64", "U32", "U16", "U8", "BOOL"])
def test_numbers_of_safetensors(tmp_path: Path, dtype: str) -> None:
    pytest.importorskip("safetensors")
    name = {"F": "f", "I": "i", "U": "u", "B": "b"}[dtype[0]] + str(int(dtype[1:]) // 8 if dtype != "BOOL" else 1)
    values = np.array([1, 0, 1], name)
    described = {"dtype": dtype, "shape": [3], "data_offsets": [0, values.nbytes]}
    safetensors(tmp_path / "m.safetensors", {"w": described}, values.tobytes())
    same(read(tmp_path / "m.safetensors"), {"w": values})


def test_a_file_that_changes_under_the_reader(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    path = tmp_path / "m.safetensors"
    write_safetensors(path, {"a": np.zeros(2)}, "")
    with opened(path) as tensors:
        write_safetensors(path, {"b": np.zeros(3)}, "")
        with pytest.raises(NumjazError, match="was changed while it was read"):
            tensors.array("a")
