"""A layer within a layer."""

from __future__ import annotations

from typing import Any

from numjaz.errors import NumjazError
from numjaz.layers.base import Array, Arrays, Backward, Forward, Layer, Parameter, Parameters, Rng, Shape
from numjaz.layers.input import Input
from numjaz.layers.operations import Operations
from numjaz.records import frozen


def innermost(layer: Layer) -> Layer:
    """The layer within `TimeDistributed`, however many, whose arrays are that one's; any other layer itself."""
    while isinstance(layer, TimeDistributed):
        layer = layer.layer
    return layer


@frozen
class TimeDistributed(Layer):
    """The same layer at every step of the first axis: (N, T, ...) -> (N, T, ...).

    The steps are handed to the layer as so many more windows; its arrays are the layer's own.
    """

    layer: Layer

    def __post_init__(self) -> None:
        if not isinstance(self.layer, Layer) or isinstance(self.layer, Input):
            raise NumjazError(f"TimeDistributed: takes a layer, not {self.layer!r:.60}")

    def _inner(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        if not shapes or any(len(shape) < 2 or shape[0] != shapes[0][0] for shape in shapes):
            raise NumjazError(f"TimeDistributed takes (steps, ...), not {', '.join(map(str, shapes)) or 'nothing'}")
        return tuple(shape[1:] for shape in shapes)

    def output_shapes(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        made = self.layer.output_shapes(self._inner(shapes))
        return tuple((shapes[0][0], *shape) for shape in made)

    def parameters(self, shapes: tuple[Shape, ...]) -> dict[str, Parameter]:
        return self.layer.parameters(self._inner(shapes))

    def forward(self, params: Parameters, inputs: Arrays, *, training: bool = False, rng: Rng = None) -> Forward:
        folded = tuple(x.reshape(-1, *x.shape[2:]) for x in inputs)  # (N, T, ...) -> (N T, ...)
        made = self.layer.forward(params, folded, training=training, rng=rng)
        windows = inputs[0].shape[:2]
        outputs = tuple(y.reshape(*windows, *y.shape[1:]) for y in made.outputs)
        return Forward(outputs, (windows, made.saved), made.new_buffers)

    def backward(self, params: Parameters, saved: Any, d_outputs: tuple[Array | None, ...]) -> Backward:
        windows, inner = saved
        folded = tuple(None if d is None else d.reshape(-1, *d.shape[2:]) for d in d_outputs)
        made = self.layer.backward(params, inner, folded)
        unfolded = tuple(None if d is None else d.reshape(*windows, *d.shape[1:]) for d in made.d_inputs)
        return Backward(unfolded, made.d_params)

    def scratch(self, shapes: tuple[Shape, ...]) -> dict[str, Any]:
        return {kind: shapes[0][0] * n for kind, n in self.layer.scratch(self._inner(shapes)).items()}

    @property
    def in_place(self) -> bool:
        return self.layer.in_place

    def operations(self, shapes: tuple[Shape, ...], batch: Any = 1) -> Operations:
        return self.layer.operations(self._inner(shapes), batch * shapes[0][0])
