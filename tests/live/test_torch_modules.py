"""Layers with the weights of real torch modules, typed by hand, and their twins: all give the same numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from numjaz import Model, Node
from numjaz.formats.torch_names import from_torch, to_torch
from numjaz.layers import (
    GRU,
    LSTM,
    Activation,
    AveragePooling1D,
    BatchNormalization,
    Bidirectional,
    Conv1D,
    Dense,
    DepthwiseConv1D,
    GlobalAveragePooling1D,
    Input,
    LayerNormalization,
    MaxPooling1D,
    MultiHeadAttention,
    PReLU,
    SeparableConv1D,
    SimpleRNN,
    TimeDistributed,
)
from numjaz.layers.base import Layer

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402
from torch_beside import CLOSE, agree, noise, tensors  # noqa: E402

from numjaz.frameworks.torch import torch_module  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # torch's own


def read(layer: Layer, module: Any, *inputs: np.ndarray) -> dict[str, np.ndarray]:
    """A network of one layer with a torch module's weights, run; the weights go back as they came."""
    shapes = tuple(x.shape[1:] for x in inputs)
    own = {name: p.shape for name, p in layer.parameters(shapes).items()}
    state = {name: tensor.detach().numpy() for name, tensor in module.state_dict().items()}
    arrays = from_torch(layer, state, own)
    names = [f"input{k}" for k in range(len(inputs))]
    nodes = [Node(name, Input(x.shape[-1], x.shape[1:-1])) for name, x in zip(names, inputs, strict=True)]
    nodes.append(Node("layer", layer, tuple((name, 0) for name in names)))
    model = Model(nodes, {f"layer/{name}": array for name, array in arrays.items()})
    again = to_torch(layer, arrays)
    for name in again:
        if isinstance(module, nn.GRU) or not name.startswith("bias_"):  # elsewhere the two are one
            np.testing.assert_array_equal(again[name], state[name])
    given_x = dict(zip(names, inputs, strict=True))
    made = model.activations(given_x)
    with torch.no_grad():
        agree(torch_module(model).double().activations(tensors(given_x)), made)
    return {name.removeprefix("layer"): array for name, array in made.items() if name not in names}


def random(module: Any, seed: int = 0) -> Any:
    """A module in float64, every weight and statistic random."""
    generator = torch.Generator().manual_seed(seed)
    module = module.double().eval()
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if tensor.is_floating_point():
                values = torch.randn(tensor.shape, generator=generator, dtype=torch.float64) / 2
                tensor.copy_(values.abs() + 0.3 if name.endswith("running_var") else values)
    return module


def turned(x: np.ndarray) -> Any:
    return torch.tensor(x).transpose(1, 2)


def same(made: np.ndarray, expected: Any) -> None:
    expected = expected.detach().numpy()
    assert made.shape == expected.shape
    np.testing.assert_allclose(made, expected, rtol=0, atol=CLOSE * max(1, np.abs(expected).max()))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("kernel", "options", "padding"),
    [
        (3, {}, "valid"),
        (3, {"padding": "same"}, "same"),
        (4, {"padding": "same"}, "same"),
        (3, {"stride": 2}, "valid"),
        (5, {"stride": 3}, "valid"),
        (3, {"dilation": 2}, "valid"),
        (4, {"dilation": 3, "padding": "same"}, "same"),
        (3, {"groups": 2}, "valid"),
        (2, {"groups": 4, "dilation": 2, "padding": "same"}, "same"),
    ],
)
def test_conv1d(kernel: int, options: dict[str, Any], padding: str, bias: bool) -> None:
    module = random(nn.Conv1d(4, 8, kernel, bias=bias, **options))
    renamed = {"strides": options.get("stride", 1), "dilation": options.get("dilation", 1)}
    layer = Conv1D(8, kernel, padding, use_bias=bias, groups=options.get("groups", 1), **renamed)
    x = noise(2, 17, 4)
    same(read(layer, module, x)[""], module(turned(x)).transpose(1, 2))


