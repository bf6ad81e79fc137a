"""Steps of a training plan: what each layer does forward and backward."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from numjaz.engine.runtime.layout import Array
from numjaz.engine.training.tensors import Sink, Tensor
from numjaz.layers import Layer
from numjaz.layers.base import Rng

Arrays = Mapping[str, Array]


class Step:
    """One layer, or several that are computed together.

    ``params`` and ``grads`` are views of the plan's parameters and of their derivatives, which a step adds
    to; ``grads`` is empty where nothing in it is trained. ``new_buffers``, what statistics become in this
    pass, is one for all steps of an owner, so that the second goes on from where the first has moved them.
    """

    def __init__(self, owner: str, xs: Sequence[Tensor], ys: Sequence[Tensor], params: Arrays, grads: Arrays) -> None:
        self.owner, self.xs, self.ys = owner, xs, ys
        self.params, self.grads = params, grads
        self.sinks: Sequence[Sink | None] = ()
        self.new_buffers: dict[str, Array] = {}

    def prepare(self) -> None:
        """Take up the parameters as they now are."""

    def forward(self, *, training: bool, rng: Rng) -> None:
        """Make ``ys`` of ``xs``."""
        raise NotImplementedError

    def backward(self) -> None:
        """Fill ``sinks`` and ``grads`` from the derivatives by ``ys``."""
        raise NotImplementedError

    @property
    def sink(self) -> Sink | None:
        """Where the derivative by the only input goes."""
        return self.sinks[0]


class Stated(Step):
    """A layer without a fast form, as it is stated."""

    def __init__(self, layer: Layer, resting: bool, *given: Any) -> None:
        super().__init__(*given)
        self.layer, self.resting = layer, resting
        self._saved: Any = None

    def forward(self, *, training: bool, rng: Rng) -> None:
        inputs = tuple(x.plain for x in self.xs)
        params = {**self.params, **self.new_buffers}
        made = self.layer.forward(params, inputs, training=training and not self.resting, rng=rng)
        for y, output in zip(self.ys, made.outputs, strict=True):
            y.load(output)
        self._saved = made.saved
        self.new_buffers.update(made.new_buffers)

    def backward(self) -> None:
        made = self.layer.backward(self.params, self._saved, tuple(y.plain_d for y in self.ys))
        for name, array in made.d_params.items():
            if name in self.grads:
                self.grads[name][...] += array
        for sink, share in zip(self.sinks, made.d_inputs, strict=True):
            if sink is not None and share is not None:
                sink.put_windows(share)


class Sum(Step):
    """Inputs of one shape added up."""

    def forward(self, *, training: bool, rng: Rng) -> None:
        (y,), made = self.ys, self.xs[0].y
        for x in self.xs[1:]:
            np.add(made, x.y, out=y.y)
            made = y.y

    def backward(self) -> None:
        d = self.ys[0].d
        assert d is not None
        for sink in self.sinks:
            if sink is not None:
                sink.put(d)


class Mean(Step):
    """The mean over time."""

    def forward(self, *, training: bool, rng: Rng) -> None:
        x, y = self.xs[0].y, self.ys[0].y
        np.add.reduce(x, axis=0, out=y[0])
        y /= len(x)

    def backward(self) -> None:
        d = self.ys[0].d
        assert d is not None
        if self.sink is not None:
            self.sink.put(d / len(self.xs[0].y))


class Normalized(Step):
    """Batch normalization of channels; ``training`` by the batch's own statistics."""

    def __init__(self, epsilon: float, momentum: float, unbiased: bool, resting: bool, *given: Any) -> None:
        super().__init__(*given)
        self.epsilon, self.momentum, self.unbiased, self.resting = epsilon, momentum, unbiased, resting
        x = self.xs[0].y
        self._centred = np.empty_like(x)
        self._batch = False  # whether the last pass was by the batch's statistics

    def forward(self, *, training: bool, rng: Rng) -> None:
        x, y, self._batch = self.xs[0].y, self.ys[0].y, training and not self.resting
        mean = _mean(x) if self._batch else self.params["moving_mean"]
        np.subtract(x, mean[:, None], out=self._centred)
        if self._batch:
            np.multiply(self._centred, self._centred, out=y)
            variance = _mean(y)
            self.new_buffers.update(self._moved(mean, variance, x.shape[0] * x.shape[2]))
        else:
            variance = self.params["moving_variance"]
        self._scale = 1 / np.sqrt(variance + self.epsilon)
        self._slope = self._scale * self.params.get("gamma", 1)
        np.multiply(self._centred, self._slope[:, None], out=y)
        if "beta" in self.params:
            np.add(y, self.params["beta"][:, None], out=y)

    def backward(self) -> None:
        d = self.ys[0].d
        assert d is not None
        of_mean, of_spread = _total(d), _total(d * self._centred) * self._scale
        for name, array in (("beta", of_mean), ("gamma", of_spread)):
            if name in self.grads:
                self.grads[name][...] += array
        if self.sink is None:
            return
        with self.sink.share() as share:
            if self._batch:  # the mean and the variance depend on every input
                count = d.dtype.type(d.shape[0] * d.shape[2])
                np.multiply(self._centred, (-of_spread * self._scale / count)[:, None], out=share)
                np.add(share, d, out=share)
                np.subtract(share, (of_mean / count)[:, None], out=share)
                np.multiply(share, self._slope[:, None], out=share)
            else:
                np.multiply(d, self._slope[:, None], out=share)

    def _moved(self, mean: Array, variance: Array, count: int) -> Arrays:
        """The moving statistics after this batch."""
        share = variance.dtype.type(1 - self.momentum)
        seen = variance * (count / (count - 1)) if self.unbiased and count > 1 else variance
        old = {**self.params, **self.new_buffers}
        return {
            "moving_mean": old["moving_mean"] + (mean - old["moving_mean"]) * share,
            "moving_variance": old["moving_variance"] + (seen - old["moving_variance"]) * share,
        }


def _total(x: Array) -> Array:
    """Sums over time and windows, channel by channel."""
    rows: Array = x @ np.ones(x.shape[2], x.dtype)  # (T, C, N) -> (T, C)
    total: Array = rows.sum(axis=0)
    return total


def _mean(x: Array) -> Array:
    mean: Array = _total(x) / x.dtype.type(x.shape[0] * x.shape[2])
    return mean
