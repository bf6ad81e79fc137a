"""Convolutions of one sample that read the same input, as one layer: one product instead of several."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numjaz.errors import NumjazError
from numjaz.layers import Conv1D, Layer, Operations
from numjaz.layers.base import Arrays, Forward, Parameter, Parameters, Rng, Shape, under


@dataclass(frozen=True)
class Fan(Layer):
    """Several convolutions of one input, an output each."""

    branches: tuple[Conv1D, ...]

    def __post_init__(self) -> None:
        if not all(isinstance(each, Conv1D) and each.kernel_size == each.strides == 1 for each in self.branches):
            raise NumjazError("Fan: takes convolutions that see one sample, without strides")

    def output_shapes(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        return tuple(each.output_shapes(shapes)[0] for each in self.branches)

    def parameters(self, shapes: tuple[Shape, ...]) -> dict[str, Parameter]:
        return {
            f"{k}/{name}": parameter
            for k, each in enumerate(self.branches)
            for name, parameter in each.parameters(shapes).items()
        }

    def forward(self, params: Parameters, inputs: Arrays, *, training: bool = False, rng: Rng = None) -> Forward:
        made = (each.forward(under(params, str(k)), inputs).outputs for k, each in enumerate(self.branches))
        return Forward(tuple(outputs[0] for outputs in made))

    def operations(self, shapes: tuple[Shape, ...], batch: Any = 1) -> Operations:
        return sum((each.operations(shapes, batch) for each in self.branches), Operations())
