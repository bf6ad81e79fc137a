"""How torch lays out the arrays of each family of layers: shapes there, arrays there, arrays here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from numjaz.layers import (
    GRU,
    LSTM,
    Array,
    BatchNormalization,
    Bidirectional,
    Conv1D,
    Dense,
    DepthwiseConv1D,
    Layer,
    LayerNormalization,
    MultiHeadAttention,
    PReLU,
    Recurrent,
    SeparableConv1D,
    SimpleRNN,
)

Shapes = Mapping[str, tuple[int, ...]]
Arrays = Mapping[str, Array]

ORDER = {GRU: (1, 0, 2), LSTM: (0, 1, 2, 3), SimpleRNN: (0,)}
"""Where torch's n-th gate stands here, and the other way round: z, r, h are r, z, n there."""


@dataclass(frozen=True)
class Layout:
    """One family's way: each function takes the layer, the shapes here, and arrays."""

    shapes: Callable[[Any, Shapes], dict[str, tuple[int, ...]]]
    there: Callable[[Any, Shapes, Arrays], dict[str, Array]]
    here: Callable[[Any, Shapes, Arrays], dict[str, Array]]


class _Move(NamedTuple):
    """One array's way to torch and back."""

    shape: Callable[[tuple[int, ...]], tuple[int, ...]]
    there: Callable[[Array], Array]
    here: Callable[[Array, tuple[int, ...]], Array]


_SAME = _Move(tuple, np.asarray, lambda a, shape: a)
_TURNED = _Move(lambda shape: shape[::-1], np.transpose, lambda a, shape: a.transpose())
_FLAT = _Move(lambda shape: (int(np.prod(shape)),), np.ravel, np.reshape)
_DEPTHWISE = _Move(  # (k, C, M) -> (C M, 1, k)
    lambda shape: (shape[1] * shape[2], 1, shape[0]),
    lambda a: a.transpose(1, 2, 0).reshape(-1, 1, a.shape[0]),
    lambda a, shape: a.reshape(shape[1], shape[2], shape[0]).transpose(2, 0, 1),
)


def _renamed(**moves: tuple[str, _Move]) -> Layout:
    """A layout in which each array is one there, by ``here=(there, move)``."""

    def shapes(layer: Layer, own: Shapes) -> dict[str, tuple[int, ...]]:
        return {moves[name][0]: moves[name][1].shape(shape) for name, shape in own.items()}

    def there(layer: Layer, own: Shapes, arrays: Arrays) -> dict[str, Array]:
        return {moves[name][0]: moves[name][1].there(arrays[name]) for name in own}

    def here(layer: Layer, own: Shapes, arrays: Arrays) -> dict[str, Array]:
        return {name: moves[name][1].here(arrays[moves[name][0]], shape) for name, shape in own.items()}

    return Layout(shapes, there, here)


def _sides(layer: Recurrent | Bidirectional) -> list[tuple[str, str]]:
    """What the names of each direction begin with here, and end with in torch."""
    return [("forward/", ""), ("backward/", "_reverse")] if isinstance(layer, Bidirectional) else [("", "")]


def _cell(layer: Recurrent | Bidirectional) -> Recurrent:
    return layer.forward_layer if isinstance(layer, Bidirectional) else layer


def _gates(layer: Recurrent | Bidirectional, array: Array) -> Array:
    """The last axis with the gates in the other order."""
    order = ORDER[type(_cell(layer))]
    parts = np.split(array, len(order), axis=-1)
    return np.concatenate([parts[k] for k in order], axis=-1)


def _recurrent_shapes(layer: Recurrent | Bidirectional, own: Shapes) -> dict[str, tuple[int, ...]]:
    made = {}
    for head, tail in _sides(layer):
        made[f"weight_ih_l0{tail}"] = own[f"{head}kernel"][::-1]
        made[f"weight_hh_l0{tail}"] = own[f"{head}recurrent_kernel"][::-1]
        if _cell(layer).use_bias:
            made[f"bias_ih_l0{tail}"] = made[f"bias_hh_l0{tail}"] = own[f"{head}bias"][-1:]
    return made


def _recurrent_there(layer: Recurrent | Bidirectional, own: Shapes, arrays: Arrays) -> dict[str, Array]:
    made = {}
    for head, tail in _sides(layer):
        made[f"weight_ih_l0{tail}"] = _gates(layer, arrays[f"{head}kernel"]).T
        made[f"weight_hh_l0{tail}"] = _gates(layer, arrays[f"{head}recurrent_kernel"]).T
        if _cell(layer).use_bias:
            bias = _gates(layer, arrays[f"{head}bias"])
            both = bias if bias.ndim == 2 else (bias, np.zeros_like(bias))
            made[f"bias_ih_l0{tail}"], made[f"bias_hh_l0{tail}"] = both
    return made


