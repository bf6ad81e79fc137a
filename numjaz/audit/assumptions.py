"""What a claim leaves open, and what it would be worth under one assumption or another."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from numjaz.audit.claims import BYTES, Cell
from numjaz.audit.conventions import CONVENTIONS, NAMES
from numjaz.audit.forms import FORMS
from numjaz.audit.grid import DEGREE
from numjaz.audit.growth import degree
from numjaz.audit.inventory import SIZES, check_extent, count
from numjaz.audit.memory import DEFINITIONS, ORDERED, memory
from numjaz.errors import NumjazError
from numjaz.model import Model
from numjaz.nodes import owned_parameters

ONLY_PRINTED, ONLY_COMPUTED = "only printed", "only computed"
Assumed = Mapping[str, Any]
Resolve = Callable[[str, Mapping[str, Any]], Model]


class Varying(NamedTuple):
    """Other values that an assumption may have: all that are tried, the likely ones, and whether they are numbers."""

    values: tuple[Any, ...]
    likely: tuple[Any, ...]
    whole: bool


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
OF_A_NETWORK = tuple(MATTERS)[: list(MATTERS).index("windows")]
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
        if (name in matter or (network and _of_builder(name))) and not (name == "unit" and cell.unit not in AMBIGUOUS)
    ]


def _of_builder(name: str) -> bool:
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
            likely = values = tuple(selections(_network(cell, own, resolve), own))
        else:
            likely = values = _likely(cells, name)
            if all(type(value) is int for value in likely):
                values += RANGES.get(name, tuple(n for n in WHOLE if n <= FURTHEST * max(likely)))
            if _of_builder(name) and cell.quantity in OF_A_NETWORK and not _has(cell, name, likely, own, resolve):
                continue
        left = [tuple(v for v in dict.fromkeys(each) if v != own.get(name)) for each in (values, likely)]
        whole = len(left[0]) > DEGREE + 1 and all(type(value) is int for value in left[0])
        found[name] = Varying(tuple(sorted(left[0])) if whole else left[0], left[1], whole)
    return {name: each for name, each in found.items() if each.values}


def _has(cell: Cell, name: str, values: Sequence[Any], own: Assumed, resolve: Resolve) -> bool:
    """Whether the cell's network has the option."""
    for value in values:
        with suppress(NumjazError):
            _network(cell, {**own, name: value}, resolve)
            return True
    return False


def _likely(cells: Sequence[Cell], name: str) -> tuple[Any, ...]:
    """Values of an option: the usual ones, and those that stand in the paper's own cells; both of a yes or no."""
    stated = sorted({baseline(cell)[name] for cell in cells if name in baseline(cell)}, key=repr)
    found = (*LIKELY.get(name, ()), *stated)
    return (True, False) if found and all(type(value) is bool for value in found) else found


def _network(cell: Cell, assumed: Assumed, resolve: Resolve) -> Model:
    return resolve(cell.model, options_of(assumed))


def options_of(assumed: Assumed) -> dict[str, Any]:
    """The options of a network's builder among some assumptions: all that are none of the audit's own."""
    return {name: value for name, value in assumed.items() if _of_builder(name)}


