"""What layers state as their derivatives is how their outputs move: central differences, and corners exactly."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st
from random_models import KINDS, PATIENT, cases

import numjaz
from numjaz import Model, Node, NumjazError
from numjaz import layers as of
from numjaz.layers import ACTIVATIONS, Input, Layer
from numjaz.layers.base import Backward, under
from numjaz.layers.bidirectional import MERGES
from numjaz.layers.noise import KINDS as NOISES
from numjaz.learn.backprop import backward_pass, forward_pass, unbiased_buffers
from numjaz.learn.gradients import check_grads
from numjaz.nodes import output_key

# A network that fails shows itself at once: to look for a smaller one takes minutes.
few = settings(
    max_examples=max(settings().max_examples // 8, 2), suppress_health_check=PATIENT, phases=[Phase.generate]
)
SEQUENCE = ((9, 4),)


def random(layer: Layer) -> bool:
    """Whether a layer draws numbers in training, or one within it."""
    while isinstance(layer, of.TimeDistributed):
        layer = layer.layer
    return isinstance(layer, of.Dropout)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_layer_of_random_networks(kind: type[Layer]) -> None:
    """Each layer on its own, with the arrays and the inputs that it has in a network."""

    @few
    @given(cases(kind), st.booleans(), st.integers(0, 9))
    def holds(case: tuple[Model, Any], training: bool, seed: int) -> None:
        model, x = case
        made = model.activations(x)
        for node in model.nodes:
            rng = np.random.default_rng(seed)  # away from the corners that activations put their outputs on
            arrays = [made[output_key(*s)] + 0.1 * rng.standard_normal(made[output_key(*s)].shape) for s in node.inputs]
            shapes = tuple(array.shape[1:] for array in arrays) or (made[node.name].shape[1:],)
            regularized = random(node.layer) and "ActivityRegularization" in str(node.layer)
            params = dict(under(model.parameters, node.owner))
            check_grads(
                node.layer,
                shapes,
                params=params,
                inputs=arrays or None,
                training=training and not regularized,
                seed=seed,
            )

    holds()


@pytest.mark.parametrize("name", [*ACTIVATIONS, "glu"])
@pytest.mark.parametrize("width", [1, 2, 6])
def test_every_activation(name: str, width: int) -> None:
    if name != "glu":
        check_grads(of.Dense(width, name), ((5, 3),), batch=20)
        check_grads(of.GRU(width, "tanh", name), ((3, 2),))
    if name != "glu" or width % 2 == 0:
        check_grads(of.Activation(name), ((4, width),), batch=30)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("axis", [-1, 1])
def test_batch_normalization(axis: int, training: bool) -> None:
    for scale in (True, False):
        check_grads(of.BatchNormalization(axis=axis, scale=scale, center=not scale), SEQUENCE, training=training)
    check_grads(of.TimeDistributed(of.BatchNormalization()), ((3, 4, 2),), training=training)


@pytest.mark.parametrize("merge", MERGES)
@pytest.mark.parametrize("sequences", [True, False])
def test_two_directions(merge: str, sequences: bool) -> None:
    """Each merge, with states given and returned, the sides of different cells."""
    ends = {"return_sequences": sequences, "return_state": True}
    check_grads(of.Bidirectional(of.GRU(3, **ends), of.GRU(3, reset_after=False, **ends), merge), ((5, 2), (3,), (3,)))
    check_grads(of.Bidirectional(of.LSTM(3, **ends), of.SimpleRNN(3, go_backwards=True, **ends), merge), ((5, 2),))


@pytest.mark.parametrize("kind", NOISES)
def test_what_is_random_in_training(kind: str) -> None:
    """What is drawn is Keras's: means and variances of many numbers, what is dropped, whole channels or not."""
    layer, x = of.Dropout(0.4, kind), np.full((200, 10, 50), 2.0)
    assert layer.forward({}, (x,)).outputs[0] is x
    if kind == "ActivityRegularization":
        with pytest.raises(NumjazError, match="ActivityRegularization: its share of the loss"):
            layer.forward({}, (x,), training=True, rng=np.random.default_rng(0))
        return
    check_grads(layer, SEQUENCE, training=True)
    with pytest.raises(NumjazError, match=f"^{kind}: draws random numbers in training; pass rng="):
        layer.forward({}, (x,), training=True)
    (y,) = layer.forward({}, (x,), training=True, rng=np.random.default_rng(0)).outputs
    (again,) = layer.forward({}, (x.astype(np.float32),), training=True, rng=np.random.default_rng(0)).outputs
    assert again.dtype == np.float32
    np.testing.assert_allclose(again, y, rtol=1e-6)
    if kind == "AlphaDropout":
        noise = np.random.default_rng(1).standard_normal(x.shape)
        (y,) = layer.forward({}, (noise,), training=True, rng=np.random.default_rng(0)).outputs
        assert abs(y.mean()) < 0.02
        assert abs(y.var() - 1) < 0.04
        return
    if kind in ("Dropout", "SpatialDropout1D"):
        assert set(np.unique(y)) == {0.0, 2.0 / 0.6}
        assert abs((y == 0).mean() - 0.4) < 0.03
        whole = (y == y[:, :1]).all(axis=1).mean()  # channels that are as one
        assert whole == 1 if kind == "SpatialDropout1D" else whole < 0.02
        (nothing,) = of.Dropout(1.0, kind).forward({}, (x,), training=True, rng=np.random.default_rng(0)).outputs
        assert not nothing.any()
    deviation = {"GaussianDropout": 2 * (0.4 / 0.6) ** 0.5, "GaussianNoise": 0.4}
    assert abs(y.mean() - 2) < 0.05
    assert kind not in deviation or abs(y.std() - deviation[kind]) < 0.02


