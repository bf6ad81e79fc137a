"""How weights follow the gradient: Adam and SGD with momentum, as Keras and as torch define them.

All trained numbers lie in one array, so that a step is a handful of calls.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import ClassVar

import numpy as np

from numjaz.layers import Array
from numjaz.learn.recipe import Recipe

TORCH_CLIP = 1e-6  # what torch adds to the norm that it divides by


class Optimizer:
    """Moves ``theta`` against ``gradient``; ``state`` are the arrays that it carries from step to step."""

    STATE: ClassVar[tuple[str, ...]] = ()

    def __init__(self, theta: Array, gradient: Array, recipe: Recipe) -> None:
        self.theta, self.gradient, self.recipe = theta, gradient, recipe
        self.state: dict[str, Array] = {name: np.zeros_like(theta) for name in self.STATE}
        self._a, self._b = np.empty_like(theta), np.empty_like(theta)

    def step(self, number: int, rate: float) -> None:
        """The update of step ``number``, counted from 1."""
        raise NotImplementedError


class Adam(Optimizer):
    """Adam (Kingma and Ba 2015): m and v are running means of the gradient and of its square.

    ``keras``: theta -= m rate sqrt(1 - b2^t) / (1 - b1^t) / (sqrt(v) + epsilon), which is the paper's
    "epsilon hat". ``torch``: theta -= m rate / (1 - b1^t) / (sqrt(v) / sqrt(1 - b2^t) + epsilon).
    """

    STATE = ("m", "v")

    def step(self, number: int, rate: float) -> None:
        recipe, g, a, b = self.recipe, self.gradient, self._a, self._b
        m, v, kind = self.state["m"], self.state["v"], self.theta.dtype.type
        np.subtract(g, m, out=a)
        np.multiply(a, kind(1 - recipe.beta_1), out=a)
        np.add(m, a, out=m)
        np.multiply(g, g, out=a)
        np.subtract(a, v, out=a)
        np.multiply(a, kind(1 - recipe.beta_2), out=a)
        np.add(v, a, out=v)
        first, second = 1 - recipe.beta_1**number, math.sqrt(1 - recipe.beta_2**number)
        np.sqrt(v, out=a)
        if recipe.form == "torch":
            np.divide(a, kind(second), out=a)
            factor = rate / first
        else:
            factor = rate * second / first
        np.add(a, kind(recipe.epsilon_or_default), out=a)
        np.multiply(m, kind(factor), out=b)
        np.divide(b, a, out=b)
        np.subtract(self.theta, b, out=self.theta)


class SGD(Optimizer):
    """Gradient descent with momentum.

    ``keras``: u = momentum u - rate g, theta += u. ``torch``: u = momentum u + g, theta -= rate u. They are
    one while the rate stays.
    """

    STATE = ("u",)

    def step(self, number: int, rate: float) -> None:
        u, kind, a = self.state["u"], self.theta.dtype.type, self._a
        np.multiply(u, kind(self.recipe.momentum), out=u)
        if self.recipe.form == "torch":
            np.add(u, self.gradient, out=u)
            np.multiply(u, kind(rate), out=a)
            np.subtract(self.theta, a, out=self.theta)
        else:
            np.multiply(self.gradient, kind(rate), out=a)
            np.subtract(u, a, out=u)
            np.add(self.theta, u, out=self.theta)


OPTIMIZERS: Mapping[str, type[Optimizer]] = {"adam": Adam, "sgd": SGD}


def clip(gradient: Array, most: float, form: str) -> None:
    """Shorten the gradient of all weights together to a norm of at most ``most``, as Keras's or torch's form does."""
    norm = math.sqrt(float(np.dot(gradient, gradient)))
    factor = most / (norm + TORCH_CLIP) if form == "torch" else most / max(norm, most)
    if factor < 1:
        np.multiply(gradient, gradient.dtype.type(factor), out=gradient)


SCHEDULES: Mapping[str, Callable[[float], float]] = {
    "constant": lambda share: 1.0,
    "cosine": lambda share: 0.5 * (1 + math.cos(math.pi * share)),  # to 0 along half a cosine
    "linear": lambda share: 1 - share,
}
"""What the learning rate is multiplied by when this share of the steps is done."""


def rate_at(recipe: Recipe, done: int, steps: int) -> float:
    """The learning rate when ``done`` of ``steps`` steps are done.

    It rises in a straight line over the first ``warmup`` steps.
    """
    rising = min((done + 1) / (recipe.warmup + 1), 1.0)
    return recipe.learning_rate * rising * SCHEDULES[recipe.schedule](done / steps)
