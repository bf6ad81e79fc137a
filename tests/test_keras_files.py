"""Files that real Keras wrote: containers, order, and what is refused."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import numjaz
from numjaz import Node
from numjaz.architectures.initial import initial_parameters
from numjaz.formats.keras_config import described
from numjaz.formats.keras_weights import keras_order
from numjaz.layers import Dense, Input
from numjaz.nodes import parameter_table

FOLDERS = sorted(Path(__file__).parent.glob("fixtures/keras-*"))
FOLDER_IDS = [folder.name for folder in FOLDERS]
CASES = ("plain", "swapped", "unnamed", "before")
OPTIONS = {"units": 6, "modules": 2, "reduction": 6}


def outputs_agree(model: numjaz.Model, folder: Path, case: str) -> None:
    with np.load(folder / f"{case}.npz") as expected:
        (made,) = [value for name, value in model.activations(expected["x"]).items() if name == model.outputs[0]]
        last = [
            name for name in expected.files if expected[name].ndim == 2 and np.allclose(expected[name].sum(axis=1), 1)
        ]
        np.testing.assert_allclose(made, expected[last[-1]], rtol=0, atol=1e-12)


@pytest.mark.parametrize("folder", FOLDERS, ids=FOLDER_IDS)
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("container", ["keras", "h5"])
def test_a_file_with_its_architecture(folder: Path, case: str, container: str) -> None:
    model = numjaz.load(folder / f"{case}.{container}")
    assert all(array.dtype == np.float64 for array in model.parameters.values())
    outputs_agree(model, folder, case)


@pytest.mark.filterwarnings("ignore::numjaz.NumjazWarning")
@pytest.mark.parametrize("folder", FOLDERS, ids=FOLDER_IDS)
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("container", ["weights.h5", "legacy-weights.h5"])
def test_a_weights_only_file_with_a_model_as_its_architecture(folder: Path, case: str, container: str) -> None:
    path = folder / f"{case}.{container}"
    if not path.exists():  # Keras 3 writes no legacy weights
        assert container.startswith("legacy")
        assert "3." in folder.name
        return
    model = numjaz.load(path, architecture=folder / f"{case}.keras")
    outputs_agree(model, folder, case)
    outputs_agree(numjaz.load(path, architecture=numjaz.load(folder / f"{case}.h5")), folder, case)


@pytest.mark.parametrize("folder", FOLDERS, ids=FOLDER_IDS)
def test_the_order_trap_is_one(folder: Path) -> None:
    """Two arrays of one shape that only their order tells apart: exchanged, the output differs."""
    model = numjaz.load(folder / "swapped.keras")
    first, second = "module1_branch5_reduce/kernel", "module1_branch3_reduce/kernel"
    assert model.parameters[first].shape == model.parameters[second].shape
    wrong = model.replace({first: model.parameters[second], second: model.parameters[first]})
    with np.load(folder / "swapped.npz") as expected:
        assert np.abs(wrong.predict(expected["x"]) - expected["classes"]).max() > 1e-4
    with h5py.File(folder / "plain.weights.h5") as plain, h5py.File(folder / "swapped.weights.h5") as swapped:
        # conv1d_2 is the five-tap convolution in one file and the three-tap one in the other.
        assert plain["layers/conv1d_2/vars/0"].shape != swapped["layers/conv1d_2/vars/0"].shape


@pytest.mark.parametrize("folder", FOLDERS, ids=FOLDER_IDS)
def test_weights_only_is_refused_or_assumed_aloud(folder: Path) -> None:
    path = folder / "plain.weights.h5"
    with pytest.raises(numjaz.NumjazError, match="architecture="):
        numjaz.load(path)
    if "-3." in folder.name:  # Keras 3.6 and later write the layers' names: nothing is assumed, no order is a trap
        outputs_agree(numjaz.load(path, architecture="jazbat", **OPTIONS), folder, "plain")
        outputs_agree(numjaz.load(folder / "swapped.weights.h5", architecture="jazbat", **OPTIONS), folder, "swapped")
    else:
        with pytest.warns(numjaz.NumjazWarning, match="module1_branch5_reduce, module1_branch3_reduce"):
            outputs_agree(numjaz.load(path, architecture="jazbat", **OPTIONS), folder, "plain")
        with pytest.raises(numjaz.NumjazError, match="has shape"):  # the branches stand the other way round in it
            numjaz.load(folder / "swapped.weights.h5", architecture="jazbat", **OPTIONS)
    with pytest.raises(numjaz.NumjazError, match=r"has shape|holds 0 arrays|holds 'conv1d_"):
        numjaz.load(path, architecture="jazbat", **{**OPTIONS, "modules": 1})
    with pytest.raises(numjaz.NumjazError, match="has shape"):
        numjaz.load(path, architecture="jazbat", **{**OPTIONS, "units": 7})
    with pytest.raises(numjaz.NumjazError, match="states its own architecture"):
        numjaz.load(folder / "plain.keras", architecture="jazbat")
    with pytest.raises(numjaz.NumjazError, match="leave architecture= and names= out"):
        numjaz.load(folder / "plain.keras", names={"bigru": "rnn"})
    with pytest.raises(numjaz.NumjazError, match="unexpected keyword"):
        numjaz.load(path, architecture="jazbat", units=6, layers=3)
    with pytest.raises(numjaz.NumjazError, match="goes with a builder's name"):
        numjaz.load(path, units=6)


def test_names_in_legacy_weights_need_no_assumption(recwarn: pytest.WarningsRecorder) -> None:
    (folder,) = [folder for folder in FOLDERS if "-2." in folder.name]
    model = numjaz.load(folder / "plain.legacy-weights.h5", architecture="jazbat", **OPTIONS)
    outputs_agree(model, folder, "plain")
    assert not recwarn.list


def test_legacy_weights_of_other_names_and_split_attributes(tmp_path: Path) -> None:
    """Keras splits a long list of names over several attributes; layers of other names go by their order."""
    (folder,) = [folder for folder in FOLDERS if "-2." in folder.name]
    path = tmp_path / "split.h5"
    shutil.copy(folder / "unnamed.legacy-weights.h5", path)
    with h5py.File(path, "r+") as file:
        names = file.attrs["layer_names"]
        del file.attrs["layer_names"]
        file.attrs["layer_names0"], file.attrs["layer_names1"] = names[:7], names[7:]
    with pytest.warns(numjaz.NumjazWarning, match="assumed to stand"):
        model = numjaz.load(path, architecture="jazbat", features=3, kernels=(3, 5), **{**OPTIONS, "reduction": 18})
    outputs_agree(model, folder, "unnamed")


@pytest.mark.parametrize("folder", FOLDERS, ids=FOLDER_IDS)
@pytest.mark.parametrize("case", CASES)
def test_keras_order_is_the_order_keras_wrote(folder: Path, case: str) -> None:
    with zipfile.ZipFile(folder / f"{case}.keras") as archive:
        nodes, outputs, layers = described(json.loads(archive.read("config.json")), case, None)
    assert keras_order(nodes, outputs) == layers


def test_the_file_says_what_it_is_not_its_name(tmp_path: Path) -> None:
    for container in ("keras", "h5"):
        shutil.copy(FOLDERS[0] / f"plain.{container}", tmp_path / "model.bin")
        outputs_agree(numjaz.load(tmp_path / "model.bin"), FOLDERS[0], "plain")


def changed(tmp_path: Path, change: Any) -> Path:
    """A ``.keras`` file whose configuration is changed."""
    path = tmp_path / "changed.keras"
    with zipfile.ZipFile(FOLDERS[-1] / "plain.keras") as old, zipfile.ZipFile(path, "w") as new:
        config = json.loads(old.read("config.json"))
        layers = {layer["name"]: layer for layer in config["config"]["layers"]}
        change(config, layers)
        new.writestr("config.json", json.dumps(config))
        new.writestr("model.weights.h5", old.read("model.weights.h5"))
    return path


@pytest.mark.parametrize(
    ("layer", "key", "value", "said"),
    [
        ("norm", "axis", 0, "axis must be"),
        ("norm", "renorm", True, "renorm=True"),
        ("reduction", "strides", [0], "strides must be"),
        ("reduction", "strides", [2, 2], "strides must be"),
        ("reduction", "dilation_rate", [0], "dilation must be"),
        ("reduction", "groups", 5, "6 filters are not 5 equal groups"),
        ("reduction", "data_format", "channels_first", "data_format"),
        ("reduction", "activation", "gehlu", "activation must be one of"),
        ("reduction", "activation", {"class_name": "LeakyReLU"}, "give the activation a layer of its own"),
        ("reduction", "padding", "reflect", "padding must be one of"),
        ("reduction", "clip", 3, "clip=3"),
        ("reduction", "dtype", "bfloat16", "dtype='bfloat16'"),
        ("reduction", "filters", 10**12, "filters"),
        ("reduction", "filters", "32", "filters"),
        ("pool", "keepdims", "yes", "keepdims must be"),
        ("bigru", "merge_mode", "max", "merge must be one of"),
    ],
)
def test_what_is_not_honoured_is_named(tmp_path: Path, layer: str, key: str, value: object, said: str) -> None:
    path = changed(tmp_path, lambda config, layers: layers[layer]["config"].update({key: value}))
    with pytest.raises(numjaz.NumjazError, match=said):
        numjaz.load(path)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [("stateful", True, "stateful"), ("go_backwards", 1, "go_backwards"), ("reset_after", "yes", "reset_after")]
    + [("recurrent_activation", "hard_sigmoid", "of which Keras 2's or 3's"), ("reset_after", None, "reset_after")],
)
def test_gru_options_too(tmp_path: Path, key: str, value: object, said: str) -> None:
    path = changed(tmp_path, lambda config, layers: layers["bigru"]["config"]["layer"]["config"].update({key: value}))
    with pytest.raises(numjaz.NumjazError, match=said):
        numjaz.load(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda config, layers: layers["pool"].update(class_name="Lambda"),
            "'Lambda', which numjaz does not know; numjaz.register",
        ),
        (lambda config, layers: layers["reduction"]["config"].pop("filters"), "without 'filters'"),
        (lambda config, layers: config.update(class_name="Custom"), "Custom"),
        (lambda config, layers: config.pop("config"), "not as Keras writes it"),
        (lambda config, layers: config["config"].update(layers=[3]), "not as Keras writes it"),
        (lambda config, layers: config["config"]["layers"].append(config["config"]["layers"][3]), "have one name"),
        (lambda config, layers: layers["pool"].update(module="keras.src.ops.numpy"), "not Keras's own"),
        (lambda config, layers: layers["norm"].update(inbound_nodes=layers["module1"]["inbound_nodes"]), "from itself"),
        (
            lambda config, layers: layers["norm"].update(inbound_nodes=[{"args": [3], "kwargs": {}}]),
            "not another layer's",
        ),
    ],
)
def test_a_broken_configuration_is_named(tmp_path: Path, change: Any, said: str) -> None:
    with pytest.raises(numjaz.NumjazError, match=said):
        numjaz.load(changed(tmp_path, change))


def test_a_chain_in_reverse_order_takes_no_time(tmp_path: Path) -> None:
    """Twelve thousand layers, each before the one it depends on."""
    import time

    def chain(config: Any, layers: Any) -> None:
        entry = {"class_name": "Activation", "config": {"activation": "relu"}}
        made = [
            {
                **entry,
                "name": f"c{k}",
                "config": {**entry["config"], "name": f"c{k}"},
                "inbound_nodes": [[[f"c{k - 1}" if k else "input", 0, 0, {}]]],
            }
            for k in range(12_000)
        ]
        config["config"]["layers"] += made[::-1]

    started = time.perf_counter()
    with pytest.raises(numjaz.NumjazError, match="nodes; at most"):
        numjaz.load(changed(tmp_path, chain))
    assert time.perf_counter() - started < 5  # quadratic, it took more than a minute


CUDNN = Path(__file__).parent / "fixtures" / "cudnn"


@pytest.mark.parametrize(("name", "architecture"), [("model.h5", None), ("weights.h5", CUDNN / "plain.keras")])
def test_weights_of_cudnn_layers(name: str, architecture: Path | None) -> None:
    """TensorFlow 1's own layers for GPUs keep their matrices otherwise; TensorFlow says what they mean."""
    with pytest.warns(numjaz.NumjazWarning, match="gru, both, lstm written by CuDNN"):
        model = numjaz.load(CUDNN / name, architecture)
    with np.load(CUDNN / "expected.npz") as expected:
        np.testing.assert_allclose(model.predict(expected["x"]), expected["y"], rtol=0, atol=1e-12)


def test_a_configuration_that_is_longer_than_an_attribute(tmp_path: Path) -> None:
    """HDF5 holds 64 KB in an attribute of fixed length, and any in one of text."""
    nodes = [Node("input", Input(1))]
    for k in range(400):
        nodes.append(Node(f"layer{k}", Dense(1), ((nodes[-1].name, 0),)))
    model = numjaz.Model(nodes, initial_parameters(parameter_table(nodes), 0))
    model.save(tmp_path / "m.h5", "keras2")
    with h5py.File(tmp_path / "m.h5") as file:
        assert len(file.attrs["model_config"]) > 1 << 16
    x = np.ones((1, 3, 1))
    np.testing.assert_array_equal(numjaz.load(tmp_path / "m.h5").predict(x), model.predict(x))
