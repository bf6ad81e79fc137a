"""Jazbat-Net typed in Keras, for training and for comparison; runs in Keras 2.15 and Keras 3.

Imports nothing of numjaz: what numjaz computes is held against this.
"""

from __future__ import annotations

import keras
from keras import layers


def jazbat(
    features: int = 1,
    classes: int = 6,
    *,
    reduction: int = 18,
    units: int = 32,
    modules: int = 3,
    activation: str = "relu",
    reset_after: bool = True,
    swap_branches: bool = False,
    named: bool = True,
) -> keras.Model:
    """The network of the paper; ``swap_branches`` hands each module's `Add` its inputs the other way round."""

    def conv(filters: int, kernel: int, name: str) -> layers.Layer:
        return layers.Conv1D(filters, kernel, padding="same", activation=activation, name=name if named else None)

    inputs = x = layers.Input((None, features), name="input" if named else None)
    gru = layers.GRU(units, return_sequences=True, reset_after=reset_after, name="gru")
    x = layers.Bidirectional(gru, name="bigru" if named else None)(x)
    x = layers.BatchNormalization(name="norm" if named else None)(x)
    for m in range(1, modules + 1):
        branches = []
        for k in (5, 3):
            narrow = conv(10, 1, f"module{m}_branch{k}_reduce")(x)
            branches.append(conv(10, k, f"module{m}_branch{k}")(narrow))
        if swap_branches:
            branches.reverse()
        total = layers.Add(name=f"module{m}_sum" if named else None)(branches)
        merged = conv(64, 1, f"module{m}_merge")(total)
        shortcut = conv(64, 1, f"module{m}_shortcut")(x)
        x = layers.Add(name=f"module{m}" if named else None)([merged, shortcut])
    x = conv(reduction, 1, "reduction")(x)
    x = layers.GlobalAveragePooling1D(name="pool" if named else None)(x)
    outputs = layers.Dense(classes, activation="softmax", name="classes" if named else None)(x)
    return keras.Model(inputs, outputs, name="jazbat" if named else None)
