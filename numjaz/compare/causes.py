"""Causes: faults that are one function under several names, and functions that are told apart."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from numjaz.compare.faults.edit import Edit, Site
from numjaz.errors import NumjazError
from numjaz.layers.base import Arrays

SAME = 1e-5  # of the largest number: edits that differ by less have one function
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


def by_function(site: Site, found: list[tuple[Edit, float]]) -> list[Cause]:
    """Edits that are one function under several names, together, in the order in which they were found."""
    others = probe(site)
    groups: list[tuple[list[Edit], Arrays, float]] = []
    seen: set[frozenset[str]] = set()
    for edit, left in found:
        parts = frozenset(edit.cause.split(" and "))
        if parts in seen:  # in the other order
            continue
        seen.add(parts)
        made = probed(edit, site, others)
        for held, like, _ in groups:
            if same(made, like):
                held.append(edit)
                break
        else:
            groups.append(([edit], made, left))
    return [
        Cause(tuple({edit.cause: edit.fix for edit in reversed(held)}.items())[::-1], left) for held, _, left in groups
    ]


def probe(site: Site) -> Arrays:
    """Other inputs, large enough that functions differ."""
    rng = np.random.default_rng(0)
    return tuple(2 * rng.standard_normal((PROBES, *x.shape[1:])) for x in site.inputs)


def probed(edit: Edit, site: Site, inputs: Arrays) -> Arrays:
    """What the other side would make of other inputs; what moves outputs is told apart by its name."""
    try:
        with np.errstate(all="ignore"):
            return edit.plain(edit.given(inputs) if edit.given else inputs)
    except (NumjazError, ValueError, IndexError):
        return ()


def same(one: Arrays, other: Arrays, share: float = SAME) -> bool:
    """Whether outputs differ by no more than a share of the largest number."""
    return len(one) == len(other) and all(
        a.shape == b.shape and bool(np.abs(a - b).max(initial=0) <= share * np.abs(b).max(initial=0))
        for a, b in zip(one, other, strict=True)
    )
