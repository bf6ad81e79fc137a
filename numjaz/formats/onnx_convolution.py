"""Convolutions and poolings over time in ONNX operators, whose time axis is the last."""

from __future__ import annotations

from typing import Any

import numpy as np

from numjaz.formats.onnx_activations import activated
from numjaz.formats.onnx_graph import Free, Graph
from numjaz.layers import Array, AveragePooling1D, Conv1D, DepthwiseConv1D, MaxPooling1D, SeparableConv1D, Shape
from numjaz.layers.convolution import zeros_around

Own = dict[str, Array]
Shapes = tuple[Shape, ...]


def _padding(
    g: Graph, x: str, time: Any, span: int, strides: int, padding: str, fill: float = 0.0
) -> tuple[str, dict[str, Any]]:
    """(N, C, T), padded where the operator cannot do it, and what the operator is told of padding."""
    if padding != "same" or strides == 1 or not isinstance(time, Free):
        return x, {"pads": list(zeros_around(span if isinstance(time, Free) else time, span, strides, padding))}
    if strides <= span:
        return x, {"auto_pad": "SAME_UPPER"}
    # max((ceil(T / s) - 1) s + span - T, 0) zeros: where s > span, ONNX Runtime's own SAME_UPPER goes below 0
    length, one = g.shape(x, 2, 3), g.ints(1)
    steps = g.op("Div", g.op("Add", length, g.ints(strides - 1)), g.ints(strides))
    covered = g.op("Add", g.op("Mul", g.op("Sub", steps, one), g.ints(strides)), g.ints(span))
    total = g.op("Max", g.op("Sub", covered, length), g.ints(0))
    before = g.op("Div", total, g.ints(2))
    none = g.ints(0, 0)
    around = g.op("Concat", none, before, none, g.op("Sub", total, before), axis=0)
    return g.op("Pad", x, around, g.constant(fill)), {}


def _convolved(g: Graph, layer: Any, x: str, weights: list[str], groups: int, shapes: Shapes) -> str:
    """A convolution over time, (N, T, C) -> (N, C', T')."""
    x, around = _padding(g, g.transpose(x, 0, 2, 1), shapes[0][0], layer.span, layer.strides, layer.padding)
    steps = {"strides": [layer.strides], "dilations": [layer.dilation], "group": groups}
    return g.op("Conv", x, *weights, kernel_shape=[layer.kernel_size], **steps, **around)


def _biased(g: Graph, layer: Any, own: Own, kernel: str) -> list[str]:
    return [kernel, g.weight("bias", own["bias"])] if layer.use_bias else [kernel]


def _ended(g: Graph, layer: Any, y: str) -> list[str]:
    """(N, C, T) -> (N, T, C), and the activation."""
    return [activated(g, layer.activation, g.transpose(y, 0, 2, 1), layer.filters)]


def conv(g: Graph, layer: Conv1D, own: Own, inputs: list[str], shapes: Shapes) -> list[str]:
    """A convolution."""
    weights = _biased(g, layer, own, g.weight("kernel", own["kernel"].transpose(2, 1, 0)))
    return _ended(g, layer, _convolved(g, layer, inputs[0], weights, layer.groups, shapes))


def _each_channel(kernel: Array) -> Array:
    """(k, C, M) -> (C M, 1, k)."""
    return kernel.transpose(1, 2, 0).reshape(-1, 1, kernel.shape[0])


def depthwise(g: Graph, layer: DepthwiseConv1D, own: Own, inputs: list[str], shapes: Shapes) -> list[str]:
    """A convolution of each channel on its own: as many groups."""
    weights = _biased(g, layer, own, g.weight("kernel", _each_channel(own["kernel"])))
    y = _convolved(g, layer, inputs[0], weights, own["kernel"].shape[1], shapes)
    channels = own["kernel"].shape[1] * layer.depth_multiplier
    return [activated(g, layer.activation, g.transpose(y, 0, 2, 1), channels)]


def separable(g: Graph, layer: SeparableConv1D, own: Own, inputs: list[str], shapes: Shapes) -> list[str]:
    """That, then one matrix at every step: a convolution of one tap."""
    kernel = own["depthwise_kernel"]
    depthwise = [g.weight("depthwise_kernel", _each_channel(kernel))]
    y = _convolved(g, layer, inputs[0], depthwise, kernel.shape[1], shapes)
    pointwise = g.weight("pointwise_kernel", own["pointwise_kernel"].transpose(2, 1, 0))
    return _ended(g, layer, g.op("Conv", y, *_biased(g, layer, own, pointwise), kernel_shape=[1]))


def max_pooling(g: Graph, layer: MaxPooling1D, own: Own, inputs: list[str], shapes: Shapes) -> list[str]:
    """The largest of each pool."""
    size, strides = layer.pool_size, layer.strides or layer.pool_size
    x = g.transpose(inputs[0], 0, 2, 1)
    x, around = _padding(g, x, shapes[0][0], size, strides, layer.padding, -np.inf)
    y = g.op("MaxPool", x, kernel_shape=[size], strides=[strides], **around)
    return [g.transpose(y, 0, 2, 1)]


def average_pooling(g: Graph, layer: AveragePooling1D, own: Own, inputs: list[str], shapes: Shapes) -> list[str]:
    """The mean of those of each pool that are there."""
    size, strides = layer.pool_size, layer.strides or layer.pool_size
    x = g.transpose(inputs[0], 0, 2, 1)
    how = {"kernel_shape": [size], "strides": [strides]}
    padded, around = _padding(g, x, shapes[0][0], size, strides, layer.padding)
    y = g.op("AveragePool", padded, **how, **around)  # of those that are there
    if padded != x:  # the operator took the zeros for samples
        ones = g.op("ConstantOfShape", g.op("Concat", g.ints(1, 1), g.shape(x, 2, 3), axis=0), value=np.ones(1, "f4"))
        there, _ = _padding(g, ones, shapes[0][0], size, strides, layer.padding)
        y = g.op("Div", y, g.op("AveragePool", there, **how))
    return [g.transpose(y, 0, 2, 1)]
