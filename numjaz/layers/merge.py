"""Layers that join several inputs."""

from __future__ import annotations

from dataclasses import dataclass

from numjaz.errors import NumjazError
from numjaz.layers.base import Arrays, Forward, Layer, Parameters, Rng, Shape


@dataclass(frozen=True)
class Add(Layer):
    """y = the sum of two or more inputs of one shape."""

    def output_shapes(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        if len(shapes) < 2 or any(shape != shapes[0] for shape in shapes):
            raise NumjazError(f"Add takes two or more inputs of one shape, not {', '.join(map(str, shapes)) or 'none'}")
        return (shapes[0],)

    def forward(self, params: Parameters, inputs: Arrays, *, training: bool = False, rng: Rng = None) -> Forward:
        y = inputs[0] + inputs[1]
        for x in inputs[2:]:
            y = y + x
        return Forward((y,))
