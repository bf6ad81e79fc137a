"""Which arrays of a file belong to which layer, where the two have other names.

A layer and a place of the file can belong together where their arrays have the same names and shapes.
What a name settles is settled; what only one place fits is, too. Several alike are taken in the order of
definition. But branches that start from one layer may be defined in any order: among them, a layer gets
the place that is nearest, in names and in order, to the places of the layers that it is connected with.
So the two 1x1 convolutions of two branches follow the unlike convolutions behind them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from itertools import combinations
from typing import NamedTuple, NoReturn

import numpy as np

from numjaz.errors import NumjazError
from numjaz.nodes import Node

Shapes = Mapping[str, tuple[int, ...]]  # of the arrays of one place
ROUNDS = 8
MAX_PATHS, MAX_PAIRS = 500_000, 200_000  # that matching by nearness may follow, and compare


class Near(NamedTuple):
    """The layers before and behind one, through layers without arrays."""

    before: tuple[str, ...]
    behind: tuple[str, ...]


class Matching(NamedTuple):
    """Which place each wanted one is matched with, and those that the order alone tells apart."""

    places: dict[str, str]
    by_order: list[str]

    def text(self) -> str:
        """The matching as one line."""
        return ", ".join(f"{wanted} = {place}" for wanted, place in self.places.items())


def matched(
    wanted: Mapping[str, Shapes],
    held: Mapping[str, Shapes],
    near: Mapping[str, Near],
    source: str,
    *,
    names: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
) -> Matching:
    """Match every wanted place with one that the file holds.

    Parameters
    ----------
    wanted, held : mapping
        Arrays' shapes by name, by place: what the network needs, and what the file has, in the order
        of definition.
    near : mapping
        For each wanted place, those of the layers before and behind it.
    source : str
        The file, for messages.
    names : mapping, optional
        ``{wanted: held}``, what the user knows.
    labels : mapping, optional
        Where the file has no order: a label for each place. Places whose labels differ in numbers
        alone are ordered by them.

    Raises
    ------
    NumjazError
        Where a layer has no place or several, listing them.
    """
    cut = _common(list(held))
    whole = {place[cut:]: place for place in held}
    held = {place[cut:]: shapes for place, shapes in held.items()}
    found = _named(wanted, held, source, names or {})
    called: dict[str, list[str]] = {}
    for place in held:
        called.setdefault(_plain(place), []).append(place)
    taken = set(found.values())
    for name in wanted:  # the same name and shapes
        twins = [place for place in called.get(_plain(name), []) if dict(held[place]) == dict(wanted[name])]
        if name not in found and len(twins) == 1 and twins[0] not in taken:
            found[name] = twins[0]
            taken.add(twins[0])
    groups = _by_signature({name: shapes for name, shapes in wanted.items() if name not in found})
    left = _by_signature({place: shapes for place, shapes in held.items() if place not in taken})
    several: list[tuple[list[str], list[str]]] = []
    for signature, members in groups.items():
        rivals = left.pop(signature, [])
        if len(rivals) != len(members):
            _refuse(members, rivals, wanted[members[0]], held, source)
        if len(members) == 1:
            found[members[0]] = rivals[0]
        else:
            if labels is not None:
                rivals = _dealt(members, rivals, {place: labels[whole[place]] for place in rivals}, near) or _unclear(
                    members, rivals, source
                )
            several.append((members, rivals))
            found |= dict(zip(members, rivals, strict=True))
    by_order = [name for members, _ in several for name in members]
    doubtful = _nearest(found, several, near, list(held), ordered=labels is None)
    if doubtful:
        _unclear(doubtful, [found[name] for name in doubtful], source)
    for signature, (place, *_) in left.items():
        raise NumjazError(f"{source}: holds {place!r:.60} {signature}, which the network lacks")
    return Matching({name: whole.get(found[name], found[name]) for name in wanted}, by_order)


def neighbours(nodes: Sequence[Node], owners: Sequence[str]) -> dict[str, Near]:
    """For each owner of arrays, those before and behind it."""
    reaching: dict[str, dict[str, None]] = {}  # node -> the owners whose output reaches it, in order
    before: dict[str, dict[str, None]] = {owner: {} for owner in owners}
    paths = 0
    for node in nodes:
        held: dict[str, None] = {owner: None for source, _ in node.inputs for owner in reaching[source]}
        paths += len(held)
        if paths > MAX_PATHS:
            raise NumjazError(f"over {MAX_PATHS:,} paths lead from layer to layer: too many to match weights by")
        if node.owner in before:
            before[node.owner] |= held
            held = {node.owner: None}
        reaching[node.name] = held
    behind: dict[str, list[str]] = {owner: [] for owner in owners}
    for owner, held in before.items():
        for other in held:
            behind[other].append(owner)
    return {owner: Near(tuple(before[owner]), tuple(behind[owner])) for owner in owners}


def _named(
    wanted: Mapping[str, Shapes], held: Mapping[str, Shapes], source: str, names: Mapping[str, str]
) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, place in names.items():
        bare = next((p for p in held if place == p or place.endswith(("." + p, "/" + p))), None)
        if name not in wanted:
            raise NumjazError(f"{source}: names= speaks of {name!r:.60}; the network has {', '.join(wanted)}")
        if bare is None:
            raise NumjazError(f"{source}: names= speaks of {place!r:.60}; the file has {', '.join(held)}")
        if dict(held[bare]) != dict(wanted[name]):
            raise NumjazError(
                f"{source}: {place!r:.60} has {_signature(held[bare])}, {name!r:.60} needs {_signature(wanted[name])}"
            )
        if bare in found.values():
            raise NumjazError(f"{source}: names= gives {place!r:.60} to two")
        found[name] = bare
    return found


def natural(text: str) -> list[list[tuple[int, str]]]:
    """A key that sorts ``a_10/b`` behind ``a_9/b``, and ``a/b`` before ``a_1/b``: folder by folder."""
    return [
        [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"_?(\d+)", folder)]
        for folder in re.split(r"[./]", text)
    ]


def _branches(members: Sequence[str], near: Mapping[str, Near]) -> list[list[str]]:
    """The members in groups that start from the same layers."""
    branches: dict[tuple[str, ...], list[str]] = {}
    for member in members:
        branches.setdefault(near[member].before, []).append(member)
    return list(branches.values())


def _dealt(
    members: Sequence[str], rivals: Sequence[str], labels: Mapping[str, str], near: Mapping[str, Near]
) -> list[str] | None:
    """The rivals in the members' order, where the numbers in their labels give one; None where they do not.

    Rivals whose labels differ in numbers alone are a series; each group of branches takes the next of every series.
    """
    series: dict[str, list[str]] = {}
    for place in rivals:
        series.setdefault(_unnumbered(labels[place]), []).append(place)
    branches = _branches(members, near)
    dealt: dict[str, str] = {}
    for i, branch in enumerate(branches):
        hand = []
        for held in series.values():
            share, rest = divmod(len(held), len(branches))
            if rest:
                return None
            hand += held[i * share : (i + 1) * share]
        if len(hand) != len(branch):
            return None
        dealt |= dict(zip(branch, hand, strict=True))
    return [dealt[member] for member in members]


def _unclear(members: Sequence[str], rivals: Sequence[str], source: str) -> NoReturn:
    raise NumjazError(
        f"{source}: {', '.join(rivals[:4])} have one shape and no order: names= says which is which, "
        f"as in names={{{members[0]!r}: {rivals[0]!r}, …}}"
    )


def _nearest(
    found: dict[str, str],
    several: list[tuple[list[str], list[str]]],
    near: Mapping[str, Near],
    order: list[str],
    *,
    ordered: bool,
) -> list[str]:
    """Exchange the places of branches that start alike until each is nearest to its layer's neighbours'.

    Returns those of which, without an order, two could change places as well.
    """
    alike = [branch for members, _ in several for branch in _branches(members, near) if len(branch) > 1]
    if not alike:
        return []
    from scipy.optimize import linear_sum_assignment

    at = {place: k for k, place in enumerate(order)}
    tokens = {place: re.split(r"[./]", place) for place in order}

    def apart(a: str, b: str) -> float:
        shared = next((k for k, (x, y) in enumerate(zip(tokens[a], tokens[b], strict=False)) if x != y), 0)
        names = 1e6 * (len(tokens[a]) + len(tokens[b]) - 2 * shared) ** 2
        if ordered:
            return names + (at[a] - at[b]) ** 2
        return names + 1e3 * (1 - SequenceMatcher(None, tokens[a][-1], tokens[b][-1]).ratio())

    for _ in range(ROUNDS):
        before = dict(found)
        for members in alike:
            places = [found[member] for member in members]
            own = set(members)
            anchors = {m: [n for side in near[m] for n in side if n in found and n not in own] for m in members}
            if len(members) * sum(map(len, anchors.values())) > MAX_PAIRS:
                raise NumjazError(f"{len(members)} alike layers start from one: too many to tell apart; names= does")
            cost = np.array([[sum(apart(p, found[n]) for n in anchors[m]) for p in places] for m in members])
            stay = np.square(np.subtract.outer(np.arange(len(members)), np.arange(len(members))))  # where it is even
            rows, columns = linear_sum_assignment(cost + 1e-3 * stay)
            found |= {members[i]: places[j] for i, j in zip(rows, columns, strict=True)}
            if not ordered and len({_unnumbered(place) for place in places}) > 1:
                took = dict(zip(rows, columns, strict=True))
                for i, j in combinations(took, 2):
                    if cost[i, took[i]] + cost[j, took[j]] >= cost[i, took[j]] + cost[j, took[i]] - 1e-6:
                        return [members[i], members[j]]
        if found == before:
            break
    return []


def _refuse(members: list[str], rivals: list[str], needed: Shapes, held: Mapping[str, Shapes], source: str) -> NoReturn:
    known = ", ".join(rivals[:6]) or "none"
    if not rivals:
        like = [f"{place} {_signature(shapes)}" for place, shapes in held.items() if _ranks(shapes) == _ranks(needed)]
        known = f"none; nearest are {', '.join(like[:3])}" if like else "none"
    raise NumjazError(
        f"{source}: {', '.join(members[:4])} {'need' if len(members) > 1 else 'needs'} {_signature(needed)}; "
        f"candidates in the file: {known}{' (names= chooses)' if rivals else ''}"
    )


def _ranks(shapes: Shapes) -> set[int]:
    return {len(shape) for shape in shapes.values()}


def _by_signature(places: Mapping[str, Shapes]) -> dict[str, list[str]]:
    """The places whose arrays have the same names and shapes."""
    groups: dict[str, list[str]] = {}
    for place, shapes in places.items():
        groups.setdefault(_signature(shapes), []).append(place)
    return groups


def _signature(shapes: Shapes) -> str:
    return ", ".join(f"{name} {tuple(int(n) for n in shape)}" for name, shape in sorted(shapes.items()))


def _common(places: Sequence[str]) -> int:
    """Characters of what all places begin with, ``module.`` or ``model.`` say, up to a dot or a slash."""
    first, last = min(places, default=""), max(places, default="")  # all others lie between them
    shared = next((k for k, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), 0)
    return max(first.rfind(".", 0, shared), first.rfind("/", 0, shared)) + 1


def _unnumbered(label: str) -> str:
    """A label without its numbers, of a list's elements or of Keras's counters."""
    return re.sub(r"_?\d+", "", label)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", ".", name.lower())
