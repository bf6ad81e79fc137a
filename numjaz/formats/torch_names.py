"""Where torch keeps each layer's arrays: their names there, their shapes and the order of gates.

A layer that one of torch's own modules means has that module's names and layout. Another layer's
arrays keep their own names and shapes, ``/`` written as ``.``; `foreign` says which, and why.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from numjaz.errors import NumjazError
from numjaz.formats.torch_layouts import LAYOUTS, Arrays, Shapes
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
    SeparableConv1D,
    SimpleRNN,
    innermost,
)
from numjaz.nodes import Node

IGNORED = "num_batches_tracked"  # batches that a BatchNorm1d was trained on: no part of what it computes
MODULES: dict[type[Layer], str] = {
    Conv1D: "nn.Conv1d",
    DepthwiseConv1D: "nn.Conv1d",
    SeparableConv1D: "nn.Conv1d",
    Dense: "nn.Linear",
    GRU: "nn.GRU",
    LSTM: "nn.LSTM",
    SimpleRNN: "nn.RNN",
    BatchNormalization: "nn.BatchNorm1d",
    LayerNormalization: "nn.LayerNorm",
    PReLU: "nn.PReLU",
    MultiHeadAttention: "nn.MultiheadAttention",
}
"""The torch module of each layer that has one; a bidirectional layer has that of its halves."""


_OF_MODULES = """
    T_destination activations add_module apply bfloat16 buffers call_super_init children compile cpu cuda double
    dump_patches eval extra_repr float forward get_buffer get_extra_state get_parameter get_submodule half ipu
    load_state_dict modules mtia named_buffers named_children named_modules named_parameters parameters
    register_backward_hook register_buffer register_forward_hook register_forward_pre_hook
    register_full_backward_hook register_full_backward_pre_hook register_load_state_dict_post_hook
    register_load_state_dict_pre_hook register_module register_parameter register_state_dict_post_hook
    register_state_dict_pre_hook requires_grad_ set_extra_state set_submodule share_memory state_dict to to_empty
    train training type xpu zero_grad
