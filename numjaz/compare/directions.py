"""Faults of two directions: each is a node of its own, and what both have is said once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from numjaz.compare.causes import Cause
from numjaz.compare.faults.catalogue import edits
from numjaz.compare.faults.edit import Edit, Site
from numjaz.compare.faults.recurrences import direction_faults
from numjaz.layers import Array, Bidirectional, Recurrent
from numjaz.layers.base import Arrays, under


def halves(site: Site, layer: Bidirectional) -> Iterator[tuple[str, str, Arrays]]:
    """The recorded output, and what it would be with its directions the other way round."""
    yield "", "", site.recorded
    if layer.forward_layer.units == layer.backward_layer.units:
        (y,) = site.recorded
        turned = np.concatenate([y[..., layer.forward_layer.units :], y[..., : layer.forward_layer.units]], axis=-1)
        yield "backward output before the forward one", "put the forward output first", (turned,)


def sides(site: Site, layer: Bidirectional) -> dict[str, tuple[Site, dict[str, Array]]]:
    """Each direction as a site of its own, with the other's arrays; the backward one reads and writes in its order."""
    (x, *begun), (y,) = site.inputs, site.recorded
    states = layer.forward_layer.STATES if begun else 0
    ahead, back = y[..., : layer.forward_layer.units], y[..., layer.forward_layer.units :]
    back = back[:, ::-1] if layer.backward_layer.return_sequences else back
    arrays = {side: dict(under(site.params, side)) for side in ("forward", "backward")}
    sides = {}
    for side, cell, read, made in (
        ("forward", layer.forward_layer, (x, *begun[:states]), ahead),
        ("backward", layer.backward_layer, (x[:, ::-1], *begun[states:]), back),
    ):
        others = {owner: under(held, side) for owner, held in site.others.items()}
        theirs = None
        if site.theirs and isinstance(site.theirs[0], Bidirectional):
            theirs = getattr(site.theirs[0], f"{side}_layer"), under(site.theirs[1], side)
        one = Site(cell, arrays[side], read, (made,), outer=site.outer, others=others, theirs=theirs)
        sides[side] = one, arrays["backward" if side == "forward" else "forward"]
    return sides


def joined(sides: dict[str, list[Cause]]) -> list[Cause]:
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


def on_top_of(name: str, fix: str, cause: Cause) -> Cause:
    """A cause on top of another."""
    if not name:
        return cause
    known = tuple((f"{name} and {each}", f"{fix}; {mend}") for each, mend in cause.known)
    return Cause(known or ((name, fix),), cause.left)


def alike(site: Site) -> Iterator[Edit]:
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
