"""Random networks and Jazbat-Net through every format: the framework loads the file and gives the same, and back.

Which frameworks take part depends on what is installed: Keras 2 or 3, torch, ONNX Runtime.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from numjaz_networks import model as network
from random_models import cases

import numjaz
from numjaz.formats.description import by_name
from numjaz.formats.saving import FORMATS
from numjaz.layers import Input, MultiHeadAttention, Normalization
from numjaz.nodes import Node

pytestmark = pytest.mark.filterwarnings("ignore")  # the frameworks' own, and numjaz's notes on what it converts
SLOW = settings(max_examples=settings.default.max_examples // 3, suppress_health_check=list(HealthCheck))
READ_BACK = [name for name in FORMATS if name != "onnx"]
ENDINGS = {"numjaz": "h5", "keras": "keras", "keras-weights": "weights.h5", "keras2": "h5", "torch": "pt"}


def all_ends(model: numjaz.Model) -> numjaz.Model:
    """The same network with whatever leads nowhere among its outputs: Keras keeps nothing else."""
    used = {source for node in model.nodes for source, _ in node.inputs}
    inputs = set(model.inputs)
    ends = [node.name for node in model.nodes if node.name not in used | inputs]
    return model.derive(outputs=list(dict.fromkeys([*model.outputs, *ends])))


def outputs(model: numjaz.Model, x: Any) -> list[np.ndarray]:
    return list(by_name(model.predict(x), model.outputs).values())


def agree(made: list[np.ndarray], expected: list[np.ndarray], bound: float) -> None:
    largest = max([1.0, *(float(np.abs(y).max(initial=0)) for y in expected)])
    for a, b in zip(made, expected, strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=0, atol=bound * largest)


def written(model: numjaz.Model, format: str, folder: Path) -> Path:
    """The model in a format; what the format has no word for is refused, and is no case of this test."""
    path = folder / f"m.{ENDINGS.get(format, format)}"
    try:
        model.save(path, format)
    except numjaz.NumjazError as error:
        assert not path.exists()
        assert "\n" not in str(error)
        assume(False)
    return path


@SLOW
@given(case=cases())
@pytest.mark.parametrize("format", READ_BACK)
def test_back_bit_for_bit(format: str, case: tuple[numjaz.Model, Any]) -> None:
    if format == "safetensors":
        pytest.importorskip("safetensors")
    model, x = all_ends(case[0]), case[1]
    with tempfile.TemporaryDirectory() as folder:
        back = numjaz.load(written(model, format, Path(folder)))
    assert [node.name for node in back.nodes] == [node.name for node in model.nodes]
    assert back.outputs == model.outputs
    assert set(back.parameters) == set(model.parameters)
    for name, array in model.parameters.items():
        np.testing.assert_array_equal(back.parameters[name], array)
    for a, b in zip(outputs(back, x), outputs(model, x), strict=True):
        np.testing.assert_array_equal(a, b)


def many(x: Any) -> Any:
    """More windows than any input has steps.

    Where there are as many, Keras 3 adds a vector to a sequence along the wrong axis.
    """
    if isinstance(x, dict):
        return {name: many(array) for name, array in x.items()}
    return np.tile(x, (41, *(1,) * (x.ndim - 1)))


def keras_inputs(x: Any, names: tuple[str, ...]) -> Any:
    arrays = list(by_name(x, names).values())
    return arrays if len(arrays) > 1 else arrays[0]


def keras_is_right(model: numjaz.Model) -> bool:
    """With as many heads as steps and a key of one number, Keras 3.15 itself takes one axis for the other."""
    return "key_dim=1," not in repr(model.nodes)


@SLOW
@given(cases())
def test_keras_loads_it(case: tuple[numjaz.Model, Any]) -> None:
    assume(keras_is_right(case[0]))
    model, x = all_ends(case[0]), many(case[1])
    keras = pytest.importorskip("keras")
    from keras_oracle import compute_in

    format = "keras2" if keras.__version__.startswith("2.") else "keras"
    compute_in("float64")
    with tempfile.TemporaryDirectory() as folder:
        twin = keras.models.load_model(written(model, format, Path(folder)))
    made = twin(keras_inputs(x, model.inputs), training=False)
    arrays = [np.asarray(y) for y in (made if isinstance(made, (list, tuple)) else [made])]
    double = all(array.dtype == np.float64 for array in model.parameters.values())
    rounded = any(word in repr(model.nodes) for word in ("gelu", "leaky_relu", "MultiHeadAttention", "negative_slope"))
    agree(arrays, outputs(model, x), 1e-5 if not double else 1e-7 if rounded else 1e-11)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("options", [{}, {"reset_after": False, "features": 3, "classes": ["a", "b"]}])
def test_jazbat_net(tmp_path: Path, format: str, options: dict[str, Any]) -> None:
    model = numjaz.jazbat(units=6, modules=2, **options)
    x = np.random.default_rng(0).standard_normal((3, 40, options.get("features", 1))).astype(np.float32)
    expected = model.predict(x)
    path = tmp_path / f"m.{ENDINGS.get(format, format)}"
    if format == "onnx":
        pytest.importorskip("onnx")
        runtime = pytest.importorskip("onnxruntime")
        model.save(path)
        (made,) = runtime.InferenceSession(path).run(None, {"input": x})
        np.testing.assert_allclose(made, expected, rtol=0, atol=1e-5)
        return
    if format == "safetensors":
        pytest.importorskip("safetensors")
    model.save(path, format)
    np.testing.assert_array_equal(numjaz.load(path).predict(x), expected)
    assert numjaz.load(path).classes == model.classes
    if format.startswith("keras"):
        keras = pytest.importorskip("keras")
        major = int(keras.__version__[0])
        if (format == "keras2") != (major == 2):
            return
        if format == "keras-weights":
            from numjaz.frameworks.keras import keras_model

            twin = keras_model(numjaz.jazbat(units=6, modules=2, seed=1, **options))
            twin.load_weights(path)
        else:
            twin = keras.models.load_model(path)
        np.testing.assert_allclose(np.asarray(twin(x, training=False)), expected, rtol=0, atol=1e-5)
    if format in ("torch", "safetensors"):
        torch = pytest.importorskip("torch")
        from numjaz.frameworks.torch import torch_module

        twin = torch_module(numjaz.jazbat(units=6, modules=2, seed=1, **options))
        state = torch.load(path) if format == "torch" else pytest.importorskip("safetensors.torch").load_file(path)
        twin.load_state_dict(state)
        np.testing.assert_allclose(twin(torch.tensor(x)).detach().numpy(), expected, rtol=0, atol=1e-5)


@SLOW
@given(cases())
def test_the_keras_twin(case: tuple[numjaz.Model, Any]) -> None:
    assume(keras_is_right(case[0]))
    model, x = all_ends(case[0]), many(case[1])
    pytest.importorskip("keras")
    from keras_oracle import compute_in

    from numjaz.frameworks.keras import keras_model

    compute_in("float64")
    try:
        twin = keras_model(model)
    except numjaz.NumjazError as error:
        assert "\n" not in str(error)
        assume(False)
    made = twin(keras_inputs(x, model.inputs), training=False)
    arrays = [np.asarray(y) for y in (made if isinstance(made, (list, tuple)) else [made])]
    agree(arrays, outputs(model, x), 1e-5)
    assert len(twin.layers) == len({node.owner for node in model.nodes})


def test_one_number_for_an_axis_of_any_length() -> None:
    """Keras asks how long an axis is before it normalises along it, though one number is said of no place in it."""
    pytest.importorskip("keras")
    from numjaz.frameworks.keras import keras_model

    nodes = [Node("input", Input(2)), Node("attention", MultiHeadAttention(1, 2, scores=True), (("input", 0),) * 2)]
    model = network([*nodes, Node("normal", Normalization((-1,), 0.5, 4.0), (("attention", 1),))])
    x = np.random.default_rng(0).standard_normal((3, 7, 2))
    made = keras_model(model)(x, training=False)
    np.testing.assert_allclose(np.asarray(made), model.predict(x), rtol=0, atol=1e-6)
