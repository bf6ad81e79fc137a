"""Activation memory, each definition by its name and exact."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, runtime_checkable

from numjaz.audit.graph import Graph, best_order
from numjaz.audit.inventory import check_extent, item_size
from numjaz.audit.twin import calls_of
from numjaz.errors import NumjazError
from numjaz.layers import Add, Average, Input, Shape, Subtract
from numjaz.model import Model
from numjaz.nodes import asked, output_key, output_shapes, owned_parameters, with_inputs
from numjaz.planning import Tensor, alive, arena


@dataclass(frozen=True)
class Step:
    """What is in memory while a node is computed."""

    node: str
    bytes: int
    tensors: tuple[str, ...]


@dataclass(frozen=True)
class Memory:
    """The bytes of a network's activations under one definition.

    Attributes
    ----------
    definition : str
        Its name.
    peak_bytes : int
        The number that the definition gives.
    timeline : tuple of Step
        In the order of execution; one step for definitions that are a plain sum.
    proved : bool
        Whether no order of the nodes needs less, where the best one was asked for.
    offsets : dict of str to int
        Where each tensor lies, for ``arena``.
    """

    definition: str
    peak_bytes: int
    timeline: tuple[Step, ...]
    proved: bool = True
    offsets: dict[str, int] = field(default_factory=dict)

    @property
    def peak(self) -> Step:
        """The step that needs the most."""
        return max(self.timeline, key=lambda step: step.bytes)


DEFINITIONS: dict[str, str] = {
    "all": "every tensor at once, and what a softmax reads",
    "parameter_layers": "outputs of nodes with weights, at once",
    "torchinfo": "its forward/backward pass size: the same twice",
    "liveness": "each tensor until its last use",
    "in_place": "the same, outputs written over inputs that end",
    "arena": "one block, planned as TensorFlow Lite Micro does",
    "mcunet": "a weight layer's input, output, waiting residual",
    "pair": "the largest inputs and outputs of one node",
}
"""What each definition of activation memory counts."""
BY_ROWS = ("softmax", "log_softmax", "sparsemax_keras")
ORDERED = ("liveness", "in_place", "arena")


@runtime_checkable
class Planned(Protocol):
    """Tensors with their lifetimes, as a compiled plan has them."""

    @property
    def tensors(self) -> Sequence[Tensor]: ...

    @property
    def steps(self) -> Sequence[str]: ...


def memory(
    model: Model | Planned,
    definition: str = "liveness",
    window: int = 256,
    batch: int = 1,
    dtype: str = "float32",
    order: str = "given",
) -> Memory:
    """Bytes of activations in one forward pass, by a definition.

    Parameters
    ----------
    model : Model or Plan
        Any; of a plan its own tensors count, by ``all``, ``liveness`` or ``arena``, and nothing else is asked.
    definition : str
        One of `DEFINITIONS`.
    window, batch : int
        Samples in the place of every free length; windows at once.
    dtype : str
        Of every tensor.
    order : str
        ``given``, or ``best``: the order of nodes that needs least, for ``liveness``, ``in_place``, ``arena``.

    Returns
    -------
    Memory

    Raises
    ------
    NumjazError
        For unknown names.

    Examples
    --------
    >>> import numjaz
    >>> model = numjaz.jazbat(features=1, classes=6, reduction=6)
    >>> memory(model, "liveness").peak_bytes // 4
    49152
    >>> memory(model, "in_place", order="best").peak_bytes // 4
    35328
    """
    if not isinstance(definition, str) or definition not in DEFINITIONS:
        raise NumjazError(f"definition {definition!r:.60} is not one of {', '.join(DEFINITIONS)}")
    if isinstance(model, Planned):
        return _planned(model, definition)
    check_extent(model, window, batch)
    if order not in ("given", "best") or (order == "best" and definition not in ORDERED):
        raise NumjazError(f"order {order!r:.60}: given, or best for {', '.join(ORDERED)}")
    shapes = output_shapes(model.nodes, window)
    size = item_size(dtype) * batch
    graph = Graph.of(model.nodes, model.outputs, {n: [size * math.prod(s) for s in made] for n, made in shapes.items()})
    if definition in ORDERED:
        return _ordered(graph, definition, order)
    if definition == "torchinfo":
        return Memory(definition, *_torchinfo(model, window, shapes, size))
    return Memory(definition, *PLAIN[definition](graph, _weights(model)))


def _planned(plan: Planned, definition: str) -> Memory:
    """What a plan's tensors need."""
    tensors, names = plan.tensors, plan.steps
    if definition not in ("all", "liveness", "arena"):
        raise NumjazError(f"definition {definition!r}: of a plan's tensors there are all, liveness and arena")
    sums = alive(tensors, len(names))
    held = [tuple(t.name for t in tensors if t.first <= k <= t.last) for k in range(len(names))]
    timeline = tuple(Step(name, sums[k], held[k]) for k, name in enumerate(names))
    if definition == "all":
        return Memory(definition, sum(tensor.size for tensor in tensors), timeline)
    if definition == "liveness":
        return Memory(definition, max(sums, default=0), timeline)
    planned = arena(tensors)
    return Memory(definition, planned.size, timeline, offsets=planned.offsets)


