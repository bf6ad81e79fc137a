"""Layers that act in training alone."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from numjaz.errors import NumjazError
from numjaz.layers.base import (
    Array,
    Arrays,
    Backward,
    Forward,
    Layer,
    Parameters,
    Rng,
    Shape,
    check_choice,
    check_number,
    one,
    only,
    sequence,
)
from numjaz.layers.functions import SELU_ALPHA, SELU_SCALE
from numjaz.records import frozen

KINDS = ("Dropout", "SpatialDropout1D", "AlphaDropout", "GaussianDropout", "GaussianNoise", "ActivityRegularization")


@frozen
class Dropout(Layer):
    """y = x but in training; ``kind`` is what it does there, ``rate`` how much of it.

    With k = 1 where a number is kept, with a probability of 1 - rate, and 0 elsewhere::

        Dropout            y = x k / (1 - rate)     (Srivastava et al. 2014)
        SpatialDropout1D   the same, one k for all of a channel's samples
        AlphaDropout       y = a (x k + m (1 - k)) + b, m = -scale alpha of selu, where a and b
                           keep mean 0 and variance 1     (Klambauer et al. 2017)
        GaussianDropout    y = x g, g normal with mean 1 and variance rate / (1 - rate)
        GaussianNoise      y = x + g, g normal with mean 0 and standard deviation rate

    A rate of 1 drops everything. Numbers are drawn in float64, so that a seed means the same in float32.
    """

    OVERWRITES = True

    rate: float = 0.5
    kind: str = "Dropout"

    def __post_init__(self) -> None:
        check_choice(self, "kind", KINDS)
        check_number(self, "rate", low=0.0, high=1e6 if self.kind == "GaussianNoise" else 1.0)

    def output_shapes(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        return (sequence(shapes, self) if self.kind == "SpatialDropout1D" else one(shapes, self),)

    def forward(self, params: Parameters, inputs: Arrays, *, training: bool = False, rng: Rng = None) -> Forward:
        x = one(inputs, self)
        if training and self.kind == "ActivityRegularization":
            raise NumjazError("ActivityRegularization: its share of the loss is not known here; take the layer out")
        if not training or self.rate == 0:
            return Forward((x,))
        if rng is None:
            raise NumjazError(f"{self.kind}: draws random numbers in training; pass rng=numpy.random.default_rng(seed)")
        scale, offset = self._drawn(x.shape, rng)
        scale = np.asarray(scale, x.dtype)
        return Forward((x * scale + np.asarray(offset, x.dtype),), scale)

    def backward(self, params: Parameters, saved: Any, d_outputs: tuple[Array | None, ...]) -> Backward:
        d = only(d_outputs)
        return Backward((d if saved is None else d * saved,))

    def _drawn(self, shape: tuple[int, ...], rng: np.random.Generator) -> tuple[Any, Any]:
        """What an input of this shape is multiplied by, and what is added."""
        if self.kind == "GaussianNoise":
            return 1.0, rng.normal(0, self.rate, shape)
        left = 1 - self.rate
        if self.kind == "GaussianDropout":
            if not left:
                raise NumjazError("GaussianDropout: a rate of 1 asks for noise without bounds; choose a lower one")
            return rng.normal(1, math.sqrt(self.rate / left), shape), 0.0
        if not left:
            return 0.0, 0.0
        each = (shape[0], 1, shape[2]) if self.kind == "SpatialDropout1D" else shape
        kept = rng.random(each) >= self.rate
        if self.kind != "AlphaDropout":
            return kept / left, 0.0
        lowest = -SELU_SCALE * SELU_ALPHA
        a = 1 / math.sqrt(left * (1 + self.rate * lowest**2))
        return a * kept, a * lowest * (~kept - self.rate)
