"""Recurrent layers, with Keras's order of gates."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from numjaz.errors import NumjazError
from numjaz.layers.base import (
    Array,
    Arrays,
    Forward,
    Layer,
    Parameter,
    Parameters,
    Rng,
    Shape,
    check_choice,
    check_count,
    check_flag,
    under,
)
from numjaz.layers.functions import ACTIVATIONS, activation_operations, check_activation
from numjaz.layers.operations import Operations, biases, elementary

State = tuple[Array, ...]  # each (N, units)
MERGES = ("concat", "sum", "mul", "ave", "none")


class Recurrent(Layer):
    """What recurrent layers share; each states its cell: one step's equations.

    The output is every step's h, (N, T, units), or with ``return_sequences=False`` the last one,
    (N, units). ``return_state`` adds the last state, array by array. With ``go_backwards`` the
    sequence is read from its end, and the outputs stand in the order of reading. Inputs after the
    first are the state to begin with, zeros where none is given.
    """

    units: int
    activation: str
    use_bias: bool
    return_sequences: bool
    return_state: bool
    go_backwards: bool
    GATES = 1  # matrices side by side in a kernel
    STATES = 1  # arrays of the state; the first is the output

    def __post_init__(self) -> None:
        check_count(self, "units")
        check_activation(self, "activation")
        check_flag(self, "use_bias", "return_sequences", "return_state", "go_backwards")

    @property
    def reach(self) -> tuple[int | None, int | None]:
        return (None, 0) if self.return_sequences and not self.go_backwards else (None, None)

    def output_shapes(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        time, _ = self._sequence(shapes)
        first = (time, self.units) if self.return_sequences else (self.units,)
        return (first, *((self.units,),) * self.STATES) if self.return_state else (first,)

    def parameters(self, shapes: tuple[Shape, ...]) -> dict[str, Parameter]:
        _, channels = self._sequence(shapes)
        columns = self.GATES * self.units
        return {
            "kernel": Parameter((channels, columns)),
            "recurrent_kernel": Parameter((self.units, columns), initial="orthogonal"),
            **({"bias": Parameter(self._bias(columns), initial="zeros")} if self.use_bias else {}),
        }

    def _bias(self, columns: int) -> tuple[int, ...]:
        return (columns,)

    def _sequence(self, shapes: tuple[Shape, ...]) -> tuple[Shape, int]:
        name, count = type(self).__name__, len(shapes)
        if count not in (1, 1 + self.STATES) or any(shape != (self.units,) for shape in shapes[1:]):
            given = ", ".join(map(str, shapes))
            raise NumjazError(f"{name} takes a sequence, or it and {self.STATES} states ({self.units},), not {given}")
        if len(shapes[0]) != 2:
            raise NumjazError(f"{name} takes a sequence (time, channels), not {shapes[0]}")
        return shapes[0][0], shapes[0][1]

    def start(self, batch: int, dtype: np.dtype[np.floating]) -> State:
        """The state before the first step: zeros."""
        return (np.zeros((batch, self.units), dtype),) * self.STATES

    def step(self, params: Parameters, state: State, chunk: Array) -> tuple[Array, State]:
        """Outputs (N, t, units) of a chunk (N, t, C), and the state after it."""
        x = self._projected(params, chunk)  # (N, t, C) -> (N, t, gates units)
        outputs = np.empty_like(x, shape=(*chunk.shape[:2], self.units))
        for t in range(chunk.shape[1]):
            state = self._cell(params, x[:, t], state)
            outputs[:, t] = state[0]
        return outputs, state

    def forward(self, params: Parameters, inputs: Arrays, *, training: bool = False, rng: Rng = None) -> Forward:
        x, *given = inputs
        state = tuple(given) or self.start(x.shape[0], x.dtype)
        outputs, state = self.step(params, state, x[:, ::-1] if self.go_backwards else x)
        first = outputs if self.return_sequences else state[0]
        return Forward((first, *state) if self.return_state else (first,))

    def _projected(self, params: Parameters, x: Array) -> Array:
        """What the cell needs of the input, for all steps at once."""
        y = x @ params["kernel"]
        return y + params["bias"] if self.use_bias else y

    def _cell(self, params: Parameters, x: Array, state: State) -> State:
        raise NotImplementedError

    def operations(self, shapes: tuple[Shape, ...], batch: Any = 1) -> Operations:
        time, channels = self._sequence(shapes)
        steps, columns = batch * time, self.GATES * self.units
        ahead = Operations({"kernel": steps * channels * columns}) + biases(self.use_bias, steps * columns)
        back = Operations({"recurrent_kernel": steps * self.units * columns})
        return ahead + back + self._cell_operations(steps)

    def scratch(self, shapes: tuple[Shape, ...]) -> dict[str, Any]:
        return {"projections": self._sequence(shapes)[0] * self.GATES * self.units}

    def _cell_operations(self, steps: Any) -> Operations:
        """What so many steps compute beside the two products and the first bias."""
        raise NotImplementedError


@dataclass(frozen=True)
class SimpleRNN(Recurrent):
    """Elman's layer: h' = f(x W + b + h U).

    ``kernel`` W is (C, units), ``recurrent_kernel`` U (units, units), ``bias`` (units,).
    """

    units: int
    activation: str = "tanh"
    use_bias: bool = True
    return_sequences: bool = True
    return_state: bool = False
    go_backwards: bool = False

    def _cell(self, params: Parameters, x: Array, state: State) -> State:
        (h,) = state
        return (ACTIVATIONS[self.activation](x + h @ params["recurrent_kernel"]),)

    def _cell_operations(self, steps: Any) -> Operations:
        numbers = steps * self.units
        return elementary(additions=numbers) + activation_operations(self.activation, numbers, steps)


@dataclass(frozen=True)
class LSTM(Recurrent):
    """Long short-term memory (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000).

    ::

        i, f, o = s(x W + b + h U)      g = tanh(x W + b + h U)
        c' = f c + i g                  h' = o tanh(c')

    ``kernel`` W is (C, 4 units), ``recurrent_kernel`` U (units, 4 units), ``bias`` (4 units,), with
    the gates in the order i (input), f (forget), g (candidate), o (output).
    """

    units: int
    activation: str = "tanh"
    recurrent_activation: str = "sigmoid"
    use_bias: bool = True
    return_sequences: bool = True
    return_state: bool = False
    go_backwards: bool = False
    GATES = 4
    STATES = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        check_activation(self, "recurrent_activation")

    def _cell(self, params: Parameters, x: Array, state: State) -> State:
        h, c = state
        f, s = ACTIVATIONS[self.activation], ACTIVATIONS[self.recurrent_activation]
        a = x + h @ params["recurrent_kernel"]  # (N, u) -> (N, 4u)
        enter, forget, candidate, leave = (a[:, k * self.units : (k + 1) * self.units] for k in range(4))
        c = s(forget) * c + s(enter) * f(candidate)
        return s(leave) * f(c), c

    def _cell_operations(self, steps: Any) -> Operations:
        numbers = steps * self.units
        gates = 3 * activation_operations(self.recurrent_activation, numbers, steps)
        states = 2 * activation_operations(self.activation, numbers, steps)
        return elementary(additions=5 * numbers, multiplications=3 * numbers) + gates + states


@dataclass(frozen=True)
class GRU(Recurrent):
    """Gated recurrent unit (Cho et al. 2014), in both of its forms.

    With ``reset_after`` (cuDNN's, torch's and, since TF 2, Keras's form; two biases)::

        z = s(x Wz + bz + h Uz + cz)      r = s(x Wr + br + h Ur + cr)
        n = tanh(x Wh + bh + r (h Uh + ch))
        h' = z h + (1 - z) n

    without it (the paper of 2014; one bias) the reset gate acts before the product::

        n = tanh(x Wh + bh + (r h) Uh)

    ``kernel`` W is (C, 3 units), ``recurrent_kernel`` U (units, 3 units), ``bias`` (2, 3 units) or
    (3 units,), with the gates in the order z (update), r (reset), h (candidate).
    """

    units: int
    activation: str = "tanh"
    recurrent_activation: str = "sigmoid"
    reset_after: bool = True
    use_bias: bool = True
    return_sequences: bool = True
    return_state: bool = False
    go_backwards: bool = False
    GATES = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        check_activation(self, "recurrent_activation")
        check_flag(self, "reset_after")

    def _bias(self, columns: int) -> tuple[int, ...]:
        return (2, columns) if self.reset_after else (columns,)

    def _projected(self, params: Parameters, x: Array) -> Array:
        y = x @ params["kernel"]
        if not self.use_bias:
            return y
        return y + (params["bias"][0] if self.reset_after else params["bias"])

    def _cell(self, params: Parameters, x: Array, state: State) -> State:
        (h,) = state
        u, recurrent = self.units, params["recurrent_kernel"]
        f, s = ACTIVATIONS[self.activation], ACTIVATIONS[self.recurrent_activation]
        if self.reset_after:
            g = h @ recurrent  # (N, u) -> (N, 3u)
            if self.use_bias:
                g = g + params["bias"][1]
            z, r = s(x[:, :u] + g[:, :u]), s(x[:, u : 2 * u] + g[:, u : 2 * u])
            n = f(x[:, 2 * u :] + r * g[:, 2 * u :])
        else:
            g = h @ recurrent[:, : 2 * u]  # (N, u) -> (N, 2u)
            z, r = s(x[:, :u] + g[:, :u]), s(x[:, u : 2 * u] + g[:, u:])
            n = f(x[:, 2 * u :] + (r * h) @ recurrent[:, 2 * u :])
        return (z * h + (1 - z) * n,)

    def _cell_operations(self, steps: Any) -> Operations:
        numbers = steps * self.units
        gates = 2 * activation_operations(self.recurrent_activation, numbers, steps)
        made = activation_operations(self.activation, numbers, steps)
        second = biases(self.use_bias and self.reset_after, 3 * numbers)
        return elementary(additions=5 * numbers, multiplications=3 * numbers) + gates + made + second


@dataclass(frozen=True)
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
        ahead, *states = first.forward(under(params, "forward"), given).outputs
        back, *ends = second.forward(under(params, "backward"), (others[0][:, ::-1], *others[1:])).outputs
        if second.return_sequences:
            back = back[:, ::-1]
        return Forward((*self._merged(ahead, back), *states, *ends))

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
