"""A table of tensors as a network's arrays, and a network's arrays as a table of tensors."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from numjaz.errors import NumjazError
from numjaz.formats.description import note_in
from numjaz.formats.matching import Matching, Near, matched, natural, neighbours
from numjaz.formats.tensor_files import Tensors
from numjaz.formats.torch_layouts import Shapes
from numjaz.formats.torch_names import IGNORED, foreign, from_torch, module_names, to_torch, torch_slots
from numjaz.formats.weights_only import no_architecture, say, with_weights
from numjaz.layers import Array, BatchNormalization, Layer, innermost
from numjaz.model import Model
from numjaz.nodes import Node, layers_by_owner, owned_parameters, shapes_by_owner

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
    if file.note is not None and architecture is None:
        note = note_in(file.note, f"{where}: note")
        arrays, _ = _read(file, note.description.nodes, names)
        return note.model(arrays)
    if architecture is None:
        some = ", ".join(f"{name} {tuple(shape)}" for name, shape in list(file.shapes.items())[:6])
        raise no_architecture(where, f"{len(file.shapes)} tensors: {some}{', …' if len(file.shapes) > 6 else ''}")
    if any(name.endswith(("weight_g", "parametrizations.weight.original0")) for name in file.shapes):
        raise NumjazError(
            f"{where}: holds normalised weights in two parts; save it again after "
            f"torch.nn.utils.parametrize.remove_parametrizations(module, 'weight')"
        )
    arrays, found = _read(file, architecture.nodes, names)
    rest = f"; {', '.join(found.by_order[:6])} are alike and rest on order and nearness" if found.by_order else ""
    say(f"{where}: holds weights only; matched {found.text()}{rest}")
    inner = [innermost(node.layer) for node in architecture.nodes]
    epsilons = {layer.epsilon for layer in inner if isinstance(layer, BatchNormalization)}
    if epsilons and file.kind != "npz" and epsilons != {1e-5}:
        say(f"{where}: batch norm's epsilon is the architecture's, {max(epsilons):g}; torch's own is 1e-05")
    return with_weights(architecture, arrays, where)


def torch_table(model: Model, names: Names) -> dict[str, Array]:
    """The arrays by the names of torch's state dict, of the canonical twin or with modules named by ``names``."""
    called, layers = _called(model.nodes, names), layers_by_owner(model.nodes)
    table: dict[str, Array] = {}
    for owner, own in owned_parameters(model.nodes).items():
        held = {name: model.parameters[f"{owner}/{name}"] for name in own}
        for leaf, array in to_torch(layers[owner], held).items():
            table[f"{called[owner]}.{leaf}"] = array
    if not table:
        raise NumjazError("the network has no arrays, and a state dict holds nothing else")
    return table


def foreign_layers(model: Model) -> dict[str, str]:
    """The nodes that no module of torch's own means, and why."""
    layers, own = layers_by_owner(model.nodes), shapes_by_owner(model.nodes)
    reasons = {owner: foreign(layers[owner], shapes) for owner, shapes in own.items() if shapes}
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


class _Slot(NamedTuple):
    """What a file has in one place for a layer: a module of torch's, or the layer's arrays under their own names."""

    owner: str
    suffix: str  # below the owner's module: "depthwise" and "pointwise" of a separable convolution
    tensors: dict[str, tuple[int, ...]]

    def name(self, leaf: str) -> str:
        """What one of its tensors is called below the owner's module."""
        return f"{self.suffix}.{leaf}" if self.suffix else leaf


