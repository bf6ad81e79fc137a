"""A table of tensors as a network's arrays, and a network's arrays as a table of tensors."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

from numjaz.errors import NumjazError, NumjazWarning
from numjaz.formats.description import note_in
from numjaz.formats.matching import Matching, Near, matched, natural, neighbours
from numjaz.formats.tensor_files import Tensors
from numjaz.formats.torch_names import IGNORED, foreign, from_torch, innermost, module_names, to_torch, torch_slots
from numjaz.layers import Array, BatchNormalization
from numjaz.model import Model
from numjaz.nodes import Node, owned_parameters

Names = Mapping[str, str] | None
OWN_LEAVES = ("kernel", "recurrent_kernel", "gamma", "moving_mean", "depthwise_kernel", "pointwise_kernel", "alpha")


def load_tensors(file: Tensors, architecture: Model | None, names: Names) -> Model:
    """The model of a file of tensors, by its note or by an architecture.

    Raises
    ------
    NumjazError
        Where there is neither, or a layer finds no tensors or several.

    Warns
    -----
    NumjazWarning
        Where an architecture was given: how the tensors were matched with it.
    """
    where = file.path
    note = note_in(file.note, f"{where}: note") if file.note is not None and architecture is None else None
    if note is not None:
        nodes = note.description.nodes
        return note.model(_arrays(file, nodes, _match(file, nodes, names)))
    if architecture is None:
        some = ", ".join(f"{name} {tuple(shape)}" for name, shape in list(file.shapes.items())[:6])
        raise NumjazError(
            f"{where}: holds weights and no architecture; name one: architecture='jazbat' "
            f"(a builder, with its options), a model file's path, or a Model; "
            f"{len(file.shapes)} tensors: {some}{', …' if len(file.shapes) > 6 else ''}"
        )
    if any(name.endswith(("weight_g", "parametrizations.weight.original0")) for name in file.shapes):
        raise NumjazError(
            f"{where}: holds normalised weights in two parts; save it again after "
            f"torch.nn.utils.parametrize.remove_parametrizations(module, 'weight')"
        )
    found = _match(file, architecture.nodes, names)
    arrays = _arrays(file, architecture.nodes, found)
    rest = f"; {', '.join(found.by_order[:6])} are alike and rest on order and nearness" if found.by_order else ""
    _say(f"{where}: holds weights only; matched {found.text()}{rest}")
    epsilons = {layer.epsilon for layer in map(_inner, architecture.nodes) if isinstance(layer, BatchNormalization)}
    if epsilons and file.kind != "npz" and epsilons != {1e-5}:
        _say(f"{where}: batch norm's epsilon is the architecture's, {max(epsilons):g}; torch's own is 1e-05")
    return architecture.derive(
        parameters=arrays, golden=None, provenance={"file": where, "architecture": "given, not in the file"}
    )


def torch_table(model: Model, names: Names) -> dict[str, Array]:
    """The arrays by the names of torch's state dict, of the canonical twin or with modules named by ``names``."""
    called = _called(model.nodes, names)
    table: dict[str, Array] = {}
    for owner, own in owned_parameters(model.nodes).items():
        layer = next(node.layer for node in model.nodes if node.owner == owner)
        held = {name: model.parameters[f"{owner}/{name}"] for name in own}
        table |= {f"{called[owner]}.{leaf}": array for leaf, array in to_torch(layer, held).items()} if held else {}
    if not table:
        raise NumjazError("the network has no arrays, and a state dict holds nothing else")
    return table


def foreign_layers(model: Model) -> dict[str, str]:
    """The nodes that no module of torch's own means, and why."""
    owned = owned_parameters(model.nodes)
    kinds = {node.owner: node.layer for node in model.nodes}
    reasons = {
        owner: foreign(kinds[owner], {n: p.shape for n, p in own.items()}) for owner, own in owned.items() if own
    }
    return {owner: reason for owner, reason in reasons.items() if reason}


def _called(nodes: Iterable[Node], names: Names) -> dict[str, str]:
    called = module_names(nodes)
    for owner, name in (names or {}).items():
        if owner not in called:
            raise NumjazError(f"names= speaks of {owner!r:.60}; the network has {', '.join(called)}")
        called[owner] = name
    if len(set(called.values())) < len(called):
        raise NumjazError("names= gives two nodes one name")
    return called


def _inner(node: Node) -> Any:
    return innermost(node.layer)


