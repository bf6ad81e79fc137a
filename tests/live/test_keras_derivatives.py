"""Derivatives beside Keras's in float64: of layers whose forms are Keras's own, and through a step in training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import numjaz
from numjaz import Model, Node
from numjaz import layers as of
from numjaz.formats.keras_writing import keras_list
from numjaz.layers import Input, Layer
from numjaz.learn.backprop import backward_pass, forward_pass
from numjaz.nodes import owned_parameters

tf = pytest.importorskip("tensorflow")

from numjaz.frameworks.keras import keras_model  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # TensorFlow's own
NEAR = 1e-10  # of a tensor's largest gradient
NOTHING = 1e-4  # of the largest of all: where gradients cancel, as of a bias before a normalization, rounding is left

LAYERS: list[Layer] = [
    of.GRU(3, reset_after=False),
    of.GRU(3, go_backwards=True, recurrent_activation="hard_sigmoid"),
    of.LSTM(3, recurrent_activation="hard_sigmoid", return_sequences=False),
    of.SimpleRNN(3, "selu"),
    of.Bidirectional(of.GRU(3), of.GRU(3), "mul"),
    of.Bidirectional(of.LSTM(3, return_sequences=False), of.LSTM(3, return_sequences=False), "ave"),
    of.Conv1D(4, 3, "causal", "softsign", dilation=2),  # not gelu, which TensorFlow has to 5e-9 alone
    of.Conv1D(4, 3, "same", "silu", strides=2, groups=2),
    of.SeparableConv1D(5, 3, 2, "same", "tanh", strides=2),
    of.DepthwiseConv1D(3, 2, "same", dilation=2),
    of.AveragePooling1D(3, 2, "same"),
    of.MaxPooling1D(3, 2, "same"),
    of.LayerNormalization(axis=(1, 2)),
    of.BatchNormalization(),
    of.TimeDistributed(of.Dense(3, "softmax")),
]


def beside_keras(model: Model, x: np.ndarray, d: np.ndarray, training: bool) -> Any:
    """Hold every derivative to `tf.GradientTape`'s; gives the twin and our forward pass."""
    done = forward_pass(model, model.parameters, {"input": x}, training=training)
    ours = backward_pass(model, done, {model.outputs[0]: d})
    twin, tensor = keras_model(model), tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        loss = tf.reduce_sum(twin(tensor, training=training) * d)
    owned = owned_parameters(model.nodes)
    there = {
        f"{layer.owner}/{name}": variable
        for layer in keras_list(model.nodes, model.outputs)
        for name, variable in zip(owned[layer.owner], twin.get_layer(layer.name).weights, strict=False)
    }
    moved = {name: there[name].value for name in ours.parameters}
    found = tape.gradient(loss, {"input": tensor, **moved})
    least = NOTHING * max(np.abs(np.asarray(array)).max() for array in found.values())
    for name, array in {**ours.inputs, **ours.parameters}.items():
        scale = max(np.abs(np.asarray(found[name])).max(), least)
        np.testing.assert_allclose(array, found[name], rtol=0, atol=NEAR * scale, err_msg=name)
    for name, array in done.buffers.items():
        np.testing.assert_allclose(array, there[name].numpy(), rtol=1e-10, err_msg=name)
    return done


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_layers(layer: Layer) -> None:
    rng = np.random.default_rng(0)
    table = layer.parameters(((9, 4),))
    params = {f"layer/{n}": rng.uniform(0.1, 0.9, p.shape) - (p.minimum < 0) * 0.5 for n, p in table.items()}
    model = Model([Node("input", Input(4, (9,))), Node("layer", layer, (("input", 0),))], params)
    x = rng.standard_normal((3, 9, 4))
    (y,) = layer.forward({n: params[f"layer/{n}"] for n in table}, (x,)).outputs
    beside_keras(model, x, rng.standard_normal(y.shape), training=False)


@pytest.mark.parametrize("training", [False, True])
def test_jazbat(training: bool) -> None:
    """Through a batch's statistics; the moving ones go on as Keras's do."""
    model = numjaz.jazbat(features=3, classes=4)
    model = model.derive(parameters={n: a.astype(float) for n, a in model.parameters.items()})
    rng = np.random.default_rng(0)
    done = beside_keras(model, rng.standard_normal((4, 64, 3)), rng.standard_normal((4, 4)), training)
    assert bool(done.buffers) == training
