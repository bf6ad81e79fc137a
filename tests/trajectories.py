"""Training beside a framework: the same weights, batches and optimizer, and the loss of every step.

``theirs`` is a function of (network, recipe, batches) that trains in a framework and gives the losses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

import numjaz
from numjaz.learn.recipe import Recipe
from numjaz.learn.trainer import Trainer

STEPS, BATCH, WINDOW, CLASSES = 200, 8, 32, 6
Losses = np.ndarray
Batches = list[tuple[np.ndarray, np.ndarray]]
Theirs = Callable[[numjaz.Model, Recipe, Batches], Losses]


def network(seed: int) -> numjaz.Model:
    return numjaz.jazbat(features=3, classes=CLASSES, seed=seed)


def batches(seed: int) -> Batches:
    """Windows whose class says how fast they swing, in noise; every number is one that float32 has."""

    def drawn() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        rng = np.random.default_rng(seed)
        t = np.arange(WINDOW)[:, None]
        for _ in range(STEPS):
            labels = rng.integers(CLASSES, size=BATCH)
            phase = rng.uniform(0, 2 * np.pi, (BATCH, 1, 3))
            x = 3 * np.sin(0.1 * (1 + labels[:, None, None]) * t + phase) + rng.normal(size=(BATCH, WINDOW, 3))
            yield x.astype(np.float32), labels

    return list(drawn())


def ours(model: numjaz.Model, recipe: Recipe, given: Batches) -> Losses:
    trainer, losses = Trainer(model, recipe, WINDOW), []
    for number, (x, labels) in enumerate(given, start=1):
        loss, _ = trainer.step(
            x.astype(recipe.dtype), labels, None, number, recipe.learning_rate, np.random.default_rng()
        )
        losses.append(loss.total / len(labels))
    return np.array(losses)


def apart(a: Losses, b: Losses) -> Losses:
    """How far losses are apart, relative to the second."""
    return np.abs(a - b) / np.abs(b)


def check_float64(theirs: Theirs, recipe: Recipe) -> None:
    """Within 1e-9 at step 50, within 1e-6 at step 200."""
    given, model = batches(1), network(1)
    mine, other = ours(model, recipe, given), theirs(model, recipe, given)
    assert mine[-20:].mean() < 0.7 * mine[:20].mean()  # something was learned
    far = apart(mine, other)
    assert far[:50].max() <= 1e-9, far[:50].max()
    assert far.max() <= 1e-6, far.max()


def float32_ratio(theirs: Theirs, seed: int) -> float:
    """How much further ours is from the trajectory in float64 than theirs, both in float32: means of the logarithms."""
    given, model = batches(seed), network(seed)
    exact = ours(model, Recipe(dtype="float64"), given)
    single = Recipe(dtype="float32")
    far = [np.log(apart(run(model, single, given), exact) + 1e-12).mean() for run in (ours, theirs)]
    return float(np.exp(far[0] - far[1]))
