"""A bound plan: arrays in, calls made one after the other, arrays out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Lock

import numpy as np

from numjaz.engine.runtime.forms import Form, Value
from numjaz.engine.runtime.layout import Array, Single
from numjaz.engine.runtime.program import Program


class BusyError(RuntimeError):
    """Raised where a plan is asked while it computes: its memory is one."""


class Runner:
    """Runs a program block by block.

    Parameters
    ----------
    forms : sequence of Form
        In the order of execution.
    inputs, outputs : dict of str to Value
        By the names of the network's.
    shapes : dict of str to tuple
        Each output's shape without the batch.
    layout : Single or Block
        How many windows are computed at once.
    """

    def __init__(
        self,
        forms: Sequence[Form],
        inputs: Mapping[str, Value],
        outputs: Mapping[str, Value],
        shapes: Mapping[str, tuple[int, ...]],
        layout: Single,
    ) -> None:
        self.layout, self.shapes = layout, dict(shapes)
        self.program = Program(forms, list(inputs.values()), list(outputs.values()), layout)
        self._inputs = {name: self.program.inputs[value.name] for name, value in inputs.items()}
        self._outputs = {name: self.program.outputs[value.name] for name, value in outputs.items()}
        self._finite = {name: np.empty(array.shape, np.bool_) for name, array in self._inputs.items()}
        self._lock = Lock()

    def run(self, given: Mapping[str, Array]) -> dict[str, Array] | None:
        """Every output (N, …) for inputs (N, T, C), or None where an input holds a number that is not finite.

        What an interrupted run left behind does not matter to the next: each begins from its inputs.
        """
        with self.held():
            return self._run(given)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep others out, or raise `BusyError`; two that ask in the same moment go one after the other."""
        if self._lock.locked():
            raise BusyError
        with self._lock:  # of itself: an interrupt between taking it and a try would leave it taken
            yield

    def _run(self, given: Mapping[str, Array]) -> dict[str, Array] | None:
        layout, calls = self.layout, self.program.calls
        count = len(next(iter(given.values())))
        made = {name: np.empty((count, *shape), layout.dtype) for name, shape in self.shapes.items()}
        flat = {
            name: array.reshape(count, math.prod(array.shape[1:-1]), array.shape[-1]) for name, array in made.items()
        }
        with np.errstate(all="ignore"), _small_buffers():  # once for all; that inputs are finite is asked below
            for first in range(0, count, layout.width):
                block = slice(first, first + layout.width)
                for name, x in given.items():
                    layout.load(_flat(x[block]), self._inputs[name])
                    np.isfinite(self._inputs[name], self._finite[name])
                    if not self._finite[name].all():
                        return None
                for call, arguments in calls:
                    call(*arguments)
                for name, array in self._outputs.items():
                    layout.unload(array, flat[name][block])
        return made


@contextmanager
def _small_buffers() -> Iterator[None]:
    """Keep NumPy from copying what does not lie in one piece into buffers of its own: none of it needs another type."""
    kept = np.setbufsize(16)
    try:
        yield
    finally:
        np.setbufsize(kept)


def _flat(array: Array) -> Array:
    """(N, …, channels) as (N, rows, channels)."""
    return array.reshape(len(array), math.prod(array.shape[1:-1]), array.shape[-1])
