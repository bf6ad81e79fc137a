"""What all recurrent layers share: how a cell is led through time, and back."""

from __future__ import annotations

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
    check_count,
    check_flag,
)
from numjaz.layers.functions import check_activation
from numjaz.layers.operations import Operations, biases

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
        return Forward((first, *state) if self.return_state else (first,), inputs)

    def backward(self, params: Parameters, saved: Any, d_outputs: tuple[Array | None, ...]) -> Backward:
        """Backpropagation through time (Werbos 1990); the steps are computed again, for they were not kept."""
        x, *given = saved
        x = x[:, ::-1] if self.go_backwards else x
        ahead = self._projected(params, x)
        states = [tuple(given) or self.start(x.shape[0], x.dtype)]
        for t in range(x.shape[1] - 1):
            states.append(self._cell(params, ahead[:, t], states[t]))
        d_ahead = np.empty_like(ahead)
        d_params = {name: np.zeros_like(array) for name, array in params.items() if name != "kernel"}
        d_steps, d_state = self._d_ends(x.shape, d_outputs, x.dtype)
        for t in reversed(range(x.shape[1])):
            d_state = (d_state[0] + d_steps[:, t], *d_state[1:])
            d_ahead[:, t], d_state, d_own = self._cell_back(params, ahead[:, t], states[t], d_state)
            for name in d_params:
                d_params[name] += d_own[name]
        d_params["kernel"] = np.tensordot(x, d_ahead, axes=((0, 1), (0, 1)))
        d_x = d_ahead @ params["kernel"].T
        return Backward((d_x[:, ::-1] if self.go_backwards else d_x, *(d_state if given else ())), d_params)

    def _d_ends(self, shape: Shape, d_outputs: tuple[Array | None, ...], dtype: np.dtype[Any]) -> tuple[Array, State]:
        """The derivatives by every step's output, (N, T, units), and by the last state."""
        d_steps = np.zeros((*shape[:2], self.units), dtype)
        zeros = self.start(shape[0], dtype)
        d_first, *ends = d_outputs
        d_state = [zero if d is None else d for zero, d in zip(zeros, ends or (None,) * self.STATES, strict=True)]
        if d_first is not None and self.return_sequences:
            d_steps = d_first
        elif d_first is not None:
            d_state[0] = d_state[0] + d_first
        return d_steps, tuple(d_state)

    def _projected(self, params: Parameters, x: Array) -> Array:
        """What the cell needs of the input, for all steps at once."""
        y = x @ params["kernel"]
        return y + params["bias"] if self.use_bias else y

    def _cell(self, params: Parameters, x: Array, state: State) -> State:
        raise NotImplementedError

    def _cell_back(
        self, params: Parameters, x: Array, state: State, d_state: State
    ) -> tuple[Array, State, dict[str, Array]]:
        """The derivatives by x, the state before and all arrays but the kernel, for those by the state after."""
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