def value_of(cell: Cell, assumed: Assumed, resolve: Resolve) -> float:
    """What a cell's quantity is worth under these assumptions, in plain units of what is printed.

    Raises `NumjazError` where it cannot be computed.
    """
    for name, known in CHOICES.items():
        if assumed[name] not in (*known, ASSUMED[name]):
            raise NumjazError(f"{name} {assumed[name]!r:.40} is not one of {', '.join(map(str, known))}")
    if cell.quantity == "windows":
        windows: int = max((cell.samples - cell.window) // assumed["hop"] + 1, 0)
        return windows
    if cell.quantity not in OF_A_NETWORK or (cell.quantity == "file_bytes" and not assumed["format"]):
        raise NumjazError(ONLY_PRINTED)
    if not cell.model:  # another paper's network, say
        raise NumjazError(ONLY_PRINTED)
    model = _network(cell, assumed, resolve)
    check_extent(model, assumed["window"], assumed["batch"])
    _check_nodes(model, assumed["nodes"])
    if cell.quantity == "file_bytes":
        return _in_units(_file_bytes(model, assumed["format"]), cell, assumed)
    if cell.quantity == "activations":
        found = selections(model, assumed)
        if assumed["tensors"] not in found:
            raise NumjazError(f"the network has no tensors {assumed['tensors']!r:.60}")
        numbers = found[assumed["tensors"]]
        return _in_units(numbers * SIZES[assumed["dtype"]], cell, assumed) if cell.unit in BYTES else numbers
    if cell.quantity == "peak_bytes":
        order = assumed["order"] if assumed["definition"] in ORDERED else "given"
        held = memory(model, assumed["definition"], assumed["window"], assumed["batch"], assumed["dtype"], order)
        return _in_units(held.peak_bytes, cell, assumed)
    if cell.quantity in ("macs", "flops"):
        tool = CONVENTIONS.get(assumed["convention"])
        return _macs(model, assumed) * (1 if tool and tool.flops else assumed["per_mac"])
    trainable = assumed["statistics"] == "left out"
    numbers = _parameters(model, assumed, trainable)
    return _in_units(numbers * SIZES[assumed["dtype"]], cell, assumed) if cell.quantity == "model_bytes" else numbers


def growth_of(cell: Cell, assumed: Assumed, resolve: Resolve) -> dict[str, int]:
    """In which power of each of a cell's symbols the counted number grows, where the other options stay."""
    kinds: dict[str, Callable[[Model, Assumed], int]] = {
        "macs": _macs,
        "activations": _numbers,
        "parameters": _parameters,
    }
    counted = kinds[assumed["counts"]]
    found = {}
    for symbol, option in cell.symbols.items():
        name = own_name(option)
        base = assumed.get(name)
        if type(base) is not int or base < 1:
            raise NumjazError(f"symbol {symbol!r:.40}: the options state no whole number {option!r:.40}")

        def at(value: int, name: str = name) -> int:
            changed = {**assumed, name: value}
            model = _network(cell, changed, resolve)
            _check_nodes(model, changed["nodes"])
            return int(counted(model, changed))

        found[symbol] = degree(at, [base * k for k in range(1, 8)])
    return dict(sorted(found.items()))


def _check_nodes(model: Model, prefix: Any) -> None:
    if not isinstance(prefix, str) or not any(node.name.startswith(prefix) for node in model.nodes):
        raise NumjazError(f"no node's name begins with {prefix!r:.40}")


def _macs(model: Model, assumed: Assumed) -> int:
    convention, form = assumed["convention"], assumed["form"]
    counted = count(model, convention, assumed["window"], batch=assumed["batch"], form=form)
    head = _head(model) if assumed["head"] == "left out" else None
    rows = [row for row in counted.rows if row.node.startswith(assumed["nodes"]) and row.node != head]
    macs: int = sum(row.macs for row in rows)
    if assumed["directions"] == "one":
        macs -= sum(n for row in rows for name, n in row.operations.macs.items() if name.startswith("backward/"))
    return macs


def _parameters(model: Model, assumed: Assumed, trainable: bool = False) -> int:
    one, head = assumed["directions"] == "one", _head(model) if assumed["head"] == "left out" else ""
    return sum(
        math.prod(parameter.shape)
        for name, parameter in model.parameter_table.items()
        if name.startswith(assumed["nodes"])
        and (parameter.trainable or not trainable)
        and not (one and "/backward/" in name)
        and not (head and name.startswith(f"{head}/"))
    )


def _numbers(model: Model, assumed: Assumed) -> int:
    return selections(model, assumed)["all"]


def _head(model: Model) -> str:
    """The last node with parameters: the layer that names the classes."""
    owned = owned_parameters(model.nodes)
    return next((node.owner for node in reversed(model.nodes) if owned[node.owner]), "")


def _file_bytes(model: Model, format: str) -> int:
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what the format has no place for
        path = Path(folder) / "model"
        model.save(path, format)
        return path.stat().st_size


def selections(model: Model, assumed: Assumed) -> dict[str, int]:
    """Which tensors could have been counted, and how many numbers they hold: all, or of a block some by their size.

    A block is what a node's name says before the first underscore; of blocks alike the first stands for all.
    """
    named = {k: s for k, s in model.shapes(assumed["window"]).items() if k.startswith(assumed["nodes"])}
    found = {"all": assumed["batch"] * sum(math.prod(shape) for shape in named.values())}
    blocks: dict[str, dict[int, int]] = {}  # block -> size of a tensor -> how many there are
    for name, shape in named.items():
        sizes = blocks.setdefault(name.partition("_")[0], {})
        sizes[math.prod(shape)] = sizes.get(math.prod(shape), 0) + 1
    alike: dict[tuple[tuple[int, int], ...], str] = {}
    for block, sizes in blocks.items():
        alike.setdefault(tuple(sizes.items()), block)
    for sizes_of, block in alike.items():
        for chosen in _choices(list(sizes_of)):
            if any(n for _, n in chosen):
                of = dict(sizes_of)
                text = ", ".join(f"{n or 'none'} of {of[size]} with {size:,} numbers" for size, n in chosen)
                found[f"{block}: {text}"] = assumed["batch"] * sum(size * n for size, n in chosen)
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


def _in_units(size: float, cell: Cell, assumed: Assumed) -> float:
    """Bytes in what KB, or MB, is taken for."""
    return size * (1000 / 1024) ** AMBIGUOUS.get(cell.unit, 0) if assumed["unit"] == "binary" else size
