"""Real Keras, 2.15 or 3, asked for the output of every layer. Imports nothing of numjaz."""

from __future__ import annotations

from itertools import product

import keras
import numpy as np
from keras_jazbat import jazbat

GRID = [
    {"features": f, "reduction": r, "activation": a, "reset_after": after}
    for f, r, a, after in product((1, 3, 6), (6, 18), ("relu", "linear"), (True, False))
]
"""Every option that the fact of one network being two in the paper makes worth a test."""


def compute_in(dtype: str) -> None:
    """Build and compute in this dtype from now on; Keras 3 keeps the old one until its session is cleared."""
    keras.backend.set_floatx(dtype)
    keras.backend.clear_session()


def network(seed: int, dtype: str = "float64", **options) -> keras.Model:
    """Jazbat-Net in Keras with random weights, the statistics of its batch norm included."""
    compute_in(dtype)
    model = jazbat(**options)
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        name = getattr(variable, "path", variable.name)
        values = rng.normal(0, 0.15, tuple(variable.shape))  # outputs stay of order 1 to 10
        variable.assign(np.abs(values) + 0.1 if "moving_variance" in name else values)
    return model


def every_output(model: keras.Model, x: np.ndarray) -> dict[str, np.ndarray]:
    """The output of every layer by its name, for a batch."""
    layers = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    outputs = keras.Model(model.inputs, [layer.output for layer in layers])(x, training=False)
    return {layer.name: np.asarray(output) for layer, output in zip(layers, outputs, strict=True)}
