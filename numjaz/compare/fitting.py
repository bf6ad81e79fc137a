"""A recorded run as the network's own: names of inputs, axes of one, last steps, precision."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from numjaz.compare.rounding import UNITS
from numjaz.compare.runs import Run
from numjaz.errors import NumjazError
from numjaz.layers import Array, Bidirectional, Layer, Recurrent
from numjaz.model import Model


def fitted(run: Run, model: Model) -> Run:
    """The run, said as the network says it.

    The only input may have any name. Axes of one are left out where the network has none. Float64 that holds float32
    throughout was computed in float32. What is no number of a network's, a graph's lengths and places, is left out.

    Raises
    ------
    NumjazError
        For a run without windows, without inputs that fit, or with other numbers where the network's are.
    """
    names = {node.name for node in model.nodes}
    for name, array in {**run.outputs, **run.inputs}.items():
        if str(array.dtype) not in UNITS and (name in names or name in run.inputs):
            raise NumjazError(
                f"{run.name}: {name} is recorded as {array.dtype}; a run can be compared in {', '.join(UNITS)}"
            )
    inputs, outputs = dict(run.inputs), {n: a for n, a in run.outputs.items() if str(a.dtype) in UNITS and a.ndim}
    if len(inputs) == len(model.inputs) == 1:
        inputs = dict(zip(model.inputs, inputs.values(), strict=True))
    if any(array.ndim == 0 or len(array) == 0 for array in inputs.values()):
        raise NumjazError(f"{run.name}: holds no windows")
    both = [*inputs.values(), *outputs.values()]
    if all(a.dtype == np.float64 for a in both) and all(_is_single(a) for a in both):
        inputs, outputs = ({n: a.astype(np.float32) for n, a in arrays.items()} for arrays in (inputs, outputs))
    return replace(run, inputs=inputs, outputs=outputs)


def _is_single(array: Array) -> bool:
    with np.errstate(over="ignore"):
        return bool(np.array_equal(array.astype(np.float32).astype(np.float64), array, equal_nan=True))


def levelled(run: Run, own: Run, model: Model) -> Run:
    """The run with outputs in as many axes as the network's: without axes of one, and last states for all steps."""
    layers = {node.name: node.layer for node in model.nodes}
    outputs = {
        name: _levelled(array, own.outputs[name], layers.get(name)) if name in own.outputs else array
        for name, array in run.outputs.items()
    }
    return replace(run, outputs=outputs)


def _levelled(there: Array, own: Array, layer: Layer | None) -> Array:
    if there.ndim == own.ndim:
        return there
    if [n for n in there.shape[1:] if n != 1] == [n for n in own.shape[1:] if n != 1] and len(there) == len(own):
        return there.reshape(own.shape)
    if own.ndim == 2 and there.ndim == 3 and there.shape[2] == own.shape[1]:
        if isinstance(layer, Recurrent):
            return there[:, -1]
        if isinstance(layer, Bidirectional) and layer.merge == "concat":
            ahead = layer.forward_layer.units
            return np.concatenate([there[:, -1, :ahead], there[:, 0, ahead:]], axis=-1)
    return there
