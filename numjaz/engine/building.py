"""From a network's nodes to forms: which layer is computed how. What has no form of its own runs by its reference."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import singledispatchmethod
from typing import Any

import numpy as np

from numjaz.engine.runtime.activations import IN_PLACE, Activated, Activation
from numjaz.engine.runtime.forms import MERGES, Affine, Copy, Flat, Form, Join, Merge, Value, unused
from numjaz.engine.runtime.layout import Single
from numjaz.engine.runtime.pools import GlobalPool, Pool
from numjaz.engine.runtime.products import Depthwise, Product
from numjaz.engine.runtime.recurrence import Side
from numjaz.engine.runtime.recurrence_block import BlockRecurrence
from numjaz.engine.runtime.recurrence_single import SingleRecurrence
from numjaz.engine.runtime.reference import Reference
from numjaz.layers import (
    ACTIVATIONS,
    GRU,
    LSTM,
    Array,
    AveragePooling1D,
    BatchNormalization,
    Bidirectional,
    Concatenate,
    Conv1D,
    Dense,
    DepthwiseConv1D,
    Flatten,
    GlobalAveragePooling1D,
    GlobalMaxPooling1D,
    Input,
    Layer,
    MaxPooling1D,
    ReLU,
    Reshape,
    SimpleRNN,
    Softmax,
)
from numjaz.layers import Activation as ActivationLayer
from numjaz.layers.base import under
from numjaz.layers.convolution import zeros_around
from numjaz.layers.functions import ONE_BY_ONE
from numjaz.model import Model
from numjaz.nodes import Node, output_key, output_shapes, owned_parameters
from numjaz.records import Record, record

Shape = tuple[int, ...]


@record
class Built(Record):
    """A network as forms."""

    forms: list[Form]
    inputs: dict[str, Value]
    outputs: dict[str, Value]


def build(model: Model, window: int, layout: Single) -> Built:
    """The forms of a network for windows of so many samples."""
    builder = _Builder(model, window, layout)
    for node in model.nodes:
        builder.add(node)
    outputs = {name: builder.plain(builder.values[name]) for name in model.outputs}
    return Built(builder.forms, builder.inputs, outputs)


class _Builder:
    """Adds one node after the other."""

    def __init__(self, model: Model, window: int, layout: Single) -> None:
        self.model, self.layout = model, layout
        self.shapes = output_shapes(model.nodes, window)
        self.forms: list[Form] = []
        self.values: dict[str, Value] = {}
        self.copies: dict[tuple[str, str], Value] = {}  # by the value, and how it is another
        self.taken = {output_key(name, k) for name, made in self.shapes.items() for k in range(len(made))}
        self.owned = owned_parameters(model.nodes)
        self.inputs: dict[str, Value] = {}
        self.readers: dict[str, list[Node]] = {}
        self.edges: dict[str, float | None] = {}
        for node in model.nodes:
            for source in node.inputs:
                self.readers.setdefault(output_key(*source), []).append(node)

    def add(self, node: Node) -> None:
        """The forms of a node."""
        if isinstance(node.layer, Input):
            value = self.made(node)
            self.inputs[node.name] = value
            return
        if not self._form(node.layer, node):
            self._reference(node)

    def made(self, node: Node, output: int = 0) -> Value:
        """The value of a node's output."""
        name, (time, channels) = output_key(node.name, output), _rows(self.shapes[node.name][output])
        self.values[name] = Value(name, time, channels)
        return self.values[name]

    def read(self, node: Node, at: int = 0) -> Value:
        """A node's input, wherever its channels lie."""
        return self.values[output_key(*node.inputs[at])]

    def plain(self, value: Value) -> Value:
        """A value whose channels lie side by side."""
        if value.lanes is None:
            return value
        return self._copied(value, "plain")

    def edged(self, value: Value, edge: float, wanted: bool) -> Value:
        """A value beyond whose ends this number stands.

        A copy, where another reader finds another number there, or, of one window, none: a product would
        copy what does not lie in one piece.
        """
        if not wanted:
            return value
        shared = self.layout.width == 1 and len(self.readers.get(value.name, ())) > 1
        if not shared and self.edges.setdefault(value.name, edge) == edge:
            return value
        copy = self._copied(value, f"with {edge:g} around")
        self.edges[copy.name] = edge
        return copy

    def _copied(self, value: Value, how: str) -> Value:
        """The same in memory of its own, once for each way."""
        if (value.name, how) not in self.copies:
            name = unused(f"{value.name} {how}", self.taken)
            self.taken.add(name)
            self.copies[value.name, how] = Value(name, value.time, value.channels)
            self.forms.append(Copy(name, (value,), (self.copies[value.name, how],)))
        return self.copies[value.name, how]

    def shape(self, node: Node, at: int = 0) -> Shape:
        """An input's shape."""
        source, k = node.inputs[at]
        shape: Shape = self.shapes[source][k]
        return shape

    def params(self, node: Node) -> Mapping[str, Array]:
        """A node's arrays, as they are; those that something is computed of first are cast to float64 there."""
        return {name: self.model.parameters[f"{node.owner}/{name}"] for name in self.owned[node.owner]}

    def _reference(self, node: Node) -> None:
        reads = [self.plain(self.read(node, at)) for at in range(len(node.inputs))]
        outputs = self.shapes[node.name]
        makes = [self.made(node, k) for k in range(len(outputs))]
        shapes = tuple(self.shape(node, at) for at in range(len(node.inputs)))
        self.forms.append(
            Reference(node.name, reads, makes, node.layer, self.params(node), shapes, tuple(outputs), self.layout.dtype)
        )

    # Each of the following appends a layer's forms, or says that it has none and appends nothing.

    @singledispatchmethod
    def _form(self, layer: Layer, node: Node) -> bool:
        how = type(layer).__name__
        if how not in MERGES or len({self.shape(node, at) for at in range(len(node.inputs))}) > 1:
            return False
        reads = [self.read(node, at) for at in range(len(node.inputs))]
        self.forms.append(Merge(node.name, [self.plain(v) for v in reads], (self.made(node),), how))
        return True

    @_form.register
    def _(self, layer: Conv1D, node: Node) -> bool:
        if layer.groups > 1:
            return False
        params = self.params(node)
        before, behind = zeros_around(self.read(node).time, layer.span, layer.strides, layer.padding)
        edge = 0.0 if before or behind else None
        given = params["kernel"], params.get("bias"), layer.activation, layer.dilation, layer.strides, before, edge
        return self._product(node, *given)

    @_form.register
    def _(self, layer: Dense, node: Node) -> bool:
        params = self.params(node)
        return self._product(node, params["kernel"][None], params.get("bias"), layer.activation)

    def _product(
        self,
        node: Node,
        kernel: Array,
        bias: Array | None,
        activation: str,
        dilation: int = 1,
        strides: int = 1,
        before: int = 0,
        edge: float | None = None,
    ) -> bool:
        if not _has_form(activation):
            return False
        x = self.read(node)
        if len(kernel) > 1 or strides > 1:
            x = self.edged(self.plain(x), 0.0, edge is not None)
        if bias is not None and bias.any():
            x.ones = True
        else:
            bias = None
        given = kernel, bias, _activation(activation), dilation, strides, before, edge
        self.forms.append(Product(node.name, (x,), (self.made(node),), *given))
        return True

    @_form.register
    def _(self, layer: DepthwiseConv1D, node: Node) -> bool:
        if not _has_form(layer.activation):
            return False
        params, x = self.params(node), self.plain(self.read(node))
        before, behind = zeros_around(x.time, layer.span, layer.strides, layer.padding)
        x = self.edged(x, 0.0, bool(before or behind))
        given = params["kernel"], params.get("bias"), _activation(layer.activation), layer.dilation, layer.strides
        edge = 0.0 if before or behind else None
        self.forms.append(Depthwise(node.name, (x,), (self.made(node),), *given, before, edge))
        return True

    @_form.register
    def _(self, layer: BatchNormalization, node: Node) -> bool:
        rank = len(self.shape(node)) + 1
        if layer.axis % rank != rank - 1:
            return False
        p, x = _exact(self.params(node)), self.plain(self.read(node))
        scale = p.get("gamma", 1.0) / np.sqrt(p["moving_variance"] + layer.epsilon)
        shift = p.get("beta", 0.0) - p["moving_mean"] * scale
        self.forms.append(Affine(node.name, (x,), (self.made(node),), scale, shift))
        return True

    @_form.register
    def _(self, layer: ActivationLayer, node: Node) -> bool:
        if not _has_form(layer.activation):
            return False
        self.forms.append(
            Activated(node.name, (self.plain(self.read(node)),), (self.made(node),), _activation(layer.activation))
        )
        return True

    @_form.register
    def _(self, layer: ReLU, node: Node) -> bool:
        if layer != ReLU():
            return False
        self.forms.append(Activated(node.name, (self.plain(self.read(node)),), (self.made(node),), "relu"))
        return True

    @_form.register
    def _(self, layer: Softmax, node: Node) -> bool:
        rank = len(self.shape(node)) + 1
        if [axis % rank for axis in layer.axis] != [rank - 1]:
            return False
        self.forms.append(Activated(node.name, (self.plain(self.read(node)),), (self.made(node),), "softmax"))
        return True

    @_form.register
    def _(self, layer: Concatenate, node: Node) -> bool:
        rank = len(self.shape(node)) + 1
        if layer.axis % rank != rank - 1:
            return False
        reads = [self.plain(self.read(node, at)) for at in range(len(node.inputs))]
        self.forms.append(Join(node.name, reads, (self.made(node),)))
        return True

    @_form.register(Flatten)
    @_form.register(Reshape)
    def _(self, layer: Layer, node: Node) -> bool:
        self.forms.append(Flat(node.name, (self.plain(self.read(node)),), (self.made(node),)))
        return True

    @_form.register(MaxPooling1D)
    @_form.register(AveragePooling1D)
    def _(self, layer: Any, node: Node) -> bool:
        largest = isinstance(layer, MaxPooling1D)
        x = self.plain(self.read(node))
        before, behind = zeros_around(x.time, layer.pool_size, layer.stride, layer.padding)
        x = self.edged(x, -math.inf if largest else 0.0, bool(before or behind))
        made = self.made(node)
        edge = (-math.inf if largest else 0.0) if before or behind else None
        shares = None
        if not largest:
            first = np.arange(made.time) * layer.stride - before
            there = np.minimum(first + layer.pool_size, x.time) - np.maximum(first, 0)
            shares = 1 / there
        how = "maximum" if largest else "mean"
        self.forms.append(Pool(node.name, (x,), (made,), how, layer.pool_size, layer.stride, before, edge, shares))
        return True

    @_form.register(GlobalAveragePooling1D)
    @_form.register(GlobalMaxPooling1D)
    def _(self, layer: Layer, node: Node) -> bool:
        how = "maximum" if isinstance(layer, GlobalMaxPooling1D) else "mean"
        self.forms.append(GlobalPool(node.name, (self.plain(self.read(node)),), (self.made(node),), how))
        return True

    @_form.register(GRU)
    @_form.register(LSTM)
    @_form.register(SimpleRNN)
    def _(self, layer: Any, node: Node) -> bool:
        side = Side(*_arrays(_exact(self.params(node))), backwards=layer.go_backwards)
        return self._recurrence(node, layer, [side], turned=False)

    @_form.register
    def _(self, layer: Bidirectional, node: Node) -> bool:
        first, second = layer.forward_layer, layer.backward_layer
        if first != second or first.go_backwards or layer.merge != "concat":
            return False
        params = _exact(self.params(node))
        sides = [Side(*_arrays(under(params, name)), backwards=name == "backward") for name in ("forward", "backward")]
        return self._recurrence(node, first, sides, turned=True)

    def _recurrence(self, node: Node, layer: Any, sides: Sequence[Side], *, turned: bool) -> bool:
        cell = _cell(layer)
        if cell is None:
            return False
        reads = [self.plain(self.read(node, at)) for at in range(len(node.inputs))]
        makes = [self.made(node, k) for k in range(len(self.shapes[node.name]))]
        given = (cell, layer.units, sides, layer.return_sequences, turned)
        if self.layout.width == 1:
            self.forms.append(SingleRecurrence(node.name, reads, makes, *given))
            return True
        form = BlockRecurrence(node.name, reads, makes, *given)
        form.left = layer.return_sequences and self._read_by_products(makes[0].name)
        if form.left:
            makes[0].lanes = form.lanes
        self.forms.append(form)
        return True

    def _read_by_products(self, name: str) -> bool:
        def whole(layer: Layer) -> bool:
            return isinstance(layer, Dense) or (
                isinstance(layer, Conv1D) and layer.kernel_size == layer.strides == layer.groups == 1
            )

        readers = self.readers.get(name, [])
        return name not in self.model.outputs and bool(readers) and all(whole(node.layer) for node in readers)


def _exact(params: Mapping[str, Array]) -> dict[str, Array]:
    """Arrays in float64."""
    return {name: array.astype(np.float64) for name, array in params.items()}


def _rows(shape: Shape) -> tuple[int, int]:
    """A shape as rows of channels."""
    return math.prod(shape[:-1]), shape[-1]


def _has_form(activation: str) -> bool:
    return activation in IN_PLACE or activation == "softmax" or activation in ONE_BY_ONE


def _activation(name: str) -> Activation:
    return name if name in IN_PLACE or name == "softmax" else ACTIVATIONS[name]


def _arrays(params: Mapping[str, Array]) -> tuple[Array, Array, Array | None]:
    return params["kernel"], params["recurrent_kernel"], params.get("bias")


def _cell(layer: Any) -> str | None:
    """The engine's name of a recurrent layer, or None where it has other activations than the usual."""
    if layer.activation != "tanh" or getattr(layer, "recurrent_activation", "sigmoid") != "sigmoid":
        return None
    name = type(layer).__name__
    return "GRU reset before" if name == "GRU" and not layer.reset_after else name
