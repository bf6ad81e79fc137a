"""Streams: a network and its plan, listening."""

from __future__ import annotations

from dataclasses import replace
from operator import index

import numpy as np

from numjaz.engine.plan import Plan
from numjaz.engine.runtime.listening import COVERAGE, Listener
from numjaz.errors import NumjazError
from numjaz.layers import Input
from numjaz.model import Model


class Stream(Listener):
    """A network that listens.

    Windows and verdicts are those of the offline run (`numjaz.windows` without its check of the whole
    recording, and the plan's ``predict``), to the bit, however the samples are cut into pushes.

    Parameters
    ----------
    model : Model
        With a contract, one input, and one output of classes.
    rate_hz : float, optional
        The recorded samples' rate; the network's own where none is given.
    hop : int, optional
        Samples, at the network's rate, from one window to the next; the contract's where none is given.
    plan : Plan, optional
        What computes; one for a window at a time is made where none is given.
    units : str
        Of the acceleration: m/s2, g, mg, g/64.
    coverage : float
        Of a window's samples: where fewer are there, the verdict abstains.
    gap_s : float
        No window spans a longer gap.

    Raises
    ------
    NumjazError
        For a model without a contract, and for options that make no sense.

    Examples
    --------
    >>> import numjaz
    >>> stream = numjaz.Stream(numjaz.load("jazbat-watch-1d-activity"), rate_hz=20.0)
    >>> at_rest = np.tile([0.0, 0.0, 9.81], (300, 1))
    >>> [(verdict.end_s, verdict.coverage) for verdict in stream.push(at_rest)]
    [(12.75, 1.0), (14.35, 1.0)]
    """

    def __init__(
        self,
        model: Model,
        rate_hz: float | None = None,
        hop: int | None = None,
        *,
        plan: Plan | None = None,
        units: str = "m/s2",
        coverage: float = COVERAGE,
        gap_s: float = 1.0,
    ) -> None:
        if model.contract is None:
            raise NumjazError("a stream needs a network that says what it expects: Model.derive(contract=…)")
        if len(model.inputs) != 1 or len(model.outputs) != 1:
            raise NumjazError("a stream needs a network of one input and one output")
        features = len(model.contract.features)
        entry = next(node.layer for node in model.nodes if node.name == model.inputs[0])
        if not isinstance(entry, Input) or entry.features != features or len(entry.axes) != 1:
            raise NumjazError(f"a stream gives windows of {features} feature(s), which is not what the network takes")
        if len(model.shapes()[model.outputs[0]]) != 1:
            raise NumjazError("a stream needs a network that gives one row of classes for a window")
        if plan is not None and not (isinstance(plan, Plan) and _same(plan.model, model)):
            raise NumjazError("plan= is not of this network: compile(model)")
        self.model, self.plan = model, plan or Plan(model, 1, np.dtype(np.float32))
        try:
            every = model.contract.hop if hop is None else index(hop)
        except TypeError:
            raise NumjazError(f"hop must be a whole number of samples, not {hop!r:.40}") from None
        contract = replace(model.contract, hop=every)
        super().__init__(
            self.plan.predict,
            contract,
            model.classes or (),
            rate_hz=rate_hz,
            units=units,
            coverage=coverage,
            gap_s=gap_s,
        )


def _same(one: Model, other: Model) -> bool:
    """Whether two models compute the same, whatever is said of them."""
    arrays = zip(one.parameters.values(), other.parameters.values(), strict=False)
    return one.nodes == other.nodes and all(np.array_equal(a, b) for a, b in arrays)
