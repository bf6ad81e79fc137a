"""numjaz's layers in ONNX operators, one function a family.

Each takes the graph, the layer, its arrays, the names of its inputs and their shapes without the
batch (a `Free` where a length is not known), and gives the names of its outputs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np

from numjaz.errors import NumjazError
from numjaz.formats.onnx_activations import activated
from numjaz.formats.onnx_convolution import average_pooling, conv, depthwise, max_pooling, separable
from numjaz.formats.onnx_graph import Free, Graph
from numjaz.formats.onnx_recurrent import bidirectional, recurrent
from numjaz.layers import (
    ELU,
    GRU,
    LSTM,
    Activation,
    Add,
    Array,
    Average,
    AveragePooling1D,
    BatchNormalization,
    Bidirectional,
    Concatenate,
    Conv1D,
    Cropping1D,
    Dense,
    DepthwiseConv1D,
    Dropout,
    Flatten,
    GlobalAveragePooling1D,
    GlobalMaxPooling1D,
    Input,
    Layer,
    LayerNormalization,
    Maximum,
    MaxPooling1D,
    Minimum,
    MultiHeadAttention,
    Multiply,
    Normalization,
    Permute,
    PReLU,
    ReLU,
    RepeatVector,
    Rescaling,
    Reshape,
    SeparableConv1D,
    Shape,
    SimpleRNN,
    Softmax,
    Subtract,
    TimeDistributed,
    UpSampling1D,
    ZeroPadding1D,
)

Own = dict[str, Array]
Shapes = tuple[Shape, ...]
Written = Callable[[Graph, Any, Own, list[str], Shapes], list[str]]


def written(g: Graph, layer: Layer, own: Own, inputs: list[str], shapes: Shapes) -> list[str]:
    """The outputs of a layer; `NumjazError` where ONNX has no form of it."""
    if type(layer) not in LAYERS:
        raise NumjazError(
            f"{type(layer).__name__}: ONNX has no form of a layer of one's own; build it of numjaz's layers"
        )
    return LAYERS[type(layer)](g, layer, own, inputs, shapes)


def _same(g: Graph, layer: Layer, own: Own, inputs: list[str], shapes: Shapes) -> list[str]:
    return inputs


def _globally(kind: str) -> Written:
    def write(g: Graph, layer: Any, own: Own, inputs: list[str], shapes: Shapes) -> list[str]:
        y = g.op(kind, g.transpose(inputs[0], 0, 2, 1))  # (N, C, 1)
        return [g.transpose(y, 0, 2, 1) if layer.keepdims else g.squeeze(y, 2)]

    return write


def _dense(g: Graph, layer: Dense, own: Own, inputs: list[str], shapes: Shapes) -> list[str]:
    y = g.op("MatMul", inputs[0], g.weight("kernel", own["kernel"]))
    if layer.use_bias:
        y = g.op("Add", y, g.weight("bias", own["bias"]))
    return [activated(g, layer.activation, y, layer.units)]


def _activation(g: Graph, layer: Activation, own: Own, inputs: list[str], shapes: Shapes) -> list[str]:
    return [activated(g, layer.activation, inputs[0], shapes[0][-1])]


def _relu(g: Graph, layer: ReLU, own: Own, inputs: list[str], shapes: Shapes) -> list[str]:
    (x,) = inputs
    if layer.threshold == layer.negative_slope == 0:
        y = g.op("Relu", x)
    else:
        threshold = g.constant(layer.threshold)
        below = g.op("Mul", g.op("Sub", x, threshold), g.constant(layer.negative_slope))
        y = g.op("Where", g.op("GreaterOrEqual", x, threshold), x, below)
    return [y if layer.max_value is None else g.op("Min", y, g.constant(layer.max_value))]


def _prelu(g: Graph, layer: PReLU, own: Own, inputs: list[str], shapes: Shapes) -> list[str]:
    return [g.op("PRelu", inputs[0], g.weight("alpha", own["alpha"]))]


def _elu(g: Graph, layer: ELU, own: Own, inputs: list[str], shapes: Shapes) -> list[str]:
    return [g.op("Elu", inputs[0], alpha=float(layer.alpha))]


def _softmax(g: Graph, layer: Softmax, own: Own, inputs: list[str], shapes: Shapes) -> list[str]:
    (x,) = inputs
    if len(layer.axis) == 1:
        return [g.op("Softmax", x, axis=layer.axis[0])]
    e = g.op("Exp", g.op("Sub", x, g.largest(x, layer.axis)))
    return [g.op("Div", e, g.sum(e, layer.axis))]


def _merge(kind: str) -> Written:
    def write(g: Graph, layer: Layer, own: Own, inputs: list[str], shapes: Shapes) -> list[str]:
        rank = max(map(len, shapes))
        levelled = [g.unsqueeze(x, *range(1, 1 + rank - len(shape))) for x, shape in zip(inputs, shapes, strict=True)]
        return [reduce(lambda a, b: g.op(kind, a, b), levelled)]

    return write


def _average(g: Graph, layer: Average, own: Own, inputs: list[str], shapes: Shapes) -> list[str]:
    (total,) = _merge("Add")(g, layer, own, inputs, shapes)
    return [g.op("Div", total, g.constant(len(inputs)))]


def _concatenate(g: Graph, layer: Concatenate, own: Own, inputs: list[str], shapes: Shapes) -> list[str]:
    return [g.op("Concat", *inputs, axis=layer.axis)]


def _batch_normalization(g: Graph, layer: BatchNormalization, own: Own, inputs: list[str], shapes: Shapes) -> list[str]:
    channels, rank = own["moving_mean"].shape, len(shapes[0]) + 1
    own = {"gamma": np.ones(channels), "beta": np.zeros(channels), **own}
    weights = [g.weight(name, own[name]) for name in ("gamma", "beta", "moving_mean", "moving_variance")]
    at = layer.axis % rank
    order = [0, at, *(axis for axis in range(1, rank) if axis != at)]
    y = g.op("BatchNormalization", g.transpose(inputs[0], *order), *weights, epsilon=float(layer.epsilon))
    return [g.transpose(y, *np.argsort(order).tolist())]


def _layer_normalization(g: Graph, layer: LayerNormalization, own: Own, inputs: list[str], shapes: Shapes) -> list[str]:
    (x,), rank = inputs, len(shapes[0]) + 1
    over = sorted({axis % rank for axis in layer.axis})
    sizes = [shapes[0][axis - 1] for axis in over]
    if any(isinstance(size, Free) for size in sizes):  # no gamma, no beta: they would have to be as long
        x = g.op("Sub", x, g.mean(x, over))
        variance = g.mean(g.op("Mul", x, x), over)
        return [g.op("Div", x, g.op("Sqrt", g.op("Add", variance, g.constant(layer.epsilon))))]
    gamma = g.weight("gamma", own.get("gamma", np.ones(sizes)))
    weights = [gamma, g.weight("beta", own["beta"])] if layer.center else [gamma]
    order = [*(axis for axis in range(rank) if axis not in over), *over]
    how = {"axis": -len(over), "epsilon": float(layer.epsilon)}
    y = g.op("LayerNormalization", g.transpose(x, *order), *weights, **how)
    return [g.transpose(y, *np.argsort(order).tolist())]


def _normalization(g: Graph, layer: Normalization, own: Own, inputs: list[str], shapes: Shapes) -> list[str]:
    (x,), rank = inputs, len(shapes[0]) + 1
    if layer.mean is None or layer.variance is None:
        kept = {axis % rank for axis in layer.axis}
        shape = [n if at in kept else 1 for at, n in enumerate(shapes[0], start=1)]
        mean, variance = (own[name].reshape(shape) for name in ("mean", "variance"))
    else:
        mean, variance = layer.constants(shapes[0])
    center = g.weight("mean", mean)
    deviation = g.weight("deviation", np.maximum(np.sqrt(variance.astype(np.float32)), np.float32(layer.epsilon)))
    if layer.invert:
        return [g.op("Add", g.op("Mul", x, deviation), center)]
    return [g.op("Div", g.op("Sub", x, center), deviation)]


def _rescaling(g: Graph, layer: Rescaling, own: Own, inputs: list[str], shapes: Shapes) -> list[str]:
    return [g.op("Add", g.op("Mul", inputs[0], g.constant(layer.scale)), g.constant(layer.offset))]


def _flatten(g: Graph, layer: Flatten, own: Own, inputs: list[str], shapes: Shapes) -> list[str]:
    return [g.op("Flatten", inputs[0], axis=1)]


def _reshape(g: Graph, layer: Reshape, own: Own, inputs: list[str], shapes: Shapes) -> list[str]:
    return [g.reshape(inputs[0], 0, *layer.target)]


def _permute(g: Graph, layer: Permute, own: Own, inputs: list[str], shapes: Shapes) -> list[str]:
    return [g.transpose(inputs[0], 0, *layer.order)]


def _repeat(g: Graph, layer: RepeatVector, own: Own, inputs: list[str], shapes: Shapes) -> list[str]:
    return [g.op("Tile", g.unsqueeze(inputs[0], 1), g.ints(1, layer.n, 1))]


def _upsampling(g: Graph, layer: UpSampling1D, own: Own, inputs: list[str], shapes: Shapes) -> list[str]:
    (x,) = inputs
    wide = g.op("Tile", g.unsqueeze(x, 2), g.ints(1, 1, layer.size, 1))  # (N, T, size, C)
    return [g.reshape(wide, 0, -1, g.shape(x, 2, 3))]


def _zero_padding(g: Graph, layer: ZeroPadding1D, own: Own, inputs: list[str], shapes: Shapes) -> list[str]:
    return [g.op("Pad", inputs[0], g.ints(0, layer.before, 0, 0, layer.behind, 0))]


def _cropping(g: Graph, layer: Cropping1D, own: Own, inputs: list[str], shapes: Shapes) -> list[str]:
    return [g.cut(inputs[0], layer.before, -layer.behind or 2**63 - 1, 1)]


def _time_distributed(g: Graph, layer: TimeDistributed, own: Own, inputs: list[str], shapes: Shapes) -> list[str]:
    folded = [g.reshape(x, -1, g.shape(x, 2)) for x in inputs]  # (N, T, ...) -> (N T, ...)
    steps = g.shape(inputs[0], 0, 2)
    outputs = written(g, layer.layer, own, folded, tuple(shape[1:] for shape in shapes))
    return [g.reshape(y, steps, g.shape(y, 1)) for y in outputs]


def _attention(g: Graph, layer: MultiHeadAttention, own: Own, inputs: list[str], shapes: Shapes) -> list[str]:
    query, value, key = inputs[0], inputs[1], inputs[-1]

    def heads(name: str, x: str, *order: int) -> str:
        channels, _, dim = own[f"{name}/kernel"].shape
        y = g.op("MatMul", x, g.weight(f"{name}/kernel", own[f"{name}/kernel"].reshape(channels, -1)))
        if layer.use_bias:
            y = g.op("Add", y, g.weight(f"{name}/bias", own[f"{name}/bias"].ravel()))
        return g.transpose(g.reshape(y, 0, 0, layer.heads, dim), *order)

    q = g.op("Div", heads("query", query, 0, 2, 1, 3), g.constant(math.sqrt(layer.key_dim)))  # (N, heads, T, dim)
    similar = g.op("MatMul", q, heads("key", key, 0, 2, 3, 1))  # (N, heads, T, S)
    if layer.causal:
        square = g.op("Concat", g.shape(query, 1, 2), g.shape(value, 1, 2), axis=0)
        ones = g.op("ConstantOfShape", square, value=np.ones(1, np.float32))
        earlier = g.op("Greater", g.op("Trilu", ones, upper=0), g.constant(0))
        similar = g.op("Where", earlier, similar, g.constant(-np.inf))
    p = g.op("Softmax", similar, axis=-1)
    y = g.transpose(g.op("MatMul", p, heads("value", value, 0, 2, 1, 3)), 0, 2, 1, 3)  # (N, T, heads, dim)
    kernel = own["output/kernel"].reshape(-1, own["output/kernel"].shape[-1])
    y = g.op("MatMul", g.reshape(y, 0, 0, -1), g.weight("output/kernel", kernel))
    if layer.use_bias:
        y = g.op("Add", y, g.weight("output/bias", own["output/bias"]))
    return [y, p] if layer.scores else [y]


LAYERS: dict[type[Layer], Written] = {
    Input: _same,
    Dropout: _same,
    Conv1D: conv,
    DepthwiseConv1D: depthwise,
    SeparableConv1D: separable,
    MaxPooling1D: max_pooling,
    AveragePooling1D: average_pooling,
    GlobalAveragePooling1D: _globally("GlobalAveragePool"),
    GlobalMaxPooling1D: _globally("GlobalMaxPool"),
    GRU: recurrent,
    LSTM: recurrent,
    SimpleRNN: recurrent,
    Bidirectional: bidirectional,
    MultiHeadAttention: _attention,
    Dense: _dense,
    Activation: _activation,
    ReLU: _relu,
    PReLU: _prelu,
    ELU: _elu,
    Softmax: _softmax,
    Add: _merge("Add"),
    Subtract: _merge("Sub"),
    Multiply: _merge("Mul"),
    Average: _average,
    Maximum: _merge("Max"),
    Minimum: _merge("Min"),
    Concatenate: _concatenate,
    BatchNormalization: _batch_normalization,
    LayerNormalization: _layer_normalization,
    Normalization: _normalization,
    Rescaling: _rescaling,
    Flatten: _flatten,
    Reshape: _reshape,
    Permute: _permute,
    RepeatVector: _repeat,
    UpSampling1D: _upsampling,
    ZeroPadding1D: _zero_padding,
    Cropping1D: _cropping,
    TimeDistributed: _time_distributed,
}