def _match(file: Tensors, nodes: list[Node] | tuple[Node, ...], names: Names) -> Matching:
    """Which module of the file each slot of the network is: ``owner`` or ``owner.suffix``."""
    wanted = _wanted(file, nodes)
    held = _held(file, {leaf for tensors in wanted.values() for leaf in tensors})
    owners = {slot: slot if slot in _owners(nodes) else slot.rpartition(".")[0] for slot in wanted}
    near = neighbours(nodes, list(dict.fromkeys(owners.values())))
    slots = {owner: [slot for slot in wanted if owners[slot] == owner] for owner in near}
    around = {}
    for slot, owner in owners.items():
        own = slots[owner]
        before, behind = ([s for other in side for s in slots[other]] for side in near[owner])
        around[slot] = Near((*before, *own[: own.index(slot)]), (*own[own.index(slot) + 1 :], *behind))
    if file.kind != "safetensors":
        return matched(wanted, held, around, file.path, names=names)
    # Sorted by name when it was written: the order of definition is lost, but for what numbers tell of it.
    held = {place: held[place] for place in sorted(held, key=natural)}
    return matched(wanted, held, around, file.path, names=names, labels={place: place for place in held})


def _owners(nodes: Iterable[Node]) -> set[str]:
    return {node.owner for node in nodes}


def _in_own_names(file: Tensors) -> bool:
    """Whether arrays are called as numjaz and Keras call them, not as torch does."""
    return any(re.split(r"[./]", name)[-1] in OWN_LEAVES for name in file.shapes)


def _wanted(file: Tensors, nodes: Iterable[Node]) -> dict[str, dict[str, tuple[int, ...]]]:
    nodes = tuple(nodes)
    kinds = {node.owner: node.layer for node in nodes}
    owned = {o: {n: p.shape for n, p in own.items()} for o, own in owned_parameters(nodes).items() if own}
    if file.kind == "npz" and _in_own_names(file):
        return {owner: {name.replace("/", "."): shape for name, shape in own.items()} for owner, own in owned.items()}
    called = module_names(nodes)
    return {
        f"{called[owner]}.{slot.suffix}" if slot.suffix else called[owner]: dict(slot.tensors)
        for owner, own in owned.items()
        for slot in torch_slots(kinds[owner], own)
    }


def _held(file: Tensors, leaves: set[str]) -> dict[str, dict[str, tuple[int, ...]]]:
    """The file's tensors by module, in its order; a recurrent module of several layers is as many."""
    held: dict[str, dict[str, tuple[int, ...]]] = {}
    for name, shape in file.shapes.items():
        prefix, leaf = _split(name, leaves, file.shapes)
        if leaf != IGNORED:
            held.setdefault(prefix, {})[leaf] = tuple(shape)
    return held


def _split(name: str, leaves: set[str], shapes: Mapping[str, Any]) -> tuple[str, str]:
    """``rnn.weight_ih_l1`` -> ``rnn.l1``, ``weight_ih_l0``; ``a.forward.kernel`` -> ``a``, ``forward.kernel``."""
    plain = name.replace("/", ".")
    known = max((leaf for leaf in leaves if plain == leaf or plain.endswith(f".{leaf}")), key=len, default="")
    leaf = known or plain.rpartition(".")[2]
    prefix = plain[: -len(leaf) - 1]
    deeper = re.fullmatch(r"((?:weight|bias)_(?:ih|hh|hr))_l(\d+)(_reverse)?", leaf)
    if deeper and f"{name[: -len(leaf)]}weight_ih_l1" in shapes:
        return f"{prefix}.l{deeper[2]}".lstrip("."), f"{deeper[1]}_l0{deeper[3] or ''}"
    return prefix, leaf


def _arrays(file: Tensors, nodes: Iterable[Node], found: Matching) -> dict[str, Array]:
    nodes = tuple(nodes)
    kinds = {node.owner: node.layer for node in nodes}
    tensors: dict[str, dict[str, str]] = {}
    wanted = _wanted(file, nodes)
    leaves = {leaf for slot in wanted.values() for leaf in slot}
    for name in file.shapes:
        prefix, leaf = _split(name, leaves, file.shapes)
        tensors.setdefault(prefix, {})[leaf] = name
    arrays: dict[str, Array] = {}
    called = module_names(nodes)
    plain = file.kind == "npz" and _in_own_names(file)
    for owner, own in owned_parameters(nodes).items():
        if not own:
            continue
        shapes = {name: p.shape for name, p in own.items()}
        if plain:
            held = tensors[found.places[owner]]
            arrays |= {f"{owner}/{name}": file.array(held[name.replace("/", ".")]) for name in own}
            continue
        given: dict[str, Array] = {}
        for slot in torch_slots(kinds[owner], shapes):
            at = f"{called[owner]}.{slot.suffix}" if slot.suffix else called[owner]
            held = tensors[found.places[at]]
            given |= {f"{slot.suffix}.{leaf}" if slot.suffix else leaf: file.array(held[leaf]) for leaf in slot.tensors}
        arrays |= {f"{owner}/{name}": array for name, array in from_torch(kinds[owner], given, shapes).items()}
    return arrays


def _say(text: str) -> None:
    warnings.warn(text, NumjazWarning, stacklevel=5)
