"""What each node computes, as a formula in its own symbols."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from typing import Any, NamedTuple

from numjaz.errors import NumjazError
from numjaz.formula import Formula
from numjaz.layers import Bidirectional, Dense, Input, Layer, Shape, TimeDistributed
from numjaz.model import Model
from numjaz.nodes import output_shapes, with_inputs

SYMBOLS = {
    "units": "h",
    "filters": "D",
    "kernel_size": "k",
    "depth_multiplier": "M",
    "heads": "H",
    "key_dim": "d",
    "value_dim": "v",
}
"""What an option is called in formulas; T are samples, F a network's features, C channels that a node reads."""


class Symbolic(NamedTuple):
    """A node's multiply-accumulates and parameters as formulas, and what their symbols are in this network.

    Multiply-accumulates grow with T, the samples; parameters do not.
    """

    node: str
    macs: Formula
    parameters: Formula
    values: dict[str, int]


def symbolic(model: Model, window: int = 256) -> list[Symbolic]:
    """The formulas of every node that multiplies and accumulates, or has parameters.

    Each is written in the node's own symbols (`SYMBOLS`), so that ``h`` may mean other numbers in other nodes.

    Examples
    --------
    >>> import numjaz
    >>> symbolic(numjaz.jazbat(features=1))[0]
    Symbolic(node='bigru', macs=6·T·h·(F + h), parameters=6·h·(F + h + 2), values={'T': 256, 'F': 1, 'h': 32})
    """
    T = Formula.symbol("T")
    made = output_shapes(model.nodes, T)  # type: ignore[arg-type]
    inputs = {node.name for node in model.nodes if isinstance(node.layer, Input)}
    found = []
    for node, shapes in with_inputs(model.nodes, T, made):  # type: ignore[arg-type]
        width = "F" if any(name in inputs for name, _ in node.inputs) else "C"
        macs, parameters, values = _formulas(node.layer, shapes, width)
        if macs != 0 or parameters != 0:
            known, symbols = {"T": window, **values}, macs.symbols | parameters.symbols
            found.append(Symbolic(node.name, macs, parameters, {s: known[s] for s in known if s in symbols}))
    return found


def _formulas(layer: Layer, shapes: tuple[Shape, ...], width: str) -> tuple[Formula, Formula, dict[str, int]]:
    """With every symbol that the layer takes; with T alone where one of them would have to be a number."""
    values = {width: shapes[0][-1]} if isinstance(shapes[0][-1], int) else {}
    try:
        wide = tuple(
            (*shape[:-1], Formula.symbol(width)) if shape[-1] == values.get(width) else shape for shape in shapes
        )
        return *_counted(_named(layer, values), wide), values
    except (NumjazError, TypeError):
        return *_counted(layer, shapes), {}


def _counted(layer: Layer, shapes: tuple[Shape, ...]) -> tuple[Formula, Formula]:
    parameters = sum(math.prod(p.shape) for p in layer.parameters(shapes).values())
    return Formula.of(layer.operations(shapes).total_macs), Formula.of(parameters)


def _named(layer: Layer, values: dict[str, int]) -> Layer:
    """The layer with symbols for its options, noting what they stand for. Not one to run."""
    if isinstance(layer, TimeDistributed):
        return replace(layer, layer=_named(layer.layer, values))
    if isinstance(layer, Bidirectional):
        sides = (_named(side, values) for side in (layer.forward_layer, layer.backward_layer))
        return replace(layer, forward_layer=next(sides), backward_layer=next(sides))  # type: ignore[arg-type]
    made = object.__new__(type(layer))
    for option in fields(layer):
        value: Any = getattr(layer, option.name)
        symbol = "n" if isinstance(layer, Dense) and option.name == "units" else SYMBOLS.get(option.name)
        if symbol and value and values.setdefault(symbol, value) == value:
            value = Formula.symbol(symbol)
        object.__setattr__(made, option.name, value)
    return made
