"""What a known fault is: a small edit of a node, which makes it do what the other side does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from numjaz.compare.isolated import alone, doubled
from numjaz.layers import Array, Layer
from numjaz.layers.base import Arrays, Forward, Parameters, Rng
from numjaz.records import frozen


class Site(NamedTuple):
    """A node, and what is known of its run on the other side.

    Attributes
    ----------
    layer : Layer
        As this side has it.
    params : dict of str to array
        Its arrays, too.
    inputs, recorded : arrays
        What the other side's node read and made; complex inputs are only known with an error.
    raw : arrays
        Of a batch normalization, the inputs before the activations of the nodes that made them.
    activations : tuple of str
        Those activations, ``linear`` where there is none.
    outer : bool
        Whether the node reads what the network is given.
    others : dict of str to arrays
        The arrays of other layers of the same kind and shapes, by owner.
    then : callable, optional
        What follows up to the node that was recorded, where this one was not; given its outputs, and whether roughly.
    theirs : Layer and arrays, optional
        The node as the other side has it, where that is a network and not a recording.
    """

    layer: Layer
    params: Parameters
    inputs: Arrays
    recorded: Arrays
    raw: Arrays = ()
    activations: tuple[str, ...] = ()
    outer: bool = False
    others: Mapping[str, Parameters] = {}
    then: Callable[[Arrays, bool], Arrays] | None = None
    theirs: tuple[Layer, Parameters] | None = None


@dataclass(frozen=True)
class Edit:
    """What the other side does, said of this one.

    Attributes
    ----------
    cause : str
        The fault, by the name of the catalogue.
    fix : str
        What mends the other side, in words.
    kind : str
        What is changed; two faults of one kind are not looked for at once.
    layer : Layer
        This side's layer as the other has it.
    params : dict of str to array
        This side's arrays as the other has them.
    before, after : Layer, optional
        What the other side computes besides, on what the layer reads or makes.
    given : callable, optional
        What the other side's layer reads instead of the inputs: they, moved.
    undo : callable, optional
        Moves what the other side made to where this layer has it.
    raw : bool
        Whether it reads the inputs before the activations that made them.
    rare : bool
        Not looked for together with another.
    whole : bool
        Whether what a window gives depends on the others, so that no few of them tell.
    stale : bool, optional
        Of an array that was solved for: whether it is of another training; else it is wrong in some other way.
    faults : int
        How many it is at once.
    """

    cause: str
    fix: str
    kind: str
    layer: Layer
    params: Parameters
    before: Layer | None = None
    after: Layer | None = None
    given: Callable[[Arrays], Arrays] | None = None
    undo: Callable[[Arrays], Arrays] | None = None
    raw: bool = False
    rare: bool = False
    whole: bool = False
    stale: bool | None = None
    faults: int = 1

    @property
    def within(self) -> bool:
        """Whether it changes the layer and its arrays alone."""
        return not (self.before or self.after or self.given or self.undo or self.raw)

    def inputs(self, site: Site) -> Arrays:
        """What the edited layer reads."""
        read = site.raw if self.raw else site.inputs
        return self.given(read) if self.given else read

    def recorded(self, site: Site) -> Arrays:
        """What the edited layer should make."""
        return self.undo(site.recorded) if self.undo else site.recorded

    def made(self, site: Site) -> Arrays:
        """What it does make, with bounds of rounding: complex."""
        made = self.inputs(site)
        recorded = () if site.then else self.recorded(site)
        if self.before is not None:
            made = tuple(y for x in made for y in alone(self.before, {}, (x,), recorded))
        made = alone(self.layer, self.params, made, recorded)
        return made if self.after is None else alone(self.after, {}, made, recorded)

    def plain(self, inputs: Arrays, steps: int | None = None) -> Arrays:
        """What it makes in float64, from the first step to the last; of the first few alone where they are all."""
        made = tuple(x.real.astype(np.float64) for x in inputs)
        if self.before is not None:
            made = tuple(self.before.forward({}, (x,)).outputs[0] for x in made)
        if steps is not None:
            made = (made[0][:, :steps], *made[1:])
        made = self.layer.forward(doubled(self.params), made).outputs
        return made if self.after is None else self.after.forward({}, made).outputs

    def and_then(self, other: Edit) -> Edit:
        """Both faults at once; the other one was made of this one's layer and arrays."""
        return replace(
            other,
            cause=f"{self.cause} and {other.cause}",
            fix=f"{self.fix}; {other.fix}",
            before=other.before or self.before,
            after=other.after or self.after,
            given=_chained(self.given, other.given),
            undo=_chained(self.undo, other.undo),
            raw=self.raw or other.raw,
            whole=self.whole or other.whole,
            faults=self.faults + other.faults,
        )


def _chained(
    first: Callable[[Arrays], Arrays] | None, second: Callable[[Arrays], Arrays] | None
) -> Callable[[Arrays], Arrays] | None:
    if first is None or second is None:
        return first or second
    return lambda arrays: second(first(arrays))


def unedited(site: Site) -> Edit:
    """No fault at all."""
    return Edit("", "", "", site.layer, site.params)


@frozen
class Step(Layer):
    """A function as a layer: what other sides compute and no layer of numjaz does."""

    OVERWRITES = True

    function: Callable[[Array], Array]

    def forward(self, params: Parameters, inputs: Arrays, *, training: bool = False, rng: Rng = None) -> Forward:
        return Forward((self.function(inputs[0]),))
