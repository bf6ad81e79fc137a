"""Training beside Keras, step by step.

Keras takes the learning rate and the powers of Adam's betas through float32, also where all else is float64:
the ones here are numbers that float32 has.
"""

from __future__ import annotations

import numpy as np
import pytest
from trajectories import Batches, Losses, check_float64

import numjaz
from numjaz.learn.loss import without_softmax
from numjaz.learn.recipe import Recipe

keras = pytest.importorskip("keras")
ADAM = {"learning_rate": 2**-10, "beta_1": 1 - 2**-3, "beta_2": 1 - 2**-10}


def theirs(model: numjaz.Model, recipe: Recipe, batches: Batches) -> Losses:
    from numjaz.frameworks.keras import keras_model

    before = keras.config.floatx()
    keras.config.set_floatx(recipe.dtype)
    try:
        double = {name: array.astype(recipe.dtype) for name, array in model.parameters.items()}
        network = keras_model(without_softmax(model.derive(parameters=double, golden=None)))
        clipped = {} if recipe.clip_norm is None else {"global_clipnorm": recipe.clip_norm}
        if recipe.optimizer == "adam":
            optimizer = keras.optimizers.Adam(recipe.learning_rate, recipe.beta_1, recipe.beta_2, **clipped)
        else:
            optimizer = keras.optimizers.SGD(recipe.learning_rate, recipe.momentum, **clipped)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        network.compile(optimizer, loss)
        losses = []
        for x, labels in batches:
            network.reset_metrics()  # the loss that Keras gives is a mean since then
            losses.append(network.train_on_batch(x.astype(recipe.dtype), labels, return_dict=True)["loss"])
        return np.array(losses, dtype=np.float64)
    finally:
        keras.config.set_floatx(before)


@pytest.mark.parametrize(
    "options",
    [
        ADAM,
        {"optimizer": "sgd", "learning_rate": 2**-5, "momentum": 0.875, "clip_norm": 1.0},
    ],
    ids=["adam", "sgd, clipped"],
)
def test_two_hundred_steps_are_kerass(options: dict[str, object]) -> None:
    check_float64(theirs, Recipe(form="keras", dtype="float64", **options))  # type: ignore[arg-type]
