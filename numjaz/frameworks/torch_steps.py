"""What torch has no module for, as a module: the equations over tensors, the arrays under their own names."""

# mypy: allow-subclassing-any

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from numjaz.errors import NumjazError
from numjaz.frameworks.torch_activations import activated
from numjaz.layers import (
    GRU,
    LSTM,
    Activation,
    Add,
    Average,
    BatchNormalization,
    Bidirectional,
    Concatenate,
    Cropping1D,
    Dropout,
    Input,
    Layer,
    LayerNormalization,
    Maximum,
    Minimum,
    MultiHeadAttention,
    Multiply,
    Normalization,
    Parameter,
    Permute,
    PReLU,
    Recurrent,
    ReLU,
    RepeatVector,
    Rescaling,
    Reshape,
    SimpleRNN,
    Softmax,
    Subtract,
    UpSampling1D,
    ZeroPadding1D,
)

Tensors = tuple[Tensor, ...]
Own = Mapping[str, Tensor]


class Step(nn.Module):
    """One layer; called with its inputs as numjaz lays them out, it gives the tuple of its outputs."""

    def __init__(self, layer: Layer, table: Mapping[str, Parameter]) -> None:
        super().__init__()
        if type(layer) not in EQUATIONS:
            raise NumjazError(f"{type(layer).__name__}: torch's twin does not know this layer")
        self.layer, self.names = layer, tuple(table)
        for name, parameter in table.items():
            holder, leaf = self._holder(name)
            empty = torch.empty(parameter.shape)
            if parameter.trainable:
                holder.register_parameter(leaf, nn.Parameter(empty))
            else:
                holder.register_buffer(leaf, empty)

    def forward(self, *inputs: Tensor) -> Tensors:
        own = {name: getattr(*self._holder(name)) for name in self.names}
        return EQUATIONS[type(self.layer)](self.layer, own, inputs)

    def extra_repr(self) -> str:
        return repr(self.layer)

    def _holder(self, name: str) -> tuple[nn.Module, str]:
        """The module that holds an array, and the array's name in it: one module for each ``/``."""
        *path, leaf = name.split("/")
        holder: Any = self
        for part in path:  # not by add_module, which refuses ``forward``: a method is called that
            holder = holder._modules.setdefault(part, nn.Module())
        return holder, leaf


def _activation(layer: Activation, own: Own, inputs: Tensors) -> Tensors:
    return (activated(layer.activation, inputs[0]),)


def _relu(layer: ReLU, own: Own, inputs: Tensors) -> Tensors:
    (x,) = inputs
    y = torch.where(x >= layer.threshold, x, layer.negative_slope * (x - layer.threshold))
    return (y if layer.max_value is None else y.clamp(max=layer.max_value),)


def _prelu(layer: PReLU, own: Own, inputs: Tensors) -> Tensors:
    (x,) = inputs
    return (x.clamp(min=0) + own["alpha"] * x.clamp(max=0),)


def _softmax(layer: Softmax, own: Own, inputs: Tensors) -> Tensors:
    (x,) = inputs
    e = (x - x.amax(layer.axis, keepdim=True)).exp()
    return (e / e.sum(layer.axis, keepdim=True),)


def _joined(join: Callable[[list[Tensor]], Tensor]) -> Callable[[Any, Own, Tensors], Tensors]:
    """A merge; an input of fewer axes gets them after the batch."""

    def step(layer: Layer, own: Own, inputs: Tensors) -> Tensors:
        rank = max(x.ndim for x in inputs)
        return (join([x.reshape(len(x), *(1,) * (rank - x.ndim), *x.shape[1:]) for x in inputs]),)

    return step


def _stretched(axes: tuple[int, ...], own: Own, x: Tensor) -> dict[str, Tensor]:
    """Statistics of some axes, shaped to meet x."""
    kept = {axis % x.ndim for axis in axes}
    shape = [n if at in kept else 1 for at, n in enumerate(x.shape[1:], start=1)]
    return {name: array.reshape(shape) for name, array in own.items()}


