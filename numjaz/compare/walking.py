"""A network gone through node by node, each on what the other side recorded before it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from numjaz.compare.differences import NodeDifference, difference, unlike
from numjaz.compare.faults.edit import Site
from numjaz.compare.isolated import alone, largest_windows, likely
from numjaz.compare.matching import laid_out
from numjaz.compare.precision import coarsest, held_in
from numjaz.compare.rounding import UNITS, Arithmetic, arithmetic
from numjaz.compare.runs import Run
from numjaz.errors import NumjazError
from numjaz.layers import (
    Activation,
    Array,
    BatchNormalization,
    Conv1D,
    Dense,
    DepthwiseConv1D,
    Input,
    Layer,
    SeparableConv1D,
)
from numjaz.layers.base import Arrays, Parameters
from numjaz.model import Model
from numjaz.nodes import Node, output_key, owned_parameters, source_of

READ = {(each, "kernel") for each in ("query", "key", "value")}  # (channels read, heads, made): one axis is summed
UNFIT = (NumjazError, ValueError, IndexError)


class Suspect(NamedTuple):
    """A node that a fault may lie in, and the arithmetic in which it is judged."""

    name: str
    site: Site
    arithmetic: Arithmetic


@dataclass
class Place:
    """A node among what was recorded."""

    node: Node
    keys: list[str]
    sources: list[str]
    params: Parameters
    recorded: Arrays
    arithmetic: Arithmetic


class Walk:
    """What a walk has seen: a difference an output, and for each fault the nodes that it may lie in.

    Attributes
    ----------
    found : dict of str to NodeDifference
        By output, in the order of the network.
    suspects : dict of str to list of Suspect
        By output at which a fault shows; none where not all that a node made was recorded.
    """

    def __init__(
        self, model: Model, own: Run, run: Run, matched: Mapping[str, str], other: Model | None, sums: float = 0.0
    ) -> None:
        self.model, self.own, self.run, self.matched, self.other, self.sums = model, own, run, matched, other, sums
        self.owned = owned_parameters(model.nodes)
        self.found: dict[str, NodeDifference] = {}
        self.suspects: dict[str, list[Suspect]] = {}
        self._dtype = coarsest((*run.inputs.values(), *run.outputs.values()))  # autocast widens what float16 made
        self._few = largest_windows(run.inputs.values())
        self._odds: dict[str, Array] = {}  # of what nobody recorded, on a few windows: values and standard deviations
        self._held: dict[str, Array] = dict(run.inputs)  # recorded, or what this side makes of what was
        self._behind: dict[str, tuple[str, ...]] = dict.fromkeys(run.inputs, ())  # nodes that nobody recorded
        self._early: dict[str, tuple[Array, NodeDifference]] = {}  # recorded before the activation, as it seems
        self.places: dict[str, Place] = {}
        for node in model.nodes:
            if not isinstance(node.layer, Input):
                self._visit(node)
        self._end()

    def _visit(self, node: Node) -> None:
        place = self.places[node.name] = self._place(node)
        suspects = (*dict.fromkeys(name for source in place.sources for name in self._behind[source]), node.name)
        with arithmetic(place.arithmetic):
            try:
                made = self._judged(place, node.layer, self._held, suspects)
            except UNFIT:  # shapes that do not fit together: of what was recorded here, or of the inputs already
                made = place.recorded
                came = any(self._held[source].shape != self._own(source).shape for source in place.sources)
                self.found |= {key: unlike(key, suspects, came) for key in place.keys if key in self.matched}
            else:
                if made is None:
                    return
        for key, value, there in zip(place.keys, made, place.recorded, strict=True):
            self._held[key], self._behind[key] = (there, ()) if key in self.matched else (value, suspects)

    def _place(self, node: Node) -> Place:
        keys = [key for key in self.own.outputs if key == node.name or key.startswith(f"{node.name}[")]
        sources = [output_key(*source) for source in node.inputs]
        recorded = tuple(
            laid_out(self.run.outputs[self.matched[key]], self.own.outputs[key])
            if key in self.matched
            else self.own.outputs[key]
            for key in keys
        )
        dtype = self._dtype
        params = {name: held_in(dtype, a) for name, a in self._arrays(node.owner).items()}
        kind = Arithmetic(UNITS[dtype], _terms(params), self.sums if dtype == "float16" else 0.0)
        return Place(node, keys, sources, params, recorded, kind)

    def _arrays(self, owner: str) -> Parameters:
        return {name: self.model.parameters[f"{owner}/{name}"] for name in self.owned[owner]}

    def _judged(self, place: Place, layer: Layer, held: dict[str, Array], suspects: tuple[str, ...]) -> Arrays | None:
        """What the node makes of what was recorded, once its outputs are judged; None where all is said."""
        made, differences = self._differences(place, layer, held, suspects)
        missing = {source: self._early[source] for source in place.sources if source in self._early}
        if _wrong(differences) and missing:  # or was there no activation at all?
            raw = {**held, **{source: there for source, (there, _) in missing.items()}}
            other, others = self._differences(place, layer, raw, suspects)
            if not _wrong(others):
                made, differences = other, others
                self._held = raw
                for source, (_, fault) in missing.items():
                    self.found[source] = fault
        before = without_activation(layer)
        if _wrong(differences) and before is not None:
            _, plain = self._differences(place, before, held, suspects)
            if not _wrong(plain):
                self._note_early(place, differences[0], plain[0])
                return None
        self.found |= {each.name: each for each in differences}
        if _wrong(differences):
            self.suspects |= {each.name: self._sites(suspects) for each in differences if each.fault}
        return made

    def _note_early(self, place: Place, fault: NodeDifference, plain: NodeDifference) -> None:
        """Recorded before the activation: most likely that is a step of its own, which nobody recorded."""
        name = place.node.name
        self._early[name] = (place.recorded[0], fault)
        self.suspects[name] = self._sites((name,))
        activation = Activation(place.node.layer.activation)  # type: ignore[attr-defined]
        (self._held[name],) = alone(activation, {}, place.recorded, place.recorded)
        self._behind[name], self.found[name] = (), plain

    def _end(self) -> None:
        """An output of the network before its activation is a fault, unless the activated one was recorded too."""
        rest = [array for name, array in self.run.outputs.items() if name not in self.matched.values()]
        for name, (_, fault) in self._early.items():
            y = self._held[name]
            there = any(a.shape == y.shape and bool((np.abs(a - y.real) <= y.imag).all()) for a in rest)
            if name in self.model.outputs and not there:
                self.found[name] = fault

    def _differences(
        self, place: Place, layer: Layer, held: Mapping[str, Array], suspects: tuple[str, ...]
    ) -> tuple[Arrays, list[NodeDifference]]:
        inputs = tuple(held_in(self._dtype, held[source]) for source in place.sources)
        seen = place.recorded if any(key in self.matched for key in place.keys) else ()
        made = alone(layer, place.params, inputs, seen)
        few = self._few
        parts = tuple(self._odds.get(source, x.real[few]) for source, x in zip(place.sources, inputs, strict=True))
        typical = likely(layer, place.params, parts, tuple(there[few] for there in seen))
        self._odds |= {key: y for key, y in zip(place.keys, typical, strict=True) if key not in self.matched}
        came = any(not np.array_equal(held[source], self._own(source)) for source in place.sources)
        return made, [
            difference(key, self.own.outputs[key], place.recorded[k], made[k], typical[k], suspects, came)
            for k, key in enumerate(place.keys)
            if key in self.matched
        ]

    def _own(self, key: str) -> Array:
        return self.own.outputs[key] if key in self.own.outputs else self.own.inputs[key]

    def _sites(self, names: tuple[str, ...]) -> list[Suspect]:
        """The nodes that a fault may lie in, the one that was recorded first."""
        last = self.places[names[-1]]
        if not all(key in self.matched for key in last.keys):
            return []
        found = []
        for name in reversed(names):
            place = self.places[name]
            inputs = tuple(held_in(self._dtype, self._held[source]) for source in place.sources)
            # A batch normalization may stand before an activation or behind it; nobody else is asked.
            asked = place.sources if isinstance(place.node.layer, BatchNormalization) else []
            pairs = [self._before_activation(source) for source in asked]
            site = Site(
                place.node.layer,
                place.params,
                inputs,
                last.recorded,
                raw=tuple(raw for raw, _ in pairs),
                activations=tuple(activation for _, activation in pairs),
                outer=all(source in self.run.inputs for source in place.sources),
                others=self._like(place),
                then=None if place is last else self._chain(place, names[names.index(name) + 1 :]),
                theirs=self._theirs(place),
            )
            found.append(Suspect(name, site, last.arithmetic))
        return found

    def sites(self) -> Iterator[Suspect]:
        """Every node of which all that it read and made was recorded."""
        for name, place in self.places.items():
            known = all(not self._behind[source] for source in place.sources)
            if known and name not in self._early and all(key in self.matched for key in place.keys):
                yield from self._sites((name,))

    def _before_activation(self, source: str) -> tuple[Array, str]:
        """An output before the activation that its node ends with, and which that is."""
        place = self.places.get(source)
        before = without_activation(place.node.layer) if place else None
        if place is None or before is None:
            return self._held[source], "linear"
        activation = place.node.layer.activation  # type: ignore[attr-defined]
        if source in self._early:
            return self._early[source][0], activation
        inputs = tuple(self._held[each] for each in place.sources)
        return alone(before, place.params, inputs, place.recorded)[0], activation

    def _like(self, place: Place) -> dict[str, Parameters]:
        """The arrays of other layers of the same shapes."""
        own = place.node.owner
        shapes = {name: a.shape for name, a in place.params.items()}
        found = {}
        for owner in self.owned if shapes else ():
            arrays = self._arrays(owner)
            if owner != own and {name: a.shape for name, a in arrays.items()} == shapes:
                found[owner] = arrays
        return found

    def _theirs(self, place: Place) -> tuple[Layer, Parameters] | None:
        """The node as the other network has it."""
        if self.other is None or place.keys[0] not in self.matched:
            return None
        name, _ = source_of(self.matched[place.keys[0]])
        node = next(node for node in self.other.nodes if node.name == name)
        owned = owned_parameters(self.other.nodes)[node.owner]
        return node.layer, {name: self.other.parameters[f"{node.owner}/{name}"] for name in owned}

    def _chain(self, place: Place, names: tuple[str, ...]):  # type: ignore[no-untyped-def]
        """What follows a node up to the next one that was recorded."""
        held = dict(self._held)

        def then(made: Arrays, rough: bool) -> Arrays:
            values = {**held, **dict(zip(place.keys, made, strict=True))}
            for name in names:
                each = self.places[name]
                inputs = tuple(values[source] for source in each.sources)
                params = {n: a.real for n, a in each.params.items()}
                made = each.node.layer.forward(params, tuple(x.real.astype(np.float64) for x in inputs)).outputs
                if not rough:
                    made = alone(each.node.layer, each.params, inputs, each.recorded if name == names[-1] else ())
                values |= dict(zip(each.keys, made, strict=True))
            return made

        return then


def walk(model: Model, own: Run, run: Run, matched: Mapping[str, str], other: Model | None = None) -> Walk:
    """The walk; of a float16 run by sums kept in float32, as most frameworks keep them, if that explains all there is.

    Else by sums in float16: TF 2.15 keeps some so and some not, and what that may do is no fault.
    """
    if all(array.dtype != np.float16 for array in (*run.inputs.values(), *run.outputs.values())):
        return Walk(model, own, run, matched, other)
    fine = Walk(model, own, run, matched, other, UNITS["float32"])
    return Walk(model, own, run, matched, other) if _wrong(fine.found.values()) else fine


def _wrong(differences: Iterable[NodeDifference]) -> bool:
    return any(each.fault for each in differences)


def without_activation(layer: Layer) -> Layer | None:
    """The layer without the activation at its end, which many write as a step of its own."""
    if isinstance(layer, (Conv1D, DepthwiseConv1D, SeparableConv1D, Dense)) and layer.activation != "linear":
        return replace(layer, activation="linear")
    return None


def _terms(params: Mapping[str, Array]) -> int:
    """Into how many terms the products of a layer may be summed at once."""
    groups: dict[str, int] = {}
    for name, array in params.items():
        owner, _, kind = name.rpartition("/")
        read = array.shape[:1] if (owner, kind) in READ else array.shape[:-1]
        groups[owner] = groups.get(owner, 0) + int(np.prod(read))
    return max(groups.values(), default=0)
