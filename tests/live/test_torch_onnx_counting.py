"""onnx-tool on the torch twin's ONNX export: the same integers as its convention, and it ends where that refuses."""

from __future__ import annotations

import contextlib
import io
import os
from typing import Any

import pytest
from counting_networks import NETWORKS, chain, model, node, random_network

import numjaz
from numjaz.audit.rules import ONNX, ONNX_CANNOT
from numjaz.layers import (
    ELU,
    GRU,
    LSTM,
    Activation,
    Average,
    AveragePooling1D,
    BatchNormalization,
    Bidirectional,
    Concatenate,
    Conv1D,
    Cropping1D,
    Dense,
    Flatten,
    GlobalAveragePooling1D,
    GlobalMaxPooling1D,
    Input,
    Layer,
    LayerNormalization,
    Maximum,
    MaxPooling1D,
    Minimum,
    Permute,
    PReLU,
    RepeatVector,
    Reshape,
    SimpleRNN,
    Softmax,
    Subtract,
    UpSampling1D,
    ZeroPadding1D,
)
from numjaz.layers.functions import ACTIVATIONS

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
onnx_tool = pytest.importorskip("onnx_tool")
from numjaz.frameworks.torch import torch_module  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # the exporter's and the tool's own
WINDOWS = (64, 256) if os.environ.get("NUMJAZ_GRID") else (64,)
SMALL: dict[str, tuple[Layer, ...]] = {
    "batch norm after a convolution": (Conv1D(6, 3, use_bias=False), BatchNormalization()),
    "batch norm of a row": (GlobalAveragePooling1D(), BatchNormalization(scale=False, center=False)),
    "batch norm over time": (Reshape((64, 4)), BatchNormalization(axis=1)),
    "layer norm without biases": (LayerNormalization(center=False),),
    "layer norm over two axes": (Reshape((64, 4)), LayerNormalization(axis=(1, 2))),
    "both directions without biases": (Bidirectional(GRU(5, use_bias=False), GRU(5, use_bias=False)),),
    "both directions' ends": (Bidirectional(*(LSTM(5, return_sequences=False),) * 2), Dense(3)),
    "backwards": (LSTM(5, go_backwards=True), GRU(4, go_backwards=True, return_sequences=False)),
    "padded pools": (MaxPooling1D(3, 2, "same"), AveragePooling1D(3, 2)),
    "largest of all, after zeros": (Conv1D(6, 3, "same"), GlobalMaxPooling1D(keepdims=True)),
    "dense in three axes": (Reshape((8, 8, 4)), Dense(3, "softmax")),
    "softmax over time": (Softmax((1,)),),
    "slopes": (PReLU((1,)), ELU(0.5)),
    "moved": (Cropping1D(1, 2), ZeroPadding1D(2, 0), UpSampling1D(2), Permute((2, 1))),
    "flat and repeated": (Reshape((64, 4)), Flatten(), RepeatVector(3), Dense(2)),
}


def exported(network: numjaz.Model, window: int, batch: int) -> Any:
    """The twin in ONNX by TorchScript, as the convention says, every size given."""
    x = torch.zeros(batch, window, network.shapes(window)[network.inputs[0]][-1])
    file = io.BytesIO()
    # PRESERVE: the twin stays in eval mode, and the exporter folds no batch norm into the convolution before it.
    torch.onnx.export(
        torch_module(network),
        (x,),
        file,
        dynamo=False,
        opset_version=10,
        training=torch.onnx.TrainingMode.PRESERVE,
    )
    return onnx.load_from_string(file.getvalue())


def printed(network: numjaz.Model, window: int = 64, batch: int = 1) -> int:
    """The total that the tool prints."""
    graph, out = exported(network, window, batch), io.StringIO()
    with contextlib.redirect_stdout(out):
        onnx_tool.model_profile(graph)
    total = out.getvalue().splitlines()[-1].split()
    assert total[0] == "Total"
    return int(next(word for word in total[1:] if word != "_").replace(",", ""))


