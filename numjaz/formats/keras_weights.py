"""Where Keras puts each layer's arrays: the legacy ``.h5`` tree and the ``.weights.h5`` tree."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from numjaz.doors.hdf5 import Hdf5
from numjaz.errors import NumjazError, NumjazWarning
from numjaz.formats.cudnn import from_cudnn
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
)
from numjaz.nodes import Node, owned_parameters, source_of

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
    layers = {node.owner: node.layer for node in nodes}
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
    own, kinds = shapes_by_owner(nodes), {node.owner: node.layer for node in nodes}
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
    keeping = [_keeps_arrays(layer, own) for layer in layers]
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


def fits_legacy(file: Hdf5, root: str, nodes: Sequence[Node], layers: Sequence[KerasLayer]) -> bool:
    """Whether a legacy file has as many layers with arrays as the network."""
    own = shapes_by_owner(nodes)
    return len(_paths(file, root)) == sum(_keeps_arrays(layer, own) for layer in layers)


def _paths(file: Hdf5, root: str) -> dict[str, list[str]]:
    """The layers of a legacy file that have arrays, and the arrays' paths."""
    at = f"{root}/" if root else ""
    named = {name: names_of(file, f"{at}{name}", "weight_names") for name in names_of(file, root, "layer_names")}
    return {name: held for name, held in named.items() if held}


def legacy_tree(
    file: Hdf5, root: str, nodes: Sequence[Node], layers: Sequence[KerasLayer]
) -> tuple[dict[str, Array], bool]:
    """The arrays of a legacy ``.h5`` file, by its ``layer_names`` and ``weight_names``.

    Where the file's layers with arrays have not the names of the network's, they are matched one by
    one in their order. The second value says whether the names agreed.
    """
    own = shapes_by_owner(nodes)
    at = f"{root}/" if root else ""
    paths = _paths(file, root)
    wanted = [layer for layer in layers if _keeps_arrays(layer, own)]
    named = set(paths) == {layer.name for layer in wanted} or len(paths) != len(wanted)
    match = dict(zip([w.name for w in wanted], [w.name for w in wanted] if named else paths, strict=True))
    for name in paths:
        if name not in match.values():
            raise NumjazError(f"{file.path}: {root or '/'} holds {name!r:.60}, which the network lacks")
    arrays: dict[str, Array] = {}
    cudnn: list[str] = []
    for top in wanted:
        held, group = paths.get(match[top.name], []), f"{at}{match[top.name]}"
        leaves = list(_leaves(top, (match[top.name],)))
        expected = [f"{owner}/{name}" for _, owner in leaves for name in own[owner]]
        ignored = [
            path for path in held if path.rpartition("/")[2].removesuffix(":0") in ("count", "seed_generator_state")
        ]
        if len(held) - len(ignored) != len(expected):
            names = ", ".join(expected[:6]) + (", …" if len(expected) > 6 else "")
            raise NumjazError(
                f"{file.path}: {group} holds {len(held) - len(ignored)} arrays "
                f"where {top.name!r} has {len(expected)} ({names})"
            )
        for path, owner in leaves:
            held_as: dict[str, str] = {}
            for name in own[owner]:
                # By name, not by place: Keras writes what is frozen behind what is not.
                found = _found(held, path, name)
                if len(found) != 1:
                    raise NumjazError(f"{file.path}: {group} holds {len(found)} arrays that could be {owner}/{name}")
                held_as[name] = found[0]
            made, turned = _arrays(file, group, held_as, own[owner])
            cudnn += [owner] if turned else []
            arrays |= {f"{owner}/{name}": array for name, array in made.items()}
    if cudnn:
        warnings.warn(
            f"{file.path}: {', '.join(cudnn)} written by CuDNN's own layers, put in Keras's order", NumjazWarning, 5
        )
    return arrays, named


