"""How tests read a file of tensors, and what they compare it with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from numjaz.formats.tensor_files import Tensors, open_tensors

FOLDERS = sorted(Path(__file__).parent.glob("fixtures/torch-*"))
NEW = FOLDERS[-1]
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
