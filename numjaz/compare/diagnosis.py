"""Which known fault a node has: the one, or the two, whose edit brings the difference back to rounding."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from numjaz.compare.causes import Cause, by_function, probe, probed, same
from numjaz.compare.directions import alike, halves, joined, on_top_of, sides
from numjaz.compare.faults.catalogue import edits
from numjaz.compare.faults.edit import Edit, Site, unedited
from numjaz.compare.faults.estimated import estimated_arrays, estimated_constants, is_stale
from numjaz.compare.faults.held import held_faults
from numjaz.compare.faults.recurrences import direction_faults
from numjaz.compare.faults.scaled import scaled_inputs
from numjaz.compare.judging import Judge, made_by
from numjaz.errors import NumjazError
from numjaz.layers import Array, Bidirectional, Recurrent

EXACT = 1e-12  # of the largest number: what differs by less does not differ
ORDERED = {"gates", "kernel", "recurrent_kernel", "bias", "owner", "directions", "axis", "epsilon"}
"""Kinds of which one before the other is not the other before the one."""


class Diagnosis(NamedTuple):
    """What explains a fault, the likeliest first: functions that these inputs do not tell apart; and edits tried."""

    causes: tuple[Cause, ...]
    tried: int


def diagnose(site: Site, pairs: bool = False) -> Diagnosis:
    """The known faults that explain a recording.

    Parameters
    ----------
    site : Site
        The node and its run on the other side.
    pairs : bool
        Whether to look for two faults at once, which takes longer.
    """
    search = _Search(pairs)
    with np.errstate(all="ignore"):
        return Diagnosis(tuple(search.causes(site)), search.tried)


class _Search:
    def __init__(self, pairs: bool) -> None:
        self.pairs, self.tried = pairs, 0

    def causes(self, site: Site) -> list[Cause]:
        layer = site.layer
        if isinstance(layer, Bidirectional) and layer.merge == "concat" and len(site.recorded) == 1 and not site.then:
            return self._of_both(site, layer)
        return self._explained(Judge(site), (*edits(site), *alike(site)))

    def _explained(self, judge: Judge, singles: tuple[Edit, ...]) -> list[Cause]:
        """The causes of one side, or of a layer that has but one."""
        site = judge.site
        found = self._held(judge, sorted(singles, key=lambda edit: edit.rare))
        if not found and site.theirs:
            found = self._held(judge, held_faults(site, *site.theirs))
        if not found and self.pairs:
            found = self._held(judge, estimated_constants(site))
            found = found or self._held(judge, scaled_inputs(site, judge.bound), promised=True)
            found = found or self._held(judge, _pairs(site, singles))
            found = found or self._held(judge, _solved(site, singles, estimated_constants))
            found = found or self._stale(judge, singles)
        return by_function(site, found)

    def _stale(self, judge: Judge, singles: tuple[Edit, ...]) -> list[tuple[Edit, float]]:
        """Arrays that are solved for. Where one explains all and is not stale, it is wrong otherwise: unknown."""
        found = self._held(judge, estimated_arrays(judge.site, judge.bound), promised=True)
        if found or isinstance(judge.site.layer, Recurrent):
            return found if all(edit.stale for edit, _ in found) else []
        arrays = _solved(judge.site, singles, lambda one: estimated_arrays(one, judge.bound))
        return self._held(judge, arrays, promised=True)

    def _held(self, judge: Judge, tried: Iterable[Edit], promised: bool = False) -> list[tuple[Edit, float]]:
        found = []
        for edit in tried:
            self.tried += 1
            left = judge.left(edit) if promised or judge.promises(edit) else np.inf
            if left <= 1:
                found.append((edit, left))
        return found

    def _of_both(self, site: Site, layer: Bidirectional) -> list[Cause]:
        """Each direction on its own; what both have is said once."""
        for name, fix, recorded in halves(site, layer):
            both = sides(site._replace(recorded=recorded), layer)
            each = {side: self._of_one(one, opposite, side) for side, (one, opposite) in both.items()}
            if all(each.values()):
                return [on_top_of(name, fix, cause) for cause in joined(each)]
            if any(each.values()):  # one is where it should be
                break
        return []

    def _of_one(self, site: Site, opposite: dict[str, Array], side: str) -> list[Cause]:
        judge = Judge(site)
        left = judge.left(unedited(site))
        if left <= 1:
            return [Cause((), left)]
        return self._explained(judge, (*direction_faults(site, opposite, side), *edits(site)))


def _pairs(site: Site, singles: tuple[Edit, ...]) -> Iterator[Edit]:
    """Two faults of different kinds at once."""
    for one in singles:
        if not one.rare:
            for other in edits(site._replace(layer=one.layer, params=one.params)):
                if not other.rare and _follows(one, other):
                    yield one.and_then(other)


def _follows(one: Edit, other: Edit) -> bool:
    """Whether the two are to be tried in this order: in both where it matters."""
    if (one.before and other.before) or (one.after and other.after) or one.kind == other.kind:
        return False
    return one.kind < other.kind or {one.kind, other.kind} <= ORDERED


def _solved(site: Site, singles: tuple[Edit, ...], solve: Callable[[Site], Iterator[Edit]]) -> Iterator[Edit]:
    """A known fault, and one of a size that the recording tells."""
    for one in singles:
        if one.within and not one.rare:
            try:
                others = list(solve(site._replace(layer=one.layer, params=one.params)))
            except NumjazError:  # samples too few for it, say
                continue
            for other in others:
                if other.kind != one.kind and _is_other(site, other):
                    yield one.and_then(other)


def _is_other(site: Site, edit: Edit) -> bool:
    """Whether an array that was solved for on top of another fault is another than this side's, too."""
    if not edit.stale:
        return edit.stale is None  # a constant
    own, there = site.params[edit.kind], edit.params[edit.kind]
    return own.shape == there.shape and is_stale(own.real, there)


def undetectable(site: Site) -> list[str]:
    """Known faults that a node could have and these inputs would not show: what they change is within rounding."""
    judge = Judge(site)
    made = made_by(unedited(site), judge.few)
    if made is None:
        return []
    own, others = unedited(site).plain(judge.few.inputs), probe(site)
    usual = probed(unedited(site), site, others)
    found = []
    for edit in edits(site):
        if not (edit.rare or edit.undo or edit.raw) and judge.promises(edit):
            other = probed(edit, judge.few, judge.few.inputs)
            hidden = len(other) == len(own) and all(
                a.shape == b.shape and bool((np.abs(a - b) <= y.imag).all())
                for a, b, y in zip(other, own, made, strict=True)
            )
            if hidden and not same(probed(edit, site, others), usual, EXACT):
                found.append(edit.cause)
    return list(dict.fromkeys(found))
