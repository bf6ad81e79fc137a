"""Recurrent layers, with Keras's order of gates."""

from __future__ import annotations

from typing import Any

import numpy as np

from numjaz.layers.base import Array, Parameters, check_flag
from numjaz.layers.functions import ACTIVATIONS, activation_operations, check_activation, derivative
from numjaz.layers.operations import Operations, biases, elementary
from numjaz.layers.recurrent import Recurrent, State
from numjaz.records import frozen


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

    def _cell_back(
        self, params: Parameters, x: Array, state: State, d_state: State
    ) -> tuple[Array, State, dict[str, Array]]:
        (h,), (d,), recurrent = state, d_state, params["recurrent_kernel"]
        a = x + h @ recurrent
        d_a = derivative(self.activation)(a, ACTIVATIONS[self.activation](a), d)
        return d_a, (d_a @ recurrent.T,), {"recurrent_kernel": h.T @ d_a, "bias": d_a.sum(axis=0)}

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

    def _cell_back(
        self, params: Parameters, x: Array, state: State, d_state: State
    ) -> tuple[Array, State, dict[str, Array]]:
        (h, c), (d_h, d_c), recurrent = state, d_state, params["recurrent_kernel"]
        f, s = ACTIVATIONS[self.activation], ACTIVATIONS[self.recurrent_activation]
        df, ds = derivative(self.activation), derivative(self.recurrent_activation)
        a = x + h @ recurrent  # (N, 4u)
        enter, forget, candidate, leave = (a[:, k * self.units : (k + 1) * self.units] for k in range(4))
        i, j, g, o = s(enter), s(forget), f(candidate), s(leave)
        after = j * c + i * g
        made = f(after)
        d_c = d_c + df(after, made, d_h * o)
        d_gates = (
            ds(enter, i, d_c * g),
            ds(forget, j, d_c * c),
            df(candidate, g, d_c * i),
            ds(leave, o, d_h * made),
        )
        d_a = np.concatenate(d_gates, axis=1)
        return d_a, (d_a @ recurrent.T, d_c * j), {"recurrent_kernel": h.T @ d_a, "bias": d_a.sum(axis=0)}

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
        z, _, n, *_ = self._gates(params, x, h)
        return (z * h + (1 - z) * n,)

    def _gates(self, params: Parameters, x: Array, h: Array) -> tuple[Array, ...]:
        """The gates z and r, the candidate n, what each was made of, and what r was multiplied with."""
        u, recurrent = self.units, params["recurrent_kernel"]
        f, s = ACTIVATIONS[self.activation], ACTIVATIONS[self.recurrent_activation]
        if self.reset_after:
            g = h @ recurrent  # (N, u) -> (N, 3u)
            if self.use_bias:
                g = g + params["bias"][1]
            past = g[:, 2 * u :]
        else:
            g = h @ recurrent[:, : 2 * u]  # (N, u) -> (N, 2u)
            past = h
        az, ar = x[:, :u] + g[:, :u], x[:, u : 2 * u] + g[:, u : 2 * u]
        z, r = s(az), s(ar)
        an = x[:, 2 * u :] + (r * past if self.reset_after else (r * past) @ recurrent[:, 2 * u :])
        return z, r, f(an), az, ar, an, past

    def _cell_back(
        self, params: Parameters, x: Array, state: State, d_state: State
    ) -> tuple[Array, State, dict[str, Array]]:
        (h,), (d,), recurrent, u = state, d_state, params["recurrent_kernel"], self.units
        df, ds = derivative(self.activation), derivative(self.recurrent_activation)
        z, r, n, az, ar, an, past = self._gates(params, x, h)
        d_az, d_an = ds(az, z, d * (h - n)), df(an, n, d * (1 - z))
        d_reset = d_an if self.reset_after else d_an @ recurrent[:, 2 * u :].T  # by r * past
        d_ar, d_past = ds(ar, r, d_reset * past), d_reset * r
        d_x = np.concatenate((d_az, d_ar, d_an), axis=1)  # (N, 3u)
        if self.reset_after:
            d_g = np.concatenate((d_az, d_ar, d_past), axis=1)  # by h U + c
            d_bias = np.stack((d_x.sum(axis=0), d_g.sum(axis=0)))
            return d_x, (d * z + d_g @ recurrent.T,), {"recurrent_kernel": h.T @ d_g, "bias": d_bias}
        d_g = d_x[:, : 2 * u]
        d_recurrent = np.concatenate((h.T @ d_g, (r * h).T @ d_an), axis=1)
        d_h = d * z + d_past + d_g @ recurrent[:, : 2 * u].T
        return d_x, (d_h,), {"recurrent_kernel": d_recurrent, "bias": d_x.sum(axis=0)}

    def _cell_operations(self, steps: Any) -> Operations:
        numbers = steps * self.units
        gates = 2 * activation_operations(self.recurrent_activation, numbers, steps)
        made = activation_operations(self.activation, numbers, steps)
        second = biases(self.use_bias and self.reset_after, 3 * numbers)
        return elementary(additions=5 * numbers, multiplications=3 * numbers) + gates + made + second
