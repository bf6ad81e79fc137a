"""torch's own modules for numjaz's layers, and how each is called with what numjaz lays out channels last."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from numjaz.formats.torch_names import foreign
from numjaz.frameworks.torch_activations import MODULES, activated
from numjaz.frameworks.torch_steps import Step, Tensors, later, merged
from numjaz.layers import (
    ELU,
    GRU,
    LSTM,
    Activation,
    AveragePooling1D,
    BatchNormalization,
    Bidirectional,
    Conv1D,
    Dense,
    DepthwiseConv1D,
    Dropout,
    Flatten,
    GlobalAveragePooling1D,
    GlobalMaxPooling1D,
    Input,
    Layer,
    LayerNormalization,
    MaxPooling1D,
    MultiHeadAttention,
    Parameter,
    PReLU,
    ReLU,
    SeparableConv1D,
    SimpleRNN,
    Softmax,
    TimeDistributed,
)
from numjaz.layers.convolution import zeros_around

Table = Mapping[str, Parameter]
Convolution = Conv1D | DepthwiseConv1D | SeparableConv1D
Cell = GRU | LSTM | SimpleRNN


class Native(NamedTuple):
    """How a layer's torch module is made (None: not with these options), and how it is called."""

    make: Callable[[Any, Table], nn.Module | None]
    call: Callable[[Any, nn.Module, Tensors], Tensors]


def module_of(layer: Layer, table: Table) -> nn.Module:
    """The torch module of a layer, its arrays not yet set; a `Step` where torch has none."""
    if isinstance(layer, TimeDistributed):
        return module_of(layer.layer, table)
    module = None
    if type(layer) in NATIVE and not (table and foreign(layer, {name: p.shape for name, p in table.items()})):
        module = NATIVE[type(layer)].make(layer, table)
    return Step(layer, table) if module is None else module


def outputs_of(layer: Layer, module: nn.Module, inputs: Tensors) -> Tensors:
    """The layer's outputs, by its module; channels are last in memory too, for torch computes otherwise elsewhere."""
    if isinstance(layer, TimeDistributed):
        outputs = outputs_of(layer.layer, module, tuple(x.reshape(-1, *x.shape[2:]) for x in inputs))
        return tuple(y.reshape(*inputs[0].shape[:2], *y.shape[1:]) for y in outputs)
    if isinstance(module, Step):
        given: Tensors = module(*inputs)
        return given
    return tuple(y.contiguous() for y in NATIVE[type(layer)].call(layer, module, inputs))


def _plain(layer: Layer, module: nn.Module, inputs: Tensors) -> Tensors:
    return (module(*inputs),)


def _padded(x: Tensor, span: int, strides: int, padding: str, fill: float = 0.0) -> Tensor:
    """(N, T, C) -> (N, C, before + T + behind)."""
    around = zeros_around(int(x.shape[1]), span, strides, padding)  # numbers, also where torch traces
    return functional.pad(x.transpose(1, 2), around, value=fill)


def _steps(layer: Convolution, groups: int, bias: bool) -> dict[str, Any]:
    return {"stride": layer.strides, "dilation": layer.dilation, "groups": groups, "bias": bias}


def _conv(layer: Conv1D, table: Table) -> nn.Module:
    channels = table["kernel"].shape[1] * layer.groups
    return nn.Conv1d(channels, layer.filters, layer.kernel_size, **_steps(layer, layer.groups, layer.use_bias))


def _depthwise(layer: DepthwiseConv1D, table: Table) -> nn.Module:
    _, channels, each = table["kernel"].shape
    return nn.Conv1d(channels, channels * each, layer.kernel_size, **_steps(layer, channels, layer.use_bias))


def _separable(layer: SeparableConv1D, table: Table) -> nn.Module:
    _, channels, each = table["depthwise_kernel"].shape
    depthwise = nn.Conv1d(channels, channels * each, layer.kernel_size, **_steps(layer, channels, bias=False))
    pointwise = nn.Conv1d(channels * each, layer.filters, 1, bias=layer.use_bias)
    return nn.Sequential(OrderedDict(depthwise=depthwise, pointwise=pointwise))


