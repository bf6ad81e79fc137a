"""A Keras model as plain data: every layer's configuration, its arrays, and what it reads. Imports nothing of numjaz."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

Op = Callable[[Any], Any]


@dataclass(frozen=True)
class Step:
    """One layer.

    Attributes
    ----------
    name, kind : str
        Keras's name of the layer, and of its class.
    config : dict
        As ``layer.get_config()`` gives it.
    weights : dict of str to array
        By the last part of Keras's names; those of a bidirectional layer begin with ``forward/`` and ``backward/``.
    inputs : tuple of str
        The layers that it reads.
    port : dict
        What only a port can do wrong, since Keras has no option for it; `port.compute` reads it.
    before, after : tuple of functions
        What a port does besides, in order, to the first tensor that the layer reads, and to what it makes.
    """

    name: str
    kind: str
    config: Mapping[str, Any]
    weights: Mapping[str, np.ndarray]
    inputs: tuple[str, ...]
    port: Mapping[str, Any] = field(default_factory=dict)
    before: tuple[Op, ...] = ()
    after: tuple[Op, ...] = ()

    @property
    def cell(self) -> Mapping[str, Any]:
        """The configuration of the recurrent layer within a bidirectional one; else the layer's own."""
        return self.config["layer"]["config"] if self.kind == "Bidirectional" else self.config

    @property
    def cell_kind(self) -> str:
        """The class of the recurrent layer within a bidirectional one; else the layer's own."""
        return str(self.config["layer"]["class_name"]) if self.kind == "Bidirectional" else self.kind

    def configured(self, **options: Any) -> Step:
        """The same with other options, in both recurrent layers where this is a bidirectional one."""
        if self.kind != "Bidirectional":
            return replace(self, config={**self.config, **options})
        held = {key: self.config[key] for key in ("layer", "backward_layer") if key in self.config}
        inner = {key: {**layer, "config": {**layer["config"], **options}} for key, layer in held.items()}
        return replace(self, config={**self.config, **inner})

    def holding(self, weights: Mapping[str, np.ndarray]) -> Step:
        """The same with these arrays in the place of its own."""
        return replace(self, weights={**self.weights, **weights})

    def ported(self, **options: Any) -> Step:
        """The same, done by a port in this way."""
        return replace(self, port={**self.port, **options})


Network = dict[str, Step]


def single(value: Any) -> Any:
    """Keras writes a one-dimensional size as a number, or as a list or tuple of one."""
    return value[0] if isinstance(value, (list, tuple)) else value


def read(model: Any) -> Network:
    """Every layer of a functional model, in an order in which they can be computed."""
    steps = {layer.name: _step(layer) for layer in model.layers}
    placed: Network = {}
    while len(placed) < len(steps):
        placed |= {n: s for n, s in steps.items() if n not in placed and all(i in placed for i in s.inputs)}
    return placed if list(placed) != list(steps) and not _computable(steps) else steps


def variables(layer: Any) -> Iterator[tuple[str, Any]]:
    """A layer's variables and what `Step.weights` calls them."""
    if type(layer).__name__ == "Bidirectional":
        for side in ("forward", "backward"):
            for name, variable in variables(getattr(layer, f"{side}_layer")):
                yield f"{side}/{name}", variable
        return
    for variable in layer.weights:
        if "int" not in str(variable.dtype):  # a seed's state
            name = getattr(variable, "path", variable.name).split("/")[-1].partition(":")[0]
            depthwise = type(layer).__name__ == "DepthwiseConv1D" and name == "depthwise_kernel"
            yield "kernel" if depthwise else name, variable


def _computable(steps: Network) -> bool:
    names = list(steps)
    return all(names.index(i) < k for k, name in enumerate(names) for i in steps[name].inputs)


def _step(layer: Any) -> Step:
    kind = type(layer).__name__
    inputs: tuple[str, ...] = ()
    if kind != "InputLayer":
        given = layer.input
        tensors = given if isinstance(given, (list, tuple)) else [given]
        inputs = tuple(t._keras_history[0].name for t in tensors)
    return Step(layer.name, kind, layer.get_config(), {n: array(v) for n, v in variables(layer)}, inputs)


def array(variable: Any) -> np.ndarray:
    """A variable's or a tensor's values, whatever backend has them."""
    if hasattr(variable, "detach"):
        return np.asarray(variable.detach().cpu().numpy())
    return np.array(variable.numpy() if hasattr(variable, "numpy") else variable)
