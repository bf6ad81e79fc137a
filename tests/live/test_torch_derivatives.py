"""Derivatives beside torch's autograd in float64: every layer and option, corners, and the reference network."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import numjaz
from numjaz import Model, Node
from numjaz import layers as of
from numjaz.formats.torch_names import module_names, to_torch
from numjaz.layers import ACTIVATIONS, Input, Layer
from numjaz.layers.base import under
from numjaz.learn.backprop import Gradients, backward_pass, forward_pass, unbiased_buffers
from numjaz.nodes import layers_by_owner, output_key, owned_parameters, source_of

torch = pytest.importorskip("torch")

from random_models import KINDS, cases  # noqa: E402
from test_derivatives import TIES, few  # noqa: E402
from torch.nn import functional  # noqa: E402
from torch_beside import noise, tensors  # noqa: E402

from numjaz.frameworks import torch_activations  # noqa: E402
from numjaz.frameworks.torch import torch_module  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # torch's own
NEAR = 1e-10  # of a tensor's largest gradient
NOTHING = 1e-4  # of the largest of all: where gradients cancel, as of a bias before a normalization, rounding is left


class HardSigmoid(torch.nn.Module):
    """By torch's other operations: the slope of its own is 1/6 in float32, also where it computes in float64."""

    def forward(self, x: Any) -> Any:
        return functional.relu6(x + 3) / 6


@pytest.fixture(autouse=True)
def a_sixth_is_a_sixth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(torch_activations.MODULES, "hard_sigmoid", HardSigmoid)


def alone(layer: Layer, inputs: list[np.ndarray], own: dict[str, np.ndarray]) -> tuple[Model, dict[str, np.ndarray]]:
    """A network of one layer, all of whose outputs are its own, and its inputs by name."""
    names = [f"input{k}" for k in range(len(inputs))]
    nodes = [Node(name, Input(x.shape[-1], x.shape[1:-1])) for name, x in zip(names, inputs, strict=True)]
    nodes.append(Node("layer", layer, tuple((name, 0) for name in names)))
    count = len(layer.output_shapes(tuple(x.shape[1:] for x in inputs)))
    outputs = [output_key("layer", k) for k in range(count)]
    params = {f"layer/{name}": array for name, array in own.items()}
    return Model(nodes, params, outputs=outputs), dict(zip(names, inputs, strict=True))


def beside_torch(
    model: Model, x: dict[str, np.ndarray], d_outputs: dict[str, np.ndarray], training: bool = False
) -> Any:
    """Hold every derivative to autograd's; gives the twin and our forward pass."""
    done = forward_pass(model, model.parameters, x, training=training)
    ours = backward_pass(model, done, d_outputs)
    twin = torch_module(model).double().train(training)
    given_x = {name: tensor.requires_grad_() for name, tensor in tensors(x).items()}
    made = twin.activations(given_x)
    loss = sum((made[name] * torch.tensor(d)).sum() for name, d in d_outputs.items())
    if loss.requires_grad:
        loss.backward()
    expected = {name: gradient(tensor) for name, tensor in (*given_x.items(), *twin.named_parameters())}
    found = {**ours.inputs, **in_torch(model, ours)}
    assert set(expected) <= set(found)
    least = NOTHING * max(np.abs(array).max(initial=0) for array in (*expected.values(), *d_outputs.values()))
    for name, array in expected.items():
        scale = max(np.abs(array).max(initial=0), least)
        np.testing.assert_allclose(found[name], array, rtol=0, atol=NEAR * scale, err_msg=name)
    for node in model.nodes:
        for k, y in enumerate(done.outputs[node.name]):
            np.testing.assert_allclose(
                y, made[output_key(node.name, k)].detach(), rtol=0, atol=1e-10 * max(1, np.abs(y).max())
            )
    return twin, done


def gradient(tensor: Any) -> np.ndarray:
    return (torch.zeros_like(tensor) if tensor.grad is None else tensor.grad).numpy()


def in_torch(model: Model, ours: Gradients) -> dict[str, np.ndarray]:
    """Our gradients as torch lays them out: two biases that are one here have the same."""
    made, modules = {}, module_names(model.nodes)
    owned, layers = owned_parameters(model.nodes), layers_by_owner(model.nodes)
    for owner, own in owned.items():
        arrays = {n: ours.parameters.get(f"{owner}/{n}", np.zeros(p.shape)) for n, p in own.items()}
        theirs = to_torch(layers[owner], arrays)
        cell = layers[owner]
        while isinstance(cell, (of.TimeDistributed, of.Bidirectional)):
            cell = cell.layer if isinstance(cell, of.TimeDistributed) else cell.forward_layer
        if not isinstance(cell, of.GRU):
            theirs |= {n: theirs[n.replace("_hh_", "_ih_")] for n in theirs if n.startswith("bias_hh_")}
        made |= {f"{modules[owner]}.{name}": array for name, array in theirs.items()}
    return made


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_layer_and_option(kind: type[Layer]) -> None:
    """Each layer of random networks on its own, its inputs moved off the corners that activations put them on."""

    @few
    @given(cases(kind), st.integers(0, 9))
    def holds(case: tuple[Model, Any], seed: int) -> None:
        model, x = case
        made, rng = model.activations(x), np.random.default_rng(seed)
        for node in model.nodes:
            inputs = [made[output_key(*source)] for source in node.inputs]
            inputs = [array + 0.1 * rng.standard_normal(array.shape) for array in inputs]
            if not inputs:
                continue
            single, given_x = alone(node.layer, inputs, dict(under(model.parameters, node.owner)))
            ends = {name: rng.standard_normal(y.shape) for name, y in single.reference(given_x).items()}
            beside_torch(single, given_x, ends)
            first = dict(list(ends.items())[-1:])
            beside_torch(single, given_x, first)  # the other outputs matter to nobody

    holds()


