"""The reference: a network's derivatives by its layers as they are stated, node after node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from numjaz.errors import NumjazError
from numjaz.layers import Array, BatchNormalization, TimeDistributed
from numjaz.model import Model
from numjaz.nodes import output_key

if TYPE_CHECKING:
    Rng = np.random.Generator | None
else:
    Rng = Any  # NumPy opens its random numbers when they are named


class Pass(NamedTuple):
    """What a forward pass through a network made, and what the backward pass needs of it."""

    arrays: dict[str, dict[str, Array]]  # by owner and name, as they were given
    outputs: dict[str, tuple[Array, ...]]  # by node
    saved: dict[str, Any]  # by node
    buffers: dict[str, Array]  # ``owner/name``: moving statistics after a step in training, as Keras has them


class Gradients(NamedTuple):
    """The derivatives of a loss: by every array that training moves, ``owner/name``, and by every input."""

    parameters: dict[str, Array]
    inputs: dict[str, Array]


def forward_pass(
    model: Model, params: Mapping[str, Array], given: Mapping[str, Array], *, training: bool = False, rng: Rng = None
) -> Pass:
    """Execute the nodes and keep what `backward_pass` needs.

    Parameters
    ----------
    model : Model
        Whose nodes are executed.
    params : mapping of str to array
        As ``model.parameters``; computed with in the dtype of the inputs.
    given : mapping of str to array (N, T, F)
        The inputs by name, as ``model.checked`` gives them.
    training : bool
        Whether layers do what they do in training alone.
    rng : numpy.random.Generator, optional
        For layers that draw random numbers there.

    Raises
    ------
    NumjazError
        Naming the node that cannot take its inputs, or cannot be trained.
    """
    dtype = next(iter(given.values())).dtype
    arrays = {
        owner: {name: params[f"{owner}/{name}"].astype(dtype, copy=False) for name in own}
        for owner, own in model.arrays(dtype).items()
    }
    done = Pass(arrays, {}, {}, {})
    moved = dict(arrays)  # a second node of an owner goes on from where the first has moved its statistics
    for node in model.nodes:
        inputs = tuple(done.outputs[name][k] for name, k in node.inputs) or (given[node.name],)
        try:
            node.layer.output_shapes(tuple(x.shape[1:] for x in inputs))
            made = node.layer.forward(moved[node.owner], inputs, training=training, rng=rng)
        except NumjazError as error:
            raise NumjazError(f"node {node.name!r}: {error}") from None
        done.outputs[node.name], done.saved[node.name] = made.outputs, made.saved
        moved[node.owner] = {**moved[node.owner], **made.new_buffers}
        done.buffers.update({f"{node.owner}/{name}": array for name, array in made.new_buffers.items()})
    return done


def backward_pass(model: Model, done: Pass, d_outputs: Mapping[str, Array]) -> Gradients:
    """The derivatives of a loss by all arrays and inputs, for those by some of the nodes' outputs.

    Parameters
    ----------
    model : Model
        That `forward_pass` was given.
    done : Pass
        What it gave.
    d_outputs : mapping of str to array
        The loss's derivatives by outputs, by name: the network's or any others of its nodes'.

    Returns
    -------
    Gradients
        Summed over all that read a value, and over the nodes that share an array; zeros where the loss
        does not depend on it.

    Raises
    ------
    NumjazError
        For an output that does not exist; for a layer that states no backward pass.

    Examples
    --------
    >>> import numjaz
    >>> model = numjaz.jazbat()
    >>> done = forward_pass(model, model.parameters, {"input": np.ones((2, 8, 1), dtype=np.float32)})
    >>> found = backward_pass(model, done, {"classes": np.ones((2, 6), dtype=np.float32)})
    >>> found.inputs["input"].shape, found.parameters["classes/bias"].shape
    ((2, 8, 1), (6,))
    """
    names = {node.name: [output_key(node.name, k) for k in range(len(done.outputs[node.name]))] for node in model.nodes}
    unknown = set(d_outputs).difference(*names.values())
    if unknown:
        raise NumjazError(f"no output is named {min(unknown)!r}")
    d_made = dict(d_outputs)
    parameters = {
        f"{node.owner}/{name}": np.zeros_like(array)
        for node in model.nodes
        for name, array in done.arrays[node.owner].items()
        if model.parameter_table[f"{node.owner}/{name}"].trainable
    }
    inputs = {name: np.zeros_like(done.outputs[name][0]) for name in model.inputs}
    for node in reversed(model.nodes):
        d = tuple(d_made.pop(key, None) for key in names[node.name])
        if all(each is None for each in d):
            continue
        found = node.layer.backward(done.arrays[node.owner], done.saved[node.name], d)
        for name, array in found.d_params.items():
            parameters[f"{node.owner}/{name}"] += array
        if not node.inputs:
            inputs[node.name] = inputs[node.name] + found.d_inputs[0]
        for (source, k), d_input in zip(node.inputs, found.d_inputs, strict=bool(node.inputs)):
            key = names[source][k]
            if d_input is not None:
                d_made[key] = d_made[key] + d_input if key in d_made else d_input
    return Gradients(parameters, inputs)


def unbiased_buffers(model: Model, done: Pass) -> dict[str, Array]:
    """The moving statistics after a step in training as torch has them, of unbiased variances, by ``owner/name``."""
    moved, buffers = dict(done.arrays), {}
    for node in model.nodes:
        layer, saved = node.layer, done.saved[node.name]
        while isinstance(layer, TimeDistributed):
            layer, (_, saved) = layer.layer, saved
        if isinstance(layer, BatchNormalization):
            made = layer.moved(moved[node.owner], saved, unbiased=True)
            moved[node.owner] = {**moved[node.owner], **made}
            buffers.update({f"{node.owner}/{name}": array for name, array in made.items()})
    return buffers
