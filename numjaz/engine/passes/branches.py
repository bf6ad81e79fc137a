"""Branches of convolutions side by side, as one: fewer and larger products."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from numjaz.engine.passes.fan import Fan
from numjaz.engine.passes.graph import Graph
from numjaz.layers import Add, Array, Concatenate, Conv1D
from numjaz.layers.functions import ONE_BY_ONE
from numjaz.model import Model
from numjaz.nodes import Node

WASTE = 3.0  # times the multiply-accumulates that a joined kernel may have
NARROW = 32  # channels up to which a sum is left to the product behind it


def summed_in_products(model: Model) -> Model:
    """(a + b) W as [a, b] [W; W]: a sum of narrow branches becomes part of the convolution that reads it."""
    graph = Graph(model)
    for node in list(graph.nodes.values()):
        reader = graph.passes_to(node.name) if isinstance(node.layer, Add) else None
        if reader is None or not _plain(graph, reader):
            continue
        params = graph.params(reader)
        channels = params["kernel"].shape[1]
        sources = [graph.nodes[name] for name, _ in node.inputs]
        own = all(graph.passes_to(source.name) is not None and isinstance(source.layer, Conv1D) for source in sources)
        same_shape = all(isinstance(s.layer, Conv1D) and s.layer.filters == channels for s in sources)
        if not own or not same_shape or channels * len(sources) > NARROW:
            continue
        stacked = np.concatenate([params["kernel"]] * len(sources), axis=1)
        graph.nodes[node.name] = replace(node, layer=Concatenate())
        graph.change(reader, reader.layer, reader.inputs, {**params, "kernel": stacked})
    return graph.model()


def joined_branches(model: Model) -> Model:
    """Convolutions whose outputs stand side by side as one convolution of inputs side by side.

    Kernels of several lengths are centred in the longest, with zeros around; inputs of their own
    make a kernel of blocks. What this adds in multiply-accumulates is bounded (`WASTE`).
    """
    graph = Graph(model)
    changed = True
    while changed:
        changed = any(
            _joined(graph, node) for node in list(graph.nodes.values()) if isinstance(node.layer, Concatenate)
        )
    return graph.model()


def _joined(graph: Graph, node: Node) -> bool:
    sources = [graph.nodes[name] for name, _ in node.inputs]
    if node.layer != Concatenate() or len({source.name for source in sources}) < len(sources):
        return False
    if not all(_plain(graph, source) and graph.passes_to(source.name) is not None for source in sources):
        return False
    layers = [source.layer for source in sources if isinstance(source.layer, Conv1D)]
    first = layers[0]
    alike = {(each.activation, each.strides, each.dilation, each.padding) for each in layers}
    longest = max(each.kernel_size for each in layers)
    centred = first.padding == "same" and first.strides == first.dilation == 1
    if len(alike) > 1 or (any(each.kernel_size != longest for each in layers) and not centred):
        return False
    if any((longest - each.kernel_size) % 2 for each in layers) or first.activation not in ONE_BY_ONE:
        return False
    inputs = [source.inputs[0] for source in sources]
    shared = len(set(inputs)) == 1
    if not shared and len(set(inputs)) < len(inputs):
        return False
    params = [graph.params(source) for source in sources]
    kernels = [_centred(p["kernel"], longest) for p in params]
    kernel = np.concatenate(kernels, axis=2) if shared else _blocks(kernels)
    if kernel.size > WASTE * sum(p["kernel"].size for p in params):
        return False
    bias = np.concatenate([p.get("bias", np.zeros(k.shape[2])) for p, k in zip(params, kernels, strict=True)])
    layer = replace(first, filters=kernel.shape[2], kernel_size=longest, use_bias=True)
    name = " | ".join(source.name for source in sources)
    if shared:
        graph.change(node, layer, [inputs[0]], {"kernel": kernel, "bias": bias})
    else:
        graph.insert(node.name, Node(name, Concatenate(), tuple(inputs)), {})
        graph.change(node, layer, [(name, 0)], {"kernel": kernel, "bias": bias})
    for source in sources:
        graph.remove(source)
    return True


def _plain(graph: Graph, node: Node) -> bool:
    return isinstance(node.layer, Conv1D) and node.layer.groups == 1 and graph.alone(node)


def _centred(kernel: Array, size: int) -> Array:
    around = (size - len(kernel)) // 2
    return np.pad(kernel, ((around, around), (0, 0), (0, 0)))


def _blocks(kernels: Sequence[Array]) -> Array:
    whole = np.zeros((len(kernels[0]), sum(k.shape[1] for k in kernels), sum(k.shape[2] for k in kernels)))
    row = column = 0
    for kernel in kernels:
        whole[:, row : row + kernel.shape[1], column : column + kernel.shape[2]] = kernel
        row, column = row + kernel.shape[1], column + kernel.shape[2]
    return whole


def fanned_products(model: Model) -> Model:
    """Convolutions of one sample that read the same output, as one node of several outputs."""
    graph = Graph(model)
    for source in [(name, 0) for name in graph.nodes]:
        readers = [node for node in graph.readers(*source) if _of_one_sample(graph, node)]
        if len(readers) < 2:
            continue
        name = " | ".join(node.name for node in readers)
        layers = tuple(node.layer for node in readers if isinstance(node.layer, Conv1D))
        params = {f"{k}/{p}": a for k, node in enumerate(readers) for p, a in graph.params(node).items()}
        graph.insert(readers[0].name, Node(name, Fan(layers), (source,)), params)
        for k, node in enumerate(readers):
            graph.remove(node)
            graph.redirect({(node.name, 0): (name, k)})
    return graph.model()


def _of_one_sample(graph: Graph, node: Node) -> bool:
    layer = node.layer
    if not _plain(graph, node) or not isinstance(layer, Conv1D) or graph.ends(node.name):
        return False
    return layer.kernel_size == layer.strides == 1 and layer.activation in ONE_BY_ONE
