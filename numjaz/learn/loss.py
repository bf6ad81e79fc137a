"""Categorical cross-entropy on logits."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from numjaz.errors import NumjazError
from numjaz.layers import Activation, Array, Dense, Layer, Softmax
from numjaz.model import Model
from numjaz.nodes import Node, source_of


class Loss(NamedTuple):
    """The loss of a batch: its sum over windows, and the derivative of its mean by the logits."""

    total: float
    d_logits: Array  # (N, C)


def cross_entropy(logits: Array, labels: Array, weights: Array | None = None) -> Loss:
    """The sum over windows of -w log softmax(logits)[label], and the derivative of its mean over the windows.

    As in Keras the mean is over the number of windows, not over the sum of their weights.

    Parameters
    ----------
    logits : array (N, C)
        The network's output before its softmax.
    labels : array (N,) of int
        Classes.
    weights : array (C,), optional
        A weight for each class.

    Examples
    --------
    >>> loss = cross_entropy(np.zeros((1, 4)), np.array([2]))
    >>> round(loss.total, 4), loss.d_logits
    (1.3863, array([[ 0.25,  0.25, -0.75,  0.25]]))
    """
    rows = np.arange(len(labels))
    z = logits - logits.max(axis=1, keepdims=True)
    e = np.exp(z)
    sums = e.sum(axis=1, keepdims=True)
    losses = np.log(sums[:, 0]) - z[rows, labels]
    d = e / sums
    d[rows, labels] -= 1
    if weights is not None:
        of_windows = weights[labels].astype(logits.dtype)
        losses = losses * of_windows
        d *= of_windows[:, None]
    d /= logits.dtype.type(len(labels))
    return Loss(float(losses.sum(dtype=np.float64)), d)


def without_softmax(model: Model) -> Model:
    """The network up to its logits.

    Raises
    ------
    NumjazError
        Where its first output is no softmax over classes.
    """
    name, k = source_of(model.outputs[0])
    end = next(node for node in model.nodes if node.name == name)
    layer = _linear(end.layer) if k == 0 and len(model.shapes()[name]) == 1 else None
    if layer is None:
        raise NumjazError(
            f"node {name!r}: cross-entropy needs a softmax over classes at the network's end, not {end.layer}"
        )
    nodes = [Node(node.name, layer, node.inputs, node.owner) if node is end else node for node in model.nodes]
    return Model(nodes, model.parameters, outputs=model.outputs[:1])


def _linear(layer: Layer) -> Layer | None:
    """The layer without its softmax; None where it ends in none."""
    match layer:
        case Dense(activation="softmax"):
            return Dense(layer.units, use_bias=layer.use_bias)
        case Activation(activation="softmax") | Softmax(axis=(-1,)) | Softmax(axis=(1,)):
            return Activation("linear")
    return None
