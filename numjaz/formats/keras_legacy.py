"""Where Keras puts each layer's arrays: the legacy ``.h5`` tree."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

from numjaz.doors.hdf5 import Hdf5
from numjaz.errors import NumjazError, NumjazWarning
from numjaz.formats.cudnn import from_cudnn
from numjaz.formats.keras_config import KerasLayer
from numjaz.formats.keras_weights import keeps_arrays, leaves
from numjaz.layers import Array
from numjaz.nodes import Node, shapes_by_owner

LEAVES = {"depthwise_kernel": ("depthwise_kernel",), "kernel": ("kernel", "depthwise_kernel")}  # ours -> Keras's
HEADS = {"query": "query", "key": "key", "value": "value", "output": "attention_output"}


def fits_legacy(file: Hdf5, root: str, nodes: Sequence[Node], layers: Sequence[KerasLayer]) -> bool:
    """Whether a legacy file has as many layers with arrays as the network."""
    own = shapes_by_owner(nodes)
    return len(_paths(file, root)) == sum(keeps_arrays(layer, own) for layer in layers)


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
    wanted = [layer for layer in layers if keeps_arrays(layer, own)]
    named = set(paths) == {layer.name for layer in wanted} or len(paths) != len(wanted)
    match = dict(zip([w.name for w in wanted], [w.name for w in wanted] if named else paths, strict=True))
    for name in paths:
        if name not in match.values():
            raise NumjazError(f"{file.path}: {root or '/'} holds {name!r:.60}, which the network lacks")
    arrays: dict[str, Array] = {}
    cudnn: list[str] = []
    for top in wanted:
        held, group = paths.get(match[top.name], []), f"{at}{match[top.name]}"
        ends = list(leaves(top, (match[top.name],)))
        expected = [f"{owner}/{name}" for _, owner in ends for name in own[owner]]
        ignored = [
            path for path in held if path.rpartition("/")[2].removesuffix(":0") in ("count", "seed_generator_state")
        ]
        if len(held) - len(ignored) != len(expected):
            names = ", ".join(expected[:6]) + (", …" if len(expected) > 6 else "")
            raise NumjazError(
                f"{file.path}: {group} holds {len(held) - len(ignored)} arrays "
                f"where {top.name!r} has {len(expected)} ({names})"
            )
        for path, owner in ends:
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


def _found(held: Sequence[str], path: tuple[str, ...], name: str) -> list[str]:
    """The weights that can be a layer's array of this name, by the layers' names on the way and the last name."""
    side, _, leaf = name.rpartition("/")
    found = []
    for weight in held:
        *folders, last = weight.removesuffix(":0").split("/")
        known = path[-1] in folders
        inner = folders[len(_down_to(path[-1], folders)) :] if known else folders
        if last in LEAVES.get(leaf, (leaf,)) and (known or len(path) == 1) and _on_side(side, inner):
            found.append(weight)
    if len(found) > 1:  # models in models may use a name again
        alike = [weight for weight in found if _down_to(path[-1], weight.split("/"))[-len(path) :] == list(path)]
        found = alike or found
    return found


def _on_side(side: str, folders: Sequence[str]) -> bool:
    """Whether a variable lies on one side of a bidirectional layer, or in one part of an attention.

    Keras 3 leaves a backward layer of somebody's own its name.
    """
    if side in HEADS:
        return HEADS[side] in folders
    forward = any(folder.startswith("forward_") for folder in folders)
    return not side or forward == (side == "forward")


def _down_to(name: str, folders: list[str]) -> list[str]:
    """The folders down to the last one of a name; none where there is none."""
    return folders[: len(folders) - folders[::-1].index(name)] if name in folders else []


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