def _recurrent_here(layer: Recurrent | Bidirectional, own: Shapes, arrays: Arrays) -> dict[str, Array]:
    made = {}
    for head, tail in _sides(layer):
        made[f"{head}kernel"] = _gates(layer, arrays[f"weight_ih_l0{tail}"].T)
        made[f"{head}recurrent_kernel"] = _gates(layer, arrays[f"weight_hh_l0{tail}"].T)
        if _cell(layer).use_bias:
            first, second = (_gates(layer, arrays[f"bias_{of}_l0{tail}"]) for of in ("ih", "hh"))
            if len(own[f"{head}bias"]) == 2:
                made[f"{head}bias"] = np.stack((first, second))
            else:  # where one is zero the other stays as it is, the sign of its zeros included
                made[f"{head}bias"] = np.where(second == 0, first, np.where(first == 0, second, first + second))
    return made


ATTENDED = ("query", "key", "value")  # in torch's order


def _attention_shapes(layer: MultiHeadAttention, own: Shapes) -> dict[str, tuple[int, ...]]:
    wide = {name: own[f"{name}/kernel"][0] for name in ATTENDED}
    width = wide["query"]
    if set(wide.values()) == {width}:
        made: dict[str, tuple[int, ...]] = {"in_proj_weight": (3 * width, width)}
    else:
        made = {f"{name[0]}_proj_weight": (width, wide[name]) for name in ATTENDED}
    made["out_proj.weight"] = (width, width)
    return made | ({"in_proj_bias": (3 * width,), "out_proj.bias": (width,)} if layer.use_bias else {})


def _attention_there(layer: MultiHeadAttention, own: Shapes, arrays: Arrays) -> dict[str, Array]:
    width = own["query/kernel"][0]
    kernels = {f"{name[0]}_proj_weight": arrays[f"{name}/kernel"].reshape(-1, width).T for name in ATTENDED}
    if "in_proj_weight" in _attention_shapes(layer, own):
        kernels = {"in_proj_weight": np.concatenate(list(kernels.values()))}
    kernels["out_proj.weight"] = arrays["output/kernel"].reshape(width, width).T
    if not layer.use_bias:
        return kernels
    biases = np.concatenate([arrays[f"{name}/bias"].ravel() for name in ATTENDED])
    return {**kernels, "in_proj_bias": biases, "out_proj.bias": arrays["output/bias"]}


def _attention_here(layer: MultiHeadAttention, own: Shapes, arrays: Arrays) -> dict[str, Array]:
    made = {"output/kernel": arrays["out_proj.weight"].T}
    joined = np.split(arrays["in_proj_weight"], 3) if "in_proj_weight" in arrays else None
    for k, name in enumerate(ATTENDED):
        made[f"{name}/kernel"] = (joined[k] if joined else arrays[f"{name[0]}_proj_weight"]).T
        if layer.use_bias:
            made[f"{name}/bias"] = np.split(arrays["in_proj_bias"], 3)[k]
    made |= {"output/bias": arrays["out_proj.bias"]} if layer.use_bias else {}
    return {name: array.reshape(own[name]) for name, array in made.items()}


_RECURRENT = Layout(_recurrent_shapes, _recurrent_there, _recurrent_here)
LAYOUTS: dict[type[Layer], Layout] = {
    Conv1D: _renamed(kernel=("weight", _TURNED), bias=("bias", _SAME)),
    DepthwiseConv1D: _renamed(kernel=("weight", _DEPTHWISE), bias=("bias", _SAME)),
    SeparableConv1D: _renamed(
        depthwise_kernel=("depthwise.weight", _DEPTHWISE),
        pointwise_kernel=("pointwise.weight", _TURNED),
        bias=("pointwise.bias", _SAME),
    ),
    Dense: _renamed(kernel=("weight", _TURNED), bias=("bias", _SAME)),
    BatchNormalization: _renamed(
        gamma=("weight", _SAME),
        beta=("bias", _SAME),
        moving_mean=("running_mean", _SAME),
        moving_variance=("running_var", _SAME),
    ),
    LayerNormalization: _renamed(gamma=("weight", _SAME), beta=("bias", _SAME)),
    PReLU: _renamed(alpha=("weight", _FLAT)),
    GRU: _RECURRENT,
    LSTM: _RECURRENT,
    SimpleRNN: _RECURRENT,
    Bidirectional: _RECURRENT,
    MultiHeadAttention: Layout(_attention_shapes, _attention_there, _attention_here),
}
