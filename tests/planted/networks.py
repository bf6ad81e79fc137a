"""The networks that faults are planted in, typed in Keras 2.15 and 3, and their weights. Imports nothing of numjaz."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
from keras import layers

sys.path.insert(0, str(Path(__file__).parent.parent))
from inputs import LENGTH, frequencies
from keras_jazbat import jazbat
from steps import variables

STEPS, BATCH = 240, 32  # of training


def jazbat_net() -> keras.Model:
    """The reference network, small."""
    return jazbat(3, 5, reduction=6, units=6, modules=2)


def stacked_lstm() -> keras.Model:
    """Three LSTMs, the second and third of the same shapes; the last state alone."""
    x = inputs = layers.Input((32, 3), name="input")
    x = layers.LSTM(8, return_sequences=True, name="lstm1")(x)
    x = layers.Dropout(0.2, name="drop")(x)
    x = layers.LSTM(8, return_sequences=True, name="lstm2")(x)
    x = layers.LSTM(8, name="lstm3")(x)
    x = layers.Dense(8, activation="relu", name="hidden")(x)
    x = layers.BatchNormalization(name="norm")(x)
    return keras.Model(inputs, layers.Dense(4, activation="softmax", name="classes")(x))


def gru_before() -> keras.Model:
    """The GRU of 2014, which resets before the product, after one with hard gates."""
    x = inputs = layers.Input((28, 4), name="input")
    x = layers.GRU(
        7, return_sequences=True, reset_after=False, recurrent_activation="hard_sigmoid", name="gru_sequence"
    )(x)
    x = layers.GRU(7, reset_after=False, name="gru_last")(x)
    x = layers.Dense(9, activation="tanh", name="hidden")(x)
    return keras.Model(inputs, layers.Dense(4, activation="softmax", name="classes")(x))


def cnn() -> keras.Model:
    """Convolutions with batch norm behind and before their activations, max-pooled, flattened."""
    x = inputs = layers.Input((32, 3), name="input")
    x = layers.Conv1D(8, 5, padding="same", activation="relu", name="conv1")(x)
    x = layers.BatchNormalization(name="norm1")(x)
    x = layers.Conv1D(8, 4, padding="same", name="conv2")(x)
    x = layers.BatchNormalization(name="norm2")(x)
    x = layers.Activation("relu", name="relu2")(x)
    x = layers.MaxPooling1D(2, name="pool")(x)
    x = layers.Conv1D(8, 3, activation="relu", name="conv3")(x)
    x = layers.Conv1D(8, 3, activation="relu", name="conv4")(x)
    x = layers.BatchNormalization(name="norm3")(x)
    x = layers.Flatten(name="flat")(x)
    x = layers.Dense(10, activation="relu", name="hidden1")(x)
    x = layers.Dense(10, activation="relu", name="hidden2")(x)
    return keras.Model(inputs, layers.Dense(4, activation="softmax", name="classes")(x))


def tcn() -> keras.Model:
    """Dilated causal convolutions with layer normalization and residual sums."""
    inputs = layers.Input((40, 3), name="input")
    x = layers.Conv1D(8, 1, name="widen")(inputs)
    for block, dilation in enumerate((1, 2, 4), 1):
        y = layers.Conv1D(
            8, 3, padding="causal", dilation_rate=dilation, activation="relu", name=f"block{block}_causal"
        )(x)
        y = layers.LayerNormalization(name=f"block{block}_norm")(y)
        y = layers.Conv1D(8, 1, activation="tanh", name=f"block{block}_mix")(y)
        x = layers.Add(name=f"block{block}_sum")([y, x])
    x = layers.GlobalAveragePooling1D(name="pool")(x)
    return keras.Model(inputs, layers.Dense(4, activation="softmax", name="classes")(x))


def separable() -> keras.Model:
    """Depthwise, grouped and separable convolutions, even kernels, strides."""
    x = inputs = layers.Input((36, 3), name="input")
    x = layers.Rescaling(0.5, offset=0.1, name="rescale")(x)
    x = layers.DepthwiseConv1D(4, padding="same", depth_multiplier=2, name="depthwise")(x)
    x = layers.BatchNormalization(name="norm1")(x)
    x = layers.ReLU(max_value=6.0, name="relu6")(x)
    x = layers.Conv1D(8, 1, use_bias=False, name="pointwise")(x)
    x = layers.BatchNormalization(name="norm2")(x)
    x = layers.LeakyReLU(0.25, name="leaky")(x)
    x = layers.Conv1D(8, 4, padding="same", groups=2, activation="elu", name="grouped")(x)
    x = layers.Conv1D(8, 5, strides=2, padding="same", activation="relu", name="strided")(x)
    x = layers.SeparableConv1D(6, 3, padding="same", dilation_rate=2, activation="selu", name="separable")(x)
    x = layers.AveragePooling1D(2, name="pool")(x)
    x = layers.Flatten(name="flat")(x)
    return keras.Model(inputs, layers.Dense(4, activation="softmax", name="classes")(x))


def attention() -> keras.Model:
    """A convolution, a bidirectional LSTM, attention by softmax over time."""
    x = inputs = layers.Input((30, 3), name="input")
    x = layers.Conv1D(6, 3, padding="same", activation="gelu", name="conv")(x)
    x = layers.Bidirectional(layers.LSTM(6, return_sequences=True), name="bilstm")(x)
    x = layers.LayerNormalization(name="norm")(x)
    scores = layers.Dense(1, name="scores")(layers.Dense(12, activation="tanh", name="keys")(x))
    weights = layers.Softmax(axis=1, name="weights")(scores)
    x = layers.Multiply(name="weighted")([x, weights])
    x = layers.GlobalAveragePooling1D(name="pool")(x)
    x = layers.Dense(8, activation="elu", name="hidden")(x)
    return keras.Model(inputs, layers.Dense(4, activation="softmax", name="classes")(x))


def bigru_last() -> keras.Model:
    """A bidirectional GRU that gives its last state alone."""
    x = inputs = layers.Input((32, 3), name="input")
    x = layers.Bidirectional(layers.GRU(6), name="bigru")(x)
    x = layers.Dense(12, activation="selu", name="hidden1")(x)
    x = layers.BatchNormalization(name="norm1")(x)
    x = layers.Dense(12, activation="elu", name="hidden2")(x)
    x = layers.BatchNormalization(name="norm2")(x)
    return keras.Model(inputs, layers.Dense(4, activation="softmax", name="classes")(x))


def hard_gates() -> keras.Model:
    """Recurrent layers with hard gates, one of each kind."""
    x = inputs = layers.Input((24, 3), name="input")
    x = layers.LSTM(6, return_sequences=True, recurrent_activation="hard_sigmoid", name="lstm")(x)
    x = layers.GRU(6, return_sequences=True, recurrent_activation="hard_sigmoid", name="gru")(x)
    x = layers.GRU(6, name="gru_last")(x)
    x = layers.Dense(8, activation="gelu", name="hidden")(x)
    return keras.Model(inputs, layers.Dense(4, activation="softmax", name="classes")(x))


def two_scales() -> keras.Model:
    """Standardized inputs, two convolutions of other lengths side by side, a bidirectional LSTM's last state."""
    x = inputs = layers.Input((48, 3), name="input")
    x = layers.Normalization(mean=[0.2, -0.1, 0.4], variance=[1.5, 0.6, 2.0], name="standardize")(x)
    short = layers.Conv1D(5, 3, padding="same", activation="relu", name="short")(x)
    long = layers.Conv1D(5, 8, padding="same", activation="relu", name="long")(x)
    x = layers.Concatenate(name="both")([short, long])
    x = layers.MaxPooling1D(2, name="pool")(x)
    x = layers.Conv1D(6, 3, strides=2, padding="same", name="strided")(x)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.Activation("elu", name="elu")(x)
    x = layers.Bidirectional(layers.LSTM(5), name="bilstm")(x)
    return keras.Model(inputs, layers.Dense(4, activation="softmax", name="classes")(x))