def _read(file: Tensors, nodes: Sequence[Node], names: Names) -> tuple[dict[str, Array], Matching]:
    """The network's arrays, and which place of the file each slot of it is."""
    layers, own = layers_by_owner(nodes), shapes_by_owner(nodes)
    plain = file.kind == "npz" and any(re.split(r"[./]", name)[-1] in OWN_LEAVES for name in file.shapes)
    slots = _slots(nodes, layers, own, plain)
    places = _places(file, {leaf for slot in slots.values() for leaf in slot.tensors})
    found = _match(file, nodes, slots, places, names)
    given: dict[str, dict[str, Array]] = {}
    for called, slot in slots.items():
        held = places[found.places[called]]
        given.setdefault(slot.owner, {}).update({slot.name(leaf): file.array(held[leaf]) for leaf in slot.tensors})
    arrays: dict[str, Array] = {}
    for owner, tensors in given.items():
        if plain:
            made = {name: tensors[name.replace("/", ".")] for name in own[owner]}
        else:
            made = from_torch(layers[owner], tensors, own[owner])
        arrays |= {f"{owner}/{name}": array for name, array in made.items()}
    return arrays, found


def _slots(
    nodes: Sequence[Node], layers: Mapping[str, Layer], own: Mapping[str, Shapes], plain: bool
) -> dict[str, _Slot]:
    """What the network needs, by the name that messages and ``names=`` call it."""
    if plain:  # called as numjaz and Keras call them, not as torch does
        dotted = {owner: {name.replace("/", "."): shape for name, shape in own[owner].items()} for owner in own}
        return {owner: _Slot(owner, "", shapes) for owner, shapes in dotted.items() if shapes}
    called = module_names(nodes)
    slots = [_Slot(owner, *slot) for owner, shapes in own.items() for slot in torch_slots(layers[owner], shapes)]
    return {f"{called[slot.owner]}.{slot.suffix}" if slot.suffix else called[slot.owner]: slot for slot in slots}


def _places(file: Tensors, leaves: set[str]) -> dict[str, dict[str, str]]:
    """The file's tensors by module and by what they are called in it, in the file's order."""
    places: dict[str, dict[str, str]] = {}
    for name in file.shapes:
        place, leaf = _split(name, leaves, file.shapes)
        if leaf != IGNORED:
            places.setdefault(place, {})[leaf] = name
    return places


def _split(name: str, leaves: set[str], shapes: Mapping[str, Any]) -> tuple[str, str]:
    """``rnn.weight_ih_l1`` -> ``rnn.l1``, ``weight_ih_l0``; ``a.forward.kernel`` -> ``a``, ``forward.kernel``.

    A recurrent module of several layers is as many places.
    """
    plain = name.replace("/", ".")
    known = max((leaf for leaf in leaves if plain == leaf or plain.endswith(f".{leaf}")), key=len, default="")
    leaf = known or plain.rpartition(".")[2]
    place = plain[: -len(leaf) - 1]
    deeper = re.fullmatch(r"((?:weight|bias)_(?:ih|hh|hr))_l(\d+)(_reverse)?", leaf)
    if deeper and f"{name[: -len(leaf)]}weight_ih_l1" in shapes:
        return f"{place}.l{deeper[2]}".lstrip("."), f"{deeper[1]}_l0{deeper[3] or ''}"
    return place, leaf


def _match(
    file: Tensors,
    nodes: Sequence[Node],
    slots: Mapping[str, _Slot],
    places: Mapping[str, Mapping[str, str]],
    names: Names,
) -> Matching:
    """Which place of the file each slot of the network is."""
    called: dict[str, list[str]] = {}  # an owner's slots
    for name, slot in slots.items():
        called.setdefault(slot.owner, []).append(name)
    around = {}
    for owner, near in neighbours(nodes, list(called)).items():
        before, behind = ([name for other in side for name in called[other]] for side in near)
        for k, name in enumerate(called[owner]):
            around[name] = Near((*before, *called[owner][:k]), (*called[owner][k + 1 :], *behind))
    wanted = {name: slot.tensors for name, slot in slots.items()}
    held = {place: {leaf: tuple(file.shapes[name]) for leaf, name in held.items()} for place, held in places.items()}
    if file.kind != "safetensors":
        return matched(wanted, held, around, file.path, names=names)
    # Sorted by name when it was written: the order of definition is lost, but for what numbers tell of it.
    held = {place: held[place] for place in sorted(held, key=natural)}
    return matched(wanted, held, around, file.path, names=names, labels={place: place for place in held})
