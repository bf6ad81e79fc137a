"""Where Keras puts each layer's arrays: the legacy ``.h5`` tree and the ``.weights.h5`` tree."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from numjaz.doors.hdf5 import Hdf5
from numjaz.errors import NumjazError
from numjaz.layers import (
    GRU,
    Add,
    Array,
    BatchNormalization,
    Bidirectional,
    Conv1D,
    Dense,
    GlobalAveragePooling1D,
    Input,
    Layer,
)
from numjaz.nodes import Node, owned_parameters

Order = Sequence[tuple[str, str]]  # (owner of the arrays, Keras class), in the order of Keras's model.layers

CLASS_NAMES: dict[type[Layer], str] = {
    Input: "InputLayer",
    Bidirectional: "Bidirectional",
    GRU: "GRU",
    BatchNormalization: "BatchNormalization",
    Conv1D: "Conv1D",
    Dense: "Dense",
    Add: "Add",
    GlobalAveragePooling1D: "GlobalAveragePooling1D",
}


def keras_order(nodes: Sequence[Node], outputs: Sequence[str]) -> list[tuple[str, str]]:
    """The order in which a functional Keras model of these nodes would list its layers.

    Keras walks from the outputs to the inputs, noting each layer when it is first met; then it
    sorts by the distance from the output, farthest first, and by that note among equals. So the
    order of an `Add`'s inputs decides which of two equal branches comes first.
    """
    by_name = {node.name: node for node in nodes}
    met: dict[str, int] = {}
    stack = list(reversed(outputs))
    while stack:
        node = by_name[stack.pop()]
        if node.name not in met:
            met[node.name] = len(met)
            stack += [source for source, _ in reversed(node.inputs)]
    depth = dict.fromkeys(met, 0)
    for node in reversed(nodes):
        for source, _ in node.inputs:
            if node.name in met:
                depth[source] = max(depth[source], depth[node.name] + 1)
    first: dict[str, tuple[int, int]] = {}
    for name in met:
        owner = by_name[name].owner
        deepest, noted = first.get(owner, (0, met[name]))
        first[owner] = (max(deepest, depth[name]), min(noted, met[name]))
    layers = {node.owner: node.layer for node in nodes}
    for layer in layers.values():
        if type(layer) not in CLASS_NAMES:
            raise NumjazError(
                f"a weights-only Keras file cannot be read for a network with {type(layer).__name__} "
                f"nodes by this version"
            )
    return [
        (owner, CLASS_NAMES[type(layers[owner])])
        for owner in sorted(first, key=lambda owner: (-first[owner][0], first[owner][1]))
    ]


def weights_tree(file: Hdf5, nodes: Sequence[Node], order: Order) -> dict[str, Array]:
    """The arrays of a ``.weights.h5`` file: ``layers/<class and counter>/vars/<i>``.

    The counter runs over the layers of one class in Keras's order, those without arrays included.
    """
    own = _shapes_by_owner(nodes)
    groups: dict[str, str] = {}
    counters: dict[str, int] = {}
    for owner, kind in order:
        stem = _snake_case(kind)
        count = counters.get(stem, 0)
        counters[stem] = count + 1
        groups[f"{stem}_{count}" if count else stem] = owner
    _refuse_rest(
        file, "layers", [g for g in file.names("layers") if g not in groups and _has_arrays(file, f"layers/{g}")]
    )
    arrays: dict[str, Array] = {}
    for group, owner in groups.items():
        for place, names in _places(f"layers/{group}", list(own[owner])).items():
            held = file.names(place) if file.exists(place) else []
            if len(held) != len(names):
                raise NumjazError(
                    f"{file.path}: {place} holds {len(held)} arrays "
                    f"where {owner!r} has {len(names)} ({', '.join(names)})"
                )
            for i, name in enumerate(names):
                arrays[f"{owner}/{name}"] = file.array(f"{place}/{i}", own[owner][name])
    return arrays


def legacy_tree(file: Hdf5, root: str, nodes: Sequence[Node], order: Order) -> tuple[dict[str, Array], bool]:
    """The arrays of a legacy ``.h5`` file, by its ``layer_names`` and ``weight_names``.

    Where the file's layers with arrays have not the names of the network's, they are matched one by
    one in their order. The second value says whether the names agreed.
    """
    own = _shapes_by_owner(nodes)
    at = f"{root}/" if root else ""
    paths: dict[str, list[str]] = {}
    for layer in _names(file, root, "layer_names"):
        held = _names(file, f"{at}{layer}", "weight_names")
        if held:
            paths[layer] = [f"{at}{layer}/{path}" for path in held]
    wanted = [owner for owner, _ in order if own[owner]]
    named = set(paths) == set(wanted) or len(paths) != len(wanted)
    match = dict(zip(wanted, wanted if named else paths, strict=True))
    _refuse_rest(file, root or "/", [layer for layer in paths if layer not in match.values()])
    arrays: dict[str, Array] = {}
    for owner, layer in match.items():
        held, names = paths.get(layer, []), list(own[owner])
        if len(held) != len(names):
            raise NumjazError(
                f"{file.path}: {at}{layer} holds {len(held)} arrays "
                f"where {owner!r} has {len(names)} ({', '.join(names)})"
            )
        for name in names:
            # By name, not by place: Keras writes what is frozen behind what is not.
            found = [path for path in held if _side_and_leaf(path) == tuple(name.rpartition("/")[::2])]
            if len(found) != 1:
                raise NumjazError(f"{file.path}: {at}{layer} holds {len(found)} arrays that could be {owner}/{name}")
            arrays[f"{owner}/{name}"] = file.array(found[0], own[owner][name])
    return arrays, named


def _side_and_leaf(path: str) -> tuple[str, str]:
    """``…/forward_gru/gru_cell/kernel:0`` -> ``forward``, ``kernel``."""
    *folders, leaf = path.removesuffix(":0").split("/")
    sides = [folder.split("_")[0] for folder in folders[-2:] if folder.startswith(("forward_", "backward_"))]
    return (sides[-1] if sides else ""), leaf


def has_layer_names(file: Hdf5, root: str) -> bool:
    """Whether a file has a legacy tree there."""
    return any(file.attribute(root, name) is not None for name in ("layer_names", "layer_names0"))


def _names(file: Hdf5, place: str, attribute: str) -> list[str]:
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


def _shapes_by_owner(nodes: Sequence[Node]) -> dict[str, dict[str, tuple[int, ...]]]:
    return {owner: {name: p.shape for name, p in own.items()} for owner, own in owned_parameters(nodes).items()}


def _places(group: str, names: Sequence[str]) -> dict[str, list[str]]:
    """Which ``vars`` group holds which of a layer's arrays, in their order there."""
    places: dict[str, list[str]] = {}
    for name in names:
        side, _, leaf = name.rpartition("/")
        inside = f"{side}_layer/cell/" if side else "cell/" if leaf == "recurrent_kernel" else ""
        places.setdefault(f"{group}/{inside}vars", []).append(name)
    if f"{group}/cell/vars" in places:  # a bare GRU keeps all its arrays in its cell
        return {f"{group}/cell/vars": list(names)}
    return places


def _has_arrays(file: Hdf5, place: str) -> bool:
    """Whether a group holds arrays of its own: Keras 2.15 writes empty groups as well."""
    inner = ("vars", "cell/vars", "forward_layer/cell/vars", "_layer_checkpoint_dependencies", "layers")
    return any(file.exists(f"{place}/{name}") and file.names(f"{place}/{name}") for name in inner)


def _refuse_rest(file: Hdf5, place: str, rest: Iterable[str]) -> None:
    for name in rest:
        raise NumjazError(f"{file.path}: {place} holds {name!r:.60}, which the network lacks")


def _snake_case(name: str) -> str:
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
