"""Which other values each assumption of a cell may have."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from numjaz.audit.assumptions import CHOICES, OF_A_NETWORK, Assumed, Resolve, baseline, of_builder, own_name, varied
from numjaz.audit.claims import Cell
from numjaz.audit.grid import DEGREE
from numjaz.audit.values import network_of, selections
from numjaz.errors import NumjazError

LIKELY: dict[str, tuple[Any, ...]] = {
    "reduction": (6, 18),
    "features": (1, 3, 6),
    "classes": (6, 18),
    "modules": (1, 2, 3),
    "units": (16, 32, 64, 128),
    "reset_after": (True, False),
    "activation": ("relu", "linear"),
    "window": (64, 100, 128, 200, 256, 512),
    "batch": (1, 2, 8, 16, 32, 64),
    "hop": (1, 2, 4, 8, 16, 32, 64, 128, 256),
}
"""The usual values of options, beside those that stand in the paper's own cells."""
RANGES: dict[str, tuple[Any, ...]] = {
    "window": tuple(sorted({*range(8, 513, 8), *range(10, 513, 10), *range(25, 513, 25), 600, 640, 768, 1000, 1024})),
    "batch": (*range(1, 33), 64, 100, 128, 256, 512),
    "hop": tuple(range(1, 513)),
}
"""All that are tried; of any other whole number `WHOLE`."""
WHOLE = (*range(1, 65), *range(72, 257, 8), 300, 384, 512)
FURTHEST = 4  # times the largest of the likely values


class Varying(NamedTuple):
    """Other values that an assumption may have: all that are tried, the likely ones, and whether they are numbers."""

    values: tuple[Any, ...]
    likely: tuple[Any, ...]
    whole: bool


def check_varied(cells: Sequence[Cell], cell: Cell) -> None:
    """Raise where ``may_vary`` names what is no assumption, and no option of which a value is known."""
    for name in dict.fromkeys(map(own_name, cell.may_vary)):
        if name not in CHOICES and name != "tensors" and not _likely(cells, name):
            known = ", ".join([*CHOICES, *LIKELY, "tensors"])
            why = f"may_vary names {name!r:.40}, of which no cell states a value; known are {known}"
            raise NumjazError(f"cell {cell.id!r}: {why}")


def candidates(cells: Sequence[Cell], cell: Cell, resolve: Resolve) -> dict[str, Varying]:
    """Other values of all that may vary in a cell; of an option that its network has not, none."""
    own, found = baseline(cell), {}
    for name in varied(cell):
        if name in CHOICES:
            likely = values = CHOICES[name]
        elif name == "tensors":
            likely = values = tuple(selections(network_of(cell, own, resolve), own))
        else:
            likely = values = _likely(cells, name)
            if all(type(value) is int for value in likely):
                values += RANGES.get(name, tuple(n for n in WHOLE if n <= FURTHEST * max(likely)))
            if of_builder(name) and cell.quantity in OF_A_NETWORK and not _has(cell, name, likely, own, resolve):
                continue
        left = [tuple(v for v in dict.fromkeys(each) if v != own.get(name)) for each in (values, likely)]
        whole = len(left[0]) > DEGREE + 1 and all(type(value) is int for value in left[0])
        found[name] = Varying(tuple(sorted(left[0])) if whole else left[0], left[1], whole)
    return {name: each for name, each in found.items() if each.values}


def _has(cell: Cell, name: str, values: Sequence[Any], own: Assumed, resolve: Resolve) -> bool:
    """Whether the cell's network has the option."""
    for value in values:
        with suppress(NumjazError):
            network_of(cell, {**own, name: value}, resolve)
            return True
    return False


def _likely(cells: Sequence[Cell], name: str) -> tuple[Any, ...]:
    """Values of an option: the usual ones, and those that stand in the paper's own cells; both of a yes or no."""
    stated = sorted({baseline(cell)[name] for cell in cells if name in baseline(cell)}, key=repr)
    found = (*LIKELY.get(name, ()), *stated)
    return (True, False) if found and all(type(value) is bool for value in found) else found
