"""Two recurrent layers that read a sequence both ways, and how their outputs are joined."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from numjaz.errors import NumjazError
from numjaz.layers.base import (
    Array,
    Arrays,
    Backward,
    Forward,
    Layer,
    Parameter,
    Parameters,
    Rng,
    Shape,
    check_choice,
    under,
)
from numjaz.layers.operations import Operations, elementary
from numjaz.layers.recurrent import Recurrent
from numjaz.records import frozen

MERGES = ("concat", "sum", "mul", "ave", "none")


@frozen
class Bidirectional(Layer):
    """Two recurrent layers: one is given the sequence, one the sequence turned round.

    The backward layer's outputs are turned round again, so that both speak of the same moment t.
    ``merge`` joins them: side by side (``concat``: (N, T, C) -> (N, T, 2 units)), their ``sum``,
    product (``mul``), mean (``ave``), or two outputs (``none``). Without sequences it is each layer's
    own last step. With ``return_state`` the layers' states follow, the forward layer's first.
    """

    forward_layer: Recurrent
    backward_layer: Recurrent
    merge: str = "concat"

    def __post_init__(self) -> None:
        for layer in (self.forward_layer, self.backward_layer):
            if not isinstance(layer, Recurrent):
                raise NumjazError(f"Bidirectional: takes recurrent layers, not {layer!r:.60}")
        for name in ("return_sequences", "return_state"):
            if getattr(self.forward_layer, name) != getattr(self.backward_layer, name):
                raise NumjazError(f"Bidirectional: both layers must agree in {name}")
        check_choice(self, "merge", MERGES)
        if self.merge in ("sum", "mul", "ave") and self.forward_layer.units != self.backward_layer.units:
            raise NumjazError(f"Bidirectional: layers of different units cannot be merged by {self.merge}")

    @property
    def reach(self) -> tuple[int | None, int | None]:
        return (None, None)

    def _sides(self) -> Iterator[tuple[str, Recurrent]]:
        yield "forward", self.forward_layer
        yield "backward", self.backward_layer

    def _shares(self, inputs: tuple[Any, ...]) -> Iterator[tuple[str, Recurrent, tuple[Any, ...]]]:
        """Each side with its inputs: the sequence, and its share of the states."""
        states = inputs[1:]
        for side, layer in self._sides():
            yield side, layer, (inputs[0], *states[: layer.STATES])
            states = states[layer.STATES :]

    def output_shapes(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        expected = self.forward_layer.STATES + self.backward_layer.STATES
        if len(shapes) not in (1, 1 + expected):
            raise NumjazError(f"Bidirectional takes a sequence, or it and {expected} states, not {len(shapes)} inputs")
        (ahead, *states), (back, *others) = (layer.output_shapes(given) for _, layer, given in self._shares(shapes))
        merged = {"concat": ((*ahead[:-1], ahead[-1] + back[-1]),), "none": (ahead, back)}.get(self.merge, (ahead,))
        return (*merged, *states, *others)

    def parameters(self, shapes: tuple[Shape, ...]) -> dict[str, Parameter]:
        return {
            f"{side}/{name}": parameter
            for side, layer, given in self._shares(shapes)
            for name, parameter in layer.parameters(given).items()
        }

    def forward(self, params: Parameters, inputs: Arrays, *, training: bool = False, rng: Rng = None) -> Forward:
        (_, first, given), (_, second, others) = self._shares(inputs)
        (ahead, *states), kept, _ = first.forward(under(params, "forward"), given)
        (back, *ends), held, _ = second.forward(under(params, "backward"), (others[0][:, ::-1], *others[1:]))
        if second.return_sequences:
            back = back[:, ::-1]
        return Forward((*self._merged(ahead, back), *states, *ends), (kept, held))

    def backward(self, params: Parameters, saved: Any, d_outputs: tuple[Array | None, ...]) -> Backward:
        kept, held = saved
        states = self.forward_layer.STATES if self.forward_layer.return_state else 0
        merged, rest = (d_outputs[:2], d_outputs[2:]) if self.merge == "none" else (d_outputs[:1], d_outputs[1:])
        own, others = under(params, "forward"), under(params, "backward")
        if self.merge == "mul" and merged[0] is not None:  # by either side it is the other's output, which is not kept
            ahead = self.forward_layer.forward(own, kept).outputs[0]
            back = self.backward_layer.forward(others, held).outputs[0]
            back = back[:, ::-1] if self.backward_layer.return_sequences else back
            merged = (merged[0] * back, merged[0] * ahead)
        d_ahead, d_back = self._parted(merged)
        if self.backward_layer.return_sequences and d_back is not None:
            d_back = d_back[:, ::-1]
        first = self.forward_layer.backward(own, kept, (d_ahead, *rest[:states]))
        second = self.backward_layer.backward(others, held, (d_back, *rest[states:]))
        (d_x, *given), (d_turned, *ends) = first.d_inputs, second.d_inputs
        assert d_x is not None  # as a recurrent layer gives them
        assert d_turned is not None
        d_params = {f"forward/{name}": d for name, d in first.d_params.items()}
        d_params |= {f"backward/{name}": d for name, d in second.d_params.items()}
        return Backward((d_x + d_turned[:, ::-1], *given, *ends), d_params)

    def operations(self, shapes: tuple[Shape, ...], batch: Any = 1) -> Operations:
        first, second = (layer.operations(given, batch).under(side) for side, layer, given in self._shares(shapes))
        numbers = batch * math.prod(self.output_shapes(shapes)[0])
        merged = {
            "sum": elementary(additions=numbers),
            "mul": elementary(multiplications=numbers),
            "ave": elementary(additions=numbers, divisions=numbers),
        }
        return first + second + merged.get(self.merge, Operations())

    def scratch(self, shapes: tuple[Shape, ...]) -> dict[str, Any]:
        return {"projections": sum(layer.scratch(given)["projections"] for _, layer, given in self._shares(shapes))}

    def _merged(self, ahead: Array, back: Array) -> Arrays:
        match self.merge:
            case "concat":
                return (np.concatenate((ahead, back), axis=-1),)
            case "sum":
                return (ahead + back,)
            case "mul":
                return (ahead * back,)
            case "ave":
                return ((ahead + back) / 2,)
        return (ahead, back)

    def _parted(self, merged: tuple[Array | None, ...]) -> tuple[Array | None, Array | None]:
        """The derivatives by both sides' outputs, for those by what they were merged to."""
        d, units = merged[0], self.forward_layer.units
        if d is None or len(merged) == 2:
            return d, merged[-1]
        match self.merge:
            case "concat":
                return d[..., :units], d[..., units:]
            case "ave":
                return d / 2, d / 2
        return d, d
