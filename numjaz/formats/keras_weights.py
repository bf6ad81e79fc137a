"""Where Keras puts each layer's arrays: the ``.weights.h5`` tree, and the order that it rests on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from numjaz.doors.hdf5 import Hdf5
from numjaz.errors import NumjazError
from numjaz.formats.keras_config import KerasLayer
from numjaz.layers import (
    Array,
    Bidirectional,
    Dropout,
    Input,
    Layer,
    MultiHeadAttention,
    Normalization,
    Recurrent,
    TimeDistributed,
    innermost,
)
from numjaz.nodes import Node, layers_by_owner, shapes_by_owner, source_of

TREES = ("layers", "_layer_checkpoint_dependencies")  # the first by 2.15 and Keras 3, the second by 2.12 to 2.14
NO_ARRAYS = ("seed_generator", "optimizer", "metrics", "compile_metrics", "loss_tracker")
NOTE, NOTE_ENTRY = "numjaz", "numjaz.json"  # where numjaz's own text lies in a file of Keras's
MAX_DEPTH = 24

Own = Mapping[str, Mapping[str, tuple[int, ...]]]  # owner -> name -> shape


def keras_class(layer: Layer) -> str:
    """What Keras calls a layer's class."""
    return (
        "InputLayer" if isinstance(layer, Input) else layer.kind if isinstance(layer, Dropout) else type(layer).__name__
    )


def keras_order(nodes: Sequence[Node], outputs: Sequence[str]) -> tuple[KerasLayer, ...]:
    """The order in which a functional Keras model of these nodes would list its layers.

    Keras walks from the outputs to the inputs, noting each layer when it is first met; then it
    sorts by the distance from the output, farthest first, and by that note among equals. So the
    order of an `Add`'s inputs decides which of two equal branches comes first.
    """
    by_name = {node.name: node for node in nodes}
    noted: dict[str, int] = {}  # owner -> when it was met
    ended: dict[str, None] = {}  # nodes, each after all that it depends on
    for output in outputs:
        stack = [(source_of(output)[0], False)]
        while stack:
            name, done = stack.pop()
            if done:
                ended[name] = None
            elif name not in ended:
                node = by_name[name]
                noted.setdefault(node.owner, len(noted))
                stack += [(name, True), *((source, False) for source, _ in reversed(node.inputs))]
    distance: dict[str, int] = {}
    deepest: dict[str, int] = {}  # of a layer, over its calls
    for name in reversed(ended):
        node = by_name[name]
        deepest[node.owner] = max(distance.get(name, 0), deepest.get(node.owner, 0))
        for source, _ in node.inputs:
            distance[source] = max(distance.get(source, 0), deepest[node.owner] + 1)
    for node in nodes:  # inputs that nothing uses
        if isinstance(node.layer, Input) and node.owner not in noted:
            noted[node.owner], deepest[node.owner] = -1, 0
    layers = layers_by_owner(nodes)
    order = sorted(noted, key=lambda owner: (-deepest[owner], noted[owner]))
    return tuple(KerasLayer(owner, keras_class(layers[owner]), owner) for owner in order)


def group_names(layers: Sequence[KerasLayer], counts: Sequence[int] | None = None) -> list[str]:
    """Each layer's group of a ``.weights.h5``: its class and a counter, ``conv1d``, ``conv1d_1``, ….

    ``counts`` is by how much each layer moves its class's counter, 1 where it is not given.
    """
    counters: dict[str, int] = {}
    names = []
    for k, layer in enumerate(layers):
        stem = snake_case(layer.kind)
        count = counters.get(stem, 0)
        counters[stem] = count + (counts[k] if counts is not None else 1)
        names.append(f"{stem}_{count}" if count else stem)
    return names


class _Place(NamedTuple):
    """Where a layer's arrays lie."""

    owner: str
    group: str
    folds: int  # in how many `TimeDistributed` the layer lies without knowing it
    named: bool  # whether the file says whose it is


def weights_tree(file: Hdf5, nodes: Sequence[Node], layers: Sequence[KerasLayer]) -> tuple[dict[str, Array], bool]:
    """The arrays of a ``.weights.h5`` file: ``layers/<class and counter>/vars/<i>``.

    The counter runs over the layers of one class in Keras's order, those without arrays included.
    TensorFlow 2.12 to 2.14 name the folder otherwise; the first two count a layer with arrays twice.
    Since Keras 3.6 each group has its layer's name; where those are the network's, they decide. The
    second value says whether they did.
    """
    tree = next((tree for tree in TREES if file.exists(tree)), TREES[0])
    own, kinds = shapes_by_owner(nodes), layers_by_owner(nodes)
    arrays: dict[str, Array] = {}
    found = list(_groups(layers, tree, tree, own, file, 0))
    for owner, group, folds, _ in found:
        layer = kinds[owner]
        for _ in range(folds):
            assert isinstance(layer, TimeDistributed)
            layer = layer.layer
        for place, names in places(layer, list(own[owner])).items():
            at = f"{group}/{place}"
            if not file.exists(at):  # Keras 2's name of the same
                at = at.replace("/query_dense", "/_query_dense").replace("/key_dense", "/_key_dense")
                at = at.replace("/value_dense", "/_value_dense").replace("/output_dense", "/_output_dense")
            held = file.names(at) if file.exists(at) else []
            extra = 1 if isinstance(innermost(layer), Normalization) and names else 0  # how many it saw
            if len(held) not in (len(names), len(names) + extra):
                raise NumjazError(
                    f"{file.path}: {at} holds {len(held)} arrays "
                    f"where {owner!r} has {len(names)}{' (' if names else ''}{', '.join(names)}{')' if names else ''}"
                )
            for i, name in enumerate(names):
                arrays[f"{owner}/{name}"] = file.array(f"{at}/{i}", own[owner][name])
    return arrays, all(place.named for place in found)


