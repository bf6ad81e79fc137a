"""Training beside torch, step by step."""

from __future__ import annotations

import numpy as np
import pytest
from trajectories import Batches, Losses, check_float64, float32_ratio

import numjaz
from numjaz.learn.loss import without_softmax
from numjaz.learn.recipe import Recipe

torch = pytest.importorskip("torch")


def theirs(model: numjaz.Model, recipe: Recipe, batches: Batches) -> Losses:
    from numjaz.frameworks.torch import torch_module

    torch.set_num_threads(1)
    dtype = getattr(torch, recipe.dtype)
    module = torch_module(without_softmax(model)).to(dtype).train()
    for name, child in module.named_modules():
        if isinstance(child, torch.nn.BatchNorm1d):
            assert child.momentum == pytest.approx(0.01), name  # Keras's 0.99 is the share that stays
    if recipe.optimizer == "adam":
        optimizer = torch.optim.Adam(module.parameters(), recipe.learning_rate)
    else:
        optimizer = torch.optim.SGD(module.parameters(), recipe.learning_rate, recipe.momentum)
    losses = []
    for x, labels in batches:
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(module(torch.tensor(x, dtype=dtype)), torch.tensor(labels))
        loss.backward()
        if recipe.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(module.parameters(), recipe.clip_norm)
        optimizer.step()
        losses.append(loss.item())
    return np.array(losses)


@pytest.mark.parametrize(
    "options",
    [{}, {"optimizer": "sgd", "learning_rate": 0.05, "clip_norm": 1.0}],
    ids=["adam", "sgd, clipped"],
)
def test_two_hundred_steps_are_torchs(options: dict[str, object]) -> None:
    check_float64(theirs, Recipe(form="torch", dtype="float64", **options))  # type: ignore[arg-type]


def test_float32_is_no_further_off_than_twice_torchs_own() -> None:
    ratios = [float32_ratio(theirs, seed) for seed in range(1, 6)]
    assert np.median(ratios) <= 2, ratios


def test_the_moving_variance_takes_up_the_unbiased_one() -> None:
    from trajectories import WINDOW, batches, network

    from numjaz.frameworks.torch import torch_module
    from numjaz.learn.trainer import Trainer

    model, (x, labels) = network(1), batches(1)[0]
    trainer = Trainer(model, Recipe(form="torch", dtype="float64"), WINDOW)
    trainer.step(x.astype(np.float64), labels, None, 1, 1e-3, np.random.default_rng())
    module = torch_module(without_softmax(model)).double().train()
    module(torch.tensor(x, dtype=torch.float64))
    for mine, other in (("moving_mean", "running_mean"), ("moving_variance", "running_var")):
        expected = getattr(module.norm, other).numpy()
        np.testing.assert_allclose(trainer.state[f"kept/norm/{mine}"], expected, rtol=1e-12, atol=1e-15)