@pytest.mark.parametrize(("strides", "dilation"), [(1, 1), (2, 1), (1, 3)])
def test_a_causal_convolution(strides: int, dilation: int) -> None:
    module = random(nn.Conv1d(3, 5, 4, stride=strides, dilation=dilation))
    layer, x = Conv1D(5, 4, "causal", "relu", strides=strides, dilation=dilation), noise(2, 16, 3)
    expected = functional.relu(module(functional.pad(turned(x), (3 * dilation, 0))))
    same(read(layer, module, x)[""], expected.transpose(1, 2))


def test_depthwise_and_separable_convolutions() -> None:
    x = noise(2, 15, 3)
    depthwise = random(nn.Conv1d(3, 6, 4, groups=3, stride=2))
    same(read(DepthwiseConv1D(4, 2, strides=2), depthwise, x)[""], depthwise(turned(x)).transpose(1, 2))
    pair = nn.ModuleDict({"depthwise": nn.Conv1d(3, 6, 4, groups=3, bias=False), "pointwise": nn.Conv1d(6, 5, 1)})
    pair = random(pair)
    expected = pair["pointwise"](pair["depthwise"](turned(x))).transpose(1, 2)
    same(read(SeparableConv1D(5, 4, 2), pair, x)[""], expected)


CELLS = [
    (GRU, nn.GRU, {}, {}),
    (LSTM, nn.LSTM, {}, {}),
    (SimpleRNN, nn.RNN, {}, {}),
    (SimpleRNN, nn.RNN, {"activation": "relu"}, {"nonlinearity": "relu"}),
]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("kind", "theirs", "options", "their_options"), CELLS)
def test_recurrent_layers(
    kind: Any, theirs: Any, options: dict[str, Any], their_options: dict[str, Any], bias: bool
) -> None:
    module = random(theirs(3, 5, batch_first=True, bias=bias, **their_options))
    x, options = noise(2, 9, 3), {"use_bias": bias, "return_state": True, **options}
    outputs, last = module(torch.tensor(x))
    last = last if isinstance(last, tuple) else (last,)
    for sequences in (True, False):
        made = read(kind(5, return_sequences=sequences, **options), module, x)
        same(made[""], outputs if sequences else outputs[:, -1])
        for k, state in enumerate(last, start=1):
            same(made[f"[{k}]"], state[0])
    begin = tuple(torch.tensor(noise(1, 2, 5, seed=k)) for k in (7, 8)[: len(last)])
    expected, _ = module(torch.tensor(x), begin if len(begin) > 1 else begin[0])
    same(read(kind(5, **options), module, x, *(state[0].numpy() for state in begin))[""], expected)
    same(read(kind(5, go_backwards=True, **options), module, x)[""], module(torch.tensor(x).flip(1))[0])


@pytest.mark.parametrize(("kind", "theirs", "options", "their_options"), CELLS)
def test_recurrent_layers_in_two_directions(
    kind: Any, theirs: Any, options: dict[str, Any], their_options: dict[str, Any]
) -> None:
    module = random(theirs(3, 4, batch_first=True, bidirectional=True, **their_options))
    x = noise(2, 7, 3)
    outputs, last = module(torch.tensor(x))
    last = last if isinstance(last, tuple) else (last,)
    side = kind(4, **options)
    same(read(Bidirectional(side, side), module, x)[""], outputs)
    same(read(Bidirectional(side, side, "sum"), module, x)[""], outputs[..., :4] + outputs[..., 4:])
    side = kind(4, return_sequences=False, return_state=True, **options)
    made = read(Bidirectional(side, side), module, x)
    same(made[""], torch.cat(tuple(last[0]), dim=-1))
    states = [state for direction in (0, 1) for state in (part[direction] for part in last)]
    for k, state in enumerate(states, start=1):
        same(made[f"[{k}]"], state)
    begin = tuple(torch.tensor(noise(2, 2, 4, seed=k)) for k in (7, 8)[: len(last)])
    expected, _ = module(torch.tensor(x), begin if len(begin) > 1 else begin[0])
    given = [part[direction].numpy() for direction in (0, 1) for part in begin]
    side = kind(4, **options)
    same(read(Bidirectional(side, side), module, x, *given)[""], expected)


