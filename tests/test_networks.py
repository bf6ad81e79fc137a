"""Networks that real Keras wrote: models within models, branches, blocks of somebody's own; and the report on them."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from matrix.report import report
from numjaz_networks import KERAS, architecture, difference, model, node

import numjaz
from numjaz.layers import Conv1D, Input

FOLDER = Path(__file__).parent / "fixtures" / "networks"
FILES = sorted(path for path in FOLDER.glob("*/*") if path.suffix in (".keras", ".h5"))
ARCHIVES = [path for path in FILES if path.suffix == ".keras"]
NODES = {"nested": 9, "cnn-bigru": 14, "separable": 16, "subclassed": 12}
BOUND = 1e-5  # they are in float32

pytestmark = pytest.mark.filterwarnings("ignore::numjaz.NumjazWarning")


def name_of(path: Path) -> str:
    return f"{path.parent.name}-{path.name}"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_every_node_is_keras_own(path: Path) -> None:
    found = difference(numjaz.load(path, architecture(path)), path)
    assert found.relative <= BOUND, found
    assert found.nodes == NODES[path.name.partition("-float")[0]]


@pytest.mark.parametrize("path", ARCHIVES, ids=name_of)
def test_the_weights_of_an_archive_alone(path: Path, tmp_path: Path) -> None:
    """What lies in a ``.keras`` is what `save_weights` writes."""
    with zipfile.ZipFile(path) as archive:
        archive.extract("model.weights.h5", tmp_path)
    found = difference(numjaz.load(tmp_path / "model.weights.h5", architecture=path), path)
    assert found.relative <= BOUND, found


@pytest.mark.parametrize("path", [path for path in FILES if "subclassed" in path.name], ids=name_of)
def test_blocks_that_only_their_order_tells_apart(path: Path) -> None:
    with pytest.warns(numjaz.NumjazWarning, match=r"mods0/br1, mods1/br1, mods2/br1, .* rest on their order alone"):
        read = numjaz.load(path, KERAS["subclassed"]())
    first, second = "mods0/br1/kernel", "mods1/br1/kernel"
    assert read.parameters[first].shape == read.parameters[second].shape
    wrong = read.replace({first: read.parameters[second], second: read.parameters[first]})
    assert difference(wrong, path).relative > 1e-2


def blocks(path: Path, names: list[str], layer: str = "") -> None:
    """Blocks with one convolution each, as Keras lays them out; ``layer`` is the name that 3.15 writes beside."""
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        for name in names:
            held = file.create_group(f"{name}/conv/vars")
            held["0"], held["1"] = rng.standard_normal((3, 2, 2)), rng.standard_normal(2)
            if layer:
                held.attrs["name"] = layer


def twelve() -> numjaz.Model:
    nodes = [node("input", Input(2))]
    for k in range(12):
        nodes.append(node(f"m{k}", Conv1D(2, 3), nodes[-1].name))
    return model(nodes)


@pytest.mark.parametrize("root", ["mods", "layers", "_layer_checkpoint_dependencies"])
@pytest.mark.parametrize("layer", ["", "conv"])
def test_a_list_of_many_blocks_keeps_its_order(root: str, layer: str, tmp_path: Path) -> None:
    """Keras counts them block, block_1, …, block_11; HDF5 sorts block_10 before block_2."""
    names = [f"{root}/block" + (f"_{k}" if k else "") for k in range(12)]
    blocks(tmp_path / "w.weights.h5", names, layer)
    read = numjaz.load(tmp_path / "w.weights.h5", twelve())
    with h5py.File(tmp_path / "w.weights.h5") as file:
        for k, name in enumerate(names):
            np.testing.assert_array_equal(read.parameters[f"m{k}/kernel"], file[f"{name}/conv/vars/0"])


def test_blocks_of_unlike_names_have_no_order(tmp_path: Path) -> None:
    blocks(tmp_path / "w.weights.h5", [f"layers/{chr(ord('a') + k)}_block" for k in range(12)])
    with pytest.raises(numjaz.NumjazError, match="have one shape and no order: names= says which is which"):
        numjaz.load(tmp_path / "w.weights.h5", twelve())


def test_the_report_names_what_is_over_the_bound(tmp_path: Path) -> None:
    folder = tmp_path / "keras-3.0.5"
    shutil.copytree(FOLDER / folder.name, folder)
    versions = {"keras": "3.0.5"}
    text, broken = report({folder: versions})
    assert "nested 9" in text
    assert "subclassed 12" in text
    assert not [line for line in broken if "nobody wrote the file" not in line]
    with np.load(folder / "nested-float32.npz") as held:
        arrays = {key: held[key] for key in held.files}
    arrays["node/trunk:1/gru"] = arrays["node/trunk:1/gru"] * np.float32(1.001)
    np.savez(folder / "nested-float32.npz", **arrays)
    _, broken = report({folder: versions})
    assert "Keras 3.0.5, keras, float32, nested: 1.0e-03 at trunk:1/gru" in broken
    (folder / "nested-float32.keras").write_bytes(b"damaged")
    text, broken = report({folder: versions})
    assert any("inf at the file, numjaz: nested-float32.keras: neither HDF5" in line for line in broken)
    assert "(b) numjaz: nested-float32.keras: neither HDF5" in text
