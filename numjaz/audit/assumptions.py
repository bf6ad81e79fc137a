"""What a claim leaves open, and what it would be worth under one assumption or another."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from numjaz.audit.claims import Cell
from numjaz.audit.conventions import NAMES
from numjaz.audit.inventory import SIZES, check_extent, count
from numjaz.audit.memory import DEFINITIONS, ORDERED, memory
from numjaz.errors import NumjazError
from numjaz.model import Model

ONLY_PRINTED = "only printed"
Assumed = Mapping[str, Any]
Resolve = Callable[[str, Mapping[str, Any]], Model]

CANDIDATES: dict[str, tuple[Any, ...]] = {
    "reduction": (6, 18),
    "features": (1, 3, 6),
    "classes": (6, 18),
    "reset_after": (True, False),
    "activation": ("relu", "linear"),
    "modules": (1, 2, 3),
    "units": (16, 32, 64, 128),
    "shared": (False, True),
    "window": (64, 100, 128, 200, 256, 512),
    "batch": (1, 2, 8, 16, 32, 64),
    "convention": NAMES,
    "unit": ("decimal", "binary"),
    "statistics": ("counted", "left out"),
    "directions": ("both", "one"),
    "dtype": tuple(SIZES),
    "definition": tuple(DEFINITIONS),
    "order": ("given", "best"),
    "tensors": ("all",),  # and every selection of `selections`
}
"""What each assumption may be. The first eight are the builder's options; any other option of it may vary as well."""
KNOWN = {name: CANDIDATES[name] for name in ("unit", "statistics", "directions", "dtype", "definition", "order")}
SYNONYMS = {"R": "reduction", "T": "window", "bias": "reset_after", "C": "classes", "F": "features"}
ASSUMED: dict[str, Any] = {
    **{"window": 256, "batch": 1, "convention": "matmul", "unit": "decimal", "statistics": "counted"},
    **{"directions": "both", "dtype": "float32", "definition": "liveness", "order": "given", "tensors": "all"},
    **{"nodes": ""},
}
"""What is assumed where the paper says nothing; ``nodes`` is what the names of the counted nodes begin with."""


def varied(cell: Cell) -> list[str]:
    """What may vary in a cell, each once and by its own name."""
    return list(dict.fromkeys(SYNONYMS.get(name, name) for name in cell.may_vary))


def baseline(cell: Cell) -> dict[str, Any]:
    """A cell's assumptions under the paper's own options."""
    own = {SYNONYMS.get(name, name): value for name, value in cell.options.items()}
    return {**ASSUMED, **own}


def alternatives(cell: Cell, name: str, resolve: Resolve) -> list[Any]:
    """Other values of an assumption than the cell's own."""
    if name not in CANDIDATES:
        raise NumjazError(f"cell {cell.id!r:.40}: may_vary names {name!r:.40}; known are {', '.join(CANDIDATES)}")
    own, found = baseline(cell), list(CANDIDATES[name])
    if name == "tensors":
        found += list(selections(_network(cell, own, resolve), own))
    return [value for value in found if value != own.get(name)]


def _network(cell: Cell, assumed: Assumed, resolve: Resolve) -> Model:
    """The cell's network; what is no assumption of the audit's is an option of its builder."""
    return resolve(cell.model, {name: value for name, value in assumed.items() if name not in ASSUMED})


def value_of(cell: Cell, assumed: Assumed, resolve: Resolve) -> float:
    """What a cell's quantity is worth under these assumptions, in plain units of what is printed.

    Raises `NumjazError` where it cannot be computed.
    """
    if cell.quantity == "windows":
        return max((cell.samples - cell.window) // cell.hop + 1, 0)
    if cell.quantity in ("file_bytes", "quoted", "ratio"):
        raise NumjazError(ONLY_PRINTED)
    for name, known in KNOWN.items():
        if assumed[name] not in known:
            raise NumjazError(f"{name} {assumed[name]!r:.40} is not one of {', '.join(map(str, known))}")
    model = _network(cell, assumed, resolve)
    check_extent(model, assumed["window"], assumed["batch"])
    if not isinstance(assumed["nodes"], str) or not any(node.name.startswith(assumed["nodes"]) for node in model.nodes):
        raise NumjazError(f"no node's name begins with {assumed['nodes']!r:.40}")
    if cell.quantity == "activations":
        found = selections(model, assumed)
        if assumed["tensors"] not in found:
            raise NumjazError(f"the network has no tensors {assumed['tensors']!r:.60}")
        return found[assumed["tensors"]]
    if cell.quantity == "peak_bytes":
        order = assumed["order"] if assumed["definition"] in ORDERED else "given"
        held = memory(model, assumed["definition"], assumed["window"], assumed["batch"], assumed["dtype"], order)
        return _in_units(held.peak_bytes, cell, assumed)
    if cell.quantity in ("macs", "flops"):
        counted = count(model, assumed["convention"], assumed["window"], batch=assumed["batch"])
        macs: int = sum(row.macs for row in counted.rows if row.node.startswith(assumed["nodes"]))
        if assumed["directions"] == "one":
            macs -= _backward(counted.operations.macs)
        return macs * (2 if cell.quantity == "flops" else 1)
    trainable = cell.quantity == "trainable" or assumed["statistics"] == "left out"
    one = assumed["directions"] == "one"
    numbers = sum(
        math.prod(p.shape)
        for name, p in model.parameter_table.items()
        if name.startswith(assumed["nodes"]) and (p.trainable or not trainable) and not (one and "/backward/" in name)
    )
    if cell.quantity != "model_bytes":
        return numbers
    return _in_units(numbers * SIZES[assumed["dtype"]], cell, assumed)


def selections(model: Model, assumed: Assumed) -> dict[str, int]:
    """Which tensors could have been counted, and how many numbers they hold: all, or of a block some by their width."""
    shapes = model.shapes(assumed["window"])
    batch = assumed["batch"]
    found = {"all": batch * sum(math.prod(shape) for shape in shapes.values())}
    blocks: dict[str, dict[int, int]] = {}  # block -> size of a tensor -> how many there are
    for name, shape in shapes.items():
        block, size = name.partition("_")[0], math.prod(shape)
        sizes = blocks.setdefault(block, {})
        sizes[size] = sizes.get(size, 0) + 1
    for block, sizes in blocks.items():
        for chosen in _choices(list(sizes.items())):
            text = " and ".join(f"{n} of {sizes[size]} with {size:,} numbers" for size, n in chosen if n)
            if text:
                found[f"{block}: {text}"] = batch * sum(size * n for size, n in chosen)
    return found


def _choices(sizes: list[tuple[int, int]]) -> Iterable[list[tuple[int, int]]]:
    """How many of each size may be taken, in all ways."""
    if not sizes:
        yield []
        return
    (size, most), *rest = sizes
    for n in range(most + 1):
        for others in _choices(rest):
            yield [(size, n), *others]


def _backward(macs: Mapping[str, int]) -> int:
    return sum(n for name, n in macs.items() if name.startswith("backward/"))


def _in_units(size: float, cell: Cell, assumed: Assumed) -> float:
    """Bytes in what KB, or MB, is taken for."""
    power = {"KB": 1, "MB": 2}.get(cell.unit, 0)
    return size * (1000 / 1024) ** power if assumed["unit"] == "binary" else size
