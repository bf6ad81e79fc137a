"""Where two runs of a network part: node by node, what differs, what was inherited, and what rounding may do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from numjaz.compare.diagnosis import diagnose
from numjaz.compare.isolated import DEVIATIONS, alone, largest_windows, likely
from numjaz.compare.matching import laid_out, match
from numjaz.compare.precision import coarsest, held_in, numbers
from numjaz.compare.rounding import UNITS, Arithmetic, arithmetic
from numjaz.compare.runs import Run, run_model
from numjaz.errors import NumjazError
from numjaz.layers import Activation, Array, Conv1D, Dense, DepthwiseConv1D, Input, Layer, SeparableConv1D
from numjaz.model import Model
from numjaz.nodes import Node, output_key, owned_parameters

WINDOWS, SCALES = 8, (0.3, 1.0, 3.0)
PEERS, MANY = 2, 1000  # nodes of a kind that tell how the sums of another are kept; numbers of each
PARTS = 32  # of the time, in which differences are told apart
READ = {(each, "kernel") for each in ("query", "key", "value")}  # (channels read, heads, made): one axis is summed
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
    expected : float
        How large it is likely to be by rounding.
    relative : float
        The largest difference between the two runs, over the largest number of the output.
    ulp : float
        The same in units in the last place of that number, in the dtype that was recorded.
    share : float
        The share of numbers that differ at all in that dtype.
    ratio : float
        Isolated difference over bound, number by number, where it is largest; above 1 no rounding explains it.
    inherited : bool
        Whether the runs differ here, by more than this node's own rounding, because its inputs do.
    where : tuple of int
        Window, time and channel, there.
    suspects : tuple of str
        The nodes that it may lie in: this one, and those before it that nobody recorded.
    over_time : tuple of float
        The largest difference between the runs in each part of the time, as a share of the largest number; one for an
        output without time.
    """

    name: str
    max_abs: float
    isolated: float
    bound: float
    expected: float
    relative: float
    ulp: float
    share: float
    ratio: float
    inherited: bool
    where: tuple[int, ...]
    suspects: tuple[str, ...]
    over_time: tuple[float, ...]

    @property
    def fault(self) -> bool:
        """Whether rounding cannot be all."""
        return not self.ratio <= 1

    @property
    def verdict(self) -> str:
        """The difference in words: ``a fault``, ``inherited`` or ``rounding``."""
        return "a fault" if self.fault else "inherited" if self.inherited else "rounding"


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
    run = numbers(run, {node.name for node in model.nodes})
    own = run_model(model, run.inputs)
    matched = match(own.outputs, run.outputs)
    if not matched:
        raise NumjazError(f"{run.name}: no output has the name or the shape of one of the network's")
    nodes = tuple(_summed(model, own, run, matched))
    first = next((each for each in nodes if each.fault), None)
    renamed = {name: there for name, there in matched.items() if name != there}
    if first is None:
        return Comparison(True, None, None, None, nodes, renamed)
    cause, fix = _diagnosed(model, own, run, matched, first)
    return Comparison(False, first.name, cause, fix, nodes, renamed)


def _diagnosed(
    model: Model, own: Run, run: Run, matched: Mapping[str, str], first: NodeDifference
) -> tuple[str, str | None]:
    """What a fault is, where all that its node read and made was recorded."""
    node = next(node for node in model.nodes if node.name == first.suspects[-1])
    sources = [output_key(*source) for source in node.inputs]
    keys = _keys(own, node)
    there = {**run.inputs, **{key: laid_out(run.outputs[name], own.outputs[key]) for key, name in matched.items()}}
    if len(first.suspects) > 1 or not all(key in there for key in (*sources, *keys)):
        return "unknown", None
    params = {name: model.parameters[f"{node.owner}/{name}"] for name in owned_parameters(model.nodes)[node.owner]}
    dtype = str(next(iter(run.inputs.values())).dtype)
    with arithmetic(Arithmetic(UNITS[dtype], _terms(params))):
        inputs, recorded = (tuple(there[key] for key in names) for names in (sources, keys))
        found = diagnose(node.layer, params, inputs, recorded)
    return (" or ".join(found.causes), f"{node.name}: {found.fix}") if found else ("unknown", None)


