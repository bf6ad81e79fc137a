"""Pooling over time."""

from __future__ import annotations

from dataclasses import dataclass

from numjaz.layers.base import Arrays, Forward, Layer, Parameters, Rng, Shape, one, sequence


@dataclass(frozen=True)
class GlobalAveragePooling1D(Layer):
    """y = mean over time: (N, T, C) -> (N, C)."""

    @property
    def reach(self) -> tuple[int | None, int | None]:
        return (None, None)

    def output_shapes(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        _, channels = sequence(shapes, self)
        return ((channels,),)

    def forward(self, params: Parameters, inputs: Arrays, *, training: bool = False, rng: Rng = None) -> Forward:
        # With time as the last axis in memory NumPy adds in pairs; along another it adds one by one,
        # and float32 loses two digits over a window.
        x = one(inputs, self).swapaxes(1, 2).copy()  # (N, T, C) -> (N, C, T)
        return Forward((x.mean(axis=-1),))
