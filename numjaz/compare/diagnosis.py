"""Which known fault a node has: the one, or the two, whose edit brings the difference back to rounding."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from numjaz.compare.edits import Edit, Site, unedited
from numjaz.compare.estimated_faults import estimated_arrays, estimated_constants, is_stale
from numjaz.compare.faults import edits
from numjaz.compare.held_faults import held_faults
from numjaz.compare.recurrent_faults import direction_faults
from numjaz.errors import NumjazError
from numjaz.layers import Array, Bidirectional, LayerNormalization, Recurrent
from numjaz.layers.base import Arrays, under

FEW = 2  # windows on which all edits are tried first
STEPS = 4  # of a recurrent layer, before that
NEAR, NEARER = 1e-2, 1e-4  # of the largest number: how near they must come there, with arrays known roughly or exactly
ROOM = 8.0  # times the largest bound, which is near as well
EMPTY = 0.1  # of the largest number: bounds as wide say nothing
EXACT = 1e-12  # of the largest number: what differs by less does not differ
SAME = 1e-5  # of the largest number: edits that differ by less have one function
ORDERED = {"gates", "kernel", "recurrent_kernel", "bias", "owner", "directions", "axis", "epsilon"}
"""Kinds of which one before the other is not the other before the one."""
PROBES = 3  # windows on which functions are told apart


class Cause(NamedTuple):
    """Faults of one function that explain a recording: each by its name, and what mends it.

    ``left`` is the largest share of what rounding allows that is left between that function and the recording.
    """

    known: tuple[tuple[str, str], ...]
    left: float = 0.0

    @property
    def name(self) -> str:
        """All names."""
        return " or ".join(name for name, _ in self.known)

    @property
    def fix(self) -> str:
        """What mends the first, which is the likeliest."""
        return self.known[0][1] if self.known else ""


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
    return Diagnosis(tuple(search.causes(site)), search.tried)


class _Search:
    def __init__(self, pairs: bool) -> None:
        self.pairs, self.tried = pairs, 0

    def causes(self, site: Site) -> list[Cause]:
        layer = site.layer
        if isinstance(layer, Bidirectional) and layer.merge == "concat" and len(site.recorded) == 1 and not site.then:
            return self._of_both(site, layer)
        return self._explained(site, (*edits(site), *_alike(site)))

    def _explained(self, site: Site, singles: tuple[Edit, ...]) -> list[Cause]:
        """The causes of one side, or of a layer that has but one."""
        judge = _Judge(site)
        found = self._held(judge, sorted(singles, key=lambda edit: edit.rare))
        if not found and site.theirs:
            found = self._held(judge, held_faults(site, *site.theirs))
        if not found and self.pairs:
            found = self._held(judge, estimated_constants(site))
            found = found or self._held(judge, _pairs(site, singles))
            found = found or self._held(judge, _solved(site, singles, estimated_constants))
            found = found or self._stale(judge, singles)
        return _by_function(site, found)

    def _stale(self, judge: _Judge, singles: tuple[Edit, ...]) -> list[tuple[Edit, float]]:
        """Arrays that are solved for. Where one explains all and is not stale, it is wrong otherwise: unknown."""
        found = self._held(judge, estimated_arrays(judge.site, judge.bound), promised=True)
        if found or isinstance(judge.site.layer, Recurrent):
            return [(edit, left) for edit, left in found if edit.stale]
        arrays = _solved(judge.site, singles, lambda one: estimated_arrays(one, judge.bound))
        return self._held(judge, arrays, promised=True)

    def _held(self, judge: _Judge, tried: Iterable[Edit], promised: bool = False) -> list[tuple[Edit, float]]:
        found = []
        for edit in tried:
            self.tried += 1
            left = judge.left(edit) if promised or judge.promises(edit) else np.inf
            if left <= 1:
                found.append((edit, left))
        return found

    def _of_both(self, site: Site, layer: Bidirectional) -> list[Cause]:
        """Each direction on its own; what both have is said once."""
        for name, fix, recorded in _halves(site, layer):
            sides = _sides(site._replace(recorded=recorded), layer)
            each = {side: self._of_one(one, opposite, side) for side, (one, opposite) in sides.items()}
            if all(each.values()):
                return [_under(name, fix, cause) for cause in _joined(each)]
            if any(each.values()):  # one is where it should be
                break
        return []

    def _of_one(self, site: Site, opposite: dict[str, Array], side: str) -> list[Cause]:
        left = _Judge(site).left(unedited(site))
        if left <= 1:
            return [Cause((), left)]
        return self._explained(site, (*direction_faults(site, opposite, side), *edits(site)))


def _halves(site: Site, layer: Bidirectional) -> Iterator[tuple[str, str, Arrays]]:
    """The recorded output, and what it would be with its directions the other way round."""
    yield "", "", site.recorded
    if layer.forward_layer.units == layer.backward_layer.units:
        (y,) = site.recorded
        turned = np.concatenate([y[..., layer.forward_layer.units :], y[..., : layer.forward_layer.units]], axis=-1)
        yield "backward output before the forward one", "put the forward output first", (turned,)


def _sides(site: Site, layer: Bidirectional) -> dict[str, tuple[Site, dict[str, Array]]]:
    """Each direction as a site of its own, with the other's arrays; the backward one reads and writes in its order."""
    (x,), (y,) = site.inputs, site.recorded
    ahead, back = y[..., : layer.forward_layer.units], y[..., layer.forward_layer.units :]
    back = back[:, ::-1] if layer.backward_layer.return_sequences else back
    arrays = {side: dict(under(site.params, side)) for side in ("forward", "backward")}
    sides = {}
    for side, cell, read, made in (
        ("forward", layer.forward_layer, x, ahead),
        ("backward", layer.backward_layer, x[:, ::-1], back),
    ):
        others = {owner: under(held, side) for owner, held in site.others.items()}
        theirs = None
        if site.theirs and isinstance(site.theirs[0], Bidirectional):
            theirs = getattr(site.theirs[0], f"{side}_layer"), under(site.theirs[1], side)
        one = Site(cell, arrays[side], (read,), (made,), outer=site.outer, others=others, theirs=theirs)
        sides[side] = one, arrays["backward" if side == "forward" else "forward"]
    return sides


