"""Weights of a Keras model that says nothing of its layers: a subclassed one, above all.

Its file has the names of attributes (``mods/residual_1/br1``), or of the layers within somebody's own
layers. What lies under one of them is matched with the network by names and shapes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from numjaz.doors.hdf5 import Hdf5
from numjaz.errors import NumjazError
from numjaz.formats.keras_legacy import names_of
from numjaz.formats.keras_weights import NO_ARRAYS, places
from numjaz.formats.matching import Matching, matched, natural, neighbours
from numjaz.layers import Array
from numjaz.nodes import Node, layers_by_owner, shapes_by_owner

MAX_DEPTH, MAX_ARRAYS = 24, 10_000
INSIDE = re.compile(r"(?:/layer|/(?:forward|backward)_layer/cell|/cell|/_?(?:query|key|value|output)_dense)*/vars/\d+$")
CELL = re.compile(r"(?:/(forward|backward)_[^/]+)?(?:/[^/]*(?:gru|lstm|rnn)_cell(?:_\d+)?)?/([^/]+)$")
HEADS = re.compile(r"/(query|key|value|attention_output)/(kernel|bias)$")


def loose_tree(file: Hdf5, nodes: Sequence[Node], names: Mapping[str, str] | None) -> tuple[dict[str, Array], Matching]:
    """The arrays of a ``.weights.h5`` file, whatever its groups are called, and how they were matched."""
    own, kinds = shapes_by_owner(nodes), layers_by_owner(nodes)
    wanted = {
        owner: {
            f"{place}/{i}": shapes[name] for place, held in _at(kinds, owner, shapes) for i, name in enumerate(held)
        }
        for owner, shapes in own.items()
        if shapes
    }
    held: dict[str, dict[str, tuple[int, ...]]] = {}
    paths: dict[tuple[str, str], str] = {}
    for path in _datasets(file, ""):
        inside = INSIDE.search(path)
        if inside:
            prefix, rest = path[: inside.start()], inside[0].lstrip("/").replace("_query", "query")
            rest = re.sub(r"_(key|value|output)_dense", r"\1_dense", rest)
            if file.shape(path):  # a scalar is a counter's, not a layer's
                held.setdefault(prefix, {})[rest] = file.shape(path)
                paths[prefix, rest] = path
    labels = {
        prefix: file.attribute(f"{prefix}/vars", "name") or prefix for prefix in held if file.exists(f"{prefix}/vars")
    }
    labels = {prefix: str(labels.get(prefix, prefix)) for prefix in held}
    order = sorted(held, key=lambda prefix: (natural(labels[prefix]), natural(prefix)))
    held = {prefix: held[prefix] for prefix in order}
    found = matched(wanted, held, neighbours(nodes, list(wanted)), file.path, names=names, labels=labels)
    arrays: dict[str, Array] = {}
    for owner, prefix in found.places.items():
        for place, named in _at(kinds, owner, own[owner]):
            for i, name in enumerate(named):
                arrays[f"{owner}/{name}"] = file.array(paths[prefix, f"{place}/{i}"], own[owner][name])
    return arrays, found


def loose_legacy(
    file: Hdf5, root: str, nodes: Sequence[Node], names: Mapping[str, str] | None
) -> tuple[dict[str, Array], Matching]:
    """The same of a legacy ``.h5`` file, whose layers stand in the order of their definition."""
    own = shapes_by_owner(nodes)
    wanted = {
        owner: {name.replace("output/", "attention_output/"): shape for name, shape in shapes.items()}
        for owner, shapes in own.items()
        if shapes
    }
    held: dict[str, dict[str, tuple[int, ...]]] = {}
    paths: dict[tuple[str, str], str] = {}
    at = f"{root}/" if root else ""
    for layer in names_of(file, root, "layer_names"):
        for path in names_of(file, f"{at}{layer}", "weight_names"):
            whole = f"/{layer}/{path.removesuffix(':0')}"
            inside = HEADS.search(whole) or CELL.search(whole)
            assert inside is not None
            side, leaf = inside.groups()
            prefix, rest = whole[1 : inside.start()], f"{side}/{leaf}" if side else leaf
            shape = file.shape(f"{at}{layer}/{path}")
            if shape:
                held.setdefault(prefix, {})[rest] = shape
                paths[prefix, rest] = f"{at}{layer}/{path}"
    found = matched(wanted, held, neighbours(nodes, list(wanted)), file.path, names=names)
    arrays = {
        f"{owner}/{name}": file.array(paths[prefix, rest], own[owner][name])
        for owner, prefix in found.places.items()
        for name, rest in zip(own[owner], wanted[owner], strict=True)
    }
    return arrays, found


def _at(kinds: Mapping[str, object], owner: str, shapes: Mapping[str, object]) -> list[tuple[str, list[str]]]:
    return list(places(kinds[owner], list(shapes)).items())  # type: ignore[arg-type]


def _datasets(file: Hdf5, place: str, depth: int = 0) -> Iterator[str]:
    """Every dataset under a group but those that no layer reads."""
    if depth > MAX_DEPTH:
        raise NumjazError(f"{file.path}: {place:.60} is nested too deep")
    for k, name in enumerate(file.names(place)):
        at = f"{place}/{name}" if place else name
        if k > MAX_ARRAYS:
            raise NumjazError(f"{file.path}: over {MAX_ARRAYS:,} arrays")
        if name in NO_ARRAYS:
            continue
        if file.is_group(at):
            yield from _datasets(file, at, depth + 1)
        else:
            yield at
