"""What holds of torch, safetensors and npz files alike: written whole, read again, told apart."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from tensor_builders import archive, entry, headed
from tensor_reading import ARRAYS, NEW, needs_package, opened, read, same

from numjaz.doors.npz import Npz
from numjaz.doors.shapes import elements
from numjaz.errors import NumjazError
from numjaz.formats.npz_file import write_npz
from numjaz.formats.safetensors_file import write_safetensors
from numjaz.formats.tensor_files import open_tensors
from numjaz.formats.torch_file import TorchFile, write_torch

WRITERS = {"torch": write_torch, "safetensors": write_safetensors, "npz": write_npz}
SUFFIXES = {"torch": ".pt", "safetensors": ".safetensors", "npz": ".npz"}


def test_arrays_cannot_be_changed(tmp_path: Path) -> None:
    write_npz(tmp_path / "m.npz", ARRAYS, "")
    for made in (read(NEW / "views.pt"), read(tmp_path / "m.npz")):
        assert not any(array.flags.writeable for array in made.values() if array.size)


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
        WRITERS[kind](path, {"a": np.ones(2), "b": np.arange(2, dtype=np.int64)}, "")
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
