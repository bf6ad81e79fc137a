"""One network being trained: its arrays, a step forward and back, a step of the optimizer."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

import numpy as np

from numjaz.engine.runtime.layout import aligned
from numjaz.engine.training import TrainingPlan
from numjaz.errors import NumjazError
from numjaz.layers import Array, Input
from numjaz.learn.loss import Loss, cross_entropy, without_softmax
from numjaz.learn.optimizers import OPTIMIZERS, clip
from numjaz.learn.recipe import Recipe
from numjaz.model import Model

WIDTHS = 2  # batch sizes that plans are kept for: whole ones, and an epoch's last


class Trainer:
    """A network's arrays while they are trained.

    What is trained lies in one array, ``theta``, and its derivative in another, so that an optimizer's step
    is a few calls; the plans read and write their parts of them.

    Attributes
    ----------
    state : dict of str to array
        All that a step changes; copied and put back, training goes on to the bit.
    """

    def __init__(self, model: Model, recipe: Recipe, window: int) -> None:
        self.model, self.recipe, self._window = model, recipe, window
        self._logits = without_softmax(model)
        self._input = _only_input(model)
        self._frozen = _frozen_nodes(model, recipe.frozen)
        dtype = np.dtype(recipe.dtype)
        owners = {node.owner for node in model.nodes if node.name in self._frozen}
        trained = {
            name: parameter.shape
            for name, parameter in model.parameter_table.items()
            if parameter.trainable and not any(name.startswith(f"{owner}/") for owner in owners)
        }
        if not trained:
            raise NumjazError("nothing is left to be trained: every node is frozen")
        size = sum(int(np.prod(shape)) for shape in trained.values())
        theta, gradient = aligned((size,), dtype), aligned((size,), dtype)
        self._gradient, at = gradient, 0
        self._arrays: dict[str, Array] = {}
        self._gradients: dict[str, Array] = {}
        for name, array in model.parameters.items():
            if name in trained:
                end = at + array.size
                self._arrays[name] = theta[at:end].reshape(array.shape)
                self._gradients[name] = gradient[at:end].reshape(array.shape)
                at = end
            else:
                self._arrays[name] = np.empty(array.shape, dtype)
            self._arrays[name][...] = array
        self._optimizer = OPTIMIZERS[recipe.optimizer](theta, gradient, recipe)
        self._plans: dict[int, TrainingPlan] = {}
        buffers = {name: self._arrays[name] for name in model.parameters if name not in trained}
        self.state: Mapping[str, Array] = {
            "theta": theta,
            **{f"optimizer/{name}": array for name, array in self._optimizer.state.items()},
            **{f"kept/{name}": array for name, array in buffers.items()},
        }

    @property
    def parameters(self) -> dict[str, Array]:
        """Every array as it is now, as the model holds them: copies, by name."""
        return {
            name: self._arrays[name].astype(array.dtype, copy=True) for name, array in self.model.parameters.items()
        }

    def step(
        self, x: Array, labels: Array, weights: Array | None, number: int, rate: float, rng: np.random.Generator
    ) -> tuple[Loss, int]:
        """One step on windows (N, T, F): their loss, and how many were right before it."""
        plan = self._plan(len(x))
        logits = plan.forward({self._input: x}, rng=rng)
        loss = cross_entropy(logits, labels, weights)
        if not np.isfinite(loss.total):
            raise NumjazError(
                f"step {number:,}: the loss is not a number; a lower learning rate, or clip_norm, may help"
            )
        self._gradient[...] = 0
        plan.backward(loss.d_logits)
        for name, array in plan.new_buffers.items():
            self._arrays[name][...] = array
        if self.recipe.clip_norm is not None:
            clip(self._gradient, self.recipe.clip_norm, self.recipe.form)
        self._optimizer.step(number, rate)
        return loss, int((logits.argmax(axis=1) == labels).sum())

    def _plan(self, width: int) -> TrainingPlan:
        if width not in self._plans:
            if len(self._plans) >= WIDTHS:
                del self._plans[next(iter(self._plans))]
            self._plans[width] = TrainingPlan(
                self._logits,
                self._arrays,
                self._gradients,
                width=width,
                window=self._window,
                resting=self._frozen,
                unbiased=self.recipe.form == "torch",
            )
        return self._plans[width]


def _only_input(model: Model) -> str:
    if len(model.inputs) != 1:
        raise NumjazError(f"training takes networks of one input, not {len(model.inputs)}")
    return model.inputs[0]


def _frozen_nodes(model: Model, patterns: tuple[str, ...]) -> frozenset[str]:
    """The nodes that stay as they are."""
    names = [node.name for node in model.nodes if not isinstance(node.layer, Input)]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise NumjazError(f"frozen: no node is named {pattern!r:.60}; there are {', '.join(names)}"[:400])
    return frozenset(name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns))
