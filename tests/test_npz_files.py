"""Files of NumPy's: what it and others wrote, and headers that are none."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path

import numpy as np
import pytest
from tensor_builders import archive, entry, headed
from tensor_reading import ARRAYS, opened, read, same

from numjaz.errors import NumjazError
from numjaz.formats.tensor_files import open_tensors


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


def test_an_array_that_is_only_named_like_the_note(tmp_path: Path) -> None:
    arrays = {"numjaz": np.arange(3.0)}
    np.savez(tmp_path / "m.npz", **arrays)
    same(read(tmp_path / "m.npz"), arrays)