def _convolved(layer: Convolution, module: nn.Module, inputs: Tensors) -> Tensors:
    y = module(_padded(inputs[0], layer.span, layer.strides, layer.padding))
    return (activated(layer.activation, y.transpose(1, 2)),)


def _pool(kind: Callable[[int, int], nn.Module]) -> Callable[[Any, Table], nn.Module]:
    return lambda layer, table: kind(layer.pool_size, layer.strides or layer.pool_size)


def _largest(layer: MaxPooling1D, module: nn.Module, inputs: Tensors) -> Tensors:
    x = _padded(inputs[0], layer.pool_size, layer.strides or layer.pool_size, layer.padding, float("-inf"))
    return (module(x).transpose(1, 2),)


def _mean(layer: AveragePooling1D, module: nn.Module, inputs: Tensors) -> Tensors:
    (x,), strides = inputs, layer.strides or layer.pool_size
    y = module(_padded(x, layer.pool_size, strides, layer.padding))
    if layer.padding == "same":  # the mean of those that are there
        there = _padded(torch.ones_like(x[:1, :, :1]), layer.pool_size, strides, layer.padding)
        y = y / functional.avg_pool1d(there, layer.pool_size, strides)
    return (y.transpose(1, 2),)


def _globally(layer: Any, module: nn.Module, inputs: Tensors) -> Tensors:
    y = module(inputs[0].transpose(1, 2))  # (N, C, 1)
    return (y.transpose(1, 2) if layer.keepdims else y[..., 0],)


def _linear(layer: Dense, table: Table) -> nn.Module:
    channels, units = table["kernel"].shape
    return nn.Linear(channels, units, layer.use_bias)


def _dense(layer: Dense, module: nn.Module, inputs: Tensors) -> Tensors:
    return (activated(layer.activation, module(inputs[0])),)


def _batch_norm(layer: BatchNormalization, table: Table) -> nn.Module:
    (channels,) = table["moving_mean"].shape
    return nn.BatchNorm1d(channels, layer.epsilon, 1 - layer.momentum, affine=layer.scale)


def _batch_normed(layer: BatchNormalization, module: nn.Module, inputs: Tensors) -> Tensors:
    axis = layer.axis % inputs[0].ndim  # torch's TorchScript exporter writes a negative one into ONNX as it is
    x = inputs[0].movedim(axis, 1)  # (N, C, ...)
    y = module(x if x.ndim < 4 else x.flatten(2))
    return (y.reshape(x.shape).movedim(1, axis),)


def _layer_norm(layer: LayerNormalization, table: Table) -> nn.Module | None:
    return nn.LayerNorm(list(table["gamma"].shape), layer.epsilon, bias=layer.center) if table else None


def _layer_normed(layer: LayerNormalization, module: nn.Module, inputs: Tensors) -> Tensors:
    rank = inputs[0].ndim
    axes = sorted({axis % rank for axis in layer.axis})
    last = list(range(rank - len(axes), rank))
    return (module(inputs[0].movedim(axes, last)).movedim(last, axes),)


def _prelu(layer: PReLU, table: Table) -> nn.Module:
    return nn.PReLU(table["alpha"].shape[-1])


def _prelued(layer: PReLU, module: nn.Module, inputs: Tensors) -> Tensors:
    last = inputs[0].ndim - 1
    return (module(inputs[0].movedim(last, 1)).movedim(1, last),)


def _relu(layer: ReLU, table: Table) -> nn.Module | None:
    return nn.ReLU() if layer == ReLU() else None


def _softmax(layer: Softmax, table: Table) -> nn.Module | None:
    return nn.Softmax(layer.axis[0]) if len(layer.axis) == 1 else None


def _activation(layer: Activation, table: Table) -> nn.Module | None:
    return MODULES[layer.activation]() if layer.activation in MODULES else None


def _dropout(layer: Dropout, table: Table) -> nn.Module | None:
    return nn.Dropout(layer.rate) if layer.kind == "Dropout" and layer.rate <= 1 else None


CELLS: dict[type[Layer], Callable[..., nn.Module]] = {GRU: nn.GRU, LSTM: nn.LSTM, SimpleRNN: nn.RNN}


