"""Training: what it learns, what it refuses, and that it is the same to the bit when it is done again."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import interrupts
import numpy as np
import pytest

import numjaz
from numjaz import NumjazError
from numjaz.learn.augmentation import Augmentation
from numjaz.learn.history import Progress
from numjaz.learn.loss import cross_entropy, without_softmax
from numjaz.learn.optimizers import clip, rate_at
from numjaz.learn.recipe import Recipe
from numjaz.learn.training import fit

SMALL = {"units": 6, "width": 12, "narrow": 4, "modules": 1}


def network(**options: Any) -> numjaz.Model:
    return numjaz.jazbat(**{"features": 1, "classes": ["slow", "fast"], **SMALL, **options})


def steep() -> numjaz.Model:
    """A network whose first step leaves all numbers behind."""
    kernel = network().parameters["reduction/kernel"]
    return network().replace({"reduction/kernel": kernel * np.float32(1e30)})


def swings(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Windows that swing slowly or fast, in noise."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(2, size=count)
    t = np.arange(48)[None, :, None]
    x = np.sin((0.2 + 0.6 * labels[:, None, None]) * t + rng.uniform(0, 6, (count, 1, 1)))
    return (x + rng.normal(scale=0.3, size=x.shape)).astype(np.float32), labels


def same(a: numjaz.Model, b: numjaz.Model) -> bool:
    return all(a.parameters[name].tobytes() == array.tobytes() for name, array in b.parameters.items())


def test_it_learns_what_other_windows_show_too() -> None:
    x, labels = swings(200)
    model, history = fit(network(), x, labels, Recipe(epochs=6, batch=16, learning_rate=0.01))
    others, truth = swings(100, seed=1)
    assert (model.predict(others).argmax(axis=1) == truth).mean() > 0.95
    assert history.epochs[-1].loss < 0.3 * history.epochs[0].loss
    assert model.provenance["windows_trained_on"] == 200
    assert not model.parameters["norm/gamma"].flags.writeable


def test_names_and_numbers_of_classes_mean_the_same() -> None:
    x, labels = swings(20)
    names = [("slow", "fast")[k] for k in labels]
    a, b = (fit(network(), x, given, Recipe(epochs=1))[0] for given in (labels, names))
    assert same(a, b)


def test_the_models_door_is_the_same_training() -> None:
    x, labels = swings(20)
    groups, recipe = np.arange(20) % 3, Recipe(epochs=1, batch=8, sampling="person")
    first, history = network().fit(x, labels, groups, recipe=recipe, validation=(x, labels))
    again, told = fit(network(), x, labels, recipe, groups=groups, validation=(x, labels))
    assert same(first, again)
    assert history.epochs == told.epochs
    assert first.provenance["people_trained_on"] == ["0", "1", "2"]


@pytest.mark.parametrize("form", ["keras", "torch"])
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_the_same_again_and_otherwise_with_another_seed(form: str, optimizer: str) -> None:
    x, labels = swings(30)
    recipe = Recipe(
        epochs=2, batch=8, form=form, optimizer=optimizer, clip_norm=1.0, augmentation=Augmentation(jitter=0.1)
    )
    first, again = (fit(network(), x, labels, recipe)[0] for _ in range(2))
    assert same(first, again)
    other = Recipe(**{**recipe.__dict__, "seed": 1})
    assert not same(first, fit(network(), x, labels, other)[0])


def test_what_is_frozen_stays() -> None:
    x, labels = swings(30)
    model, _ = fit(network(), x, labels, Recipe(epochs=1, batch=8, frozen=("bigru", "norm", "module*")))
    for name, array in network().parameters.items():
        moved = model.parameters[name].tobytes() != array.tobytes()
        assert moved == name.startswith(("reduction", "classes")), name
    with pytest.raises(NumjazError, match=r"no node is named 'gru'"):
        fit(network(), x, labels, Recipe(frozen=("gru",)))
    with pytest.raises(NumjazError, match="nothing is left"):
        fit(network(), x, labels, Recipe(frozen=("*",)))


def test_the_epoch_that_judged_best_is_kept_and_waiting_ends() -> None:
    x, labels = swings(40)
    held = swings(20, seed=2)
    wrong = held[0], 1 - held[1]  # whatever is learned makes these worse
    begin = network()
    model, history = fit(begin, x, labels, Recipe(epochs=30, batch=8, learning_rate=0.01, patience=3), validation=wrong)
    losses = [epoch.validation_loss for epoch in history.epochs]
    assert history.kept == int(np.argmin(losses)) + 1
    assert len(history.epochs) == history.kept + 3 < 30
    p = model.predict(wrong[0].astype(np.float64))[np.arange(20), wrong[1]]
    assert -np.log(p).mean() == pytest.approx(min(losses), rel=1e-4)


def test_balanced_weights_count_what_is_rare() -> None:
    x, labels = swings(200)
    rare = np.flatnonzero(labels == 1)[10:]
    keep = np.setdiff1d(np.arange(200), rare)
    x, labels = np.zeros_like(x[keep]), labels[keep]  # nothing to tell them apart by
    plain, balanced = (
        fit(network(), x, labels, Recipe(epochs=40, batch=200, learning_rate=0.05, weights=w))[0].predict(x[:1])[0, 1]
        for w in ("none", "balanced")
    )
    assert plain == pytest.approx(10 / len(labels), abs=0.02)
    assert balanced == pytest.approx(0.5, abs=0.02)


def test_cross_entropy_is_scipys() -> None:
    from scipy.special import log_softmax

    rng = np.random.default_rng(0)
    logits, labels, weights = rng.normal(size=(9, 4)) * 50, rng.integers(4, size=9), np.array([1.0, 0.0, 2.0, 0.5])
    loss = cross_entropy(logits, labels, weights)
    losses = -weights[labels] * log_softmax(logits, axis=1)[np.arange(9), labels]
    assert loss.total == pytest.approx(losses.sum())
    for row, column in np.ndindex(9, 4):
        moved = np.zeros_like(logits)
        moved[row, column] = 1e-6
        up, down = (cross_entropy(logits + s * moved, labels, weights).total for s in (1, -1))
        assert loss.d_logits[row, column] == pytest.approx((up - down) / 2e-6 / 9, abs=1e-7)


def test_schedules_and_clipping() -> None:
    recipe = Recipe(schedule="cosine", warmup=3, learning_rate=2.0)
    rates = [rate_at(recipe, done, 100) for done in range(100)]
    assert rates[:3] == pytest.approx([0.5, 1.0, 1.5], rel=0.01)
    assert rates[50] == pytest.approx(1.0)
    assert rates[99] < 0.001
    gradient = np.array([3.0, 4.0])
    clip(gradient, 10.0, "keras")
    assert gradient.tolist() == [3.0, 4.0]
    clip(gradient, 1.0, "keras")
    assert gradient.tolist() == pytest.approx([0.6, 0.8])


def test_an_interrupt_finishes_the_step_and_leaves_a_checkpoint(tmp_path: Path) -> None:
    x, labels = swings(40)
    recipe, path = Recipe(epochs=3, batch=8, augmentation=Augmentation(jitter=0.1)), tmp_path / "c.npz"
    whole, history = fit(network(), x, labels, recipe)
    seen = []

    def tell(progress: Progress) -> None:
        seen.append((progress.epoch, progress.step))
        if seen[-1] == (2, 3) and len(seen) == 8:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        fit(network(), x, labels, recipe, checkpoint=path, tell=tell)
    assert path.exists()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    model, resumed = fit(network(), x, labels, recipe, checkpoint=path, resume=True, tell=tell)
    assert seen[8] == (2, 4)
    assert same(model, whole)
    assert resumed.epochs == history.epochs


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"recipe": Recipe(epochs=3, batch=8, seed=1)}, "seed was 0, now it is 1"),
        ({"labels": np.zeros(40, int)}, "labels was"),
        ({"model": network(seed=4)}, "weights to begin with was"),
        ({"model": network(activation="linear")}, "network was"),
        ({"model": network(classes=["fast", "slow"])}, "classes was"),
        ({"x": swings(40)[0] + np.float32(1)}, "data was"),
        ({"validation": swings(9, seed=3)}, "validation windows was"),
    ],
)
def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    x, labels = swings(40)
    given: dict[str, Any] = {"model": network(), "x": x, "labels": labels, "recipe": Recipe(epochs=3, batch=8)}
    path = tmp_path / "c.npz"
    fit(**given, checkpoint=path)
    with pytest.raises(NumjazError, match=message):
        fit(**{**given, **change}, checkpoint=path, resume=True)
    path.write_bytes(b"no zip")
    with pytest.raises(NumjazError, match=r"c\.npz"):
        fit(**given, checkpoint=path, resume=True)


@pytest.mark.parametrize("kind", interrupts.KINDS)
def test_interrupted_twice_and_resumed_the_bits_are_the_same(tmp_path: Path, kind: str) -> None:
    (tmp_path / "whole").mkdir()
    wanted = interrupts.whole(tmp_path / "whole")
    assert interrupts.interrupted(tmp_path, kind, (5, 17), wanted) == ""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": np.zeros((8, 48, 3), np.float32)}, "do not fit"),
        ({"x": np.full((8, 48, 1), np.nan, np.float32)}, "finite"),
        ({"labels": [0, 1] * 3}, "6 labels for 8 windows"),
        ({"labels": [0, 2] * 4}, "label 2 of window 1"),
        ({"labels": ["slow", "quick"] * 4}, "'quick'"),
        ({"groups": ["ann"] * 3}, r"groups have shape \(3,\) for 8 windows"),
        ({"groups": np.full((8, 1), "ann")}, r"groups have shape \(8, 1\)"),
        ({"groups": "ann"}, "groups have shape"),
        ({"recipe": {"epochs": 2}}, "must be a numjaz.learn.recipe.Recipe"),
        ({"recipe": Recipe(patience=2)}, "needs validation"),
        ({"recipe": Recipe(sampling="person")}, "needs groups"),
        ({"recipe": Recipe(augmentation=Augmentation(rotation_degrees=9.0))}, "three axes"),
        ({"model": steep(), "recipe": Recipe(optimizer="sgd", learning_rate=1e3, epochs=5)}, "step 2: the loss is not"),
        ({"model": without_softmax(network())}, "needs a softmax"),
    ],
)
def test_what_cannot_be_trained_is_said(change: dict[str, Any], message: str) -> None:
    x = np.random.default_rng(0).normal(size=(8, 48, 1)).astype(np.float32) * 100
    given: dict[str, Any] = {"model": network(), "x": x, "labels": [0, 1] * 4}
    with np.errstate(all="ignore"), pytest.raises(NumjazError, match=message):
        fit(**{**given, **change})


@pytest.mark.parametrize(
    "option",
    [
        {"epochs": 0},
        {"batch": 1.5},
        {"optimizer": "lion"},
        {"learning_rate": -1},
        {"clip_norm": 0},
        {"frozen": "a"},
        {"beta_1": 1.0},
        {"epsilon": 0.0},
    ],
)
def test_a_recipe_says_what_is_wrong(option: dict[str, Any]) -> None:
    with pytest.raises(NumjazError, match=f"recipe: {next(iter(option))}"):
        Recipe(**option)


def test_numbers_of_numpy_are_numbers() -> None:
    """As a search over parameters draws them."""
    drawn = Recipe(epochs=np.int64(3), learning_rate=np.float64(0.5), augmentation=Augmentation(jitter=np.float32(0.5)))  # type: ignore[arg-type]
    assert drawn == Recipe(epochs=3, learning_rate=0.5, augmentation=Augmentation(jitter=0.5))
    assert type(drawn.epochs) is int
    assert type(drawn.learning_rate) is float


def test_a_recipe_as_plain_values() -> None:
    import json

    recipe = Recipe(frozen=("bigru",), augmentation=Augmentation(jitter=0.5), patience=4, epsilon=1e-6)
    assert Recipe.from_plain(json.loads(json.dumps(recipe.plain()))) == recipe
    with pytest.raises(NumjazError, match="unknown entry 'lr'"):
        Recipe.from_plain({"lr": 1})
    with pytest.raises(NumjazError, match="augmentation: unknown entry 'noise'"):
        Recipe.from_plain({"augmentation": {"noise": 1.0}})
