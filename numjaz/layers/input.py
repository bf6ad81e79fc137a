"""Where data enters a network."""

from __future__ import annotations

from dataclasses import dataclass

from numjaz.errors import NumjazError
from numjaz.layers.base import Arrays, Forward, Layer, Parameters, Rng, Shape, check_count


@dataclass(frozen=True)
class Input(Layer):
    """A batch of sequences (N, T, features); T is free."""

    features: int

    def __post_init__(self) -> None:
        check_count(self, "features")

    def output_shapes(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        (shape,) = shapes
        if len(shape) != 2 or shape[1] != self.features:
            raise NumjazError(f"Input takes (time, {self.features}), not {shape}")
        return (shape,)

    def forward(self, params: Parameters, inputs: Arrays, *, training: bool = False, rng: Rng = None) -> Forward:
        return Forward(inputs)
