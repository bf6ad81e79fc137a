"""Plans: a network made ready to run fast, again and again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from numjaz.engine.building import build
from numjaz.engine.passes import PASSES, rewritten
from numjaz.engine.runtime.layout import Block, Single
from numjaz.engine.runtime.runner import BusyError, Runner
from numjaz.errors import NumjazError
from numjaz.inputs import cast
from numjaz.layers import Array, Input
from numjaz.model import Model
from numjaz.nodes import output_shapes, source_of
from numjaz.planning import Tensor

WIDTH = 64  # windows at once, where nobody says how many: more gain nothing, and need more memory
LANES = 16  # widths are multiples of it
FEW = 4  # windows that take less time one after the other than side by side
LENGTHS = 4  # lengths of windows that a plan stays ready for


class Plan:
    """A compiled network; see `compile`.

    Attributes
    ----------
    model : Model
        The network.
    batch : int
        How many windows are computed at once; fewer are filled up with zeros.
    dtype : numpy.dtype
        Of all that is computed.
    """

    def __init__(
        self, model: Model, batch: int, dtype: np.dtype[Any], *, exact: bool = False, without: Iterable[str] = ()
    ) -> None:
        self.model, self.batch, self.dtype, self.exact = model, batch, dtype, exact
        self._rewritten = model if exact else rewritten(model, without)
        self._runners: dict[int, Runner] = {}
        self._window = model.window
        self._free = [
            (node.name, axis)
            for node in model.nodes
            if isinstance(node.layer, Input)
            for axis, length in enumerate(node.layer.axes, start=1)
            if length is None
        ]
        if not exact and self._fits(self._window):
            self._runner(self._window)

    def predict(self, x: Array | Mapping[str, Array]) -> Any:
        """The network's output, as `Model.predict` gives it, in the plan's dtype.

        A window's bits do not depend on which windows stand beside it, nor on how many; but where layers run
        as they are stated: with ``exact``, and for inputs of several lengths.

        Raises
        ------
        NumjazError
            For a wrong shape, a number that the dtype cannot hold; where another thread is in the plan.
        """
        given = self.model.checked(x, finite=False)
        lengths = {given[name].shape[axis] for name, axis in self._free} or {self._window}
        found = None
        if not self.exact and len(lengths) == 1 and self._fits(min(lengths)):
            with _told():
                found = self._runner(min(lengths)).run(given)
        made = found or self.model.reference(cast(given, self.dtype))
        return made if len(made) > 1 else made[self.model.outputs[0]]

    @property
    def arena_bytes(self) -> int:
        """The one block of memory that all that is computed lies in, for windows of the network's length."""
        return 0 if self.exact else self._runner(self._window).program.arena.size

    @property
    def tensors(self) -> list[Tensor]:
        """What lies in the arena: name, bytes, and from which section to which it is needed."""
        return [] if self.exact else self._runner(self._window).program.tensors

    @property
    def steps(self) -> list[str]:
        """What goes through time together: the names of each section's forms."""
        if self.exact:
            return []
        sections = self._runner(self._window).program.sections
        return [", ".join(form.name for form in section.forms) for section in sections] or ["nothing is computed"]

    def explain(self) -> str:
        """What was fused, each step with its share of the work and of the time, and what lies in the arena."""
        from numjaz.engine.explaining import arena_table, fused, steps_table  # who only runs it needs no tables

        how = f"{self.batch} windows at once" if self.batch > 1 else "one window at a time"
        head = f"{how}, {self._window} samples each, {self.dtype}"
        if self.exact:
            return f"{head}; every layer as it is stated"
        runner = self._runner(self._window)
        program = runner.program
        gone = fused(self.model, self._rewritten)
        calls = f"{len(program.calls):,} calls of NumPy; arena of {program.arena.size:,} bytes"
        said = f"fused with others: {', '.join(gone)}" if gone else "nothing was fused"
        with _told(), runner.held():
            return "\n\n".join((f"{head}: {calls}\n{said}", steps_table(program), arena_table(program)))

    def _fits(self, window: int) -> bool:
        """Whether every node makes something of windows of this length; its reference says why not."""
        if window in self._runners:  # every call of `predict` asks
            return True
        try:
            made = output_shapes(self.model.nodes, window)
        except NumjazError:
            return False
        return all(size > 0 for shapes in made.values() for shape in shapes for size in shape)

    def _runner(self, window: int) -> Runner:
        """The plan for windows of a length, made when it is first asked for."""
        if window not in self._runners:
            layout = Single(self.dtype) if self.batch == 1 else Block(self.dtype, self.batch)
            built = build(self._rewritten, window, layout)
            made = output_shapes(self.model.nodes, window)
            shapes = {name: made[node][k] for name, (node, k) in ((n, source_of(n)) for n in self.model.outputs)}
            names = dict(zip(self.model.outputs, built.outputs.values(), strict=True))
            if len(self._runners) >= LENGTHS:
                del self._runners[next(iter(self._runners))]
            self._runners[window] = Runner(built.forms, built.inputs, names, shapes, layout)
        return self._runners[window]


