"""Nodes that do nothing where nothing is trained."""

from __future__ import annotations

from numjaz.engine.passes.graph import Graph
from numjaz.layers import Activation, Dropout
from numjaz.model import Model


def without_idle(model: Model) -> Model:
    """Dropout, and activations that are linear, are left out."""
    graph = Graph(model)
    for node in list(graph.nodes.values()):
        idle = isinstance(node.layer, Dropout) or node.layer == Activation("linear")
        if idle and not graph.ends(node.name):
            graph.remove(node, graph.nodes[node.name].inputs[0])
    return graph.model()
