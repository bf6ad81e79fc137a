"""Batch normalization taken up by the weights beside it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from numjaz.engine.passes.graph import Graph
from numjaz.layers import Array, BatchNormalization, Conv1D, Dense
from numjaz.model import Model
from numjaz.nodes import LENGTHS, Node, output_shapes


def folded_normalizations(model: Model) -> Model:
    """A normalization becomes part of the products around it: (scale x + shift) W = x (scale W) + shift W.

    It goes into all that read it, where all are products, and none sees it beyond its
    ends: there are zeros, not ``shift``. Otherwise it goes into the linear product before it.
    """
    graph = Graph(model)
    shapes = output_shapes(model.nodes, LENGTHS[0])
    for node in list(graph.nodes.values()):
        if not isinstance(node.layer, BatchNormalization) or graph.ends(node.name):
            continue
        rank = len(shapes[node.name][0]) + 1
        if node.layer.axis % rank != rank - 1:
            continue
        node = graph.nodes[node.name]  # as it is now: another may have gone before it
        assert isinstance(node.layer, BatchNormalization)
        scale, shift = _affine(node.layer, graph.params(node))
        readers = graph.readers(node.name)
        source = graph.nodes[node.inputs[0][0]]
        if readers and all(_takes(graph, reader) for reader in readers):
            for reader in readers:
                _into_reader(graph, reader, scale, shift)
            graph.remove(node, node.inputs[0])
        elif graph.passes_to(source.name) is not None and _gives(graph, source):
            _into_source(graph, source, scale, shift)
            graph.remove(node, node.inputs[0])
    return graph.model()


def _affine(layer: BatchNormalization, params: dict[str, Array]) -> tuple[Array, Array]:
    scale = params.get("gamma", 1.0) / np.sqrt(params["moving_variance"] + layer.epsilon)
    return scale, params.get("beta", 0.0) - params["moving_mean"] * scale


def _takes(graph: Graph, node: Node) -> bool:
    """Whether a layer is a product that sees no zeros beyond the ends."""
    layer = node.layer
    inside = isinstance(layer, Conv1D) and layer.groups == 1 and (layer.kernel_size == 1 or layer.padding == "valid")
    return (inside or isinstance(layer, Dense)) and graph.alone(node)


def _gives(graph: Graph, node: Node) -> bool:
    return isinstance(node.layer, (Conv1D, Dense)) and node.layer.activation == "linear" and graph.alone(node)


def _into_reader(graph: Graph, node: Node, scale: Array, shift: Array) -> None:
    params, layer = graph.params(node), node.layer
    assert isinstance(layer, (Conv1D, Dense))
    kernel = params["kernel"]
    added = (kernel * shift[:, None]).sum(axis=tuple(range(kernel.ndim - 1)))
    _with_bias(graph, node, {"kernel": kernel * scale[:, None], "bias": params.get("bias", 0.0) + added})


def _into_source(graph: Graph, node: Node, scale: Array, shift: Array) -> None:
    params = graph.params(node)
    bias = params.get("bias", 0.0) * scale + shift
    _with_bias(graph, node, {"kernel": params["kernel"] * scale, "bias": bias})


def _with_bias(graph: Graph, node: Node, params: dict[str, Array]) -> None:
    assert isinstance(node.layer, (Conv1D, Dense))
    graph.change(node, replace(node.layer, use_bias=True), node.inputs, params)
