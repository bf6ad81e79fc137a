"""A network as a Keras configuration: the inverse of what `keras_config` reads, in the words of `keras_words`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from numjaz.errors import NumjazError
from numjaz.formats.keras_config import KerasLayer
from numjaz.formats.keras_masks import check_masks
from numjaz.formats.keras_weights import keras_order
from numjaz.formats.keras_words import Config, serialised
from numjaz.layers import GRU, LSTM, Bidirectional, Input, Layer, MultiHeadAttention, Shape, SimpleRNN
from numjaz.nodes import WINDOW, Node, output_shapes, source_of


def keras_names(nodes: Iterable[Node]) -> dict[str, str]:
    """What Keras is to call each owner: its own name, without what Keras takes for a path or a scope."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    count: dict[str, int] = {}  # how often a name was given, with its numbers
    for node in nodes:
        if node.owner not in names:
            bare = re.sub(r"[^A-Za-z0-9_.-]", "_", node.owner).lstrip("_.-") or "layer"
            k = count.get(bare, 0)
            while (name := f"{bare}_{k}" if k else bare) in taken:
                k += 1
            names[node.owner], count[bare] = name, k + 1
            taken.add(name)
    return names


def keras_list(nodes: Sequence[Node], outputs: Sequence[str]) -> tuple[KerasLayer, ...]:
    """Keras's list of the layers of the configuration that is written."""
    names = keras_names(nodes)
    return tuple(replace(layer, name=names[layer.owner]) for layer in keras_order(nodes, outputs))


def configuration(nodes: Sequence[Node], outputs: Sequence[str], dtype: str, keras: int) -> Config:
    """The configuration of a functional model.

    Parameters
    ----------
    nodes, outputs : sequence
        The network's.
    dtype : str
        ``float32`` or ``float64``, of every layer.
    keras : int
        2 or 3: whose words.

    Raises
    ------
    NumjazError
        Naming the node, and what that Keras has no word for.
    """
    check_masks(nodes)
    names, order = keras_names(nodes), keras_order(nodes, outputs)
    lost = {node.owner for node in nodes} - {layer.owner for layer in order}
    if lost:
        raise NumjazError(f"no output depends on node {min(lost)!r}, and Keras keeps no such layer")
    shapes = _free_shapes(nodes)
    owners = {node.name: node.owner for node in nodes}
    calls: dict[str, int] = {}  # node -> which of its owner's calls
    entries: dict[str, Config] = {}
    for node in nodes:
        held = [shapes[source][k] for source, k in node.inputs]
        if node.owner not in entries:
            name = names[node.owner]
            try:
                made = serialised(node.layer, name, dtype, keras, held)
            except NumjazError as error:
                raise NumjazError(f"node {node.name!r}: {error}") from None
            entries[node.owner] = {**made, "name": name, "inbound_nodes": []}
        entry = entries[node.owner]
        calls[node.name] = len(entry["inbound_nodes"])
        if not isinstance(node.layer, Input):
            given = [(names[owners[source]], calls[source], k) for source, k in node.inputs]
            entry["inbound_nodes"].append(_call(node.layer, given, held, dtype, keras))
    ends = [source_of(output) for output in outputs]
    return {
        "class_name": "Functional",
        "config": {
            "name": "numjaz",
            "trainable": True,
            "layers": [entries[layer.owner] for layer in order],
            "input_layers": [[names[node.owner], 0, 0] for node in nodes if isinstance(node.layer, Input)],
            "output_layers": [[names[owners[name]], calls[name], k] for name, k in ends],
        },
        **({"module": "keras.src.models.functional", "registered_name": "Functional"} if keras == 3 else {}),
    }


def _free_shapes(nodes: Sequence[Node]) -> dict[str, list[list[Any]]]:
    """Every output's shape with the batch's axis and None for each length that is free."""
    some, others = output_shapes(nodes, WINDOW), output_shapes(nodes, 4 * WINDOW)
    return {
        name: [[None, *_where_same(a, b)] for a, b in zip(shapes, others[name], strict=True)]
        for name, shapes in some.items()
    }


def _where_same(a: Shape, b: Shape) -> list[Any]:
    return [x if x == y else None for x, y in zip(a, b, strict=True)]


def _call(layer: Layer, given: list[tuple[str, int, int]], shapes: list[list[Any]], dtype: str, keras: int) -> Any:
    """One call, on the outputs of others, as Keras writes it."""
    attention = isinstance(layer, MultiHeadAttention)
    flags = {}
    if isinstance(layer, MultiHeadAttention):
        flags = {"use_causal_mask": layer.causal, "return_attention_scores": layer.scores}
        flags = {name: True for name, value in flags.items() if value}
    if keras == 2:
        if not attention:
            return [[*source, {}] for source in given]
        more = {name: list(source) for name, source in zip(("value", "key"), given[1:], strict=False)}
        return [[*given[0], {**more, **flags}]]
    tensors: list[Any] = [
        {
            "class_name": "__keras_tensor__",
            "config": {"shape": shape, "dtype": dtype, "keras_history": list(source)},
        }
        for source, shape in zip(given, shapes, strict=True)
    ]
    if attention:
        return {"args": tensors, "kwargs": flags}
    if isinstance(layer, (Bidirectional, SimpleRNN, GRU, LSTM)):
        return {"args": tensors[:1], "kwargs": {"initial_state": tensors[1:]} if tensors[1:] else {}}
    return {"args": tensors if len(tensors) == 1 else [tensors], "kwargs": {}}


def plain_dtype(arrays: Iterable[Any]) -> str:
    """``float32`` where all arrays are that or narrower, else ``float64``: the two that Keras computes in here."""
    sizes = [np.dtype(array.dtype).itemsize for array in arrays]
    return "float32" if sizes and max(sizes) <= 4 else "float64"