def _groups(layers: Sequence[KerasLayer], at: str, tree: str, own: Own, file: Hdf5, folds: int) -> Iterator[_Place]:
    """Where each owner's arrays lie; whatever else holds arrays is refused."""
    keeping = [keeps_arrays(layer, own) for layer in layers]
    known = group_names(layers)
    if tree == TREES[1]:
        twice = group_names(layers, [2 if kept else 1 for kept in keeping])
        there = (
            {group for group in file.names(at) if _holds_arrays(file, f"{at}/{group}")} if file.exists(at) else set()
        )
        if there == {group for group, kept in zip(twice, keeping, strict=True) if kept}:
            known = twice
    by_name = _by_name(file, at, [layer for layer, kept in zip(layers, keeping, strict=True) if kept])
    if by_name is not None:
        known = [by_name.get(layer.name, group) for layer, group in zip(layers, known, strict=True)]
    for layer, group in zip(layers, known, strict=True):
        if layer.layers:
            timed = layer.kind == "TimeDistributed"
            inner = layer.layers[0].layers if timed else layer.layers
            place = "/".join((at, group, *(("layer",) if timed else ()), tree))
            yield from _groups(inner, place, tree, own, file, folds + timed)
        elif layer.owner and own[layer.owner]:
            yield _Place(layer.owner, f"{at}/{group}", folds, by_name is not None)
    for group in file.names(at) if file.exists(at) else []:
        if group not in known and _holds_arrays(file, f"{at}/{group}"):
            raise NumjazError(f"{file.path}: {at} holds {group!r:.60}, which the network lacks")


def _by_name(file: Hdf5, at: str, layers: Sequence[KerasLayer]) -> dict[str, str] | None:
    """The groups of these layers by the names that the file gives; None where it does not name just these."""
    found: dict[str, str] = {}
    for group in file.names(at) if file.exists(at) else []:
        name = file.attribute(f"{at}/{group}/vars", "name") if file.exists(f"{at}/{group}/vars") else None
        if isinstance(name, str) and name not in found:
            found[name] = group
    for layer in layers:
        group = found.get(layer.name, "")
        if re.sub(r"_\d+$", "", group) != snake_case(layer.kind):
            return None
    return {layer.name: found[layer.name] for layer in layers}


def has_own_classes(file: Hdf5, layers: Sequence[KerasLayer]) -> bool:
    """Whether a ``.weights.h5`` holds layers of classes that the network has none of: blocks of somebody's own."""
    known = {snake_case(layer.kind) for layer in layers}
    groups = [f"{tree}/{group}" for tree in TREES if file.exists(tree) for group in file.names(tree)]
    others = [at for at in groups if re.sub(r"_\d+$", "", at.rpartition("/")[2]) not in known]
    return any(_holds_arrays(file, at) for at in others)


def places(layer: Layer, names: Sequence[str]) -> dict[str, list[str]]:
    """Which ``vars`` group under a layer's own holds which of its arrays, in their order there."""
    if isinstance(layer, TimeDistributed):
        return {f"layer/{place}": held for place, held in places(layer.layer, names).items()}
    if isinstance(layer, Recurrent):
        return {"cell/vars": list(names)} if names else {}
    folders = {
        Bidirectional: {"forward": "forward_layer/cell/", "backward": "backward_layer/cell/"},
        MultiHeadAttention: {side: f"{side}_dense/" for side in ("query", "key", "value", "output")},
    }.get(type(layer), {})
    found: dict[str, list[str]] = {}
    for name in names:
        side = name.rpartition("/")[0]
        found.setdefault(f"{folders.get(side, '')}vars", []).append(name)
    return found


def leaves(layer: KerasLayer, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Each owner under a layer, and the names of the layers on the way to it."""
    if layer.layers:
        for inner in layer.layers:
            yield from leaves(inner, (*path, inner.name))
    elif layer.owner:
        yield path, layer.owner


def keeps_arrays(layer: KerasLayer, own: Own) -> bool:
    """Whether a layer, or one within it, has arrays."""
    return any(own[owner] for _, owner in leaves(layer, ()))


def _holds_arrays(file: Hdf5, place: str, depth: int = 0) -> bool:
    """Whether a group, or one within it, holds arrays: Keras writes empty groups as well."""
    if depth > MAX_DEPTH:
        raise NumjazError(f"{file.path}: {place:.60} is nested too deep")
    if not file.is_group(place):
        return True
    return any(_holds_arrays(file, f"{place}/{name}", depth + 1) for name in file.names(place) if name not in NO_ARRAYS)


def snake_case(name: str) -> str:
    """``GlobalMaxPooling1D`` -> ``global_max_pooling1d``, as Keras names groups."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
