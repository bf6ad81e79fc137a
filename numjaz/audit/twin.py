"""The canonical torch twin as its calls: which of torch's modules and functions it makes of a node, and how large.

A counting tool sees these calls, not the network, so that a convention is stated in them. `frameworks/torch.py`
builds the twin; the tools are run on it, and must print what the conventions say.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from numjaz.errors import NumjazError
from numjaz.layers import (
    ELU,
    GRU,
    LSTM,
    Activation,
    Add,
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
    Permute,
    PReLU,
    ReLU,
    RepeatVector,
    Reshape,
    SeparableConv1D,
    Shape,
    SimpleRNN,
    Softmax,
    Subtract,
    UpSampling1D,
    ZeroPadding1D,
)
from numjaz.layers.convolution import zeros_around

Shapes = tuple[Shape, ...]
RECURRENT = {GRU: "gru", LSTM: "lstm", SimpleRNN: "rnn"}


@dataclass(frozen=True)
class Call:
    """One call of a module, or of a function, by what it is: ``conv``, ``linear``, ``gru``, ``batch_norm``, ….

    ``function`` says that it stands in no module of the twin, as an activation within a layer does.
    """

    kind: str
    macs: Any = 0  # of its matrix products
    biases: Any = 0  # numbers that a bias is added to; a recurrent layer of torch's has two biases a gate
    read: Any = 0  # numbers that it is given, zeros around them included
    made: Any = 0  # numbers that it makes
    parameters: int = 0  # numbers that it learns
    batch: Any = 1
    steps: Any = 0  # of a recurrent layer, over all windows
    units: int = 0  # of a recurrent layer, in both directions together
    directions: int = 1  # of a recurrent layer
    rows: Any = 0  # of a softmax
    function: bool = False
    groups: int = 1  # of a convolution that is neither plain nor depthwise
    pool: int = 0  # numbers that a pooling sees at once
    channels: int = 0  # with statistics of their own
    heads: int = 0
    widths: tuple[int, int, int] = (0, 0, 0)  # of an attention's query, key and value
    lengths: tuple[Any, Any] = (0, 0)  # steps of an attention's query, and of its keys


def calls_of(layer: Layer, shapes: Shapes, batch: Any = 1) -> list[Call]:
    """What the twin calls for a layer with inputs of these shapes.

    Raises
    ------
    NumjazError
        Where torch has no module for the layer: what its equations call there is nobody's convention.
    """
    if type(layer) not in CALLS:
        raise _no_module(layer)
    return list(CALLS[type(layer)](layer, shapes, batch))


def _no_module(layer: Layer) -> NumjazError:
    return NumjazError(f"{layer}: torch has no module for it, so that no tool's convention speaks of it")


def _activated(name: str, numbers: Any, rows: Any) -> list[Call]:
    return [] if name == "linear" else [Call(name, read=numbers, made=numbers, rows=rows, function=True)]


def _conv(layer: Any, shapes: Shapes, batch: Any) -> Iterator[Call]:
    time, channels = shapes[0]
    ((steps, filters),) = layer.output_shapes(shapes)
    operations = layer.operations(shapes, batch)
    padded = batch * (time + sum(zeros_around(time, layer.span, layer.strides, layer.padding))) * channels
    numbers, kept = batch * steps * filters, layer.parameters(shapes)
    sizes = {name: math.prod(p.shape) for name, p in kept.items()}
    biases = numbers if layer.use_bias else 0
    if isinstance(layer, SeparableConv1D):
        wide = batch * steps * channels * layer.depth_multiplier
        depthwise, pointwise = (operations.macs[f"{part}_kernel"] for part in ("depthwise", "pointwise"))
        yield Call("conv", depthwise, 0, padded, wide, sizes["depthwise_kernel"], batch)
        yield Call("conv", pointwise, biases, wide, numbers, sizes["pointwise_kernel"] + sizes.get("bias", 0), batch)
    else:
        groups = layer.groups if isinstance(layer, Conv1D) else 1
        yield Call("conv", operations.total_macs, biases, padded, numbers, sum(sizes.values()), batch, groups=groups)
    yield from _activated(layer.activation, numbers, batch * steps)


def _linear(layer: Dense, shapes: Shapes, batch: Any) -> Iterator[Call]:
    *rows, channels = shapes[0]
    steps = batch * math.prod(rows)
    made = steps * layer.units
    parameters = (channels + layer.use_bias) * layer.units
    yield Call("linear", channels * made, made * layer.use_bias, steps * channels, made, parameters, batch)
    yield from _activated(layer.activation, made, steps)


def _recurrent(layer: Any, shapes: Shapes, batch: Any, directions: int = 1) -> Iterator[Call]:
    native = layer.activation == "tanh" and getattr(layer, "recurrent_activation", "sigmoid") == "sigmoid"
    if not native or not getattr(layer, "reset_after", True) or len(shapes) > 1:
        raise _no_module(layer)
    time, width = shapes[0]
    columns = layer.GATES * layer.units * directions
    biases = 2 * columns * layer.use_bias
    weights = columns * (width + layer.units)
    steps, made = batch * time, batch * time * layer.units * directions
    yield Call(
        RECURRENT[type(layer)],
        steps * weights,
        steps * biases,
        steps * width,
        made,
        weights + biases,
        batch,
        steps,
        layer.units * directions,
        directions,
    )


def _bidirectional(layer: Bidirectional, shapes: Shapes, batch: Any) -> Iterator[Call]:
    if layer.forward_layer != layer.backward_layer or layer.merge != "concat":
        raise _no_module(layer)
    yield from _recurrent(layer.forward_layer, shapes, batch, directions=2)


def _batch_norm(layer: BatchNormalization, shapes: Shapes, batch: Any) -> Iterator[Call]:
    numbers = batch * math.prod(shapes[0])
    kept = layer.parameters(shapes)
    learned = sum(math.prod(p.shape) for p in kept.values() if p.trainable)
    channels = math.prod(kept["moving_mean"].shape)
    yield Call("batch_norm", read=numbers, made=numbers, parameters=learned, batch=batch, channels=channels)


def _layer_norm(layer: LayerNormalization, shapes: Shapes, batch: Any) -> Iterator[Call]:
    numbers = batch * math.prod(shapes[0])
    learned = [math.prod(p.shape) for p in layer.parameters(shapes).values()]
    if not learned:
        raise _no_module(layer)
    rows = numbers // learned[0]
    yield Call("layer_norm", read=numbers, made=numbers, parameters=sum(learned), batch=batch, rows=rows)


def _attention(layer: MultiHeadAttention, shapes: Shapes, batch: Any) -> Iterator[Call]:
    query, value, key = shapes[0], shapes[1], shapes[-1]
    widths = (query[1], key[1], value[1])
    narrow = layer.heads * layer.key_dim
    if (narrow, layer.value_dim or layer.key_dim, layer.output or query[1]) != (query[1], layer.key_dim, query[1]):
        raise _no_module(layer)
    if not layer.use_bias or layer.heads % 2 or layer.causal or layer.scores or not query == key == value:
        raise NumjazError(
            f"{layer}: torch fuses an attention of a sequence with itself, with biases and an even number of heads; "
            f"for others the tools count what they find within"
        )
    operations = layer.operations(shapes, batch)
    yield Call(
        "attention",
        operations.total_macs,
        operations.elementary.get("biases", 0),
        made=batch * query[0] * query[1],
        parameters=sum(math.prod(p.shape) for p in layer.parameters(shapes).values()),
        batch=batch,
        heads=layer.heads,
        widths=widths,
        lengths=(query[0], value[0]),
    )


def _pool(kind: str) -> Callable[[Any, Shapes, Any], Iterator[Call]]:
    def calls(layer: Any, shapes: Shapes, batch: Any) -> Iterator[Call]:
        time, channels = shapes[0]
        around = zeros_around(time, layer.pool_size, layer.strides or layer.pool_size, layer.padding)
        made = batch * math.prod(layer.output_shapes(shapes)[0])
        if kind == "avg_pool" and layer.padding == "same":
            raise _no_module(layer)
        read = batch * (time + sum(around)) * channels
        yield Call(kind, read=read, made=made, batch=batch, pool=layer.pool_size)

    return calls


def _global(kind: str) -> Callable[[Any, Shapes, Any], Iterator[Call]]:
    def calls(layer: Any, shapes: Shapes, batch: Any) -> Iterator[Call]:
        time, channels = shapes[0]
        yield Call(kind, read=batch * time * channels, made=batch * channels, batch=batch)

    return calls


def _activation(layer: Any, shapes: Shapes, batch: Any) -> Iterator[Call]:
    """A module of its own."""
    shape = shapes[0]
    name = layer.activation if isinstance(layer, Activation) else type(layer).__name__.lower()
    if (isinstance(layer, ReLU) and layer != ReLU()) or (isinstance(layer, Softmax) and len(layer.axis) > 1):
        raise _no_module(layer)
    if isinstance(layer, ELU) and layer.alpha != 1:
        name = "elu_scaled"
    if name != "linear":
        read, made = (batch * math.prod(each) for each in (shape, *layer.output_shapes(shapes)))
        yield Call(name, read=read, made=made, rows=batch * math.prod(shape[:-1]), batch=batch)


def _prelu(layer: PReLU, shapes: Shapes, batch: Any) -> Iterator[Call]:
    learned = [p.shape for p in layer.parameters(shapes).values()]
    if any(n != 1 for shape in learned for n in shape[:-1]):
        raise _no_module(layer)
    numbers = batch * math.prod(shapes[0])
    yield Call("prelu", read=numbers, made=numbers, parameters=math.prod(learned[0]), batch=batch)


def _sum(kind: str) -> Callable[[Any, Shapes, Any], Iterator[Call]]:
    def calls(layer: Layer, shapes: Shapes, batch: Any) -> Iterator[Call]:
        for count in range(2, len(shapes) + 1):
            made = batch * math.prod(layer.output_shapes(shapes[:count])[0])
            yield Call(kind, made=made, function=True)
        if isinstance(layer, Average):
            yield Call("div", made=made, function=True)

    return calls


def _nothing(layer: Layer, shapes: Shapes, batch: Any) -> Iterator[Call]:
    return iter(())


CALLS: dict[type[Layer], Callable[[Any, Shapes, Any], Iterator[Call]]] = {
    Conv1D: _conv,
    DepthwiseConv1D: _conv,
    SeparableConv1D: _conv,
    Dense: _linear,
    GRU: _recurrent,
    LSTM: _recurrent,
    SimpleRNN: _recurrent,
    Bidirectional: _bidirectional,
    BatchNormalization: _batch_norm,
    LayerNormalization: _layer_norm,
    MultiHeadAttention: _attention,
    MaxPooling1D: _pool("max_pool"),
    AveragePooling1D: _pool("avg_pool"),
    GlobalMaxPooling1D: _global("adaptive_max_pool"),
    GlobalAveragePooling1D: _global("adaptive_avg_pool"),
    Activation: _activation,
    ELU: _activation,
    PReLU: _prelu,
    ReLU: _activation,
    Softmax: _activation,
    Add: _sum("add"),
    Average: _sum("add"),
    Multiply: _sum("mul"),
    Subtract: _sum("sub"),
    Maximum: _sum("maximum"),
    Minimum: _sum("minimum"),
    **dict.fromkeys(
        (Input, Concatenate, Cropping1D, Dropout, Flatten, Permute, RepeatVector, Reshape, UpSampling1D, ZeroPadding1D),
        _nothing,
    ),
}
"""What the twin calls for each layer; nothing where it only moves numbers, or what no tool counts."""
