"""Files of safetensors: what the package wrote, headers and dtypes one by one, and who lacks the package."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from tensor_builders import safetensors
from tensor_reading import NEW, expected, opened, read, same

from numjaz.errors import NumjazError
from numjaz.formats.safetensors_file import SafetensorsFile, write_safetensors
from numjaz.formats.tensor_files import open_tensors


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
