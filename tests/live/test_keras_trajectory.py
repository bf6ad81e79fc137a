"""Training beside Keras, step by step."""

from __future__ import annotations

import numpy as np
import pytest
from trajectories import Batches, Losses, check_float64

import numjaz
from numjaz.learn.loss import without_softmax
from numjaz.learn.recipe import Recipe

keras = pytest.importorskip("keras")


def theirs(model: numjaz.Model, recipe: Recipe, batches: Batches) -> Losses:
    from numjaz.frameworks.keras import keras_model

    before = keras.config.floatx()
    keras.config.set_floatx(recipe.dtype)
    try:
        double = {name: array.astype(recipe.dtype) for name, array in model.parameters.items()}
        network = keras_model(without_softmax(model.derive(parameters=double, golden=None)))
        clipped = {} if recipe.clip_norm is None else {"global_clipnorm": recipe.clip_norm}
        if recipe.optimizer == "adam":
            optimizer = keras.optimizers.Adam(recipe.learning_rate, **clipped)
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
    [{}, {"clip_norm": 0.5}, {"optimizer": "sgd", "learning_rate": 0.05, "clip_norm": 1.0}],
    ids=["adam", "adam, clipped", "sgd, clipped"],
)
def test_two_hundred_steps_are_kerass(options: dict[str, object]) -> None:
    check_float64(theirs, Recipe(form="keras", dtype="float64", **options))  # type: ignore[arg-type]
