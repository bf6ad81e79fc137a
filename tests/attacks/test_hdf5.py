"""Every hostile file ends in one line, at once, in little memory; measured from outside, in a child process."""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import numpy as np
import pytest
from child import MEGABYTES, refused, run, seconds
from hdf5_files import ATTACKS

import numjaz
from numjaz.doors.hdf5 import HEAP, READ, Hdf5

pytestmark = pytest.mark.skipif(not hasattr(os, "wait4"), reason="measuring a child's memory needs wait4")


def sound(path: Path) -> Path:
    numjaz.jazbat(classes=3, units=4, modules=1, width=8).save(path)
    return path


def test_the_sound_file_is_read(tmp_path: Path) -> None:
    made = run("info", str(sound(tmp_path / "m.h5")))
    assert made["code"] == 0
    assert made["seconds"] < seconds()
    assert made["resident_mb"] < MEGABYTES


@pytest.mark.parametrize("name", ATTACKS)
def test_hostile_files(tmp_path: Path, name: str) -> None:
    path = sound(tmp_path / "m.h5")
    make, said = ATTACKS[name]
    make(path)
    refused(run("info", str(path)), said)


def test_there_are_at_least_twelve() -> None:
    assert len(ATTACKS) >= 12


@pytest.mark.parametrize("what", ["folder", "pipe", "device", "missing"])
def test_what_is_no_file(tmp_path: Path, what: str) -> None:
    path = tmp_path / "m.h5"
    if what == "folder":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)
    elif what == "device":
        path = Path("/dev/zero")
    refused(run("info", str(path)), "not a regular file|No such file")


def keras_file(tmp_path: Path, container: str) -> Path:
    (source,) = (Path(__file__).parent.parent / "fixtures").glob(f"keras-3*/plain.{container}")
    path = tmp_path / f"m.{container}"
    path.write_bytes(source.read_bytes())
    return path


def external(file: h5py.File, place: str) -> None:
    del file[place]
    file[place] = h5py.ExternalLink("other.h5", "/x")


def stored_elsewhere(file: h5py.File, place: str) -> None:
    shape = file[place].shape
    del file[place]
    file.create_dataset(place, shape, "f8", external=[("/etc/passwd", 0, int(np.prod(shape)) * 8)])


def of_objects(file: h5py.File, place: str) -> None:
    del file[place]
    file.create_dataset(place, (3,), h5py.string_dtype())


def bomb(file: h5py.File, place: str) -> None:
    shape = file[place].shape
    del file[place]
    file.create_dataset(place, data=np.zeros(shape), compression="gzip")


@pytest.mark.parametrize("container", ["h5", "keras-like"])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (external, "ExternalLink"),
        (stored_elsewhere, "another file"),
        (of_objects, "plain numbers"),
        (bomb, "compressed"),
    ],
)
def test_hostile_keras_files(tmp_path: Path, container: str, change: object, said: str) -> None:
    legacy = container == "h5"
    path = keras_file(tmp_path, "h5" if legacy else "weights.h5")
    with h5py.File(path, "r+") as file:
        change(file, "model_weights/classes/classes/kernel" if legacy else "layers/dense/vars/0")  # type: ignore[operator]
    extra = [] if legacy else ["--architecture", str(keras_file(tmp_path, "keras"))]
    refused(run("info", str(path), *extra), said)


def test_hostile_names_in_a_legacy_file(tmp_path: Path) -> None:
    for names in (["../../x"], ["/etc/passwd"], ["a", "a"], ["classes"] * 100_001):
        path = keras_file(tmp_path, "h5")
        with h5py.File(path, "r+") as file:
            del file["model_weights"].attrs["layer_names"]
            data = np.array(names, dtype="S")
            if data.nbytes < 60_000:
                file["model_weights"].attrs["layer_names"] = data
            else:
                for k in range(0, len(names), 5000):
                    file["model_weights"].attrs[f"layer_names{k // 5000}"] = data[k : k + 5000]
        refused(
            run("info", str(path)), "is missing|names one thing twice|damaged|which the network lacks|holds 0 arrays"
        )


def test_a_truncated_file_at_many_lengths(tmp_path: Path) -> None:
    """In this process, many times: whatever is left of the file, the error is ours."""
    content = sound(tmp_path / "m.h5").read_bytes()
    path = tmp_path / "cut.h5"
    for length in range(0, len(content) - 1, max(len(content) // 300, 1)):
        path.write_bytes(content[:length])
        with pytest.raises(numjaz.NumjazError) as error:
            numjaz.load(path)
        assert "\n" not in str(error.value)


def test_flipped_bits(tmp_path: Path) -> None:
    """A flipped bit gives an error of ours, or a model; never another exception."""
    content = sound(tmp_path / "m.h5").read_bytes()
    path = tmp_path / "flipped.h5"
    refusals = 0
    for bit in range(0, 8 * 4096, 61):
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        try:
            numjaz.load(path)
        except numjaz.NumjazError as error:
            assert "\n" not in str(error)
            refusals += 1
    assert refusals > 20


def test_names_that_are_not_text(tmp_path: Path) -> None:
    path = keras_file(tmp_path, "weights.h5")
    with h5py.File(path, "r+") as file:
        file.id.links.move(b"layers", file.id, b"lay\xff\xfe")
    refused(run("info", str(path), "--architecture", "jazbat"), r"holds a name that is not text, b'lay\\xff")


def test_names_that_would_break_the_line(tmp_path: Path) -> None:
    path = keras_file(tmp_path, "weights.h5")
    with h5py.File(path, "r+") as file:
        file.move("layers/conv1d", "layers/a\nb\x1b[2J")
    with pytest.warns(numjaz.NumjazWarning, match=r"a\?b\?\[2J") as said:
        numjaz.load(path, keras_file(tmp_path, "keras"))
    assert all(str(each.message).isprintable() for each in said)
    with h5py.File(path, "r+") as file:
        del file["layers/a\nb\x1b[2J/vars/1"]
    refused(run("info", str(path), "--architecture", str(keras_file(tmp_path, "keras"))), r"holds 'layers/a\?b\?|need")


@pytest.mark.parametrize("across", range(-8, 2))
def test_a_damaged_heap_is_found_wherever_it_lies(tmp_path: Path, across: int) -> None:
    """Across the place at which the search reads on, too: what it looks for has eight bytes."""
    path = tmp_path / "r.h5"
    with h5py.File(path, "w") as file:
        file.attrs["names"] = ["a", "b"]
        start = file.create_dataset("zeros", data=np.zeros(3 << 20, "u1")).id.get_offset()
    content = path.read_bytes()
    sound = content.find(HEAP)
    after = sound + int.from_bytes(content[sound + 8 : sound + 16], "little")  # the search begins again here
    at = (after if sound < start else 0) + READ + across
    assert start < at < start + (3 << 20)
    damaged = HEAP + (7).to_bytes(8, "little")
    path.write_bytes(content[:at] + damaged + content[at + len(damaged) :])
    with Hdf5(path) as opened, pytest.raises(numjaz.NumjazError, match="a heap of 7 bytes"):
        opened.attribute("", "names")
    path.write_bytes(content)
    with Hdf5(path) as opened:
        assert opened.attribute("", "names") == ["a", "b"]
