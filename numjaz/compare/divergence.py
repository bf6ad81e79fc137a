"""Where two runs of a network part: the first node that no rounding explains, and what is the matter with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from numjaz.compare.diagnosis import diagnose, undetectable
from numjaz.compare.differences import NodeDifference
from numjaz.compare.fitting import fitted, levelled
from numjaz.compare.matching import match, near
from numjaz.compare.rounding import arithmetic
from numjaz.compare.runs import Run, run_model
from numjaz.compare.walking import Suspect, Walk, walk
from numjaz.errors import NumjazError
from numjaz.layers import Array, Input
from numjaz.model import Model

WINDOWS, SCALES = 8, (0.3, 1.0, 3.0)
LENGTH = 64  # samples of generated windows, where the network takes any number
PAIRED = 1  # outputs, from the first, at which two faults at once are looked for


@dataclass(frozen=True)
class Fault:
    """What is the matter with one node.

    Attributes
    ----------
    node : str
        The output where it is; of several suspects the one whose fault explains it, else the one that was recorded.
    cause, fix : str
        What it is and what mends it; several names of one function are joined by "or". ``unknown`` and None where no
        known fault explains it.
    confidence : float
        One over the number of functions that explain what was recorded; 0 for an unknown cause.
    others : tuple of str
        The other functions, which these inputs do not tell from it.
    evidence : str
        The difference before and after, as a share of what rounding allows, and how many faults were tried.
    """

    node: str
    cause: str
    fix: str | None
    confidence: float
    others: tuple[str, ...]
    evidence: str


@dataclass(frozen=True)
class Comparison:
    """What `compare` finds.

    Attributes
    ----------
    agree : bool
        Whether rounding explains every difference.
    node : str or None
        The first output at which it does not.
    cause, fix : str or None
        What the fault is, and what mends it; ``unknown`` and None where that is not known.
    nodes : tuple of NodeDifference
        In the order of the network.
    matched : dict of str to str
        What each output is called in the other run, where that is not its own name.
    unmatched : tuple of str
        Outputs of the network that the other run has not: nothing is said of them but through those behind them.
    faults : tuple of Fault
        Every node with a fault of its own, in the order of the network.
    walk : Walk
        All that the comparison has seen.
    """

    agree: bool
    node: str | None
    cause: str | None
    fix: str | None
    nodes: tuple[NodeDifference, ...]
    matched: Mapping[str, str]
    unmatched: tuple[str, ...]
    faults: tuple[Fault, ...]
    walk: Walk = field(repr=False, compare=False)

    @cached_property
    def undetectable(self) -> tuple[tuple[str, str], ...]:
        """Where the two agree: nodes and known faults of theirs that would not show, being within rounding here."""
        found = []
        for suspect in self.walk.sites() if self.agree else ():
            with arithmetic(suspect.arithmetic):
                found += [(suspect.name, cause) for cause in undetectable(suspect.site)]
        return tuple(found)

    @property
    def first(self) -> NodeDifference | None:
        """The first output that no rounding explains."""
        return next((each for each in self.nodes if each.fault), None)


def compare(model: Model, other: Model | Run, x: Array | Mapping[str, Array] | None = None) -> Comparison:
    """Find the first node at which another run of a network is not what rounding can make of this one.

    Parameters
    ----------
    model : Model
        The network as numjaz knows it.
    other : Model or Run
        Another network, or a recording of one, with the inputs that it was given.
    x : array (N, T, F), or a dict by input node, optional
        For another network; without it, windows that excite every unit are made.

    Raises
    ------
    NumjazError
        Where the two have nothing in common, or the inputs do not fit.

    Examples
    --------
    >>> import numjaz
    >>> right = numjaz.jazbat(units=4, modules=1)
    >>> wrong = right.replace({"module1_merge/bias": right.parameters["module1_merge/bias"] + 0.01})
    >>> found = compare(right, wrong)
    >>> found.agree, found.node
    (False, 'module1_merge')
    """
    if isinstance(other, Run):
        if x is not None:
            raise NumjazError("a recording has its own inputs; leave x out")
        run = other
    else:
        run = run_model(other, excite(model) if x is None else x, "the other")
    run = fitted(run, model)
    own = run_model(model, run.inputs)
    run = levelled(run, own, model)
    matched = match(own.outputs, run.outputs)
    if not matched:
        raise NumjazError(f"{run.name}: no output has the name or the shape of one of the network's")
    seen = walk(model, own, run, matched, other if isinstance(other, Model) else None)
    wrong = [each for each in seen.found.values() if each.fault]
    faults = tuple(_fault(each, seen.suspects.get(each.name, []), k < PAIRED) for k, each in enumerate(wrong))
    if not faults and not any(name in matched or _is_there(own.outputs[name], run) for name in model.outputs):
        raise NumjazError(
            f"{run.name}: agrees where it was recorded, but no output of the network ({', '.join(model.outputs)}) is "
            "in it in a shape that fits: nothing can be said of that"
        )
    first = faults[0] if faults else Fault("", "", None, 0.0, (), "")
    return Comparison(
        not faults,
        first.node or None,
        first.cause or None,
        first.fix,
        tuple(seen.found.values()),
        {name: there for name, there in matched.items() if name != there},
        tuple(name for name in own.outputs if name not in matched and name not in model.inputs),
        faults,
        seen,
    )


def _is_there(own: Array, run: Run) -> bool:
    """Whether an output is in a run under whatever name; it may be that of another node, too, which is the same."""
    return any(near(own, there) for there in run.outputs.values())


def _fault(where: NodeDifference, suspects: list[Suspect], pairs: bool) -> Fault:
    """What is the matter where a fault shows."""
    tried = 0
    before = f"{where.ratio:.3g} times the bound"
    alone = (True,) if len(suspects) == 1 else (False, True)  # of several, single faults of each come first
    for both in alone if pairs else (False,):
        for suspect in suspects:
            with arithmetic(suspect.arithmetic):
                found = diagnose(suspect.site, both)
            tried += found.tried
            if found.causes:
                cause, *others = found.causes
                evidence = f"{before}, {cause.left:.2g} times if this is it; {tried:,} faults tried"
                names = tuple(each.name for each in others)
                fix = f"{suspect.name}: {cause.fix}"
                return Fault(suspect.name, cause.name, fix, 1 / len(found.causes), names, evidence)
    return Fault(where.name, "unknown", None, 0.0, (), f"{before}; none of {tried:,} known faults explains it")


def excite(model: Model, window: int | None = None, seed: int = 0) -> dict[str, Array]:
    """Windows of several sizes of numbers, so that gates open and close and every unit speaks: float32."""
    rng, made = np.random.default_rng(seed), {}
    length = window or (model.contract.window if model.contract else LENGTH)
    for node in model.nodes:
        if isinstance(node.layer, Input):
            shape = (*(n or length for n in node.layer.axes), node.layer.features)
            parts = [scale * rng.normal(size=(WINDOWS, *shape)) for scale in SCALES]
            made[node.name] = np.concatenate(parts).astype(np.float32)
    return made