def _keys(own: Run, node: Node) -> list[str]:
    """What a node's outputs are called."""
    return [key for key in own.outputs if key == node.name or key.startswith(f"{node.name}[")]


def _terms(params: Mapping[str, Array]) -> int:
    """Into how many terms the products of a layer may be summed at once."""
    groups: dict[str, int] = {}
    for name, array in params.items():
        owner, _, kind = name.rpartition("/")
        read = array.shape[:1] if (owner, kind) in READ else array.shape[:-1]
        groups[owner] = groups.get(owner, 0) + int(np.prod(read))
    return max(groups.values(), default=0)


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


def _before(layer: Layer) -> Layer | None:
    """The layer without the activation at its end, which many write as a step of its own."""
    if isinstance(layer, (Conv1D, DepthwiseConv1D, SeparableConv1D, Dense)) and layer.activation != "linear":
        return replace(layer, activation="linear")
    return None


def _summed(model: Model, own: Run, run: Run, matched: Mapping[str, str]) -> list[NodeDifference]:
    """The differences; of a float16 run by sums kept in float32, as most frameworks keep them, where its nodes show it.

    A node beyond that bound has a fault only if others of its kind, whose sums are as long and many, stay within: a
    framework that sums in float16, as Eigen does, does so in all of them.
    """
    if all(array.dtype != np.float16 for array in (*run.inputs.values(), *run.outputs.values())):
        return _differences(model, own, run, matched)
    fine = _differences(model, own, run, matched, UNITS["float32"])
    beyond = {each.suspects[-1] for each in fine if each.fault}
    if not beyond:
        return fine
    seen = {each.suspects[-1] for each in fine}.intersection(own.outputs)
    kinds = {node.name: (type(node.layer), _terms(_params(model, node))) for node in model.nodes if node.name in seen}

    def alone_beyond(name: str) -> bool:
        kind, terms = kinds[name]
        alike = {each for each in kinds if kinds[each][0] is kind and kinds[each][1] >= terms / 2}
        telling = [each for each in alike - {name} if own.outputs[each].size >= MANY]
        return len(telling) >= PEERS and beyond & alike == {name}

    coarse = {each.name: each for each in _differences(model, own, run, matched)}
    return [each if not each.fault or alone_beyond(each.suspects[-1]) else coarse.get(each.name, each) for each in fine]


def _params(model: Model, node: Node) -> dict[str, Array]:
    owned = owned_parameters(model.nodes)[node.owner]
    return {name: model.parameters[f"{node.owner}/{name}"] for name in owned}


