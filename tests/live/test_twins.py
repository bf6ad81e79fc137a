"""The twin in torch and torch's layouts, beside real torch modules typed by hand."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

import numjaz
from numjaz import Model, Node, NumjazError
from numjaz.formats.torch_names import Slot, foreign, from_torch, module_names, to_torch, torch_slots
from numjaz.layers import (
    ACTIVATIONS,
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
    Normalization,
    PReLU,
    SeparableConv1D,
    SimpleRNN,
    TimeDistributed,
)
from numjaz.layers.base import Layer
from numjaz.nodes import owned_parameters

torch = pytest.importorskip("torch")

from random_models import KINDS, PATIENT, cases  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from numjaz.frameworks.torch import torch_module  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # torch's own
some = settings(max_examples=settings().max_examples // 4, suppress_health_check=PATIENT)
CLOSE = 1e-12  # of the largest activation


def tensors(x: Any) -> Any:
    return {name: torch.tensor(array) for name, array in x.items()} if isinstance(x, dict) else torch.tensor(x)


def agree(made: dict[str, Any], expected: dict[str, Any]) -> None:
    assert list(made) == list(expected)
    scale = max(float(np.abs(np.asarray(array)).max()) for array in expected.values())
    for name, array in expected.items():
        a, b = np.asarray(made[name]), np.asarray(array)
        assert (a.dtype, a.shape) == (b.dtype, b.shape), name
        np.testing.assert_allclose(a, b, rtol=0, atol=CLOSE * max(scale, 1), err_msg=name)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_the_twin_is_the_network(kind: type[Layer]) -> None:
    """Every activation and the outputs of random networks of every layer, called as `predict` is."""

    @some
    @given(cases(kind))
    def holds(case: tuple[Model, Any]) -> None:
        model, x = case
        twin = torch_module(model)
        if not model.parameters:
            twin = twin.double()
        with torch.no_grad():
            agree(twin.activations(tensors(x)), model.activations(x))
            made, expected = twin(tensors(x)), model.predict(x)
        several = isinstance(expected, dict)
        agree(made if several else {"": made}, expected if several else {"": expected})

    holds()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_arrays_go_to_torch_and_come_back(kind: type[Layer]) -> None:
    """Bit for bit, the signs of zeros included, in both dtypes; the slots say what there is."""

    @some
    @given(cases(kind))
    def holds(case: tuple[Model, Any]) -> None:
        model, _ = case
        layers = {node.owner: node.layer for node in model.nodes}
        for owner, own in owned_parameters(model.nodes).items():
            for dtype in (np.float32, np.float64):
                arrays = {name: model.parameters[f"{owner}/{name}"].astype(dtype) for name in own}
                arrays = {name: np.where(np.abs(a) < 0.1, dtype(-0.0), a) for name, a in arrays.items()}
                shapes = {name: p.shape for name, p in own.items()}
                there = to_torch(layers[owner], arrays)
                slots = torch_slots(layers[owner], shapes)
                expected = {f"{s.suffix}.{leaf}".lstrip("."): shape for s in slots for leaf, shape in s.tensors.items()}
                assert {name: a.shape for name, a in there.items()} == expected
                back = from_torch(layers[owner], there, shapes)
                assert list(back) == list(arrays)
                for name, array in arrays.items():
                    assert (back[name].dtype, back[name].shape) == (array.dtype, array.shape)
                    assert back[name].tobytes() == array.tobytes()

    holds()


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


def noise(*shape: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


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


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_of_large_numbers(name: str) -> None:
    """Where one framework or the other has changed to a limit already."""
    x = np.linspace(-60, 60, 1201).reshape(1, -1, 1)
    nodes = [Node("input", Input(1)), Node("layer", Activation(name), (("input", 0),))]
    model = Model(nodes, {})
    with torch.no_grad():
        made = torch_module(model).double()(torch.tensor(x)).numpy()
    expected = model.predict(x)
    np.testing.assert_allclose(made, expected, rtol=CLOSE, atol=CLOSE * np.abs(x).max())


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


@pytest.mark.parametrize(
    ("layer", "shapes", "reason"),
    [
        (GRU(2, reset_after=False), ((5, 3),), "nn.GRU has the reset_after form only"),
        (GRU(2, recurrent_activation="hard_sigmoid"), ((5, 3),), "not tanh and hard_sigmoid"),
        (LSTM(2, "relu"), ((5, 3),), "nn.LSTM has tanh and sigmoid only"),
        (SimpleRNN(2, "sigmoid"), ((5, 3),), "nn.RNN has tanh and relu only"),
        (Bidirectional(GRU(2), GRU(3)), ((5, 3),), "two halves of the same options"),
        (BatchNormalization(scale=False), ((5, 3),), "scales and centers, or does neither"),
        (LayerNormalization(scale=False), ((5, 3),), "centers only what it scales"),
        (PReLU(), ((5, 3),), "one alpha a channel"),
        (MultiHeadAttention(2, 3, value_dim=2), ((5, 6), (5, 6)), "one width.* 6, 6, 4 and 6"),
        (Normalization(), ((5, 3),), "no layer like Normalization"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Layer) else "",
)
def test_what_torch_cannot_mean_is_said(layer: Layer, shapes: Any, reason: str) -> None:
    own = {name: p.shape for name, p in layer.parameters(shapes).items()}
    (slot,) = torch_slots(layer, own)
    assert slot == Slot("", {name.replace("/", "."): shape for name, shape in own.items()})
    with pytest.raises(NumjazError, match=reason) as error:
        from_torch(layer, {"weight_ih_l0": np.zeros((6, 3))}, own)
    assert "weight_ih_l0" in str(error.value)
    assert foreign(layer, own) in str(error.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"bias": None}, "Dense: its tensors are bias, weight, not weight"),
        ({"extra": np.zeros(2)}, "not bias, extra, weight"),
        ({"weight": np.zeros((3, 2))}, r"tensor weight is \(3, 2\), expected \(2, 3\)"),
    ],
)
def test_wrong_tensors_are_named(change: dict[str, Any], said: str) -> None:
    state = {"weight": np.zeros((2, 3)), "bias": np.zeros(2), **change}
    with pytest.raises(NumjazError, match=said):
        from_torch(Dense(2), {k: v for k, v in state.items() if v is not None}, {"kernel": (3, 2), "bias": (2,)})


def test_names_that_torch_would_not_take() -> None:
    """Dots, names of a module's own methods, a name that another becomes."""
    names = ["a.b", "a_b", "forward", "training", "inner/dense", "a_b_2", "_modules", "forward_"]
    nodes = [Node("eval", Input(2))]
    for name in names:
        nodes.append(Node(name, Dense(2), ((nodes[-1].name, 0),)))
    called = ["a_b_3", "a_b", "forward__2", "training_", "inner/dense", "a_b_2", "_modules_", "forward_"]
    assert list(module_names(nodes).values()) == ["eval_", *called]
    rng = np.random.default_rng(0)
    table = owned_parameters(nodes)
    model = Model(nodes, {f"{o}/{n}": rng.standard_normal(p.shape) for o, own in table.items() for n, p in own.items()})
    twin, x = torch_module(model), rng.standard_normal((3, 4, 2))
    with torch.no_grad():
        agree(twin.activations(torch.tensor(x)), model.activations(x))
    assert set(twin.state_dict()) == {
        f"{m}.{leaf}" for m in list(module_names(nodes).values())[1:] for leaf in ("weight", "bias")
    }


