"""Normalization by stored statistics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from numjaz.errors import NumjazError
from numjaz.layers.base import Arrays, Forward, Layer, Parameter, Parameters, Rng, Shape, check_choice, one


@dataclass(frozen=True)
class BatchNormalization(Layer):
    """y = (x - moving_mean) / sqrt(moving_variance + epsilon) * gamma + beta, channel by channel.

    ``momentum`` is Keras's: the share of the old statistic that a training step keeps.
    """

    epsilon: float = 1e-3
    momentum: float = 0.99
    scale: bool = True
    center: bool = True

    def __post_init__(self) -> None:
        for name, low in (("epsilon", 0.0), ("momentum", 0.0)):
            value = getattr(self, name)
            if type(value) not in (int, float) or not low <= value <= 1:
                raise NumjazError(f"BatchNormalization: {name} must be a number from 0 to 1, not {value!r}")
        check_choice(self, "scale", (True, False))
        check_choice(self, "center", (True, False))

    def output_shapes(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        return (one(shapes, self),)

    def parameters(self, shapes: tuple[Shape, ...]) -> dict[str, Parameter]:
        channels = (one(shapes, self)[-1],)
        return {
            **({"gamma": Parameter(channels, initial="ones")} if self.scale else {}),
            **({"beta": Parameter(channels, initial="zeros")} if self.center else {}),
            "moving_mean": Parameter(channels, trainable=False, initial="zeros"),
            "moving_variance": Parameter(channels, trainable=False, initial="ones", minimum=0.0),
        }

    def forward(self, params: Parameters, inputs: Arrays, *, training: bool = False, rng: Rng = None) -> Forward:
        if training:
            raise NumjazError(
                "BatchNormalization: batch statistics are part of training, which this version does not do"
            )
        y = (one(inputs, self) - params["moving_mean"]) / np.sqrt(params["moving_variance"] + self.epsilon)
        if self.scale:
            y = y * params["gamma"]
        if self.center:
            y = y + params["beta"]
        return Forward((y,))
