"""Recurrent layers, with Keras's order of gates."""

from __future__ import annotations

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
    check_count,
    check_flag,
)
from numjaz.layers.functions import ACTIVATIONS, activation_operations, check_activation
from numjaz.layers.operations import Operations, biases, elementary
from numjaz.records import frozen

State = tuple[Array, ...]  # each (N, units)


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


@frozen
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


@frozen
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


@frozen
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
        z, n = self._gates(params, x, h)
        return (z * h + (1 - z) * n,)

    def _gates(self, params: Parameters, x: Array, h: Array) -> tuple[Array, Array]:
        """The update gate z and the candidate n."""
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
        return z, n

    def _cell_operations(self, steps: Any) -> Operations:
        numbers = steps * self.units
        gates = 2 * activation_operations(self.recurrent_activation, numbers, steps)
        made = activation_operations(self.activation, numbers, steps)
        second = biases(self.use_bias and self.reset_after, 3 * numbers)
        return elementary(additions=5 * numbers, multiplications=3 * numbers) + gates + made + second
