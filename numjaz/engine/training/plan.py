"""A network compiled for training: what reads what, where it lies, and in which order it is done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from numjaz.engine.runtime.layout import Array
from numjaz.engine.training.products import Product, Share
from numjaz.engine.training.recurrence import Recurrence
from numjaz.engine.training.steps import Mean, Normalized, Stated, Step, Sum
from numjaz.engine.training.tensors import Sink, Spare, Tensor
from numjaz.layers import (
    GRU,
    Add,
    BatchNormalization,
    Bidirectional,
    Conv1D,
    Dense,
    GlobalAveragePooling1D,
    Input,
    Layer,
)
from numjaz.layers.base import Rng
from numjaz.layers.convolution import zeros_around
from numjaz.model import Model
from numjaz.nodes import Node, output_shapes, source_of

Key = tuple[str, int]  # a node, and which of its outputs


class TrainingPlan:
    """A network's forward and backward pass for so many windows of one length, on memory that stays.

    Parameters
    ----------
    model : Model
        Any; layers without a fast form run as they are stated.
    parameters, gradients : mapping of str to array
        The arrays by name, which the plan reads and adds to where they lie; ``gradients`` has those that are
        trained.
    width : int
        Windows in a batch.
    window : int
        Samples in a window.
    resting : iterable of str
        Nodes that do in training what they do afterwards: a batch normalization keeps its statistics.
    unbiased : bool
        Whether a batch normalization's moving variance takes up the unbiased one, as torch's does; Keras's
        takes up the biased one.
    """

    def __init__(
        self,
        model: Model,
        parameters: Mapping[str, Array],
        gradients: Mapping[str, Array],
        *,
        width: int,
        window: int,
        resting: Iterable[str] = (),
        unbiased: bool = False,
    ) -> None:
        self._model, self._parameters, self._gradients = model, parameters, gradients
        self._width, self._resting, self._unbiased = width, frozenset(resting), unbiased
        self._dtype = np.result_type(*parameters.values())
        self._shapes = output_shapes(model.nodes, window)
        self._spare = Spare(self._dtype)
        self._tensors = self._placed()
        self._groups = self._side_by_side()
        self.steps = [step for node in model.nodes for step in self._step(node)]
        self._buffers: dict[str, dict[str, Array]] = {}
        for step in self.steps:
            step.new_buffers = self._buffers.setdefault(step.owner, step.new_buffers)
        self._bind()
        self._way_back = [step for step in reversed(self.steps) if any(y.d is not None for y in step.ys)]

    def forward(self, x: Mapping[str, Array], *, training: bool = True, rng: Rng = None) -> Array:
        """The first output, (N, …), for inputs (N, T, F) by name."""
        for name, array in x.items():
            self._tensors[name, 0].load(array)
        for held in self._buffers.values():
            held.clear()
        for step in self.steps:
            step.prepare()
            step.forward(training=training, rng=rng)
        return self._end.plain

    def backward(self, d: Array) -> None:
        """Add to the gradients what the derivative (N, …) by the first output makes them."""
        self._end.load_d(d)
        for step in self._way_back:
            step.backward()

    @property
    def new_buffers(self) -> dict[str, Array]:
        """What the last forward pass would have the arrays be that are not trained: moving statistics, by name."""
        return {f"{owner}/{name}": array for owner, held in self._buffers.items() for name, array in held.items()}

    @property
    def _end(self) -> Tensor:
        return self._tensors[source_of(self._model.outputs[0])]

    def _placed(self) -> dict[Key, Tensor]:
        """Memory for every value, with as many zeros around as the convolutions that read it look at."""
        nodes, derived, around = self._model.nodes, set[str](), dict[Key, tuple[int, int]]()
        for node in nodes:
            if any(name.startswith(f"{node.owner}/") for name in self._gradients):
                derived.add(node.name)
            if any(source in derived for source, _ in node.inputs):
                derived.add(node.name)
            if _is_fast_convolution(node.layer):
                key, (before, behind) = node.inputs[0], self._zeros(node)
                held = around.get(key, (0, 0))
                around[key] = max(held[0], before), max(held[1], behind)
        return {
            (node.name, k): Tensor(
                shape, self._width, self._dtype, around.get((node.name, k), (0, 0)), node.name in derived
            )
            for node in nodes
            for k, shape in enumerate(self._shapes[node.name])
        }

    def _side_by_side(self) -> dict[str, list[Node]]:
        """Layers of one sample that read the same value, by each of their names."""
        groups: dict[Key, list[Node]] = {}
        for node in self._model.nodes:
            if _is_product(node.layer) and _kernel_size(node.layer) == 1:
                groups.setdefault(node.inputs[0], []).append(node)
        return {node.name: group for group in groups.values() for node in group}

    def _step(self, node: Node) -> Iterable[Step]:
        layer = node.layer
        xs = [self._tensors[key] for key in node.inputs]
        ys = [self._tensors[node.name, k] for k in range(len(self._shapes[node.name]))]
        params, grads = self._own(node, self._parameters), self._own(node, self._gradients)
        given = node.owner, xs, ys, params, grads
        match layer:
            case Input():
                return
            case Conv1D() | Dense() if _is_product(layer):
                group = self._groups.get(node.name, [node])
                if group[0] is node:
                    yield self._product(group, xs[0])
            case GRU() if _is_fast(layer) and len(xs) == 1 and len(ys) == 1:
                yield Recurrence(node.owner, xs[0], ys[0], ("",), layer.return_sequences, params, grads, self._spare)
            case Bidirectional() if len(xs) == 1 and len(ys) == 1 and _are_fast(layer):
                sequences, sides = layer.forward_layer.return_sequences, ("forward/", "backward/")
                yield Recurrence(node.owner, xs[0], ys[0], sides, sequences, params, grads, self._spare)
            case BatchNormalization() if layer.axis in (-1, len(ys[0].shape)):
                rests = node.name in self._resting
                yield Normalized(layer.epsilon, layer.momentum, self._unbiased, rests, *given)
            case Add() if len({x.shape for x in xs}) == 1:  # else one spreads over the other
                yield Sum(*given)
            case GlobalAveragePooling1D() if type(layer) is GlobalAveragePooling1D:
                yield Mean(*given)
            case _:
                yield Stated(layer, node.name in self._resting, *given)

    def _product(self, group: list[Node], x: Tensor) -> Product:
        shares = []
        for node in group:
            assert isinstance(node.layer, Conv1D | Dense)
            bias = f"{node.owner}/bias" if node.layer.use_bias else None
            shares.append(Share(f"{node.owner}/kernel", bias, node.layer.activation, self._tensors[node.name, 0]))
        names = {name for share in shares for name in (share.kernel, share.bias)}
        params, grads = (
            {name: array for name, array in arrays.items() if name in names}
            for arrays in (self._parameters, self._gradients)
        )
        before = self._zeros(group[0])[0] if _is_fast_convolution(group[0].layer) else 0
        return Product(group[0].owner, x, shares, before, params, grads, self._spare)

    def _zeros(self, node: Node) -> tuple[int, int]:
        layer = node.layer
        assert isinstance(layer, Conv1D)
        source, k = node.inputs[0]
        return zeros_around(self._shapes[source][k][0], layer.span, 1, layer.padding)

    def _own(self, node: Node, arrays: Mapping[str, Array]) -> dict[str, Array]:
        prefix = f"{node.owner}/"
        return {name[len(prefix) :]: array for name, array in arrays.items() if name.startswith(prefix)}

    def _bind(self) -> None:
        """Say where each step leaves its derivatives: who comes first on the way back writes, the others add."""
        met = {id(self._end)}  # where the loss's own derivative stands
        for step in reversed(self.steps):
            sinks: list[Sink | None] = []
            for x in step.xs:
                sinks.append(None if x.d is None else Sink(x, id(x) not in met, self._spare))
                met.add(id(x))
            step.sinks = sinks
        for tensor in self._tensors.values():  # what nobody reads changes nothing
            if id(tensor) not in met and tensor.d is not None:
                tensor.d[...] = 0


def _kernel_size(layer: Layer) -> int:
    return layer.kernel_size if isinstance(layer, Conv1D) else 1


def _is_product(layer: Layer) -> bool:
    """Whether it is one matrix at every step."""
    return (isinstance(layer, Dense) and layer.activation in ("linear", "relu")) or _is_fast_convolution(layer)


def _is_fast_convolution(layer: Layer) -> bool:
    return (
        isinstance(layer, Conv1D)
        and layer.activation in ("linear", "relu")
        and layer.strides == layer.dilation == layer.groups == 1
    )


def _is_fast(layer: Layer) -> bool:
    return (
        isinstance(layer, GRU)
        and layer.reset_after
        and (layer.activation, layer.recurrent_activation) == ("tanh", "sigmoid")
        and not layer.go_backwards
        and not layer.return_state
    )


def _are_fast(layer: Bidirectional) -> bool:
    sides = layer.forward_layer, layer.backward_layer
    return layer.merge == "concat" and all(map(_is_fast, sides)) and sides[0].units == sides[1].units