def test_jazbat_has_torchs_own_modules() -> None:
    """Native modules, the model's dtype, one module for shared arrays, nothing trained twice."""
    base = numjaz.jazbat()
    twin = torch_module(base)
    assert not twin.training
    kinds = {type(module) for module in twin.modules()}
    assert {nn.GRU, nn.BatchNorm1d, nn.Conv1d, nn.AdaptiveAvgPool1d, nn.Linear} <= kinds
    assert {tensor.dtype for tensor in twin.parameters()} == {torch.float32}
    trainable = sum(int(np.prod(p.shape)) for p in base.parameter_table.values() if p.trainable)
    assert sum(p.numel() for p in twin.parameters() if p.requires_grad) == trainable
    x = noise(2, 64, 1)
    with torch.no_grad():
        agree(twin.double().activations(torch.tensor(x)), base.activations(x))
    again = Node("again", base.nodes[-1].layer, (("classes", 0),), owner="classes")
    double = jazbat_twice(again)
    assert len(torch_module(double).state_dict()) == len(torch_module(jazbat_twice()).state_dict())
    with pytest.raises(NumjazError, match="the inputs are input, not nobody"):
        twin({"nobody": torch.tensor(x)})


def jazbat_twice(*more: Node) -> Model:
    model = numjaz.jazbat(classes=6, reduction=6)
    return Model([*model.nodes, *more], model.parameters)


def test_making_a_twin_draws_no_random_numbers() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    torch_module(numjaz.jazbat())
    assert torch.equal(before, torch.get_rng_state())


def test_without_torch_one_line_says_what_to_do() -> None:
    code = "import sys; sys.modules['torch'] = None\nimport numjaz\ntry:\n    import numjaz.frameworks.torch\nexcept numjaz.NumjazError as error:\n    print(error)"
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert made.stdout.strip() == "the twin needs torch: pip install torch"


def test_a_layer_of_ones_own_is_refused() -> None:
    class Mine(Layer):
        pass

    model = Model([Node("input", Input(2)), Node("mine", Mine(), (("input", 0),))], {})
    with pytest.raises(NumjazError, match="Mine: torch's twin does not know this layer"):
        torch_module(model)