def _leaves(layer: KerasLayer, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Each owner under a layer, and the names of the layers on the way to it."""
    if layer.layers:
        for inner in layer.layers:
            yield from _leaves(inner, (*path, inner.name))
    elif layer.owner:
        yield path, layer.owner


LEAVES = {"depthwise_kernel": ("depthwise_kernel",), "kernel": ("kernel", "depthwise_kernel")}
HEADS = {"query": "query", "key": "key", "value": "value", "output": "attention_output"}


def _found(held: Sequence[str], path: tuple[str, ...], name: str) -> list[str]:
    """The weights that can be a layer's array of this name, by the layers' names on the way and the last name."""
    side, _, leaf = name.rpartition("/")
    found = []
    for weight in held:
        *folders, last = weight.removesuffix(":0").split("/")
        known = path[-1] in folders
        inner = folders[len(folders) - folders[::-1].index(path[-1]) :] if known else folders
        if last in LEAVES.get(leaf, (leaf,)) and (known or len(path) == 1) and _on_side(side, inner):
            found.append(weight)
    if len(found) > 1:  # models in models may use a name again
        found = [weight for weight in found if _in_order(path[1:], weight.split("/"))] or found
    return found


def _on_side(side: str, folders: Sequence[str]) -> bool:
    """Whether a variable lies on one side of a bidirectional layer, or in one part of an attention.

    Keras 3 leaves a backward layer of somebody's own its name.
    """
    if side in HEADS:
        return HEADS[side] in folders
    forward = any(folder.startswith("forward_") for folder in folders)
    return not side or forward == (side == "forward")


def _in_order(names: Sequence[str], folders: Sequence[str]) -> bool:
    rest = iter(folders)
    return all(name in rest for name in names)


def _arrays(
    file: Hdf5, group: str, paths: Mapping[str, str], shapes: Mapping[str, tuple[int, ...]]
) -> tuple[dict[str, Array], bool]:
    """A layer's arrays, and whether CuDNN's own layers of TensorFlow 1 wrote them and they were put in order."""
    arrays: dict[str, Array] = {}
    turned: list[str] = []
    for name, path in paths.items():
        side, _, leaf = name.rpartition("/")
        columns = shapes[name][-1] if shapes[name] else 0
        cudnn = leaf == "bias" and file.shape(f"{group}/{path}") == (2 * columns,)
        if cudnn and shapes.get(f"{side}/recurrent_kernel".lstrip("/"), (0,))[-1] == columns:
            turned.append(side)
        arrays[name] = file.array(f"{group}/{path}", (2 * columns,) if cudnn else shapes[name])
    for side in turned:
        at = f"{side}/" if side else ""
        names = ("kernel", "recurrent_kernel", "bias")
        made = from_cudnn({name: arrays[at + name] for name in names})
        arrays |= {at + name: made[name] for name in names}
    return arrays, bool(turned)


def has_layer_names(file: Hdf5, root: str) -> bool:
    """Whether a file has a legacy tree there."""
    return any(file.attribute(root, name) is not None for name in ("layer_names", "layer_names0"))


def names_of(file: Hdf5, place: str, attribute: str) -> list[str]:
    """A list of names from an attribute, or from its parts ``attribute0``, ``attribute1``, ….

    HDF5 holds no attribute over 64 KB, so Keras splits longer ones.
    """
    names = file.attribute(place, attribute)
    if names is None:
        names, k = [], 0
        while (part := file.attribute(place, f"{attribute}{k}")) is not None:
            names, k = names + part, k + 1
        if k == 0:
            raise NumjazError(
                f"{file.path}: {place or '/'} lacks the attribute {attribute}, which every Keras file has"
            )
    if names and not all(isinstance(name, str) for name in names):
        raise NumjazError(f"{file.path}: {place or '/'} attribute {attribute} is not a list of names")
    if len(set(names)) != len(names):
        raise NumjazError(f"{file.path}: {place or '/'} attribute {attribute} names one thing twice")
    return list(names)


def shapes_by_owner(nodes: Sequence[Node]) -> dict[str, dict[str, tuple[int, ...]]]:
    """Every owner's arrays' shapes by name."""
    return {owner: {name: p.shape for name, p in own.items()} for owner, own in owned_parameters(nodes).items()}


def _keeps_arrays(layer: KerasLayer, own: Own) -> bool:
    return any(own[owner] for _, owner in _leaves(layer, ()))


def innermost(layer: Layer) -> Layer:
    """The layer within `TimeDistributed`, however many."""
    return innermost(layer.layer) if isinstance(layer, TimeDistributed) else layer


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