NETWORKS: dict[str, Callable[[], keras.Model]] = {
    "jazbat": jazbat_net,
    "stacked-lstm": stacked_lstm,
    "gru-before": gru_before,
    "cnn": cnn,
    "tcn": tcn,
    "separable": separable,
    "attention": attention,
    "bigru-last": bigru_last,
    "hard-gates": hard_gates,
    "two-scales": two_scales,
}


def built(name: str, dtype: str = "float32") -> keras.Model:
    """One of `NETWORKS`, computing in this dtype."""
    keras.backend.set_floatx(dtype)
    keras.backend.clear_session()
    keras.utils.set_random_seed(0)
    policy = getattr(keras, "config", keras.mixed_precision)
    getattr(policy, "set_dtype_policy", getattr(policy, "set_global_policy", None))(dtype)
    return NETWORKS[name]()


def randomised(model: keras.Model, seed: int) -> keras.Model:
    """The same model with random weights, biases and statistics among them."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        for name, variable in variables(layer):
            variable.assign(_drawn(rng, name.split("/")[-1], tuple(variable.shape)).astype(np.float32))
    return model


def _drawn(rng: np.random.Generator, name: str, shape: tuple[int, ...]) -> np.ndarray:
    if name == "moving_variance":
        return rng.uniform(0.3, 2, shape)
    if name == "moving_mean":
        return rng.uniform(0.1, 0.8, shape)  # above zero, as behind a relu: taken for a variance it stays one
    if name == "gamma":
        return rng.uniform(0.5, 1.6, shape)
    if name in ("beta", "bias"):
        return rng.normal(0, 0.35, shape)
    summed = shape[0] if name == "depthwise_kernel" or (len(shape) == 3 and shape[2] == 2) else np.prod(shape[:-1])
    return rng.normal(0, 1.1 / np.sqrt(summed), shape)


def trained(model: keras.Model, seed: int) -> tuple[keras.Model, list[np.ndarray]]:
    """The model fitted to tell frequencies apart, and its weights when half of that was done."""
    time, features = (n or LENGTH for n in model.inputs[0].shape[1:])
    x, y = frequencies(np.random.default_rng(seed), 8 * BATCH, time, features, model.outputs[0].shape[-1])
    model.compile(keras.optimizers.Adam(4e-3), "sparse_categorical_crossentropy")
    epochs = STEPS // 8 // 2
    model.fit(x, y, BATCH, epochs, verbose=0)
    halfway = model.get_weights()
    model.fit(x, y, BATCH, epochs, verbose=0)
    return model, halfway
