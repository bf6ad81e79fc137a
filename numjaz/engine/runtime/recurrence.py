"""Recurrent layers as the engine computes them: one state for both directions, products that hold biases and input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from numjaz.engine.runtime.forms import Form
from numjaz.engine.runtime.layout import Array
from numjaz.records import Record, record

COLUMNS = 16  # numbers of input that a step takes along with its state; more are multiplied ahead, for many steps


@record
class Side(Record):
    """One direction: its arrays, as the layer states them, and whether it reads from the end."""

    kernel: Array  # (C, gates units)
    recurrent: Array  # (units, gates units)
    bias: Array | None
    backwards: bool = False


@record
class Recurrence(Form):
    """GRU, LSTM or SimpleRNN, in one direction or two.

    Sigmoids are tanhs: s(a) = (1 + tanh(a / 2)) / 2, with the half in the weights, so that one call
    does for all gates. ``makes`` begins with the steps of all sides side by side (``sequences``), or
    their last ones; each side's states follow where there is room for them. ``turned`` says that what
    was read from the end is turned round again.
    """

    cell: str  # GRU, GRU reset before, LSTM, SimpleRNN
    units: int
    sides: Sequence[Side]
    sequences: bool
    turned: bool = True

    LOCAL: ClassVar[bool] = False

    @property
    def gated(self) -> bool:
        """Whether it is a GRU."""
        return self.cell.startswith("GRU")

    @property
    def macs(self) -> int:
        return self.reads[0].time * sum(side.kernel.size + side.recurrent.size for side in self.sides)

    @property
    def inside(self) -> int:
        """Numbers of input that stand beside the state."""
        channels = self.reads[0].channels
        return channels if channels * len(self.sides) <= COLUMNS else 0

    def gates(self, side: Side) -> tuple[Array, Array]:
        """The products of a step: (rows, units, units) of the state, (rows, units, 1 + C) of 1 and the input.

        The rows of a GRU are r, z, p + q / 2 and q / 2, where n = tanh(p + r q); with the reset before
        the product r, z and p; of an LSTM f, i, o, g.
        """
        u = self.units

        def parts(array: Array) -> list[Array]:
            return [array[..., k : k + u].T for k in range(0, array.shape[-1], u)]

        count = side.kernel.shape[1] // u
        w, v = parts(side.kernel), parts(side.recurrent)
        biases = np.zeros((2, count * u)) if side.bias is None else np.atleast_2d(side.bias)
        first = [b[:, None] for b in biases[0].reshape(count, u)]
        again = [b[:, None] for b in biases[1].reshape(count, u)] if len(biases) > 1 else [0 * b for b in first]
        ahead = [np.hstack((a + b, c)) for a, b, c in zip(first, again, w, strict=True)]
        nothing = np.zeros_like(ahead[0])
        if self.cell == "SimpleRNN":
            return np.stack(v), np.stack(ahead)
        if self.cell == "LSTM":
            return (
                np.stack((v[1] / 2, v[0] / 2, v[3] / 2, v[2])),
                np.stack((ahead[1] / 2, ahead[0] / 2, ahead[3] / 2, ahead[2])),
            )
        gate, of_gate = (v[1] / 2, v[0] / 2), (ahead[1] / 2, ahead[0] / 2)
        if self.cell == "GRU reset before":
            return np.stack((*gate, np.zeros_like(v[2]))), np.stack((*of_gate, ahead[2]))
        own = nothing.copy()
        own[:, :1] = again[2] / 2  # q / 2 = (h U + c) / 2
        rest = ahead[2].copy()
        rest[:, :1] = first[2] + again[2] / 2
        return np.stack((*gate, v[2] / 2, v[2] / 2)), np.stack((*of_gate, rest, own))
