"""Where two runs of a network part: node by node, what differs, what was inherited, and what rounding may do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

import numpy as np

from numjaz.compare.isolated import alone
from numjaz.compare.rounding import UNITS, Arithmetic, arithmetic
from numjaz.compare.runs import Run, run_model
from numjaz.errors import NumjazError
from numjaz.layers import Array, Input
from numjaz.model import Model
from numjaz.nodes import output_key, owned_parameters

WINDOWS, SCALES = 8, (0.3, 1.0, 3.0)
LENGTH = 64  # samples of generated windows, where the network takes any number


@dataclass(frozen=True)
class NodeDifference:
    """How a node's output in one run stands to the other's.

    Attributes
    ----------
    name : str
        The output of a node: ``node``, or ``node[1]``.
    max_abs : float
        The largest difference between the two runs.
    isolated : float
        The largest difference between what was recorded and what this node makes of the recorded inputs.
    bound : float
        How large that may be by rounding, at most.
    ratio : float
        Isolated difference over bound, number by number, where it is largest; above 1 no rounding explains it.
    inherited : bool
        Whether the runs differ here although this node does what it should.
    where : tuple of int
        Window, time and channel, there.
    suspects : tuple of str
        The nodes that it may lie in: this one, and those before it that nobody recorded.
    """

    name: str
    max_abs: float
    isolated: float
    bound: float
    ratio: float
    inherited: bool
    where: tuple[int, ...]
    suspects: tuple[str, ...]

    @property
    def fault(self) -> bool:
        """Whether rounding cannot be all."""
        return not self.ratio <= 1


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
    """

    agree: bool
    node: str | None
    cause: str | None
    fix: str | None
    nodes: tuple[NodeDifference, ...]
    matched: Mapping[str, str]


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
    own = run_model(model, run.inputs)
    matched = match(own.outputs, run.outputs)
    if not matched:
        raise NumjazError(f"{run.name}: no output has the name or the shape of one of the network's")
    nodes = tuple(_differences(model, own, run, matched))
    first = next((each.name for each in nodes if each.fault), None)
    renamed = {name: there for name, there in matched.items() if name != there}
    return Comparison(first is None, first, None if first is None else "unknown", None, nodes, renamed)


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


def match(own: Mapping[str, Array], other: Mapping[str, Array]) -> dict[str, str]:
    """What each output is called in the other run: the same, or what stands at the same place with the same shape."""
    found = {name: name for name in own if name in other and own[name].shape == other[name].shape}
    rest = [name for name in own if name not in found]
    there = [name for name in other if name not in found.values()]
    shapes = [run[name].shape for run, names in ((own, rest), (other, there)) for name in names]
    alike = SequenceMatcher(None, shapes[: len(rest)], shapes[len(rest) :], autojunk=False)
    for block in alike.get_matching_blocks():
        found |= {rest[block.a + k]: there[block.b + k] for k in range(block.size)}
    return {name: found[name] for name in own if name in found}


def _differences(model: Model, own: Run, run: Run, matched: Mapping[str, str]) -> list[NodeDifference]:
    owned = owned_parameters(model.nodes)
    dtype = str(next(iter(run.inputs.values())).dtype)
    if dtype not in UNITS:
        raise NumjazError(f"{run.name}: recorded as {dtype}; known are {', '.join(UNITS)}")
    held: dict[str, Array] = dict(run.inputs)  # recorded, or what this side makes of what was
    behind: dict[str, tuple[str, ...]] = dict.fromkeys(run.inputs, ())  # nodes that nobody recorded
    found = []
    for node in model.nodes:
        if isinstance(node.layer, Input):
            continue
        keys = [key for key in own.outputs if key == node.name or key.startswith(f"{node.name}[")]
        inputs = tuple(held[output_key(*source)] for source in node.inputs)
        before = tuple(dict.fromkeys(name for source in node.inputs for name in behind[output_key(*source)]))
        recorded = tuple(run.outputs[matched[key]] if key in matched else own.outputs[key] for key in keys)
        params = {name: model.parameters[f"{node.owner}/{name}"] for name in owned[node.owner]}
        terms = sum(int(np.prod(a.shape[:-1])) for a in params.values())
        with arithmetic(Arithmetic(UNITS[dtype], terms)):
            made = alone(node.layer, params, inputs, recorded)
        for key, value, there in zip(keys, made, recorded, strict=True):
            if key not in matched:
                held[key], behind[key] = value, (*before, node.name)
                continue
            held[key], behind[key] = there, ()
            found.append(_difference(key, own.outputs[key], there, value, (*before, node.name)))
    return found


def _difference(name: str, own: Array, there: Array, value: Array, suspects: tuple[str, ...]) -> NodeDifference:
    difference = np.abs(there.astype(np.float64) - own.astype(np.float64))
    isolated = np.abs(there.astype(np.float64) - value.real)
    bound = value.imag
    with np.errstate(all="ignore"):
        ratio: Any = np.where(isolated == 0, 0.0, isolated / bound)
    ratio = np.where(np.isnan(ratio) | ~np.isfinite(there), np.inf, ratio)
    if not ratio.size:
        return NodeDifference(name, 0.0, 0.0, 0.0, 0.0, False, (), suspects)
    where = np.unravel_index(int(np.argmax(ratio)), ratio.shape)
    worst = float(ratio[where])
    return NodeDifference(
        name,
        float(difference.max()),
        float(isolated.max()),
        float(bound.max()),
        worst,
        bool(worst <= 1 and (difference > bound).any()),
        tuple(int(k) for k in where),
        suspects,
    )