def test_noise_without_bounds_is_refused() -> None:
    with pytest.raises(NumjazError, match="GaussianDropout: a rate of 1"):
        of.Dropout(1.0, "GaussianDropout").forward({}, (np.ones((1, 2)),), training=True, rng=np.random.default_rng())


TIES: list[tuple[Layer, list[float], list[float]]] = [
    (of.Activation("relu"), [0], [0]),
    (of.Activation("relu6"), [0, 6], [0, 0]),
    (of.Activation("leaky_relu"), [0], [0.2]),
    (of.Activation("elu"), [0], [1]),
    (of.Activation("selu"), [0], [1.6732632423543772 * 1.0507009873554805]),
    (of.Activation("hard_tanh"), [-1, 1], [0, 0]),
    (of.Activation("hard_sigmoid"), [-3, 3], [0, 0]),
    (of.Activation("hard_sigmoid_keras2"), [-2.5, 2.5], [0, 0]),
    (of.Activation("sparse_sigmoid"), [-1, 1], [0, 0]),
    (of.Activation("hard_shrink"), [-0.5, 0.5], [0, 0]),
    (of.Activation("soft_shrink"), [-0.5, 0.5], [0, 0]),
    (of.Activation("hard_silu"), [-3, 3], [0, 1]),
    (of.ReLU(), [0], [0]),
    (of.ReLU(6.0), [6], [0]),
    (of.ReLU(negative_slope=0.25), [0], [0.25]),
    (of.ELU(2.0), [0], [2]),
    (of.MaxPooling1D(3), [1, 2, 2, 3, 3, 3, 0, 4, 4], [0, 1, 0, 1, 0, 0, 0, 1, 0]),
    (of.GlobalMaxPooling1D(), [1, 2, 0, 2], [0, 1, 0, 0]),
]
"""A layer, inputs at its corners, and the derivatives by them: torch's, which `live/test_torch_derivatives.py` holds."""


@pytest.mark.parametrize(("layer", "x", "slopes"), TIES, ids=[str(layer) for layer, *_ in TIES])
def test_slopes_at_corners(layer: Layer, x: list[float], slopes: list[float]) -> None:
    given_x = np.array(x, float).reshape(1, -1, 1)
    (y,), saved, _ = layer.forward({}, (given_x,))
    (d,) = layer.backward({}, saved, (np.ones_like(y),)).d_inputs
    assert d is not None
    np.testing.assert_array_equal(d[0, :, 0], slopes)


@pytest.mark.parametrize("layer", [of.Maximum(), of.Minimum()])
def test_equal_inputs_share(layer: Layer) -> None:
    """Pair by pair, as torch's maximum does: the third has half of what is equal, the first two a quarter each."""
    one = np.ones((1, 1))
    (y,), saved, _ = layer.forward({}, (one, one, one))
    shares = layer.backward({}, saved, (np.ones_like(y),)).d_inputs
    assert [float(np.sum(d)) for d in shares if d is not None] == [0.25, 0.25, 0.5]


