"""Recurrence of many windows at once: whole matrices a step, gates side by side over both directions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.lib.stride_tricks import as_strided

from numjaz.engine.runtime.layout import Array, Call, Single
from numjaz.engine.runtime.recurrence import Recurrence
from numjaz.records import record

AHEAD = 8  # steps whose input is multiplied at once, where it does not stand beside the state


@record
class BlockRecurrence(Recurrence):
    """The state is (T + 1, sides, rows, N): for each side h, 1, and the input of the step that reads it.

    The first side writes row t + 1, the second, which reads from the end, row t: so what both say of
    moment t lies side by side in memory, and a product that follows reads it there (``left``).
    """

    left: bool = False  # whether the steps are read where the state leaves them

    @property
    def viewed(self) -> bool:
        return self.left

    @property
    def lanes(self) -> Array:
        """At which row of a moment's matrix each channel lies; ones lie at row ``units``."""
        u, rows = self.units, self._rows
        return np.arange(u) if len(self.sides) == 1 else np.concatenate((rows + np.arange(u), np.arange(u)))

    @property
    def _rows(self) -> int:
        return self.units + 1 + self.inside

    def scratch(self, layout: Single, steps: int, *, plain: bool) -> dict[str, tuple[int, ...]]:
        time, many, u, n = self.reads[0].time, len(self.sides), self.units, layout.width
        gates = {"GRU": 4, "LSTM": 4, "GRU reset before": 3, "SimpleRNN": 1}[self.cell]
        wanted = {"state": (time + 1, many, self._rows, n), "product": (gates, many, u, n), "made": (many, u, n)}
        if not self.inside:
            wanted["ahead"] = (min(AHEAD, time), gates, many, u, n)
        if self.cell in ("LSTM", "GRU reset before"):
            wanted["cell"] = (many, u, n)
        return wanted

    def provided(self, scratch: Mapping[str, Array]) -> Array:
        """The steps where the state leaves them: (T, rows, N), the channels at `lanes`."""
        state, time = scratch["state"], self.reads[0].time
        if len(self.sides) == 1:
            return state[1:, 0, : self.units + 1]
        moment, _, row, window = state.strides
        start = state.reshape(-1, state.shape[-1])[self._rows :]
        return as_strided(start, (time, self._rows + self.units, state.shape[-1]), (moment, row, window))

    def calls(
        self, layout: Single, xs: Sequence[Array], ys: Sequence[Array], scratch: Mapping[str, Array]
    ) -> Iterator[Call]:
        (x, *given), state, time, u = xs, scratch["state"], self.reads[0].time, self.units
        yield state[:, :, u].fill, (1,)
        for d, side in enumerate(self.sides):
            rows = state[1:, d] if d else state[:time, d]
            if self.inside:
                seen = x if d or not side.backwards else x[::-1]
                yield np.copyto, (rows[:, u + 1 :], seen)
            start = state[time if d else 0, d, :u]
            yield (np.copyto, (start, given.pop(0)[0])) if given else (start.fill, (0,))
            if self.cell == "LSTM":
                memory = scratch["cell"][d]
                yield (np.copyto, (memory, given.pop(0)[0])) if given else (memory.fill, (0,))
        back, front = (np.stack(parts, axis=1) for parts in zip(*map(self.gates, self.sides), strict=True))
        matrix = np.concatenate((back, front[..., : 1 + self.inside]), axis=-1)  # (gates, sides, u, rows)
        for t, calls in self._ahead(layout, x, front[..., 1:], scratch):
            yield from calls
            yield from self._step(layout, t, matrix, scratch)
        yield from self._ends(ys, scratch)

    def _ahead(
        self, layout: Single, x: Array, kernel: Array, scratch: Mapping[str, Array]
    ) -> Iterator[tuple[int, list[Call]]]:
        """For each step the calls before it: the input's products, for `AHEAD` steps at a time."""
        time = len(x)
        for t in range(time):
            calls: list[Call] = []
            if not self.inside and t % AHEAD == 0:
                count = min(AHEAD, time - t)
                for d, side in enumerate(self.sides):
                    seen = x[::-1] if side.backwards else x
                    held = layout.constant(("ahead", id(self), d), lambda d=d: kernel[:, d])  # type: ignore[misc]
                    target = scratch["ahead"][:count, :, d]  # (steps, gates, u, N)
                    calls.append((np.matmul, (held, seen[t : t + count, None], target)))
            yield t, calls

    def _pair(self, state: Array, t: int, rows: int, *, after: bool) -> Array:
        """What a step reads of both sides, or writes: a view (sides, rows, N)."""
        if len(self.sides) == 1:
            return state[t + after, :, :rows]
        moment, side, row, window = state.strides
        first, second = (t + 1, len(state) - 2 - t) if after else (t, len(state) - 1 - t)
        return as_strided(state[first, 0], (2, rows, state.shape[-1]), ((second - first) * moment + side, row, window))

    def _step(self, layout: Single, t: int, matrix: Array, scratch: Mapping[str, Array]) -> Iterator[Call]:
        state, product, made = scratch["state"], scratch["product"], scratch["made"]
        old, new = self._pair(state, t, self.units, after=False), self._pair(state, t, self.units, after=True)
        held = layout.constant(("step", id(self)), lambda: matrix)
        half = layout.constant(("half", made.shape), lambda: np.full(made.shape, 0.5))
        yield np.matmul, (held, self._pair(state, t, self._rows, after=False), product)
        if not self.inside:
            known = product[:3] if self.cell == "GRU" else product
            yield np.add, (known, scratch["ahead"][t % AHEAD][: len(known)], known)
        if self.cell == "SimpleRNN":
            yield np.tanh, (product[0], new)
        elif self.cell == "LSTM":
            yield from self._lstm(product, scratch["cell"], made, new, half)
        else:
            yield from self._gru(layout, product, scratch, old, new, half)

    def _gru(
        self, layout: Single, product: Array, scratch: Mapping[str, Array], old: Array, new: Array, half: Array
    ) -> Iterator[Call]:
        (reset, update, candidate), made = product[:3], scratch["made"]
        yield np.tanh, (product[:2], product[:2])
        if self.cell == "GRU":
            again = product[3]
            yield np.multiply, (reset, again, again)
        else:
            again, held = made, scratch["cell"]
            kernels = [side.recurrent[:, 2 * self.units :].T / 2 for side in self.sides]
            yield np.multiply, (reset, old, held)
            yield np.add, (held, old, held)  # 2 r h
            yield np.matmul, (layout.constant(("again", id(self)), lambda: np.stack(kernels)), held, again)
        yield np.add, (candidate, again, candidate)
        yield np.tanh, (candidate, candidate)
        yield np.subtract, (old, candidate, made)
        yield np.multiply, (update, half, update)
        yield np.add, (update, half, update)
        yield np.multiply, (update, made, made)
        yield np.add, (candidate, made, new)

    def _lstm(self, product: Array, cell: Array, made: Array, new: Array, half: Array) -> Iterator[Call]:
        (forget, enter, leave, candidate), gates = product, product[:3]
        yield np.tanh, (product, product)
        yield np.multiply, (gates, half, gates)
        yield np.add, (gates, half, gates)
        yield np.multiply, (forget, cell, cell)
        yield np.multiply, (enter, candidate, candidate)
        yield np.add, (cell, candidate, cell)
        yield np.tanh, (cell, made)
        yield np.multiply, (leave, made, new)

    def _ends(self, ys: Sequence[Array], scratch: Mapping[str, Array]) -> Iterator[Call]:
        (first, *states), state, time, u = ys, scratch["state"], self.reads[0].time, self.units
        for d in range(len(self.sides)):
            last = state[0 if d else time, d, :u]
            target = first[:, d * u : (d + 1) * u]
            if not self.sequences:
                yield np.copyto, (target[0], last)
            elif not self.viewed:
                yield np.copyto, (target, state[:time, d, :u] if d else state[1:, d, :u])
            if states:
                yield np.copyto, (states.pop(0)[0], last)
            if states and self.cell == "LSTM":
                yield np.copyto, (states.pop(0)[0], scratch["cell"][d])