@pytest.mark.parametrize("name", [*ACTIVATIONS, "glu"])
def test_every_activation(name: str) -> None:
    x = np.linspace(-7.01, 7.02, 240).reshape(2, 30, 4) + 0.003 * noise(2, 30, 4)
    model, given_x = alone(of.Activation(name), [x], {})
    beside_torch(model, given_x, {"layer": noise(*model.activations(given_x)["layer"].shape)})


THEIRS = {
    "Activation(relu)": functional.relu,
    "Activation(relu6)": functional.relu6,
    "Activation(leaky_relu)": lambda x: functional.leaky_relu(x, 0.2),
    "Activation(elu)": functional.elu,
    "Activation(selu)": functional.selu,
    "Activation(hard_tanh)": functional.hardtanh,
    "Activation(hard_sigmoid)": functional.hardsigmoid,
    "Activation(hard_shrink)": functional.hardshrink,
    "Activation(soft_shrink)": functional.softshrink,
    "Activation(hard_silu)": functional.hardswish,
    "ReLU": functional.relu,
    "ReLU(6.0)": functional.relu6,
    "ReLU(0.25)": lambda x: functional.leaky_relu(x, 0.25),
    "ELU(2.0)": lambda x: functional.elu(x, 2.0),
    "MaxPooling1D(3)": lambda x: functional.max_pool1d(x, 3),
    "GlobalMaxPooling1D": lambda x: functional.adaptive_max_pool1d(x, 1),
}


@pytest.mark.parametrize(("layer", "x", "slopes"), TIES, ids=[str(layer) for layer, *_ in TIES])
def test_corners_are_torchs(layer: Layer, x: list[float], slopes: list[float]) -> None:
    """What `test_slopes_at_corners` states; two activations are Keras's alone."""
    if str(layer) not in THEIRS:
        assert str(layer) in ("Activation(hard_sigmoid_keras2)", "Activation(sparse_sigmoid)")
        return
    tensor = torch.tensor([x], dtype=torch.float64).requires_grad_()
    THEIRS[str(layer)](tensor).sum().backward()
    np.testing.assert_allclose(tensor.grad[0].numpy(), slopes, rtol=1e-15)


@pytest.mark.parametrize(("layer", "join"), [(of.Maximum(), torch.maximum), (of.Minimum(), torch.minimum)])
def test_equal_inputs_share_as_in_torch(layer: Layer, join: Any) -> None:
    rng = np.random.default_rng(0)
    arrays = [rng.integers(0, 3, (40, 5)).astype(float) for _ in range(3)]
    parts = [torch.tensor(array).requires_grad_() for array in arrays]
    d = noise(40, 5)
    (join(join(parts[0], parts[1]), parts[2]) * torch.tensor(d)).sum().backward()
    saved = layer.forward({}, tuple(arrays)).saved
    for ours, part in zip(layer.backward({}, saved, (d,)).d_inputs, parts, strict=True):
        np.testing.assert_array_equal(ours, part.grad.numpy())


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize(("axis", "shape"), [(-1, (7, 5)), (1, (7, 5)), (2, (7, 5)), (-1, (5,)), (-1, (2, 3, 5))])
def test_batch_normalization_in_training(axis: int, shape: tuple[int, ...], affine: bool) -> None:
    """The derivatives through a batch's statistics, and torch's running ones, of momentum 1 - ours."""
    layer = of.BatchNormalization(momentum=0.7, axis=axis, scale=affine, center=affine)
    rng = np.random.default_rng(0)
    own = {n: rng.uniform(0.5, 1.5, p.shape) for n, p in layer.parameters((shape,)).items()}
    model, given_x = alone(layer, [3 * noise(6, *shape) + 1], own)
    twin, done = beside_torch(model, given_x, {"layer": noise(6, *shape, seed=2)}, training=True)
    moved = unbiased_buffers(model, done)
    np.testing.assert_allclose(moved["layer/moving_mean"], twin.layer.running_mean, rtol=1e-12)
    np.testing.assert_allclose(moved["layer/moving_variance"], twin.layer.running_var, rtol=1e-12)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("features", [1, 6])
def test_jazbat(features: int, training: bool) -> None:
    """The reference network, 64 samples, cross-entropy."""
    model = numjaz.jazbat(features=features, classes=6)
    model = model.derive(parameters={n: a.astype(float) for n, a in model.parameters.items()})
    x, labels = noise(5, 64, features), np.eye(6)[:5]
    done = forward_pass(model, model.parameters, {"input": x}, training=training)
    p = done.outputs[source_of(model.outputs[0])[0]][0]
    twin, done = beside_torch(model, {"input": x}, {model.outputs[0]: -labels / p / 5}, training=training)
    if training:
        state, moved = twin.state_dict(), unbiased_buffers(model, done)
        assert len(moved) == 2 * sum(isinstance(node.layer, of.BatchNormalization) for node in model.nodes)
        for name, theirs in (("moving_mean", "running_mean"), ("moving_variance", "running_var")):
            for key in (key for key in moved if key.endswith(name)):
                module = module_names(model.nodes)[key.rpartition("/")[0]]
                np.testing.assert_allclose(moved[key], state[f"{module}.{theirs}"], rtol=1e-12)
