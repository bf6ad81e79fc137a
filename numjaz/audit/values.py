"""What a cell's quantity is worth under some assumptions."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from numjaz.audit.assumptions import (
    AMBIGUOUS,
    ASSUMED,
    CHOICES,
    OF_A_NETWORK,
    ONLY_PRINTED,
    Assumed,
    Resolve,
    options_of,
    own_name,
)
from numjaz.audit.claims import BYTES, Cell
from numjaz.audit.conventions import CONVENTIONS
from numjaz.audit.growth import degree
from numjaz.audit.inventory import SIZES, check_extent, count
from numjaz.audit.memory import ORDERED, memory
from numjaz.errors import NumjazError
from numjaz.model import Model
from numjaz.nodes import owned_parameters


def network_of(cell: Cell, assumed: Assumed, resolve: Resolve) -> Model:
    """The cell's network under these assumptions."""
    return resolve(cell.model, options_of(assumed))


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
    model = network_of(cell, assumed, resolve)
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
            model = network_of(cell, changed, resolve)
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
