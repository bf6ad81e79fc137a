"""What a claim leaves open: the assumptions, their names, and which of them bear on a quantity."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from numjaz.audit.claims import Cell
from numjaz.audit.conventions import NAMES
from numjaz.audit.forms import FORMS
from numjaz.audit.inventory import SIZES
from numjaz.audit.memory import DEFINITIONS
from numjaz.errors import NumjazError
from numjaz.model import Model

ONLY_PRINTED, ONLY_COMPUTED = "only printed", "only computed"
Assumed = Mapping[str, Any]
Resolve = Callable[[str, Mapping[str, Any]], Model]

ASSUMED: dict[str, Any] = {
    **{"window": 256, "batch": 1, "convention": "matmul", "form": "twin", "unit": "decimal", "statistics": "counted"},
    **{"directions": "both", "head": "counted", "dtype": "float32", "definition": "liveness", "order": "given"},
    **{"tensors": "all", "nodes": "", "format": "", "counts": "macs", "reading": "less", "per_mac": 1},
}
"""What is assumed where the paper says nothing; ``nodes`` is what the names of the counted nodes begin with."""
AMBIGUOUS = {"kB": 1, "KB": 1, "MB": 2, "GB": 3}  # units that may be taken for KiB, …, and powers of 1,024
CHOICES: dict[str, tuple[Any, ...]] = {
    "convention": NAMES,
    "form": tuple(FORMS),
    "unit": ("decimal", "binary"),
    "statistics": ("counted", "left out"),
    "directions": ("both", "one"),
    "head": ("counted", "left out"),
    "dtype": tuple(SIZES),
    "definition": tuple(DEFINITIONS),
    "order": ("given", "best"),
    "counts": ("macs", "parameters", "activations"),
    "reading": ("less", "share"),
    "per_mac": (1, 2),
}
"""The assumptions that are one of a few, by name."""
SYNONYMS = {
    **{"R": "reduction", "T": "window", "C": "classes", "F": "features"},
    **{"bias": "reset_after", "bias form": "reset_after", "frozen statistics": "statistics", "direction": "directions"},
}
ON_NUMBERS = ("nodes", "statistics", "directions", "head")
MATTERS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("macs", "flops"), ("nodes", "convention", "per_mac", "form", "window", "batch", "directions", "head")
    ),
    "parameters": ON_NUMBERS,
    "trainable": ON_NUMBERS,
    "model_bytes": (*ON_NUMBERS, "dtype", "unit"),
    "file_bytes": ("format", "unit"),
    "peak_bytes": ("definition", "order", "window", "batch", "dtype", "unit"),
    "activations": ("nodes", "tensors", "window", "batch", "dtype", "unit"),
    "windows": ("hop",),
    "ratio": ("reading", "convention", "form", "window", *ON_NUMBERS),
    "growth": ("nodes", "counts", "statistics", "head"),
}
"""What a quantity depends on beside its network: nothing else is varied in a cell."""
OF_A_NETWORK = tuple(quantity for quantity in MATTERS if quantity not in ("windows", "ratio", "growth"))
BUILT = (*OF_A_NETWORK, "ratio")  # what other options of a builder may change


def own_name(name: str) -> str:
    """What an assumption or an option is called here: ``R`` is ``reduction``, ``bias form`` ``reset_after``."""
    plain = name.replace("_", " ").replace("-", " ")
    return SYNONYMS.get(plain, name)


def varied(cell: Cell) -> list[str]:
    """What may vary in a cell and bears on it, each once and by its own name."""
    names = dict.fromkeys(map(own_name, cell.may_vary))
    matter, network = MATTERS.get(cell.quantity, ()), cell.quantity in BUILT
    return [
        name
        for name in names
        if (name in matter or (network and of_builder(name))) and not (name == "unit" and cell.unit not in AMBIGUOUS)
    ]


def of_builder(name: str) -> bool:
    """Whether it is an option of the network's builder, rather than of how something is counted."""
    return name not in ASSUMED and name != "hop"


def baseline(cell: Cell) -> dict[str, Any]:
    """A cell's assumptions under the paper's own options."""
    stated = {own_name(name): value for name, value in cell.options.items()}
    if len(stated) < len(cell.options):
        raise NumjazError(f"cell {cell.id!r}: the options {', '.join(cell.options)} state one thing twice")
    own: dict[str, Any] = {"hop": cell.hop} if cell.hop else {}
    if cell.quantity == "trainable":
        own["statistics"] = "left out"
    if cell.quantity == "flops":
        own["per_mac"] = 2
    return {**ASSUMED, **own, **stated}


def options_of(assumed: Assumed) -> dict[str, Any]:
    """The options of a network's builder among some assumptions: all that are none of the audit's own."""
    return {name: value for name, value in assumed.items() if of_builder(name)}