def _batch_normalization(layer: BatchNormalization, own: Own, inputs: Tensors) -> Tensors:
    (x,), own = inputs, _stretched((layer.axis,), own, inputs[0])
    y = (x - own["moving_mean"]) / (own["moving_variance"] + layer.epsilon).sqrt()
    return _scaled(layer, own, y)


def _layer_normalization(layer: LayerNormalization, own: Own, inputs: Tensors) -> Tensors:
    (x,), axes = inputs, sorted({axis % inputs[0].ndim for axis in layer.axis})
    x = x - x.mean(axes, keepdim=True)
    y = x / ((x * x).mean(axes, keepdim=True) + layer.epsilon).sqrt()
    return _scaled(layer, _stretched(layer.axis, own, x), y)


def _scaled(layer: BatchNormalization | LayerNormalization, own: Own, y: Tensor) -> Tensors:
    y = y * own["gamma"] if layer.scale else y
    return (y + own["beta"] if layer.center else y,)


def _normalization(layer: Normalization, own: Own, inputs: Tensors) -> Tensors:
    (x,) = inputs
    if layer.mean is None or layer.variance is None:
        own = _stretched(layer.axis, own, x)
        mean, variance = own["mean"], own["variance"]
    else:
        mean, variance = (x.new_tensor(value.tolist()) for value in layer.constants(tuple(x.shape[1:])))
    deviation = variance.sqrt().clamp(min=layer.epsilon)
    return (x * deviation + mean if layer.invert else (x - mean) / deviation,)


def _rescaling(layer: Rescaling, own: Own, inputs: Tensors) -> Tensors:
    (x,) = inputs
    return (x * x.new_tensor(layer.scale) + x.new_tensor(layer.offset),)


def _reshape(layer: Reshape, own: Own, inputs: Tensors) -> Tensors:
    (x,) = inputs
    (shape,) = layer.output_shapes((tuple(x.shape[1:]),))
    return (x.reshape(len(x), *shape),)


def _cropping(layer: Cropping1D, own: Own, inputs: Tensors) -> Tensors:
    (x,) = inputs
    return (x[:, layer.before : x.shape[1] - layer.behind],)


def _dropout(layer: Dropout, own: Own, inputs: Tensors) -> Tensors:
    return inputs


def _cell(layer: Recurrent, own: Own, x: Tensor, state: Tensors) -> Tensors:
    """One step; x is what the kernel and its bias made of the input, (N, gates units)."""
    u, recurrent = layer.units, own["recurrent_kernel"]
    h = state[0]
    if isinstance(layer, LSTM):
        enter, forget, candidate, leave = (x + h @ recurrent).chunk(4, dim=-1)
        enter, forget, leave = (activated(layer.recurrent_activation, gate) for gate in (enter, forget, leave))
        c = forget * state[1] + enter * activated(layer.activation, candidate)
        return leave * activated(layer.activation, c), c
    if not isinstance(layer, GRU):
        return (activated(layer.activation, x + h @ recurrent),)
    g = h @ recurrent
    if layer.reset_after and layer.use_bias:
        g = g + own["bias"][1]
    z, r = (activated(layer.recurrent_activation, x[:, k : k + u] + g[:, k : k + u]) for k in (0, u))
    past = r * g[:, 2 * u :] if layer.reset_after else (r * h) @ recurrent[:, 2 * u :]
    n = activated(layer.activation, x[:, 2 * u :] + past)
    return (z * h + (1 - z) * n,)


def _recurrent(layer: Recurrent, own: Own, inputs: Tensors) -> Tensors:
    x, *given = inputs
    state = tuple(given) or (x.new_zeros(len(x), layer.units),) * layer.STATES
    x = (x.flip(1) if layer.go_backwards else x) @ own["kernel"]
    if layer.use_bias:
        x = x + (own["bias"][0] if own["bias"].ndim == 2 else own["bias"])
    outputs = []
    for t in range(x.shape[1]):
        state = _cell(layer, own, x[:, t], state)
        outputs.append(state[0])
    first = torch.stack(outputs, dim=1) if layer.return_sequences else state[0]
    return (first, *state) if layer.return_state else (first,)


