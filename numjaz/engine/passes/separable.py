"""Separable convolutions as the two that they are."""

from __future__ import annotations

from numjaz.engine.passes.graph import Graph
from numjaz.engine.runtime.forms import unused
from numjaz.layers import Conv1D, DepthwiseConv1D, SeparableConv1D
from numjaz.model import Model
from numjaz.nodes import Node


def split_separable(model: Model) -> Model:
    """A depthwise convolution, and behind it one matrix at every step."""
    graph = Graph(model)
    for node in list(graph.nodes.values()):
        layer = node.layer
        if not isinstance(layer, SeparableConv1D) or not graph.alone(node):
            continue
        params = graph.params(node)
        depthwise = DepthwiseConv1D(
            layer.kernel_size,
            layer.depth_multiplier,
            layer.padding,
            use_bias=False,
            strides=layer.strides,
            dilation=layer.dilation,
        )
        name = unused(f"{node.name} depthwise", graph.nodes)
        graph.insert(node.name, Node(name, depthwise, node.inputs), {"kernel": params["depthwise_kernel"]})
        pointwise = {"kernel": params["pointwise_kernel"]} | ({"bias": params["bias"]} if layer.use_bias else {})
        point = Conv1D(layer.filters, 1, activation=layer.activation, use_bias=layer.use_bias)
        graph.change(node, point, [(name, 0)], pointwise)
    return graph.model()