def test_moving_statistics_in_both_conventions() -> None:
    """Keras's: the mean square; torch's, the unbiased variance. Two nodes of one layer move them one after the other."""
    rng = np.random.default_rng(0)
    layer = of.TimeDistributed(of.BatchNormalization(momentum=0.9))
    nodes = [
        Node("x", Input(2, (None, 4))),
        Node("norm", layer, (("x", 0),)),
        Node("twice", layer, (("norm", 0),), "norm"),
    ]
    params = {f"norm/{n}": rng.uniform(0.5, 1.5, 2) for n in ("gamma", "beta", "moving_mean", "moving_variance")}
    model, x = Model(nodes, params), rng.standard_normal((3, 5, 4, 2))
    done = forward_pass(model, params, {"x": x}, training=True)
    mean, biased, unbiased = params["norm/moving_mean"], params["norm/moving_variance"], params["norm/moving_variance"]
    for values in (x, done.outputs["norm"][0]):
        mean = 0.9 * mean + 0.1 * values.mean(axis=(0, 1, 2))
        biased = 0.9 * biased + 0.1 * values.var(axis=(0, 1, 2))
        unbiased = 0.9 * unbiased + 0.1 * values.var(axis=(0, 1, 2), ddof=1)
    for found, variance in ((done.buffers, biased), (unbiased_buffers(model, done), unbiased)):
        assert set(found) == {"norm/moving_mean", "norm/moving_variance"}
        np.testing.assert_allclose(found["norm/moving_mean"], mean, rtol=1e-12)
        np.testing.assert_allclose(found["norm/moving_variance"], variance, rtol=1e-12)
    assert forward_pass(model, params, {"x": x}).buffers == {}
    one = forward_pass(model, params, {"x": x[:1, :1, :1]}, training=True)
    with pytest.raises(NumjazError, match="one value a channel has no unbiased variance"):
        unbiased_buffers(model, one)


@settings(few, max_examples=3 * few.max_examples)
@given(cases(), st.booleans(), st.integers(0, 9))
def test_every_network(case: tuple[Model, Any], training: bool, seed: int) -> None:
    """Values that several nodes read, arrays that several own, several outputs: along random directions."""
    model, x = case
    given_x = model.checked(x)
    training = training and not any("ActivityRegularization" in str(node.layer) for node in model.nodes)

    def passed(params: Any, given_x: Any) -> Any:
        return forward_pass(model, params, given_x, training=training, rng=np.random.default_rng(seed))

    rng, done = np.random.default_rng(seed), passed(model.parameters, given_x)
    made = {output_key(name, k): y for name, ys in done.outputs.items() for k, y in enumerate(ys)}
    if not training:
        expected = model.activations(x)
        assert all(np.array_equal(made[key], expected[key]) for key in expected)
    d_outputs = {name: rng.standard_normal(made[name].shape) for name in model.outputs}
    found = backward_pass(model, done, d_outputs)
    assert set(found.parameters) == {n for n, p in model.parameter_table.items() if p.trainable}
    assert set(found.inputs) == set(model.inputs)

    def loss(params: Any, given_x: Any) -> float:
        done = passed(params, given_x)
        read = {name: done.outputs[node][k] for name in model.outputs for node, k in [numjaz.nodes.source_of(name)]}
        return float(sum((read[name] * d).sum() for name, d in d_outputs.items()))

    values = {**model.parameters, **{f"input {name}": array for name, array in given_x.items()}}
    gradients = {**found.parameters, **{f"input {name}": array for name, array in found.inputs.items()}}
    scale = max(np.linalg.norm(g) for g in gradients.values())
    assume(np.isfinite(scale) and scale < 1e5)
    for name, gradient in gradients.items():
        direction = rng.standard_normal(gradient.shape)
        nearest = np.inf
        for step in (1e-5, 1e-6, 1e-7):
            ends = []
            for by in (step, -step):
                moved = {**values, name: values[name] + by * direction}
                ends.append(
                    loss({n: moved[n] for n in model.parameters}, {n: moved[f"input {n}"] for n in model.inputs})
                )
            nearest = min(nearest, abs((ends[0] - ends[1]) / (2 * step) - (gradient * direction).sum()))
        assert nearest <= 1e-6 * max(scale, 1), name


def test_jazbat_by_both_passes() -> None:
    """Cross-entropy of the whole network in training, every array moved at once."""
    model = numjaz.jazbat(features=3, classes=4)
    rng = np.random.default_rng(0)
    params = {n: a.astype(float) for n, a in model.parameters.items()}
    x, labels = rng.standard_normal((4, 32, 3)), np.eye(4)

    def loss(params: Any) -> tuple[float, Any, Any]:
        done = forward_pass(model, params, {"input": x}, training=True)
        p = done.outputs["classes"][0]
        return -float((labels * np.log(p)).sum()), done, -labels / p

    _, done, d = loss(params)
    found = backward_pass(model, done, {"classes": d}).parameters
    direction = {n: rng.standard_normal(g.shape) / g.size**0.5 for n, g in found.items()}
    ahead, behind = (loss({n: a + by * direction.get(n, 0) for n, a in params.items()})[0] for by in (1e-6, -1e-6))
    stated = sum((g * direction[n]).sum() for n, g in found.items())
    np.testing.assert_allclose((ahead - behind) / 2e-6, stated, rtol=1e-6)