def counted(network: numjaz.Model, window: int = 64, batch: int = 1) -> int:
    return numjaz.count(network, "onnx-tool", window, batch=batch).macs


def ends(network: numjaz.Model) -> bool:
    """Whether exporter or tool end, of themselves, on the network."""
    try:
        printed(network)
    except (torch.onnx.errors.OnnxExporterError, NotImplementedError):
        return True
    return False


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("network", [name for name in NETWORKS if name not in ("rnn", "attention")])
def test_the_tool_prints_the_same(network: str, window: int, batch: int) -> None:
    built = NETWORKS[network]()
    assert printed(built, window, batch) == counted(built, window, batch)


@pytest.mark.parametrize("case", SMALL)
def test_what_the_networks_leave_out(case: str) -> None:
    built = chain(Input(4, (64,)), *SMALL[case])
    assert printed(built) == counted(built)


@pytest.mark.parametrize("merge", [Average, Concatenate, Maximum, Minimum, Subtract])
def test_merges(merge: type[Layer]) -> None:
    inputs = ("a", "b") if merge is Subtract else ("a", "b", "a")
    built = model(
        [node("a", Input(4)), node("b", Conv1D(4, 1, activation="relu"), "a"), node("merged", merge(), *inputs)]
    )
    assert printed(built) == counted(built)


@pytest.mark.parametrize("name", [name for name in (*ACTIVATIONS, "glu") if name not in ONNX_CANNOT])
def test_activations(name: str) -> None:
    """As modules and within layers: each has a rule of its own, for the tool has one for each operator."""
    assert name in ONNX or name == "linear"
    within = () if name == "glu" else (Conv1D(6, 3, activation=name),)
    built = chain(Input(4), *within, Activation(name))
    assert printed(built) == counted(built)


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ((SimpleRNN(4),), "node 'n1': SimpleRNN.*: onnx-tool 1.0.1 does not know ONNX's RNN"),
        ((Dense(3, "selu"),), "node 'n1': Dense.*: onnx-tool 1.0.1 does not know ONNX's Selu"),
        ((Activation("celu"),), "node 'n1': Activation.*: torch exports no celu at opset 10"),
        ((Activation("sparsemax_keras"),), "node 'n1': Activation.*: torch exports no sparsemax at opset 10"),
    ],
)
def test_what_is_refused_the_tool_cannot_read(layers: tuple[Layer, ...], said: str) -> None:
    built = chain(Input(4), *layers)
    assert ends(built)
    with pytest.raises(numjaz.NumjazError, match=said):
        counted(built)


def test_attention_is_refused() -> None:
    built = NETWORKS["attention"]()
    assert ends(built)
    with pytest.raises(numjaz.NumjazError, match=r"node 'attention': .*torch exports no attention at opset 10"):
        counted(built)


def test_random_networks() -> None:
    seeds, compared = range(200 if os.environ.get("NUMJAZ_GRID") else 25), 0
    for seed in seeds:
        built = random_network(seed)
        try:
            expected = counted(built)
        except numjaz.NumjazError:
            assert ends(built), built.summary(64)
            continue
        assert printed(built) == expected, built.summary(64)
        compared += 1
    assert compared > len(seeds) / 2


def test_the_export_computes_what_the_twin_does() -> None:
    """Not shapes alone: negative axes, which the exporter once wrote into transpositions, give other numbers."""
    runtime = pytest.importorskip("onnxruntime")
    built = chain(Input(4), Conv1D(6, 3), BatchNormalization(), PReLU((1,)), LayerNormalization(epsilon=1e-5))
    session = runtime.InferenceSession(exported(built, 64, 1).SerializeToString(), providers=["CPUExecutionProvider"])
    x = torch.randn(1, 64, 4)
    with torch.no_grad():
        (found,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
        torch.testing.assert_close(torch.from_numpy(found), torch_module(built)(x), atol=1e-5, rtol=1e-5)
