"""Recurrence of one window: few calls a step, for a call costs more than what it computes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from numjaz.engine.runtime.layout import Array, Call, Single, aligned
from numjaz.engine.runtime.recurrence import Recurrence
from numjaz.records import record

WIDE = 64  # units up to which one product does for both directions, though half of its matrix is zeros

ORDER: dict[str, tuple[tuple[tuple[int, int], ...], ...]] = {
    "GRU": (((0, 1),), ((1, 1),), ((3, -1), (2, 1))),
    "GRU reset before": (((0, 1),), ((1, 1),), ((2, -1),)),
    "LSTM": (((0, 1), (1, 1)), ((2, 1),), ((3, -1),)),
    "SimpleRNN": (((0, 1),),),
}
"""What a step's product holds, stretch by stretch: rows of `Recurrence.gates` with their signs; two are interleaved,
the real and the imaginary part of complex numbers."""


@record
class SingleRecurrence(Recurrence):
    """A step of a GRU in six calls.

    A complex product is two products and a sum in one call. With tr, tz the tanhs of half the gates::

        (tr + i) (-q / 2 + i (p + q / 2))  has the real part  -(p + r q)
        (tz + i) (h - i n) (1 - i) / 2     has the real part  z h + (1 - z) n

    The state of step t is row t: 1, the input and h of the first direction; h, 1, and the input of the second.
    """

    def _columns(self) -> tuple[int, list[slice], list[slice]]:
        """How many columns a row has, and of each side those of 1 and the input, and of h."""
        u, e = self.units, 1 + self.inside
        if len(self.sides) == 1:
            return -(-(e + u) // 4) * 4, [slice(0, e)], [slice(e, e + u)]
        heads = [slice(0, e), slice(e + 2 * u, 2 * e + 2 * u)]
        return -(-(2 * e + 2 * u) // 4) * 4, heads, [slice(e, e + u), slice(e + u, e + 2 * u)]

    def _rows(self) -> int:
        return sum(map(len, ORDER[self.cell])) * self.units * len(self.sides)

    def scratch(self, layout: Single, steps: int, *, plain: bool) -> dict[str, tuple[int, ...]]:
        time, wide, rows = self.reads[0].time, self.units * len(self.sides), self._rows()
        parts = 2 if self.gated else 1  # numbers of float memory a number of state
        wanted = {"state": (time + 1, parts * self._columns()[0]), "product": (rows,)}
        if not self.inside:
            wanted |= {"ahead": (time, rows), "other": (time, rows)}
        if self.gated:
            wanted |= {"gates": (4 * wide,), "made": (2 * wide,)}
        if self.cell == "GRU reset before":
            wanted |= {"reset": (wide,), "back": (wide,)}
        if self.cell == "LSTM":
            wanted |= {"cell": (2 * wide,)}
        return wanted

    def _matrices(self) -> tuple[Array, Array]:
        """The product of a row, and of the input where it is multiplied ahead: (sides, C, rows)."""
        u, many, (columns, heads, tails) = self.units, len(self.sides), self._columns()
        whole = np.zeros((self._rows(), columns))
        ahead = np.zeros((many, self.reads[0].channels, self._rows()))
        for d, side in enumerate(self.sides):
            back, front = self.gates(side)
            first = 0
            for stretch in ORDER[self.cell]:
                for k, (gate, sign) in enumerate(stretch):
                    at = slice(first + d * u * len(stretch) + k, first + (d + 1) * u * len(stretch), len(stretch))
                    whole[at, heads[d]] = sign * front[gate][:, : 1 + self.inside]
                    whole[at, tails[d]] = sign * back[gate]
                    ahead[d][:, at] = sign * front[gate][:, 1:].T
                first += many * u * len(stretch)
        return whole, ahead

    def calls(
        self, layout: Single, xs: Sequence[Array], ys: Sequence[Array], scratch: Mapping[str, Array]
    ) -> Iterator[Call]:
        run = _Run(self, layout, scratch)
        yield from run.begin(xs)
        yield from run.steps()
        yield from run.end(ys)


class _Run:
    """The calls of one recurrence, on the arrays that it was given.

    What is the same at every step is made once: a plan's views and tuples have to fit a core's cache too.
    """

    def __init__(self, form: SingleRecurrence, layout: Single, scratch: Mapping[str, Array]) -> None:
        self.form, self.layout, self.scratch = form, layout, scratch
        self.time, self.wide = form.reads[0].time, form.units * len(form.sides)
        self.complex = np.result_type(layout.dtype, np.complex64)
        self.rows = scratch["state"].view(self.complex) if form.gated else scratch["state"]
        self.real = self.rows.real
        _, self.heads, self.tails = form._columns()
        self._used = max(part.stop for part in (*self.heads, *self.tails))  # columns behind are there for alignment
        state = slice(self.tails[0].start, self.tails[-1].stop)
        self.h = [row[state] for row in self.rows]
        self.cell = scratch["cell"].view(self.complex) if form.cell == "LSTM" else None
        self.whole, self.ahead = form._matrices()

    def begin(self, xs: Sequence[Array]) -> Iterator[Call]:
        """What stands in the rows before the first step."""
        (x, *given), u = xs, self.form.units
        yield self.rows[0].fill, (0,)
        yield self.real[:, self._used :].fill, (0,)
        if self.cell is not None:
            yield self.cell.fill, (0,)
        for d, side in enumerate(self.form.sides):
            head = self.heads[d]
            yield self.real[:, head.start].fill, (1,)
            if self.form.inside:
                seen = x.T[::-1] if side.backwards else x.T  # (C, T) -> (T, C)
                yield np.copyto, (self.real[: self.time, head.start + 1 : head.stop], seen)
            if given:
                yield np.copyto, (self.real[0, self.tails[d]], given.pop(0)[:, 0])
            if given and self.cell is not None:
                yield np.copyto, (self.cell.real[d * u : (d + 1) * u], given.pop(0)[:, 0])
        if not self.form.inside:
            for name, kernel in zip(("ahead", "other"), self.ahead, strict=False):
                yield x.T.dot, (self._held(kernel), self.scratch[name])
            if len(self.form.sides) > 1:
                yield np.add, (self.scratch["ahead"], self.scratch["other"][::-1], self.scratch["ahead"])

    def _held(self, array: Array, *, by_columns: bool = False) -> Array:
        """A constant in the plan's dtype; column by column in memory, as a product with a vector reads it fastest."""
        made = aligned(array.T.shape if by_columns else array.shape, self.layout.dtype)
        made = made.T if by_columns else made
        made[...] = array
        return made

    def _products(self) -> list[tuple[Any, slice, Array]]:
        """The product of a row: method, the columns that it reads, where it is written."""
        form, made = self.form, self.scratch["product"]
        if self.wide <= WIDE or len(form.sides) == 1:
            return [(self._held(self.whole, by_columns=True).dot, slice(None), made)]
        found, first = [], 0
        for stretch in ORDER[form.cell]:
            for head, tail in zip(self.heads, self.tails, strict=True):
                rows = slice(first, first + form.units * len(stretch))
                columns = slice(min(head.start, tail.start), max(head.stop, tail.stop))
                held = self._held(self.whole[rows, columns], by_columns=True)
                found.append((held.dot, columns, made[rows]))
                first = rows.stop
        return found

    def _row_calls(self) -> Iterator[tuple[int, list[Call]]]:
        """For each step the calls that make its product."""
        products, made, ahead = self._products(), self.scratch["product"], None
        if not self.form.inside:
            ahead = self.scratch["ahead"][::-1] if self.form.sides[0].backwards else self.scratch["ahead"]
        for t in range(self.time):
            calls: list[Call] = [(dot, (self.real[t, columns], target)) for dot, columns, target in products]
            if ahead is not None:
                calls.append((np.add, (made, ahead[t], made)))
            yield t, calls

    def steps(self) -> Iterator[Call]:
        match self.form.cell:
            case "GRU":
                return self._gru()
            case "GRU reset before":
                return self._gru_reset_before()
            case "LSTM":
                return self._lstm()
        return self._simple()

    def _gates(self) -> tuple[Array, Array, Array]:
        """The tanhs of r and z as the real parts of numbers whose imaginary part is 1; room for one product."""
        gates = self.scratch["gates"].view(self.complex)
        return gates, gates[: self.wide], gates[self.wide :]

    def _gru(self) -> Iterator[Call]:
        n, product = self.wide, self.scratch["product"]
        gates, reset, update = self._gates()
        made = self.scratch["made"].view(self.complex)
        candidate, half = product[2 * n :].view(self.complex), self._halves()
        opened: Call = (np.tanh, (product[: 2 * n], gates.real))
        chosen: Call = (np.multiply, (reset, candidate, made))
        real = made.real
        yield gates.imag.fill, (1,)
        for t, calls in self._row_calls():
            yield from calls
            yield opened
            yield chosen
            yield np.tanh, (real, self.h[t].imag)
            yield np.multiply, (update, self.h[t], made)
            yield np.multiply, (made, half, self.h[t + 1])

    def _halves(self) -> Array:
        half = aligned((self.wide,), self.complex)
        half[...] = (1 - 1j) / 2
        return half

    def _gru_reset_before(self) -> Iterator[Call]:
        n, product = self.wide, self.scratch["product"]
        gates, reset, update = self._gates()
        made, half = self.scratch["made"].view(self.complex), self._halves()
        held, back = self.scratch["reset"], self.scratch["back"]
        again = np.zeros((n, n))
        for d, side in enumerate(self.form.sides):
            at = slice(d * self.form.units, (d + 1) * self.form.units)
            again[at, at] = -side.recurrent[:, 2 * self.form.units :].T / 2
        opened: Call = (np.tanh, (product[: 2 * n], gates.real))
        again_calls: list[Call] = [
            (self._held(again, by_columns=True).dot, (held, back)),
            (np.add, (back, product[2 * n :], back)),
        ]
        reset_real = reset.real
        yield gates.imag.fill, (1,)
        for t, calls in self._row_calls():
            h, real = self.h[t], self.h[t].real
            yield from calls
            yield opened
            yield np.multiply, (reset_real, real, held)
            yield np.add, (held, real, held)  # 2 r h
            yield from again_calls
            yield np.tanh, (back, h.imag)
            yield np.multiply, (update, h, made)
            yield np.multiply, (made, half, self.h[t + 1])

    def _lstm(self) -> Iterator[Call]:
        """(f + i i) (c - i g) has the real part f c + i g; the i that multiplies is the imaginary unit."""
        assert self.cell is not None
        n, product, cell = self.wide, self.scratch["product"], self.cell
        gates, new = product[: 3 * n], product[3 * n :]
        enter, leave = product[: 2 * n].view(self.complex), product[2 * n : 3 * n]
        half = aligned((3 * n,), self.layout.dtype)
        half[...] = 0.5
        same: list[Call] = [
            (np.tanh, (gates, gates)),
            (np.multiply, (gates, half, gates)),
            (np.add, (gates, half, gates)),
            (np.tanh, (new, cell.imag)),
            (np.multiply, (enter, cell, cell)),
            (np.tanh, (cell.real, new)),
        ]
        for t, calls in self._row_calls():
            yield from calls
            yield from same
            yield np.multiply, (leave, new, self.h[t + 1])

    def _simple(self) -> Iterator[Call]:
        product = self.scratch["product"]
        for t, calls in self._row_calls():
            yield from calls
            yield np.tanh, (product, self.h[t + 1])

    def end(self, ys: Sequence[Array]) -> Iterator[Call]:
        """From the rows to the outputs: (T, units) of each side, or its last row, and its state."""
        first, *states = ys
        u = self.form.units
        for d, (side, tail) in enumerate(zip(self.form.sides, self.tails, strict=True)):
            target = first[d * u : (d + 1) * u]
            made = self.real[1:, tail] if self.form.sequences else self.real[self.time :, tail]
            turned = self.form.sequences and self.form.turned and side.backwards
            yield np.copyto, (target.T, made[::-1] if turned else made)
            if states:
                yield np.copyto, (states.pop(0)[:, 0], self.real[self.time, tail])
            if states and self.cell is not None:
                yield np.copyto, (states.pop(0)[:, 0], self.cell.real[d * u : (d + 1) * u])
