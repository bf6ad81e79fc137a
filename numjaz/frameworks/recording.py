"""Recording what a framework computes: called in the middle of somebody's own script, read where no framework is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from numjaz.compare.runs import Run, write_run
from numjaz.errors import NumjazError
from numjaz.layers import Array


def record(model: Any, x: Any, path: str | Path | None = None) -> Run:
    """Run a Keras or torch model and keep what every layer makes.

    The model is as it was afterwards: training or not, with its hooks and its random numbers. What dropout and batch
    normalization do is what they do in inference.

    Parameters
    ----------
    model : keras.Model or torch.nn.Module
        Of Keras, functional or sequential; of torch, any: what its modules without modules make is recorded, under
        their names in the model. What is no module (``x + y``, ``x.mean(1)``) nobody sees.
    x : array or tensor, or a dict of them by the name of an input
        What the model takes, in its own layout.
    path : path, optional
        Where to write it, as an ``.npz`` for `numjaz check FILE run.npz`.

    Returns
    -------
    Run

    Raises
    ------
    NumjazError
        For a model of neither framework, or a subclassed Keras model, whose layers' outputs nobody can ask for.
    """
    for framework, recorder in RECORDERS.items():
        if framework in sys.modules and any(kind.__module__.split(".")[0] == framework for kind in type(model).__mro__):
            run = recorder(model, x)
            if path is not None:
                write_run(run, path)
            return run
    raise NumjazError(f"record takes a Keras or a torch model, not {type(model).__name__}")


def _torch(model: Any, x: Any) -> Run:
    import torch

    given = x if isinstance(x, Mapping) else {"input": x}
    tensors = {name: torch.as_tensor(value) for name, value in given.items()}
    outputs: dict[str, Array] = {}

    def keep(name: str) -> Callable[[Any, Any, Any], None]:
        def hook(module: Any, taken: Any, made: Any) -> None:
            flat = _flat(made)
            key, times = name, 1
            while key in outputs:  # a module that is called again
                times += 1
                key = f"{name}#{times}"
            for k, tensor in enumerate(flat):
                outputs[f"{key}[{k}]" if k else key] = _array(tensor)

        return hook

    hooks = [part.register_forward_hook(keep(name)) for name, part in model.named_modules() if not any(part.children())]
    training = {part: part.training for part in model.modules()}
    try:
        model.eval()
        with torch.no_grad():
            made = model(*tensors.values()) if not isinstance(x, Mapping) else model(tensors)
    finally:
        for hook in hooks:
            hook.remove()
        for part, was in training.items():
            part.training = was
    for k, tensor in enumerate(_flat(made)):
        outputs.setdefault(f"output[{k}]" if k else "output", _array(tensor))
    return Run(type(model).__name__, {name: _array(tensor) for name, tensor in tensors.items()}, outputs)


def _flat(made: Any) -> list[Any]:
    """The tensors of an output, in the order in which they stand."""
    if isinstance(made, Mapping):
        made = list(made.values())
    if isinstance(made, (list, tuple)):
        return [tensor for part in made for tensor in _flat(part)]
    return [made] if hasattr(made, "shape") else []


def _array(tensor: Any) -> Array:
    made = tensor.detach().cpu() if hasattr(tensor, "detach") else tensor
    if str(getattr(made, "dtype", "")) == "torch.bfloat16":  # which NumPy has not, and float32 holds
        made = made.float()
    return np.array(made.numpy() if hasattr(made, "numpy") else made)  # a copy: what follows may write over it


def _keras(model: Any, x: Any) -> Run:
    import keras

    if not getattr(model, "inputs", None) or not all(hasattr(layer, "output") for layer in model.layers):
        raise NumjazError(f"{model.name}: its layers' outputs cannot be asked for; build it as a functional model")
    inputs = {tensor.name.partition(":")[0]: tensor for tensor in model.inputs}
    given = x if isinstance(x, Mapping) else dict.fromkeys(list(inputs)[:1], x)
    layers = [layer for layer in model.layers if type(layer).__name__ != "InputLayer"]
    asked = {layer.name: layer.output for layer in layers}
    made = keras.Model(model.inputs, list(asked.values()))([given[name] for name in inputs], training=False)
    outputs = {}
    for name, tensors in zip(asked, made if isinstance(made, (list, tuple)) else [made], strict=True):
        for k, tensor in enumerate(_flat(tensors)):
            outputs[f"{name}[{k}]" if k else name] = _array(tensor)
    return Run(model.name, {name: np.array(value) for name, value in given.items()}, outputs)


# A Keras model on torch is a torch module too: Keras is asked first.
RECORDERS: dict[str, Callable[[Any, Any], Run]] = {"keras": _keras, "tf_keras": _keras, "torch": _torch}
