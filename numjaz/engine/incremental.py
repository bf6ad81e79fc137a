"""Causal networks as samples come: what a layer needs of the past is kept, and nothing is computed twice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from numjaz.engine.plan import asked_batch, asked_dtype
from numjaz.errors import NumjazError
from numjaz.inputs import cast
from numjaz.layers import Array, GlobalAveragePooling1D, GlobalMaxPooling1D, Input, Recurrent
from numjaz.model import Model
from numjaz.nodes import LENGTHS, Node, output_shapes, source_of

Kept = tuple[Array, ...]


class State(NamedTuple):
    """What a network keeps of the samples so far, node by node; arrays are not written into."""

    nodes: tuple[Node, ...]
    dtype: np.dtype[Any]
    batch: int
    kept: Mapping[str, Kept]


def start(model: Model, batch: int = 1, dtype: Any = np.float32) -> State:
    """The state before the first sample; see `Model.start`."""
    kind, batch = asked_dtype(dtype), asked_batch(batch)
    shapes = output_shapes(model.nodes, LENGTHS[0])
    kept: dict[str, Kept] = {}
    for node in model.nodes:
        given = tuple(shapes[name][k] for name, k in node.inputs)
        why = _refused(node, given, shapes[node.name])
        if why:
            raise NumjazError(f"node {node.name!r}: {why}; run windows instead (predict, Stream)")
        kept[node.name] = _before(node, given, batch, kind)
    return State(model.nodes, kind, batch, {name: arrays for name, arrays in kept.items() if arrays})


def step(model: Model, state: State, chunk: Array | Mapping[str, Array]) -> tuple[Any, State]:
    """What the next samples give, and the state after them; see `Model.step`."""
    if state.nodes != model.nodes:
        raise NumjazError("this state is another network's: begin with start()")
    given = cast(model.checked(chunk, finite=False), state.dtype)
    if len({x.shape[:2] for x in given.values()}) > 1 or len(next(iter(given.values()))) != state.batch:
        found = ", ".join(str(x.shape) for x in given.values())
        raise NumjazError(f"a chunk is {state.batch} sequences of as many samples for every input, not {found}")
    params, kept, made = model.arrays(state.dtype), dict(state.kept), dict[str, Kept]()
    for node in model.nodes:
        inputs = tuple(made[name][k] for name, k in node.inputs) if node.inputs else (given[node.name],)
        made[node.name], left = _passed(node, params[node.owner], inputs, kept.get(node.name, ()))
        if left:
            kept[node.name] = left
    outputs = {name: made[source_of(name)[0]][source_of(name)[1]] for name in model.outputs}
    return outputs if len(outputs) > 1 else outputs[model.outputs[0]], state._replace(kept=kept)


def _refused(node: Node, given: tuple[Any, ...], made: tuple[Any, ...]) -> str | None:
    """Why a node cannot go a sample at a time, or None."""
    layer = node.layer
    if isinstance(layer, Input):
        return None if layer.axes == (None,) else "the input has no free length"
    if isinstance(layer, (GlobalAveragePooling1D, GlobalMaxPooling1D)):
        return None
    if isinstance(layer, Recurrent):
        if layer.go_backwards:
            return "reads from the end"
        return "states go in or out" if len(given) > 1 or layer.return_state else None
    if all(len(shape) == 1 for shape in given):
        return None  # vectors: of all samples so far
    back, ahead = layer.reach
    if ahead != 0:
        return f"looks {ahead} samples ahead" if ahead else "looks at all samples"
    if back is None:
        return "looks at all samples before"
    if len({shape[0] for shape in (*given, *made)}) > 1:
        return "gives another number of samples than it takes"
    return None


def _before(node: Node, given: tuple[Any, ...], batch: int, dtype: np.dtype[Any]) -> Kept:
    """What a node keeps before the first sample."""
    layer = node.layer
    if isinstance(layer, Recurrent):
        return layer.start(batch, dtype)
    if isinstance(layer, GlobalAveragePooling1D):
        return np.zeros((batch, given[0][-1])), np.zeros(())  # sum and count, in float64: they go on for days
    if isinstance(layer, GlobalMaxPooling1D):
        return (np.full((batch, given[0][-1]), -np.inf, dtype),)
    back = layer.reach[0] if given and len(given[0]) == 2 else 0
    return tuple(np.zeros((batch, back, shape[-1]), dtype) for shape in given) if back else ()


def _passed(node: Node, params: Mapping[str, Array], inputs: tuple[Array, ...], kept: Kept) -> tuple[Kept, Kept]:
    """A node's outputs for these samples, and what it keeps of them."""
    layer, x = node.layer, inputs[0]
    if isinstance(layer, Recurrent):
        outputs, state = layer.step(params, kept, x)
        return (outputs if layer.return_sequences else state[0],), state
    if isinstance(layer, GlobalAveragePooling1D):
        total, count = kept[0] + x.sum(axis=1, dtype=np.float64), kept[1] + x.shape[1]
        mean = (total / count).astype(x.dtype)
        return (mean[:, None] if layer.keepdims else mean,), (total, count)
    if isinstance(layer, GlobalMaxPooling1D):
        most = np.maximum(kept[0], x.max(axis=1))
        return (most[:, None] if layer.keepdims else most,), (most,)
    if not kept:
        return layer.forward(params, inputs).outputs, ()
    back = kept[0].shape[1]
    seen = tuple(np.concatenate((old, new), axis=1) for old, new in zip(kept, inputs, strict=True))
    made = tuple(y[:, back:] for y in layer.forward(params, seen).outputs)
    return made, tuple(new[:, new.shape[1] - back :] for new in seen)