"""
RESERVED = frozenset(_OF_MODULES.split())
"""What a torch module, and the twin, has under names of its own."""


class Slot(NamedTuple):
    """One torch module's tensors: the module's name below the layer's, "" for the layer's own, and shapes by name."""

    suffix: str
    tensors: dict[str, tuple[int, ...]]


def module_names(nodes: Iterable[Node]) -> dict[str, str]:
    """What the torch module of each owner of arrays is called: its own name, and no two alike.

    A ``.`` parts names in torch, so that it becomes ``_``; what torch's modules have for themselves,
    ``forward`` or ``type``, gets a ``_`` behind.

    Examples
    --------
    >>> from numjaz.layers import Add, Input
    >>> module_names([Node("a.b", Input(3)), Node("a_b", Add(), (("a.b", 0), ("a.b", 0)))])
    {'a.b': 'a_b_2', 'a_b': 'a_b'}
    """
    wanted = {node.owner: _accepted(node.owner) for node in nodes}
    taken = {owner for owner, name in wanted.items() if name == owner}
    count: dict[str, int] = {}  # how often a name was given, with its numbers
    for owner, base in wanted.items():
        name = base
        while name != owner and name in taken:
            count[base] = count.get(base, 1) + 1
            name = f"{base}_{count[base]}"
        taken.add(name)
        wanted[owner] = name
    return wanted


def _accepted(name: str) -> str:
    return name.replace(".", "_") + "_" * (name in RESERVED or name.startswith("_"))


def foreign(layer: Layer, own: Shapes) -> str:
    """Why none of torch's own modules means this layer, in a few words; "" where one does.

    Parameters
    ----------
    layer : Layer
        A layer with arrays.
    own : mapping of str to shape
        The arrays' shapes, as ``Layer.parameters`` names them.

    Examples
    --------
    >>> shapes = {"kernel": (3, 24), "recurrent_kernel": (8, 24)}
    >>> foreign(GRU(8, reset_after=False, use_bias=False), shapes)
    "torch's nn.GRU has the reset_after form only"
    >>> foreign(GRU(8, use_bias=False), shapes)
    ''
    """
    layer = innermost(layer)
    if isinstance(layer, Bidirectional):
        if layer.forward_layer != layer.backward_layer:
            return "torch's recurrent layers in two directions have two halves of the same options"
        return foreign(layer.forward_layer, own)
    if type(layer) not in MODULES:
        return f"torch has no layer like {type(layer).__name__}"
    reason = _reason(layer, own)
    return f"torch's {MODULES[type(layer)]} {reason}" if reason else ""


def torch_slots(layer: Layer, own: Shapes) -> list[Slot]:
    """The torch modules that hold a layer, with the names and shapes of their tensors.

    Parameters
    ----------
    layer : Layer
        Any; one within `TimeDistributed` counts as itself.
    own : mapping of str to shape
        The shapes of its arrays, as ``Layer.parameters`` names them.

    Returns
    -------
    list of Slot
        One, two for `SeparableConv1D` (``depthwise``, ``pointwise``), none for a layer without arrays.

    Examples
    --------
    >>> torch_slots(Dense(2), {"kernel": (3, 2), "bias": (2,)})
    [Slot(suffix='', tensors={'weight': (2, 3), 'bias': (2,)})]
    """
    layer = innermost(layer)
    slots: dict[str, dict[str, tuple[int, ...]]] = {}
    for name, shape in _shapes(layer, own).items():
        suffix, _, leaf = name.partition(".") if isinstance(layer, SeparableConv1D) else ("", "", name)
        slots.setdefault(suffix, {})[leaf] = shape
    return [Slot(suffix, tensors) for suffix, tensors in slots.items()]


def to_torch(layer: Layer, own: Arrays) -> dict[str, Array]:
    """A layer's arrays under torch's names and in its layout, moved and not computed with.

    Where torch has two biases and the layer one, the second is zeros.

    Parameters
    ----------
    layer : Layer
        Any.
    own : mapping of str to array
        Its arrays, as ``Layer.parameters`` names them.

    Returns
    -------
    dict of str to array
        By the names of `torch_slots`, suffix and all: ``weight``, ``depthwise.weight``.

    Examples
    --------
    >>> to_torch(Dense(1, use_bias=False), {"kernel": np.array([[1.0], [2.0]])})
    {'weight': array([[1., 2.]])}
    """
    layer = innermost(layer)
    shapes = {name: array.shape for name, array in own.items()}
    if not own or foreign(layer, shapes):
        made = {_as_own(name): array for name, array in own.items()}
    else:
        made = LAYOUTS[type(layer)].there(layer, shapes, own)
    return {name: np.array(array, order="C") for name, array in made.items()}


def from_torch(layer: Layer, tensors: Arrays, own: Shapes) -> dict[str, Array]:
    """The inverse of `to_torch`, bit for bit.

    Two biases that are one here (LSTM, SimpleRNN) are added in their own dtype.

    Parameters
    ----------
    layer : Layer
        Any.
    tensors : mapping of str to array
        By the names of `torch_slots`; ``num_batches_tracked`` is passed over.
    own : mapping of str to shape
        The shapes that the layer's arrays must have, as ``Layer.parameters`` names them.

    Raises
    ------
    NumjazError
        Where torch's layer cannot mean this one, or a tensor is missing, unknown or of a wrong shape.

    Examples
    --------
    >>> from_torch(Dense(1, use_bias=False), {"weight": np.array([[1.0, 2.0]])}, {"kernel": (2, 1)})
    {'kernel': array([[1.],
           [2.]])}
    """
    layer = innermost(layer)
    tensors = {name: array for name, array in tensors.items() if name.rpartition(".")[2] != IGNORED}
    kind, why, expected = type(layer).__name__, foreign(layer, own) if own else "", _shapes(layer, own)
    if set(tensors) != set(expected):
        reason = f"{why}, so that " if why else ""
        named = (", ".join(sorted(names)) or "none" for names in (expected, tensors))
        raise NumjazError(f"{kind}: {reason}its tensors are {next(named)}, not {next(named)}")
    for name, shape in expected.items():
        if tensors[name].shape != shape:
            raise NumjazError(f"{kind}: tensor {name} is {tensors[name].shape}, expected {shape}")
    if not own or why:
        made = {name: tensors[_as_own(name)] for name in own}
    else:
        made = LAYOUTS[type(layer)].here(layer, own, tensors)
    return {name: np.array(made[name], order="C") for name in own}


def _as_own(name: str) -> str:
    return name.replace("/", ".")


def _shapes(layer: Layer, own: Shapes) -> dict[str, tuple[int, ...]]:
    if not own or foreign(layer, own):
        return {_as_own(name): tuple(shape) for name, shape in own.items()}
    return LAYOUTS[type(layer)].shapes(layer, own)


def _reason(layer: Layer, own: Shapes) -> str:
    """What the layer's torch module cannot do that the layer does."""
    match layer:
        case GRU() | LSTM() if (layer.activation, layer.recurrent_activation) != ("tanh", "sigmoid"):
            return f"has tanh and sigmoid only, not {layer.activation} and {layer.recurrent_activation}"
        case SimpleRNN() if layer.activation not in ("tanh", "relu"):
            return f"has tanh and relu only, not {layer.activation}"
        case GRU() if not layer.reset_after:
            return "has the reset_after form only"
        case BatchNormalization() if layer.scale != layer.center:
            return "scales and centers, or does neither"
        case LayerNormalization() if layer.center and not layer.scale:
            return "centers only what it scales"
        case PReLU() if any(size != 1 for size in own["alpha"][:-1]):
            return "has one alpha a channel, or one in all"
        case MultiHeadAttention():
            (channels, heads, dim), (_, wide, made) = own["query/kernel"], own["output/kernel"]
            if not channels == heads * dim == heads * wide == made:
                return (
                    "has one width: the query's channels, heads times key_dim and times value_dim, and the output, "
                    f"which are {channels}, {heads * dim}, {heads * wide} and {made}"
                )
    return ""