def _joined(sides: dict[str, list[Cause]]) -> list[Cause]:
    """What both directions have in common; else what each has."""
    ahead, back = sides["forward"], sides["backward"]
    shared = [
        Cause(
            tuple(each for each in one.known if each[0] in {name for name, _ in other.known}),
            max(one.left, other.left),
        )
        for one in ahead
        for other in back
    ]
    common = [cause for cause in shared if cause.known]
    one, other = ahead[0], back[0]
    if common or not (one.known or other.known):
        return common or [one]
    left = max(one.left, other.left)
    if not one.known:
        known = tuple((_of_side("backward", name), _of_side("backward", fix)) for name, fix in other.known)
        return [Cause(known, left)]
    if not other.known:
        return [Cause(tuple((f"forward: {name}", f"forward: {fix}") for name, fix in one.known), left)]
    (name, fix), (second, other_fix) = one.known[0], other.known[0]
    both = f"forward: {name} and {_of_side('backward', second)}"
    return [Cause(((both, f"forward: {fix}; {_of_side('backward', other_fix)}"),), left)]


def _of_side(side: str, words: str) -> str:
    return words if side in words or words.startswith("last step") else f"{side}: {words}"


def _under(name: str, fix: str, cause: Cause) -> Cause:
    """A cause on top of another."""
    if not name:
        return cause
    known = tuple((f"{name} and {each}", f"{fix}; {mend}") for each, mend in cause.known)
    return Cause(known or ((name, fix),), cause.left)