def _differences(
    model: Model, own: Run, run: Run, matched: Mapping[str, str], sums: float = 0.0
) -> list[NodeDifference]:
    owned = owned_parameters(model.nodes)
    few = largest_windows(run.inputs.values())
    dtype = coarsest((*run.inputs.values(), *run.outputs.values()))  # autocast gives float32 what float16 made
    odds: dict[str, Array] = {}  # of what nobody recorded, on a few windows: values and standard deviations
    held: dict[str, Array] = dict(run.inputs)  # recorded, or what this side makes of what was
    behind: dict[str, tuple[str, ...]] = dict.fromkeys(run.inputs, ())  # nodes that nobody recorded
    early: dict[str, tuple[Array, NodeDifference]] = {}  # recorded before the activation, as it seems
    found: dict[str, NodeDifference] = {}
    for node in model.nodes:
        if isinstance(node.layer, Input):
            continue
        keys = _keys(own, node)
        sources = [output_key(*source) for source in node.inputs]
        suspects = (*dict.fromkeys(name for source in sources for name in behind[source]), node.name)
        recorded = tuple(
            laid_out(run.outputs[matched[key]], own.outputs[key]) if key in matched else own.outputs[key]
            for key in keys
        )
        params = {name: held_in(dtype, model.parameters[f"{node.owner}/{name}"]) for name in owned[node.owner]}

        def judged(layer: Layer, given: Mapping[str, Array]) -> tuple[tuple[Array, ...], list[NodeDifference]]:
            inputs = tuple(held_in(dtype, given[source]) for source in sources)  # noqa: B023  called at once
            made = alone(layer, params, inputs, recorded)  # noqa: B023
            parts = tuple(odds.get(source, x.real[few]) for source, x in zip(sources, inputs, strict=True))  # noqa: B023
            typical = likely(layer, params, parts, tuple(there[few] for there in recorded))  # noqa: B023
            odds.update((key, y) for key, y in zip(keys, typical, strict=True) if key not in matched)  # noqa: B023
            came = any(not np.array_equal(given[source], own.outputs[source]) for source in sources)  # noqa: B023
            return made, [
                _difference(key, own.outputs[key], recorded[k], made[k], typical[k], suspects, came)  # noqa: B023
                for k, key in enumerate(keys)  # noqa: B023
                if key in matched
            ]

        with arithmetic(Arithmetic(UNITS[dtype], _terms(params), sums if dtype == "float16" else 0.0)):
            made, differences = judged(node.layer, held)
            wrong = any(each.fault for each in differences)
            missing = {source: early[source] for source in sources if source in early}
            if wrong and missing:  # or was there no activation at all?
                raw = {**held, **{source: there for source, (there, _) in missing.items()}}
                other, others = judged(node.layer, raw)
                if not any(each.fault for each in others):
                    made, differences, wrong, held = other, others, False, raw
                    found |= {source: fault for source, (_, fault) in missing.items()}
            before = _before(node.layer)
            if wrong and before is not None:
                _, plain = judged(before, held)
                if not any(each.fault for each in plain):
                    early[node.name] = (recorded[0], differences[0])
                    activation = Activation(node.layer.activation)  # type: ignore[attr-defined]
                    (held[node.name],) = alone(activation, {}, recorded, recorded)
                    behind[node.name], found[node.name] = (), plain[0]
                    continue
        found |= {each.name: each for each in differences}
        for key, value, there in zip(keys, made, recorded, strict=True):
            held[key], behind[key] = (there, ()) if key in matched else (value, suspects)
    return list(found.values())


def _difference(
    name: str, own: Array, there: Array, value: Array, typical: Array, suspects: tuple[str, ...], came: bool
) -> NodeDifference:
    difference = np.abs(there.astype(np.float64) - own.astype(np.float64))
    isolated = np.abs(there.astype(np.float64) - value.real)
    bound = value.imag
    with np.errstate(all="ignore"):
        ratio: Any = np.where(isolated == 0, 0.0, isolated / bound)
        share = float((own.astype(there.dtype) != there).mean()) if there.size else 0.0
    ratio = np.where(np.isnan(ratio) | ~np.isfinite(there), np.inf, ratio)
    if not ratio.size:
        return NodeDifference(name, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, False, (), suspects, ())
    where = np.unravel_index(int(np.argmax(ratio)), ratio.shape)
    worst, most, largest = float(ratio[where]), float(difference.max()), float(np.abs(own).max())
    with np.errstate(all="ignore"):
        place = float(np.spacing(there.dtype.type(largest)))
    return NodeDifference(
        name,
        most,
        float(isolated.max()),
        float(bound.max()),
        DEVIATIONS * float(typical.imag.max(initial=0.0)),
        most / largest if largest else np.inf if most else 0.0,
        most / place,
        share,
        worst,
        bool(came and worst <= 1 and (difference > bound).any()),
        tuple(int(k) for k in where),
        suspects,
        _over_time(difference, own),
    )


def _over_time(difference: Array, own: Array) -> tuple[float, ...]:
    largest = float(np.abs(own).max()) or 1.0
    if difference.ndim != 3:
        return (float(difference.max()) / largest,)
    parts = np.array_split(difference, min(PARTS, difference.shape[1]), axis=1)
    return tuple(float(part.max()) / largest for part in parts)
