"""The steps of a network: what each is, where its inputs come from, which arrays and shapes follow."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np

from numjaz.errors import NumjazError
from numjaz.layers import Array, Input, Layer, Parameter, Shape
from numjaz.records import Frozen, frozen

MAX_NODES = 10_000
WINDOW = 256  # samples, where a number is needed and nothing gives one
LENGTHS = (5040, 10080)  # that arrays must not depend on; many numbers divide both, as a Reshape may ask

Fact = TypeVar("Fact")


@frozen
class Node(Frozen):
    """One step of a network.

    ``inputs`` are (node, which of its outputs) pairs. The arrays belong to ``owner``, which is the
    node itself unless it shares another's.
    """

    name: str
    layer: Layer
    inputs: tuple[tuple[str, int], ...] = ()
    owner: str = ""

    def __post_init__(self) -> None:
        if not self.owner:
            object.__setattr__(self, "owner", self.name)


def output_key(name: str, output: int) -> str:
    """What an output is called: by its node, and ``node[1]`` for a node's second."""
    return f"{name}[{output}]" if output else name


def source_of(key: str) -> tuple[str, int]:
    """The node, and which of its outputs, of an output's name."""
    found = re.fullmatch(r"(.*)\[([1-9]\d{0,3})\]", key, re.DOTALL)
    return (found[1], int(found[2])) if found else (key, 0)


def output_shapes(nodes: Iterable[Node], window: int) -> dict[str, tuple[Shape, ...]]:
    """Every node's output shapes without the batch axis, for windows of so many samples."""
    made: dict[str, tuple[Shape, ...]] = {}
    for node, shapes in with_inputs(nodes, window, made):
        made[node.name] = asked(node, node.layer.output_shapes, shapes)
    return made


def owned_parameters(nodes: Iterable[Node]) -> dict[str, dict[str, Parameter]]:
    """Every array that these nodes need, by owner and by name, in the nodes' order.

    Raises `NumjazError` where the nodes do not fit together.
    """
    nodes = tuple(nodes)
    _check_wiring(nodes)
    owned = _owned(nodes, LENGTHS[0])
    if any(isinstance(node.layer, Input) and None in node.layer.axes for node in nodes):
        longer = _owned(nodes, LENGTHS[1])
        for owner, own in owned.items():
            if longer[owner] != own:
                raise NumjazError(f"node {owner!r}: its arrays depend on the input's length; give Input a fixed one")
    return owned


def _owned(nodes: Sequence[Node], window: int) -> dict[str, dict[str, Parameter]]:
    owned: dict[str, dict[str, Parameter]] = {}
    for node, shapes in with_inputs(nodes, window, output_shapes(nodes, window)):
        own = asked(node, node.layer.parameters, shapes)
        if owned.setdefault(node.owner, own) != own:
            raise NumjazError(f"node {node.name!r} shares the arrays of {node.owner!r}, which have other shapes there")
        if any(size < 0 for parameter in own.values() for size in parameter.shape):
            raise NumjazError(f"node {node.name!r}: its input has no samples left")
    return owned


def shapes_by_owner(nodes: Iterable[Node]) -> dict[str, dict[str, tuple[int, ...]]]:
    """Every owner's arrays' shapes by name."""
    return {owner: {name: p.shape for name, p in own.items()} for owner, own in owned_parameters(nodes).items()}


def layers_by_owner(nodes: Iterable[Node]) -> dict[str, Layer]:
    """Every owner's layer, in the nodes' order."""
    return {node.owner: node.layer for node in nodes}


def parameter_table(nodes: Iterable[Node]) -> dict[str, Parameter]:
    """The same in one table, by ``owner/name``."""
    table: dict[str, Parameter] = {}
    for owner, own in owned_parameters(nodes).items():
        for name, parameter in own.items():
            if f"{owner}/{name}" in table:
                raise NumjazError(f"two arrays are named {owner}/{name}")
            table[f"{owner}/{name}"] = parameter
    return table


def checked_arrays(table: Mapping[str, Parameter], arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Copies of the arrays, read-only; `NumjazError` names one that does not fit its parameter."""
    missing, unknown = [n for n in table if n not in arrays], [n for n in arrays if n not in table]
    if missing or unknown:
        raise NumjazError(
            f"parameter {missing[0]!r} is missing" if missing else f"parameter {unknown[0]!r} belongs to no node"
        )
    checked = {}
    for name, parameter in table.items():
        array = np.array(arrays[name], order="C")  # a copy of our own, so that read-only means it
        if array.shape != parameter.shape or array.dtype.kind != "f":
            raise NumjazError(f"parameter {name!r} is {array.dtype} {array.shape}, expected floats {parameter.shape}")
        if not np.isfinite(array).all():
            raise NumjazError(f"parameter {name!r} holds a value that is not finite")
        if array.size and array.min() < parameter.minimum:
            raise NumjazError(f"parameter {name!r} holds a value below {parameter.minimum:g}")
        array.flags.writeable = False
        checked[name] = array
    return checked


def _check_wiring(nodes: Sequence[Node]) -> None:
    if len(nodes) > MAX_NODES:
        raise NumjazError(f"{len(nodes):,} nodes; at most {MAX_NODES:,} make a network")
    known: set[str] = set()
    owners: dict[str, Layer] = {}
    for node in nodes:
        if not node.name.isprintable() or source_of(node.name)[1] or not node.name:
            why = "; [1] means a second output" if source_of(node.name)[1] else ""
            raise NumjazError(f"a node cannot be named {node.name!r:.60}{why}")
        if node.name in known:
            raise NumjazError(f"two nodes are named {node.name!r}")
        if isinstance(node.layer, Input) != (not node.inputs):
            raise NumjazError(f"node {node.name!r}: {'an Input takes no inputs' if node.inputs else 'has no inputs'}")
        for source, _ in node.inputs:
            if source not in known:
                raise NumjazError(f"node {node.name!r} takes its input from {source!r}, which does not stand before it")
        if owners.setdefault(node.owner, node.layer) != node.layer:
            raise NumjazError(f"node {node.name!r} shares the arrays of {node.owner!r} but is another layer")
        known.add(node.name)


def with_inputs(
    nodes: Iterable[Node], window: int, made: Mapping[str, tuple[Shape, ...]]
) -> Iterator[tuple[Node, tuple[Shape, ...]]]:
    """Each node with its inputs' shapes; ``made`` holds the outputs of the nodes before it."""
    for node in nodes:
        if isinstance(node.layer, Input):
            yield node, (node.layer.shape(window),)
            continue
        for name, k in node.inputs:
            if not 0 <= k < len(made[name]):
                raise NumjazError(f"node {node.name!r} takes output {k} of {name!r}, which has {len(made[name])}")
        yield node, tuple(made[name][k] for name, k in node.inputs)


def asked(node: Node, ask: Callable[[tuple[Shape, ...]], Fact], shapes: tuple[Shape, ...]) -> Fact:
    """What a layer says of these shapes; where it refuses them, the node is named."""
    try:
        return ask(shapes)
    except NumjazError as error:
        raise NumjazError(f"node {node.name!r}: {error}") from None