def _cell(layer: Cell, table: Table, head: str = "") -> nn.Module:
    how: dict[str, Any] = {"batch_first": True, "bias": layer.use_bias, "bidirectional": bool(head)}
    if isinstance(layer, SimpleRNN):
        how["nonlinearity"] = layer.activation
    return CELLS[type(layer)](table[f"{head}kernel"].shape[0], layer.units, **how)


def _recurrent(layer: Cell, module: nn.Module, inputs: Tensors) -> Tensors:
    outputs, states = _run(layer, module, inputs[0], [inputs[1:]] if inputs[1:] else [])
    first = outputs if layer.return_sequences else states[0][0]
    return (first, *states[0]) if layer.return_state else (first,)


def _bidirectional(layer: Bidirectional, module: nn.Module, inputs: Tensors) -> Tensors:
    x, given, side = inputs[0], inputs[1:], layer.forward_layer
    half = len(given) // 2
    outputs, (first, second) = _run(side, module, x, [given[:half], given[half:]] if given else [])
    ahead, back = outputs.chunk(2, dim=-1) if side.return_sequences else (first[0], second[0])
    return (*merged(layer, ahead, back), *(first + second if side.return_state else ()))


def _run(layer: Any, module: nn.Module, x: Tensor, given: list[Tensors]) -> tuple[Tensor, list[Tensors]]:
    """Every step's output, and each direction's last state; ``given`` is each direction's first one."""
    begin: Any = tuple(torch.stack(arrays) for arrays in zip(*given, strict=True)) or None  # each (directions, N, u)
    if begin is not None and len(begin) == 1:
        (begin,) = begin
    outputs, last = module(x.flip(1) if layer.go_backwards else x, begin)
    return outputs, list(zip(*(last if isinstance(last, tuple) else (last,)), strict=True))


def _attention(layer: MultiHeadAttention, table: Table) -> nn.Module:
    wide = {name: table[f"{name}/kernel"].shape[0] for name in ("query", "key", "value")}
    return nn.MultiheadAttention(
        wide["query"], layer.heads, bias=layer.use_bias, kdim=wide["key"], vdim=wide["value"], batch_first=True
    )


def _attended(layer: MultiHeadAttention, module: nn.Module, inputs: Tensors) -> Tensors:
    query, value, key = inputs[0], inputs[1], inputs[-1]
    mask = later(query, value) if layer.causal else None
    y, p = module(query, key, value, attn_mask=mask, need_weights=layer.scores, average_attn_weights=False)
    return (y, p) if layer.scores else (y,)


NATIVE: dict[type[Layer], Native] = {
    Input: Native(lambda layer, table: nn.Identity(), _plain),
    Activation: Native(_activation, _plain),
    ReLU: Native(_relu, _plain),
    ELU: Native(lambda layer, table: nn.ELU(layer.alpha), _plain),
    PReLU: Native(_prelu, _prelued),
    Softmax: Native(_softmax, _plain),
    Dropout: Native(_dropout, _plain),
    Flatten: Native(lambda layer, table: nn.Flatten(), _plain),
    Dense: Native(_linear, _dense),
    Conv1D: Native(_conv, _convolved),
    DepthwiseConv1D: Native(_depthwise, _convolved),
    SeparableConv1D: Native(_separable, _convolved),
    MaxPooling1D: Native(_pool(nn.MaxPool1d), _largest),
    AveragePooling1D: Native(_pool(nn.AvgPool1d), _mean),
    GlobalAveragePooling1D: Native(lambda layer, table: nn.AdaptiveAvgPool1d(1), _globally),
    GlobalMaxPooling1D: Native(lambda layer, table: nn.AdaptiveMaxPool1d(1), _globally),
    BatchNormalization: Native(_batch_norm, _batch_normed),
    LayerNormalization: Native(_layer_norm, _layer_normed),
    GRU: Native(_cell, _recurrent),
    LSTM: Native(_cell, _recurrent),
    SimpleRNN: Native(_cell, _recurrent),
    Bidirectional: Native(lambda layer, table: _cell(layer.forward_layer, table, "forward/"), _bidirectional),
    MultiHeadAttention: Native(_attention, _attended),
}
