"""Layers that act in training alone."""

from __future__ import annotations

from numjaz.layers.base import Arrays, Forward, Layer, Parameters, Rng, Shape, check_choice, check_number, one, sequence
from numjaz.records import frozen

KINDS = ("Dropout", "SpatialDropout1D", "AlphaDropout", "GaussianDropout", "GaussianNoise", "ActivityRegularization")


@frozen
class Dropout(Layer):
    """y = x but in training; ``kind`` is what it does there, ``rate`` how much of it."""

    OVERWRITES = True

    rate: float = 0.5
    kind: str = "Dropout"

    def __post_init__(self) -> None:
        check_choice(self, "kind", KINDS)
        check_number(self, "rate", low=0.0, high=1e6 if self.kind == "GaussianNoise" else 1.0)

    def output_shapes(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        return (sequence(shapes, self) if self.kind == "SpatialDropout1D" else one(shapes, self),)

    def forward(self, params: Parameters, inputs: Arrays, *, training: bool = False, rng: Rng = None) -> Forward:
        return Forward((one(inputs, self),))