@contextmanager
def _told() -> Iterator[None]:
    """A line where another thread is in the plan."""
    try:
        yield
    except BusyError:
        raise NumjazError(
            "this plan is computing in another thread: compile one for each (Model.predict does)"
        ) from None


def compile(
    model: Model,
    batch: int | None = None,
    dtype: Any = np.float32,
    *,
    exact: bool = False,
    without: Iterable[str] = (),
) -> Plan:
    """Make a network ready to run fast.

    Parameters
    ----------
    model : Model
        Any; layers without a fast form run as they are stated.
    batch : int, optional
        How many windows come at once. One: the least time to an answer. More: as many together, up to
        64, which is also what is taken where nothing is said; then time goes into many windows at once.
    dtype : dtype
        float32 or float64; what is given is cast to it.
    exact : bool
        Run the layers as they are stated instead: the reference's bits, at its speed.
    without : iterable of str
        Passes to leave out, of `numjaz.engine.PASSES`.

    Returns
    -------
    Plan

    Raises
    ------
    NumjazError
        For a batch, dtype or pass that there is not.

    Examples
    --------
    >>> import numjaz, numpy as np
    >>> plan = numjaz.compile(numjaz.jazbat(), batch=1)
    >>> plan.predict(np.zeros((1, 256, 1), dtype=np.float32)).shape
    (1, 6)
    """
    kind, batch = asked_dtype(dtype), None if batch is None else asked_batch(batch)
    without = tuple(without)
    unknown = sorted(set(without) - set(PASSES))
    if unknown:
        raise NumjazError(f"no pass is named {unknown[0]!r:.60}; there are {', '.join(PASSES)}")
    width = WIDTH if batch is None else 1 if batch == 1 else min(-(-batch // LANES) * LANES, WIDTH)
    return Plan(model, width, kind, exact=exact, without=without)


def asked_dtype(dtype: Any) -> np.dtype[Any]:
    """What to compute in; `NumjazError` for anything but float32 and float64."""
    try:
        kind: np.dtype[Any] | None = np.dtype(dtype) if dtype is not None else None
    except TypeError:
        kind = None
    if kind is None or kind not in (np.float32, np.float64):
        raise NumjazError(f"dtype {dtype!r:.60}: a network computes in float32 or float64")
    return kind


def asked_batch(batch: object) -> int:
    """How many windows at once; `NumjazError` for anything but a positive whole number."""
    if isinstance(batch, bool) or not isinstance(batch, int) or batch < 1:
        raise NumjazError(f"batch must be a whole number, 1 or more, not {batch!r:.60}")
    return batch


def plan_for(model: Model, kept: dict[Any, Plan], windows: int, dtype: np.dtype[Any]) -> Plan:
    """The plan for so many windows, of those that are ``kept``: for one, a few, or many at once."""
    width = 1 if windows <= FEW else LANES if windows <= 2 * LANES else WIDTH
    if (width, dtype) not in kept:
        kept[width, dtype] = Plan(model, width, dtype)
    return kept[width, dtype]