def _alike(site: Site) -> Iterator[Edit]:
    """Faults that both directions have alike, where their outputs are joined so that none stands alone."""
    layer = site.layer
    if not isinstance(layer, Bidirectional):
        return
    sides = {"forward": layer.forward_layer, "backward": layer.backward_layer}
    held = {side: dict(under(site.params, side)) for side in sides}
    found: dict[str, dict[str, Edit]] = {}
    for side, cell in sides.items():
        one = Site(cell, held[side], site.inputs[:1], site.recorded[:1])
        opposite = held["backward" if side == "forward" else "forward"]
        for edit in (*direction_faults(one, opposite, side), *edits(one)):
            if edit.within and isinstance(edit.layer, Recurrent):
                found.setdefault(edit.cause, {})[side] = edit
    for cause, each in found.items():
        for kept in (tuple(each), *((side,) for side in each if len(each) == 2)):
            cells: Any = {f"{side}_layer": each[side].layer for side in kept}
            arrays = {
                f"{side}/{name}": array
                for side in sides
                for name, array in (each[side].params if side in kept else held[side]).items()
            }
            prefix = "" if len(kept) == 2 else f"{kept[0]}: "
            edit = each[kept[0]]
            yield replace(
                edit, cause=prefix + cause, fix=prefix + edit.fix, layer=replace(layer, **cells), params=arrays
            )


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
            for other in solve(site._replace(layer=one.layer, params=one.params)):
                if other.kind != one.kind and _is_other(site, other):
                    yield one.and_then(other)


def _is_other(site: Site, edit: Edit) -> bool:
    """Whether an array that was solved for on top of another fault is another than this side's, too."""
    if not edit.stale:
        return edit.stale is None  # a constant
    own, there = site.params[edit.kind], edit.params[edit.kind]
    return own.shape == there.shape and is_stale(own.real, there)


