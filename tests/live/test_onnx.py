"""ONNX files beside ONNX Runtime: random networks, every option that takes a way of its own, Jazbat-Net."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings

import numjaz
from numjaz import Model, Node, NumjazError
from numjaz.layers import (
    ACTIVATIONS,
    GRU,
    LSTM,
    Activation,
    Add,
    AveragePooling1D,
    Bidirectional,
    Conv1D,
    Dense,
    Dropout,
    GlobalAveragePooling1D,
    Input,
    LayerNormalization,
    MaxPooling1D,
    MultiHeadAttention,
    Rescaling,
    SimpleRNN,
)
from numjaz.layers.base import Layer
from numjaz.nodes import parameter_table

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")

from random_models import KINDS, PATIENT, arrays, cases  # noqa: E402

from numjaz.formats.onnx_file import OPSET, write_onnx  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # the frameworks' own
some = settings(max_examples=settings().max_examples // 5, suppress_health_check=PATIENT)
CLOSE = 1e-5  # of the largest activation
SURE = 2e-6  # how far float32 may be from float64 here, for a network whose numbers say something


def run(model: Model, x: Any, opset: int = OPSET) -> dict[str, np.ndarray]:
    """Every activation, by ONNX Runtime."""
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    given_x = x if isinstance(x, dict) else {model.inputs[0]: x}
    outputs = list(model.activations(x))
    with tempfile.TemporaryDirectory() as folder:
        write_onnx(Path(folder) / "m.onnx", model.derive(outputs=outputs, classes=None), "note", opset)
        session = runtime.InferenceSession(
            Path(folder) / "m.onnx", sess_options=options, providers=["CPUExecutionProvider"]
        )
    assert [node.name for node in session.get_inputs()] == list(model.inputs)
    assert [node.name for node in session.get_outputs()] == outputs
    return dict(zip(outputs, session.run(outputs, given_x), strict=True))


def sure(model: Model, x: Any) -> bool:
    """Whether float32 says something here: another order of summation must not change the numbers."""
    expected = model.activations(x)
    exact = model.activations(double(x))
    scale = largest(expected)
    return all(np.abs(expected[name] - exact[name]).max() <= SURE * scale for name in expected)


def double(x: Any) -> Any:
    return {name: double(array) for name, array in x.items()} if isinstance(x, dict) else x.astype(np.float64)


def largest(made: dict[str, np.ndarray]) -> float:
    return max(1.0, *(float(np.abs(array).max()) for array in made.values()))


def agree(model: Model, x: Any, opset: int = OPSET) -> None:
    assert sure(model, x)
    expected, made = model.activations(x), run(model, x, opset)
    for name, array in expected.items():
        assert (made[name].dtype, made[name].shape) == (array.dtype, array.shape), name
        np.testing.assert_allclose(made[name], array, rtol=0, atol=CLOSE * largest(expected), err_msg=name)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_random_networks(kind: type[Layer]) -> None:
    @some
    @given(cases(kind, np.float32))
    def holds(case: tuple[Model, Any]) -> None:
        assume(sure(*case))
        agree(*case)

    holds()


def single(layer: Layer, *axes: Any, features: int = 3, seed: int = 0) -> Model:
    """A network of one layer, of free length where no axes are given."""
    nodes = [Node("input", Input(features, axes or (None,))), Node("layer", layer, (("input", 0),))]
    return Model(nodes, arrays(nodes, seed, np.float32))


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("time", [1, 2, 5, 6, 7, 8])
@pytest.mark.parametrize("strides", [1, 2, 3, 5])
@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_same_padding_at_every_length(size: int, strides: int, time: int) -> None:
    """At free and at fixed length, strides beyond the kernel included."""
    for layer in (
        Conv1D(2, size, "same", strides=strides),
        Conv1D(2, size, "causal", strides=strides),
        Conv1D(2, size, "same", dilation=strides),
        MaxPooling1D(size, strides, "same"),
        AveragePooling1D(size, strides, "same"),
    ):
        for axes in ((), (time,)):
            agree(single(layer, *axes), noise(2, time, 3))


@pytest.mark.parametrize("opset", range(OPSET, 22))
def test_opsets(opset: int) -> None:
    """The operators that changed since: reductions, paddings, splits."""
    for layer in (
        numjaz.layers.Softmax((1, 2)),
        LayerNormalization(scale=False, center=False, axis=(1,)),
        Activation("sparsemax_keras"),
        AveragePooling1D(2, 3, "same"),
        Conv1D(2, 3, "causal"),
        GRU(2, "mish"),
        Bidirectional(LSTM(2), LSTM(2)),
    ):
        agree(single(layer), noise(2, 7, 3), opset)
    agree(numjaz.jazbat(), noise(2, 16, 1), opset)


@pytest.mark.parametrize("name", [*ACTIVATIONS, "glu"])
def test_activations(name: str) -> None:
    """Alone, and inside each recurrent layer, in both of its places."""
    x = 3 * noise(2, 6, 4)
    agree(single(Activation(name), features=4), x)
    if name == "glu":
        return
    x = x[:, :2] / 6  # an exponential of an exponential, step after step
    agree(single(SimpleRNN(3, name), features=4), x)
    for kind in (LSTM, GRU):
        agree(single(kind(3, name), features=4), x)
        agree(single(kind(3, recurrent_activation=name), features=4), x)
    agree(single(GRU(3, recurrent_activation=name, reset_after=False), features=4), x)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("lengths", [(5, 7), (7, 5), (1, 4)])
def test_attention_of_unlike_lengths(lengths: tuple[int, int], causal: bool) -> None:
    nodes = [Node("query", Input(4)), Node("value", Input(3)), Node("key", Input(2))]
    layer = MultiHeadAttention(2, 3, 2, 5, causal=causal, scores=True)
    nodes.append(Node("layer", layer, (("query", 0), ("value", 0), ("key", 0))))
    model = Model(nodes, arrays(nodes, 0, np.float32), outputs=["layer", "layer[1]"])
    agree(model, {"query": noise(2, lengths[0], 4), "value": noise(2, lengths[1], 3), "key": noise(2, lengths[1], 2)})


@pytest.mark.parametrize("options", [{}, {"features": 6, "activation": "linear"}, {"reset_after": False}])
def test_jazbat(options: dict[str, Any], tmp_path: Path) -> None:
    """At several lengths and batches of one file; the note, the names and the shapes stand in it."""
    model = numjaz.jazbat(**options)
    x = noise(3, 64, options.get("features", 1))
    agree(model, x)
    agree(model, x[:1, :9])
    path = tmp_path / "m.onnx"
    write_onnx(path, model, "a note: é")
    proto = onnx.load(path)
    assert {entry.key: entry.value for entry in proto.metadata_props} == {"numjaz": "a note: é"}
    assert [(entry.domain, entry.version) for entry in proto.opset_import] == [("", 17)]
    shape = proto.graph.input[0].type.tensor_type.shape.dim
    assert [axis.dim_param or axis.dim_value for axis in shape] == ["batch", "time", x.shape[-1]]
    written = {name for node in proto.graph.node for name in node.output} | {"input"}
    assert set(model.activations(x)) <= written
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]


@pytest.mark.parametrize("name", [p.stem for p in sorted((Path(__file__).parents[2] / "weights").glob("*.h5"))])
def test_shipped_networks(name: str) -> None:
    model = numjaz.load(name)
    agree(model, 3 * noise(4, 256, model.nodes[0].layer.features))


def test_shared_arrays_are_held_once(tmp_path: Path) -> None:
    nodes = [
        Node("input", Input(3)),
        Node("a", Dense(3), (("input", 0),)),
        Node("b", Dense(3), (("a", 0),), owner="a"),
        Node("same", Dropout(), (("b", 0),)),
        Node("same again", Dropout(), (("same", 0),)),
        Node("sum", Add(), (("same", 0), ("same again", 0))),
    ]
    model = Model(nodes, arrays(nodes, 0, np.float32), outputs=["sum", "input", "same again"])
    agree(model, noise(2, 5, 3))
    write_onnx(tmp_path / "m.onnx", model, "")
    held = onnx.load(tmp_path / "m.onnx").graph.initializer
    assert sorted(array.name for array in held) == ["a/bias", "a/kernel"]


def test_names_do_not_clash() -> None:
    """Nodes that are called what arrays and operators would be."""
    names = ["a", "a/kernel", "a/MatMul", "constant", "a/kernel_2"]
    nodes = [Node("input", Input(2))]
    for name in names:
        nodes.append(Node(name, Dense(2, "gelu"), ((nodes[-1].name, 0),)))
    table = parameter_table(nodes)
    rng = np.random.default_rng(0)
    agree(Model(nodes, {n: rng.standard_normal(p.shape).astype(np.float32) for n, p in table.items()}), noise(2, 3, 2))


@pytest.mark.parametrize(
    ("model", "options", "said"),
    [
        (numjaz.jazbat(), {"opset": 16}, "opset must be from 17 to"),
        (numjaz.jazbat(), {"opset": 99}, "opset must be from 17 to"),
        (single(Rescaling(1e39)), {}, "node 'layer': an option holds a value beyond float32"),
        (
            numjaz.jazbat().replace({"classes/bias": np.full(6, 1e39)}),
            {},
            "node 'classes': parameter 'classes/bias' holds a value beyond float32",
        ),
    ],
)
def test_what_cannot_be_held_is_refused(tmp_path: Path, model: Model, options: dict[str, Any], said: str) -> None:
    with pytest.raises(NumjazError, match=said) as error:
        write_onnx(tmp_path / "m.onnx", model, "", **options)
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_a_layer_of_ones_own_is_refused(tmp_path: Path) -> None:
    class Mine(Layer):
        pass

    with pytest.raises(NumjazError, match="node 'layer': Mine: ONNX has no form of a layer of one's own; build it"):
        write_onnx(tmp_path / "m.onnx", single(Mine()), "")


def test_without_onnx_one_line_says_what_to_do(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['onnx'] = None\nimport numjaz\nfrom numjaz.formats.onnx_file import write_onnx\n"
        f"try:\n    write_onnx({str(tmp_path / 'm.onnx')!r}, numjaz.jazbat(), '')\n"
        "except numjaz.NumjazError as error:\n    print(error)"
    )
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert made.stdout.strip() == "an ONNX file needs the onnx package: pip install onnx"


def test_weights_of_float64_are_rounded_once() -> None:
    """A network in float64 gives what its float32 copy gives."""
    model = single(GlobalAveragePooling1D())
    nodes = [*model.nodes, Node("last", Dense(4), (("layer", 0),))]
    wide = Model(nodes, arrays(nodes, 3, np.float64))
    agree(wide, noise(2, 5, 3))