class Planted(of.Dense):
    """A dense layer with a fault in its backward pass."""

    fault = ""

    def backward(self, params: Any, saved: Any, d_outputs: Any) -> Backward:
        (d_x,), d_params = super().backward(params, saved, d_outputs)
        d_params = dict(d_params)
        match self.fault:
            case "kernel":
                d_params["kernel"] = d_params["kernel"] * (1 + 1e-4)
            case "input":
                d_x = d_x + 1e-3
            case "missing":
                del d_params["bias"]
            case "shape":
                d_params["bias"] = d_params["bias"][None]
            case "more":
                d_params["other"] = d_params["bias"]
        return Backward((d_x,), d_params)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("kernel", "the derivative by array kernel is off by .*e-05 of its norm"),
        ("input", "the derivative by input 0 is off by"),
        ("missing", "backward gives no derivative by array bias"),
        ("shape", r"the derivative by array bias is \(1, 3\), not \(3,\)"),
        ("more", "backward gives a derivative by array other"),
    ],
)
def test_a_wrong_derivative_is_named(fault: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    check_grads(Planted(3, "tanh"), SEQUENCE)
    monkeypatch.setattr(Planted, "fault", fault)
    with pytest.raises(NumjazError, match=f"^Planted: {message}"):
        check_grads(Planted(3, "tanh"), SEQUENCE)


def test_a_layer_without_a_backward_pass_is_named() -> None:
    class Mine(Layer):
        def forward(self, params: Any, inputs: Any, *, training: bool = False, rng: Any = None) -> Any:
            return of.Forward(inputs)

    with pytest.raises(NumjazError, match="Mine: states no backward pass"):
        check_grads(Mine(), SEQUENCE)


def test_what_a_backward_pass_is_asked() -> None:
    model = numjaz.jazbat()
    done = forward_pass(model, model.parameters, {"input": np.ones((1, 8, 1))})
    with pytest.raises(NumjazError, match="no output is named 'nobody'"):
        backward_pass(model, done, {"nobody": np.ones(1)})
    cut = backward_pass(model, done, {"bigru": np.ones((1, 8, 64))}).parameters
    assert not cut["classes/kernel"].any()
    assert cut["bigru/forward/kernel"].any()
    nodes = [Node("x", Input(2)), Node("drop", of.Dropout(), (("x", 0),))]
    with pytest.raises(NumjazError, match=r"^node 'drop': Dropout: draws random numbers"):
        forward_pass(Model(nodes, {}), {}, {"x": np.ones((1, 3, 2))}, training=True)
    assert replace(of.Dropout(), rate=0.0).forward({}, (np.ones(3),), training=True).saved is None


class Overwriting(of.Dense):
    """A layer whose backward pass writes over the derivative that it is given."""

    def backward(self, params: Any, saved: Any, d_outputs: Any) -> Backward:
        d_outputs[0][...] *= 2
        return super().backward(params, saved, d_outputs)


def test_a_backward_pass_leaves_what_it_is_given() -> None:
    with pytest.raises(NumjazError, match="writes over derivative 0"):
        check_grads(Overwriting(3), ((4,),))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"batch": 0}, r"a batch of 1 or more windows, not Dense\(.* and 0"),
        ({"layer": of.Dense}, "takes a layer"),
        ({"inputs": []}, "Dense: input 0 is missing"),
        ({"inputs": [np.ones((2, 5))]}, r"input 0 is float64 \(2, 5\); numbers \(2, 4\)"),
        ({"params": {"kernel": np.ones((4, 3))}}, "array bias is missing"),
        ({"params": {"kernel": np.ones((4, 3)), "bias": np.ones(2)}}, r"array bias is float64 \(2,\)"),
        ({"params": {"kernel": np.ones((4, 3)), "bias": np.ones(3), "b": 1}}, "array b is not one of the layer"),
    ],
)
def test_what_is_held_to_differences_is_looked_at(given: dict[str, Any], message: str) -> None:
    with pytest.raises(NumjazError, match=message):
        check_grads(**{"layer": of.Dense(3), "shapes": ((4,),), **given})