def _bidirectional(layer: Bidirectional, own: Own, inputs: Tensors) -> Tensors:
    x, *given = inputs
    half = len(given) // 2
    sides = (
        (layer.forward_layer, "forward/", x, given[:half]),
        (layer.backward_layer, "backward/", x.flip(1), given[half:]),
    )
    (ahead, *states), (back, *ends) = (
        _recurrent(side, {n.removeprefix(head): a for n, a in own.items() if n.startswith(head)}, (turned, *state))
        for side, head, turned, state in sides
    )
    if layer.backward_layer.return_sequences:
        back = back.flip(1)
    return (*merged(layer, ahead, back), *states, *ends)


def merged(layer: Bidirectional, ahead: Tensor, back: Tensor) -> Tensors:
    """What a bidirectional layer makes of its halves' outputs."""
    match layer.merge:
        case "concat":
            return (torch.cat((ahead, back), dim=-1),)
        case "sum":
            return (ahead + back,)
        case "mul":
            return (ahead * back,)
        case "ave":
            return ((ahead + back) / 2,)
    return (ahead, back)


def _attention(layer: MultiHeadAttention, own: Own, inputs: Tensors) -> Tensors:
    query, value, key = inputs[0], inputs[1], inputs[-1]
    heads = {}
    for name, x in (("query", query), ("key", key), ("value", value)):
        y = torch.einsum("ntc,chd->nthd", x, own[f"{name}/kernel"])
        heads[name] = y + own[f"{name}/bias"] if layer.use_bias else y
    similar = torch.einsum("nthd,nshd->nhts", heads["query"] / layer.key_dim**0.5, heads["key"])
    if layer.causal:
        similar = similar.masked_fill(later(query, value), float("-inf"))
    p = similar.softmax(dim=-1)
    y = torch.einsum("nhts,nshd,hdo->nto", p, heads["value"], own["output/kernel"])
    y = y + own["output/bias"] if layer.use_bias else y
    return (y, p) if layer.scores else (y,)


def later(query: Tensor, value: Tensor) -> Tensor:
    """Which steps (T, S) come after the one that asks."""
    return torch.ones(query.shape[1], value.shape[1], dtype=torch.bool, device=query.device).triu(1)


EQUATIONS: dict[type[Layer], Callable[[Any, Own, Tensors], Tensors]] = {
    Activation: _activation,
    ReLU: _relu,
    PReLU: _prelu,
    Softmax: _softmax,
    Add: _joined(lambda inputs: reduce(torch.add, inputs)),
    Subtract: _joined(lambda inputs: inputs[0] - inputs[1]),
    Multiply: _joined(lambda inputs: reduce(torch.mul, inputs)),
    Average: _joined(lambda inputs: reduce(torch.add, inputs) / len(inputs)),
    Maximum: _joined(lambda inputs: reduce(torch.maximum, inputs)),
    Minimum: _joined(lambda inputs: reduce(torch.minimum, inputs)),
    Concatenate: lambda layer, own, inputs: (torch.cat(inputs, dim=layer.axis),),
    BatchNormalization: _batch_normalization,
    LayerNormalization: _layer_normalization,
    Normalization: _normalization,
    Rescaling: _rescaling,
    Reshape: _reshape,
    Permute: lambda layer, own, inputs: (inputs[0].permute(0, *layer.order),),
    RepeatVector: lambda layer, own, inputs: (inputs[0][:, None].repeat(1, layer.n, 1),),
    UpSampling1D: lambda layer, own, inputs: (inputs[0].repeat_interleave(layer.size, dim=1),),
    ZeroPadding1D: lambda layer, own, inputs: (functional.pad(inputs[0], (0, 0, layer.before, layer.behind)),),
    Cropping1D: _cropping,
    Dropout: _dropout,
    Input: lambda layer, own, inputs: inputs,
    SimpleRNN: _recurrent,
    LSTM: _recurrent,
    GRU: _recurrent,
    Bidirectional: _bidirectional,
    MultiHeadAttention: _attention,
}
