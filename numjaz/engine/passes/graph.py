"""Nodes and arrays while they are rewritten."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from numjaz.layers import Array, Layer
from numjaz.model import Model
from numjaz.nodes import Node, owned_parameters, source_of

Source = tuple[str, int]


class Graph:
    """A network's nodes by name, in order, and its arrays; `model` makes a network of them again."""

    def __init__(self, model: Model) -> None:
        self._model, self._changed = model, False
        self.nodes = {node.name: node for node in model.nodes}
        self.arrays: dict[str, Array] = dict(model.parameters)
        self._owned = {owner: list(own) for owner, own in owned_parameters(model.nodes).items()}
        self.outputs = list(model.outputs)

    def readers(self, name: str) -> list[Node]:
        """Who reads a node."""
        return [node for node in self.nodes.values() if any(source == name for source, _ in node.inputs)]

    def ends(self, name: str) -> bool:
        """Whether one of a node's outputs is the network's."""
        return any(source_of(output)[0] == name for output in self.outputs)

    def passes_to(self, name: str) -> Node | None:
        """The only reader of a node, which is no output and reads it once."""
        readers = self.readers(name)
        alone = len(readers) == 1 and not self.ends(name) and [s for s, _ in readers[0].inputs].count(name) == 1
        return readers[0] if alone else None

    def alone(self, node: Node) -> bool:
        """Whether a node's arrays are its own."""
        return sum(other.owner == node.owner for other in self.nodes.values()) == 1

    def params(self, node: Node) -> dict[str, Array]:
        """A node's arrays in float64: what is rewritten is cast when all is, and what is not stays as it was."""
        return {name: self.arrays[f"{node.owner}/{name}"].astype(np.float64) for name in self._owned[node.owner]}

    def change(self, node: Node, layer: Layer, inputs: Iterable[Source], params: Mapping[str, Array]) -> None:
        """Another layer with arrays of its own in a node's place."""
        self._changed = True
        if self.alone(node):
            for name in self.params(node):
                del self.arrays[f"{node.owner}/{name}"]
        self.nodes[node.name] = Node(node.name, layer, tuple(inputs))
        self._owned[node.name] = list(params)
        self.arrays |= {f"{node.name}/{name}": array for name, array in params.items()}

    def insert(self, before: str, node: Node, params: Mapping[str, Array]) -> None:
        """A new node, before another."""
        self._changed = True
        found: dict[str, Node] = {}
        for name, other in self.nodes.items():
            if name == before:
                found[node.name] = node
            found[name] = other
        self.nodes = found
        self._owned[node.name] = list(params)
        self.arrays |= {f"{node.name}/{name}": array for name, array in params.items()}

    def remove(self, node: Node, instead: Source) -> None:
        """Take a node out that is no output; who read it reads ``instead``."""
        self._changed = True
        if self.alone(node):
            for name in self.params(node):
                del self.arrays[f"{node.owner}/{name}"]
        del self.nodes[node.name]
        gone = (node.name, 0)
        for name, other in self.nodes.items():
            inputs = tuple(instead if source == gone else source for source in other.inputs)
            self.nodes[name] = replace(other, inputs=inputs)

    def model(self) -> Model:
        """The network as it is now; the one that was given, where nothing was changed."""
        if not self._changed:
            return self._model
        return Model(self.nodes.values(), self.arrays, outputs=self.outputs)