def test_normalizations() -> None:
    x = 3 * noise(4, 6, 5) + 1
    for affine in (True, False):
        module = random(nn.BatchNorm1d(5, eps=1e-4, affine=affine))
        layer = BatchNormalization(1e-4, scale=affine, center=affine)
        same(read(layer, module, x)[""], module(turned(x)).transpose(1, 2))
        same(read(layer, module, x[:, 0])[""], module(torch.tensor(x[:, 0])))
        module = random(nn.LayerNorm(5, eps=1e-4, elementwise_affine=affine))
        same(read(LayerNormalization(1e-4, affine, affine), module, x)[""], module(torch.tensor(x)))
    module = random(nn.LayerNorm(5, bias=False))
    same(read(LayerNormalization(1e-5, center=False), module, x)[""], module(torch.tensor(x)))


def test_linear_prelu_and_what_moves_over_time() -> None:
    x = noise(3, 6, 4)
    linear = random(nn.Linear(4, 2))
    same(read(Dense(2, "sigmoid"), linear, x)[""], linear(torch.tensor(x)).sigmoid())
    same(read(TimeDistributed(Dense(2, "tanh")), linear, x)[""], linear(torch.tensor(x)).tanh())
    for n in (4, 1):
        prelu = random(nn.PReLU(n))
        layer = PReLU((1,) if n == 4 else (1, 2))
        same(read(layer, prelu, x)[""], prelu(turned(x)).transpose(1, 2))
    for strides, size in ((2, 3), (3, 2), (1, 4)):
        for layer, module in (
            (MaxPooling1D(size, strides), nn.MaxPool1d(size, strides)),
            (AveragePooling1D(size, strides), nn.AvgPool1d(size, strides)),
        ):
            same(read(layer, module, x)[""], module(turned(x)).transpose(1, 2))
    module = nn.AvgPool1d(3, 1, padding=1, count_include_pad=False)
    same(read(AveragePooling1D(3, 1, "same"), module, x)[""], module(turned(x)).transpose(1, 2))
    same(read(GlobalAveragePooling1D(), nn.Identity(), x)[""], torch.tensor(x).mean(dim=1))


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("gelu", nn.GELU()),
        ("mish", nn.Mish()),
        ("selu", nn.SELU()),
        ("celu", nn.CELU()),
        ("elu", nn.ELU()),
        ("softplus", nn.Softplus()),
        ("hard_sigmoid", nn.Hardsigmoid()),
        ("hard_silu", nn.Hardswish()),
        ("soft_shrink", nn.Softshrink()),
        ("hard_shrink", nn.Hardshrink()),
        ("tanh_shrink", nn.Tanhshrink()),
        ("log_sigmoid", nn.LogSigmoid()),
        ("log_softmax", nn.LogSoftmax(-1)),
        ("glu", nn.GLU(-1)),
        ("leaky_relu", nn.LeakyReLU(0.2)),
    ],
)
def test_activations(name: str, module: Any) -> None:
    x = 4 * noise(3, 6, 4)
    same(read(Activation(name), module, x)[""], module(torch.tensor(x)))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("wide", [(6, 6), (4, 5), (4, 4)], ids=str)
@pytest.mark.parametrize("causal", [True, False])
def test_attention(wide: tuple[int, int], bias: bool, causal: bool) -> None:
    key_width, value_width = wide
    module = random(nn.MultiheadAttention(6, 2, bias=bias, kdim=key_width, vdim=value_width, batch_first=True))
    query, value, key = noise(2, 5, 6), noise(2, 7, value_width, seed=2), noise(2, 7, key_width, seed=3)
    mask = torch.ones(5, 7, dtype=torch.bool).triu(1) if causal else None
    y, p = module(*map(torch.tensor, (query, key, value)), attn_mask=mask, average_attn_weights=False)
    made = read(MultiHeadAttention(2, 3, use_bias=bias, causal=causal, scores=True), module, query, value, key)
    same(made[""], y)
    same(made["[1]"], p)