def _sum(graph: Graph, weights: Sequence[bool]) -> tuple[int, tuple[Step, ...]]:
    listed = _listed(graph)
    total = sum(size for _, size in listed)
    return total, (Step(graph.nodes[-1].name, total, tuple(name for name, _ in listed)),)


def _listed(graph: Graph) -> list[tuple[str, int]]:
    """Every tensor, the one before a softmax within a layer too: an activation that needs its rows whole."""
    found = []
    for node, sizes in zip(graph.nodes, graph.makes, strict=True):
        if getattr(node.layer, "activation", "") in BY_ROWS and not node.layer.in_place:
            found.append((f"{node.name} before {node.layer.activation}", sizes[0]))  # type: ignore[attr-defined]
        found += [(output_key(node.name, k), size) for k, size in enumerate(sizes)]
    return found


def _torchinfo(
    model: Model, window: int, made: Mapping[str, tuple[Shape, ...]], size: int
) -> tuple[int, tuple[Step, ...]]:
    """What the twin's modules make that learn something and have no modules in them, twice, "for gradients"."""
    total, named = 0, []
    for node, shapes in with_inputs(model.nodes, window, made):
        calls = asked(node, partial(calls_of, node.layer), shapes)
        numbers = sum(call.made for call in calls if call.parameters and call.kind != "attention")
        total += 2 * size * numbers
        named += [node.name] * bool(numbers)
    return total, (Step(model.nodes[-1].name, total, tuple(named)),)


def _of_weights(graph: Graph, weights: Sequence[bool]) -> tuple[int, tuple[Step, ...]]:
    pairs = [(node.name, sum(sizes)) for node, sizes, has in zip(graph.nodes, graph.makes, weights, strict=True) if has]
    total = sum(size for _, size in pairs)
    return total, (Step(graph.nodes[-1].name, total, tuple(name for name, _ in pairs)),)


def _pairs(graph: Graph, weights: Sequence[bool], residual: bool = False) -> tuple[int, tuple[Step, ...]]:
    """Each node's inputs and outputs; with ``residual`` of weight layers, and what waits for a sum behind them."""
    steps = []
    waits = {
        t: last
        for t, readers in graph.readers.items()
        if (last := max(filter(partial(_sums, graph), readers), default=0))
    }
    for v, node in enumerate(graph.nodes):
        if isinstance(node.layer, Input) or (residual and not weights[v]):
            continue
        held = {*graph.needs[v], *((v, k) for k in range(len(graph.makes[v])))}
        if residual:
            held |= {t for t, last in waits.items() if t[0] < v < last}
        size = sum(graph.makes[u][k] for u, k in held)
        steps.append(Step(node.name, size, tuple(output_key(graph.nodes[u].name, k) for u, k in sorted(held))))
    return max((step.bytes for step in steps), default=0), tuple(steps)


def _sums(graph: Graph, reader: int) -> bool:
    return isinstance(graph.nodes[reader].layer, (Add, Average, Subtract))


PLAIN: dict[str, Callable[[Graph, Sequence[bool]], tuple[int, tuple[Step, ...]]]] = {
    "all": _sum,
    "parameter_layers": _of_weights,
    "mcunet": partial(_pairs, residual=True),
    "pair": _pairs,
}


def scratch(model: Model, window: int = 256, batch: int = 1, dtype: str = "float32") -> dict[str, dict[str, int]]:
    """Bytes that an implementation may want beside the activations, by node.

    ``projections``: a recurrent layer's products with the input, for all steps at once. ``im2col``: a
    convolution's samples laid out tap by tap, so that one product does.
    """
    made = output_shapes(model.nodes, window)
    size = item_size(dtype) * batch
    found = {}
    for node, shapes in with_inputs(model.nodes, window, made):
        wanted = node.layer.scratch(shapes)
        if wanted:
            found[node.name] = {kind: size * n for kind, n in wanted.items()}
    return found


def _weights(model: Model) -> list[bool]:
    owned = owned_parameters(model.nodes)
    return [bool(owned[node.owner]) for node in model.nodes]


def _ordered(graph: Graph, definition: str, order: str) -> Memory:
    in_place = definition == "in_place"
    steps, proved = (list(range(len(graph.nodes))), True) if order == "given" else best_order(graph, in_place)
    tensors = graph.tensors(steps, in_place)
    sums = alive(tensors, len(steps))
    named: list[list[str]] = [[] for _ in steps]
    for tensor in tensors:
        for k in range(tensor.first, tensor.last + 1 if tensor.size else tensor.first):
            named[k].append(tensor.name)
    timeline = tuple(Step(graph.nodes[node].name, sums[k], tuple(named[k])) for k, node in enumerate(steps))
    if definition != "arena":
        return Memory(definition, max(sums), timeline, proved)
    planned = arena(tensors)
    return Memory(definition, planned.size, timeline, proved, planned.offsets)
