"""Convolution over time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from numjaz.layers.activation import ACTIVATIONS, check_activation
from numjaz.layers.base import (
    Arrays,
    Forward,
    Layer,
    Parameter,
    Parameters,
    Rng,
    Shape,
    check_choice,
    check_count,
    one,
    sequence,
)


@dataclass(frozen=True)
class Conv1D(Layer):
    """y[t] = activation(sum over k of x[t + k - left] W[k] + b); W is (kernel_size, C, filters).

    As in every framework this is a correlation: the kernel is not flipped. ``padding``: ``same``
    puts (kernel_size - 1) // 2 zeros before and the rest behind, ``causal`` all of them before,
    ``valid`` none.
    """

    filters: int
    kernel_size: int
    padding: str = "same"
    activation: str = "linear"
    use_bias: bool = True

    def __post_init__(self) -> None:
        check_count(self, "filters", "kernel_size")
        check_choice(self, "padding", ("same", "valid", "causal"))
        check_activation(self, "activation")
        check_choice(self, "use_bias", (True, False))

    @property
    def _zeros(self) -> tuple[int, int]:
        """Zeros before and behind the sequence."""
        total = self.kernel_size - 1
        return {"same": (total // 2, total - total // 2), "causal": (total, 0), "valid": (0, 0)}[self.padding]

    @property
    def reach(self) -> tuple[int | None, int | None]:
        left = self._zeros[0]
        return (left, self.kernel_size - 1 - left)

    def output_shapes(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        time, _ = sequence(shapes, self)
        return ((time + sum(self._zeros) - (self.kernel_size - 1), self.filters),)

    def parameters(self, shapes: tuple[Shape, ...]) -> dict[str, Parameter]:
        _, channels = sequence(shapes, self)
        kernel = {"kernel": Parameter((self.kernel_size, channels, self.filters))}
        return kernel | ({"bias": Parameter((self.filters,), initial="zeros")} if self.use_bias else {})

    def forward(self, params: Parameters, inputs: Arrays, *, training: bool = False, rng: Rng = None) -> Forward:
        x = one(inputs, self)
        if sum(self._zeros):
            before, behind = (np.zeros((x.shape[0], n, x.shape[2]), x.dtype) for n in self._zeros)
            x = np.concatenate((before, x, behind), axis=1)
        steps = x.shape[1] - (self.kernel_size - 1)
        y = x[:, :steps] @ params["kernel"][0]  # (N, T, C) -> (N, T, filters)
        for k in range(1, self.kernel_size):
            y = y + x[:, k : k + steps] @ params["kernel"][k]
        if self.use_bias:
            y = y + params["bias"]
        return Forward((ACTIVATIONS[self.activation](y),))
