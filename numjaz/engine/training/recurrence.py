"""GRUs through time and back, both directions in one product a step.

A step's rows are the candidate n, the gates z and r, and what the state gives the candidate, a = h Uh + ch::

    n = tanh(x Wh + bh + r a)      h' = n + z (h - n)

Backward, with d the derivative by h', all factors are known before the first step::

    dn = d (1 - z) (1 - n^2)       dz = d (h - n) z (1 - z)
    dr = dn a r (1 - r)            da = dn r
    dh = d z + (dz, dr, da) U^T
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from numjaz.engine.runtime.layout import Array, aligned
from numjaz.engine.training.steps import Arrays, Step
from numjaz.engine.training.tensors import Spare, Tensor, outer_sum
from numjaz.layers.base import Rng

BLOCK = 8  # steps whose factors are computed at once: they stay in a core's cache


class Recurrence(Step):
    """A GRU with ``reset_after``, or two of them, the second from the end; outputs side by side.

    The state is (T + 1, sides, units + 1 + C, N): what is known before a step, a one for the biases, and the
    step's input. ``sides`` are the names before the arrays' names, one for each direction.
    """

    def __init__(
        self,
        owner: str,
        x: Tensor,
        y: Tensor,
        sides: Sequence[str],
        sequences: bool,
        params: Arrays,
        grads: Arrays,
        spare: Spare,
    ) -> None:
        super().__init__(owner, (x,), (y,), params, grads)
        self._sides, self._sequences = sides, sequences
        time, channels, n = x.y.shape
        u = self._units = params[f"{sides[0]}recurrent_kernel"].shape[0]
        many, dtype = len(sides), x.y.dtype
        self._state = aligned((time + 1, many, u + 1 + channels, n), dtype)
        self._state[:, :, u] = 1
        self._gates = aligned((time, many, 4 * u, n), dtype)
        self._matrix = aligned((many, 4 * u, u + 1 + channels), dtype)
        self._back = aligned((many, u, 3 * u), dtype)
        self._from_x = aligned((many, channels, 3 * u), dtype)
        self._made = aligned((many, u, n), dtype)
        block = min(BLOCK, time)
        self._d = aligned((many, u, n), dtype)
        self._given = spare.array((block, many, u, n), "given")
        self._first = spare.array((block, many, 2, u, n), "first")
        self._second = spare.array((block, many, 2, u, n), "second")
        self._d_gates = spare.array((block, many, 4 * u, n), "d_gates")
        self._left = spare.array((4 * u, block, n), "left")
        self._right = spare.array((u + 1 + channels, block, n), "right")
        self._d_x = spare.array((block, many, channels, n), "d_x")
        self._steps = [self._views(t) for t in range(time)]

    def _views(self, t: int) -> tuple[Array, ...]:
        u, gates, state = self._units, self._gates[t], self._state
        parts = gates[:, :u], gates[:, u : 2 * u], gates[:, 2 * u : 3 * u], gates[:, 3 * u :]
        return (state[t], state[t, :, :u], state[t + 1, :, :u], gates, gates[:, u : 3 * u], *parts)

    def prepare(self) -> None:
        u = self._units
        for side, name in enumerate(self._sides):
            kernel, recurrent = self.params[f"{name}kernel"], self.params[f"{name}recurrent_kernel"]
            matrix = self._matrix[side]
            matrix[3 * u :, :u] = recurrent[:, 2 * u :].T
            matrix[:u, u + 1 :] = kernel[:, 2 * u :].T
            # s(a) = (1 + tanh(a / 2)) / 2: the gates' rows are halved.
            matrix[u : 3 * u, :u] = recurrent[:, : 2 * u].T / 2
            matrix[u : 3 * u, u + 1 :] = kernel[:, : 2 * u].T / 2
            if f"{name}bias" in self.params:
                of_x, of_h = self.params[f"{name}bias"]
                matrix[:u, u], matrix[3 * u :, u] = of_x[2 * u :], of_h[2 * u :]
                matrix[u : 3 * u, u] = (of_x[: 2 * u] + of_h[: 2 * u]) / 2
            self._back[side] = recurrent
            self._from_x[side] = np.concatenate((kernel[:, 2 * u :], kernel[:, : 2 * u]), axis=1)

    def forward(self, *, training: bool, rng: Rng) -> None:
        u, x, state = self._units, self.xs[0].y, self._state
        for side in range(len(self._sides)):
            state[:-1, side, u + 1 :] = x[::-1] if side else x
        matrix, made = self._matrix, self._made
        multiply, add, subtract, tanh, matmul = np.multiply, np.add, np.subtract, np.tanh, np.matmul
        half = x.dtype.type(0.5)
        for read, before, after, product, both, n, z, r, a in self._steps:
            matmul(matrix, read, product)
            tanh(both, both)
            multiply(both, half, both)
            add(both, half, both)
            multiply(r, a, made)
            add(made, n, made)
            tanh(made, n)
            subtract(before, n, made)
            multiply(made, z, made)
            add(made, n, after)
        for side in range(len(self._sides)):
            outputs, columns = state[1:, side, :u], slice(side * u, (side + 1) * u)
            if not self._sequences:
                self.ys[0].y[0, columns] = outputs[-1]
            else:
                self.ys[0].y[:, columns] = outputs[::-1] if side else outputs

    def backward(self) -> None:
        if not self.grads and self.sink is None:
            return
        u, d = self._units, self._d
        of_matrix = np.zeros(self._matrix.shape, self._matrix.dtype)
        d[...] = 0
        if not self._sequences:
            d[...] = self._d_given(0, 1)[0]
        if self.sink is None:
            self._through(of_matrix, None)
        else:
            with self.sink.share() as share:
                share[...] = 0
                self._through(of_matrix, share)
        for side, name in enumerate(self._sides):
            made = of_matrix[side]
            candidate, gates, inner = made[:u], made[u : 3 * u], made[3 * u :]
            for array, of_candidate, columns in (
                ("kernel", candidate, slice(u + 1, None)),
                ("recurrent_kernel", inner, slice(None, u)),
            ):
                if f"{name}{array}" in self.grads:
                    grad = self.grads[f"{name}{array}"]
                    grad[:, : 2 * u] += gates[:, columns].T
                    grad[:, 2 * u :] += of_candidate[:, columns].T
            if f"{name}bias" in self.grads:
                grad = self.grads[f"{name}bias"]
                grad[:, : 2 * u] += gates[:, u]
                grad[0, 2 * u :] += candidate[:, u]
                grad[1, 2 * u :] += inner[:, u]

    def _through(self, of_matrix: Array, d_x: Array | None) -> None:
        """Back through time, a block of steps after the other: sums by the matrix, and the input's derivative."""
        u, d, matmul, multiply, add = self._units, self._d, np.matmul, np.multiply, np.add
        back, product, spread = self._back, self._made, d[:, None]
        for b in range(len(self._steps), 0, -BLOCK):
            a = max(b - BLOCK, 0)
            first, second = self._factors(a, b)
            given = self._d_given(a, b) if self._sequences else None
            d_gates = self._d_gates[: b - a]
            pairs = d_gates.reshape(b - a, len(self._sides), 4, u, -1)
            z = self._gates[a:b, :, u : 2 * u]
            for t in range(b - a - 1, -1, -1):
                if given is not None:
                    add(d, given[t], d)
                pair = pairs[t]
                multiply(spread, first[t], pair[:, :2])
                multiply(pair[:, :1], second[t], pair[:, 2:])
                matmul(back, d_gates[t, :, u:], product)
                multiply(d, z[t], d)
                add(d, product, d)
            self._collect(a, b, d_gates, of_matrix)
            if d_x is not None:
                self._to_input(a, b, d_gates, d_x)

    def _factors(self, a: int, b: int) -> tuple[Array, Array]:
        """What d is multiplied by to give (dn, dz), and dn to give (dr, da)."""
        u, first, second = self._units, self._first[: b - a], self._second[: b - a]
        n, z, r, inner = (self._gates[a:b, :, k * u : (k + 1) * u] for k in range(4))
        rest = second[:, :, 0]
        np.subtract(1, z, out=rest)
        np.multiply(n, n, out=first[:, :, 0])
        np.subtract(1, first[:, :, 0], out=first[:, :, 0])
        np.multiply(first[:, :, 0], rest, out=first[:, :, 0])
        np.subtract(self._state[a:b, :, :u], n, out=first[:, :, 1])
        np.multiply(first[:, :, 1], z, out=first[:, :, 1])
        np.multiply(first[:, :, 1], rest, out=first[:, :, 1])
        np.subtract(1, r, out=rest)
        np.multiply(rest, r, out=rest)
        np.multiply(rest, inner, out=rest)
        np.copyto(second[:, :, 1], r)
        return first, second

    def _d_given(self, a: int, b: int) -> Array:
        """The derivatives by the outputs of these steps, as each side comes by them."""
        d, u, given = self.ys[0].d, self._units, self._given[: b - a]
        assert d is not None
        for side in range(len(self._sides)):
            own = d[:, side * u : (side + 1) * u]
            np.copyto(given[:, side], own[len(d) - b : len(d) - a][::-1] if side else own[a:b])
        return given

    def _collect(self, a: int, b: int, d_gates: Array, of_matrix: Array) -> None:
        for side in range(len(self._sides)):
            of_matrix[side] += outer_sum(d_gates[:, side], self._state[a:b, side], self._left, self._right)

    def _to_input(self, a: int, b: int, d_gates: Array, d_x: Array) -> None:
        made = self._d_x[: b - a]
        np.matmul(self._from_x, d_gates[:, :, : 3 * self._units], out=made)
        d_x[a:b] += made[:, 0]
        if len(self._sides) > 1:
            d_x[len(d_x) - b : len(d_x) - a] += made[::-1, 1]