class _Judge:
    """Whether an edit explains what was recorded: quickly, roughly and on little first."""

    def __init__(self, site: Site) -> None:
        self.site = site
        count = len(site.recorded[0])
        few = sorted({count // 2, count - 1})[-FEW:]
        self.few = site  # what follows a node that nobody recorded reads all windows
        if site.then is None:
            inputs, recorded, raw = (tuple(x[few] for x in arrays) for arrays in (site.inputs, site.recorded, site.raw))
            self.few = site._replace(inputs=inputs, recorded=recorded, raw=raw)
        layer = site.layer
        self.stepwise = (
            isinstance(layer, Recurrent)
            and layer.return_sequences
            and not (layer.go_backwards or layer.return_state or site.then)
        )
        made = _made(unedited(site), site)
        self.bound = max((float(y.imag.max(initial=0)) for y in made), default=0.0) if made else 0.0
        fits = made is not None and len(made) == 1 and made[0].shape == site.recorded[0].shape
        self.unlike = np.abs(site.recorded[0] - made[0].real) if fits and made else None

    def promises(self, edit: Edit) -> bool:
        """Whether the edit comes near the recording at all."""
        if self.stepwise and isinstance(edit.layer, Recurrent) and not self._near(edit, STEPS):
            return False
        return self._near(edit)

    def _near(self, edit: Edit, steps: int | None = None) -> bool:
        site = self.site if edit.whole else self.few
        try:
            with np.errstate(all="ignore"):
                made = edit.plain(edit.inputs(site), steps)
                made = site.then(made, True) if site.then else made
                recorded = edit.recorded(site)
        except (NumjazError, ValueError, IndexError):  # of other shapes
            return False
        rough = any(a.dtype.kind == "c" for a in edit.params.values()) or isinstance(edit.before, LayerNormalization)
        near = NEAR if rough else NEARER
        return all(
            y.shape == _begun(there, steps).shape
            and bool(np.abs(y.real - _begun(there, steps)).max(initial=0) <= self._limit(near, there))
            for y, there in zip(made, recorded, strict=True)
        )

    def _limit(self, near: float, there: Array) -> float:
        return max(near * float(np.abs(there).max(initial=0)), ROOM * self.bound)

    def left(self, edit: Edit) -> float:
        """The largest share of what rounding allows that is left; infinite where it says nothing.

        Bounds as wide as the numbers themselves, or as the difference that is to be explained, say nothing.
        """
        made, recorded = _made(edit, self.site), edit.recorded(self.site)
        if made is None or any(y.shape != there.shape for y, there in zip(made, recorded, strict=True)):
            return np.inf
        worst = 0.0
        for y, there in zip(made, recorded, strict=True):
            off = np.abs(there.astype(np.float64) - y.real)
            if not y.size or not (off <= y.imag).all():
                return np.inf
            if float(np.median(y.imag)) > EMPTY * float(np.abs(there).max()):
                return np.inf
            with np.errstate(all="ignore"):
                worst = max(worst, float(np.nan_to_num(off / y.imag).max()))
        if edit.cause and edit.undo is None and self.unlike is not None and len(made) == 1:
            (y,), unlike = made, self.unlike
            if y.shape == unlike.shape and not (2 * y.imag < unlike).any():
                return np.inf
        return worst


def _made(edit: Edit, site: Site) -> Arrays | None:
    try:
        made = edit.made(site)
        return site.then(made, False) if site.then else made
    except (NumjazError, ValueError, IndexError):  # of other shapes
        return None


def _by_function(site: Site, found: list[tuple[Edit, float]]) -> list[Cause]:
    """Edits that are one function under several names, together, in the order in which they were found."""
    probe = _probe(site)
    groups: list[tuple[list[Edit], Arrays, float]] = []
    seen: set[frozenset[str]] = set()
    for edit, left in found:
        parts = frozenset(edit.cause.split(" and "))
        if parts in seen:  # in the other order
            continue
        seen.add(parts)
        made = _probed(edit, site, probe)
        for held, like, _ in groups:
            if _same(made, like):
                held.append(edit)
                break
        else:
            groups.append(([edit], made, left))
    return [
        Cause(tuple({edit.cause: edit.fix for edit in reversed(held)}.items())[::-1], left) for held, _, left in groups
    ]


def _probe(site: Site) -> Arrays:
    """Other inputs, large enough that functions differ."""
    rng = np.random.default_rng(0)
    return tuple(2 * rng.standard_normal((PROBES, *x.shape[1:])) for x in site.inputs)


def _probed(edit: Edit, site: Site, probe: Arrays) -> Arrays:
    """What the other side would make of other inputs; what moves outputs is told apart by its name."""
    try:
        with np.errstate(all="ignore"):
            return edit.plain(edit.given(probe) if edit.given else probe)
    except (NumjazError, ValueError, IndexError):
        return ()


def _same(one: Arrays, other: Arrays, share: float = SAME) -> bool:
    return len(one) == len(other) and all(
        a.shape == b.shape and bool(np.abs(a - b).max(initial=0) <= share * np.abs(b).max(initial=0))
        for a, b in zip(one, other, strict=True)
    )


def _begun(array: Array, steps: int | None) -> Array:
    return array if steps is None else array[:, :steps]


def undetectable(site: Site) -> list[str]:
    """Known faults that a node could have and these inputs would not show: what they change is within rounding."""
    judge = _Judge(site)
    made = _made(unedited(site), judge.few)
    if made is None:
        return []
    own, probe = unedited(site).plain(judge.few.inputs), _probe(site)
    usual = _probed(unedited(site), site, probe)
    found = []
    for edit in edits(site):
        if not (edit.rare or edit.undo or edit.raw) and judge.promises(edit):
            other = _probed(edit, judge.few, judge.few.inputs)
            hidden = len(other) == len(own) and all(
                a.shape == b.shape and bool((np.abs(a - b) <= y.imag).all())
                for a, b, y in zip(other, own, made, strict=True)
            )
            if hidden and not _same(_probed(edit, site, probe), usual, EXACT):
                found.append(edit.cause)
    return list(dict.fromkeys(found))
