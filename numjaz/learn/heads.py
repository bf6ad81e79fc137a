"""Other classes for a trained network, and other statistics for its batch normalizations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from numjaz.architectures.initial import initial_parameters
from numjaz.errors import NumjazError
from numjaz.layers import BatchNormalization, Dense
from numjaz.learn.windows import Windows
from numjaz.model import Model
from numjaz.nodes import Node, output_key, parameter_table, source_of

BLOCK = 256  # windows computed at once


def with_classes(model: Model, classes: Sequence[str], seed: int = 0) -> Model:
    """The same network with a new last layer: a softmax of these classes, drawn by ``seed``.

    Raises
    ------
    NumjazError
        Where the network does not end in a dense layer.

    Examples
    --------
    >>> import numjaz
    >>> moods = with_classes(numjaz.jazbat(classes=18), ["sad", "neutral", "happy"])
    >>> moods.predict(np.zeros((1, 64, 1), np.float32)).shape
    (1, 3)
    """
    head = head_of(model)
    made = [
        Node(node.name, Dense(len(classes), "softmax", node.layer.use_bias), node.inputs)
        if node is head and isinstance(node.layer, Dense)
        else node
        for node in model.nodes
    ]
    table = {name: p for name, p in parameter_table(made).items() if name.startswith(f"{head.owner}/")}
    arrays = {**model.parameters, **initial_parameters(table, seed)}
    return Model(
        made,
        arrays,
        outputs=[head.name],
        classes=classes,
        contract=model.contract,
        provenance={key: value for key, value in model.provenance.items() if key != "judged"},
    )


def from_nothing(model: Model, seed: int) -> Model:
    """The same network as its initialisers make it."""
    arrays = initial_parameters(model.parameter_table, seed)
    return model.derive(parameters=arrays, golden=None, provenance={})


def head_of(model: Model) -> Node:
    """The last layer; `NumjazError` where it is not a dense one of its own."""
    name, _ = source_of(model.outputs[0])
    head = next(node for node in model.nodes if node.name == name)
    if (
        not isinstance(head.layer, Dense)
        or head.owner != head.name
        or any(n.inputs == ((name, 0),) for n in model.nodes)
    ):
        raise NumjazError(f"node {name!r}: the network must end in a dense layer of its own, not {head.layer}")
    return head


def body_of(model: Model) -> tuple[str, ...]:
    """Every node with arrays, but the last layer: what stays where only the head is trained."""
    head = head_of(model).name
    held = {node.name for node in model.nodes if any(n.startswith(f"{node.owner}/") for n in model.parameters)}
    return tuple(node.name for node in model.nodes if node.name in held and node.name != head)


def with_statistics_of(model: Model, windows: Windows) -> Model:
    """The same network whose batch normalizations know these windows' statistics.

    One after the other, each by what the ones before it now make of the windows (Li et al. 2017, "adaptive
    batch normalization"); nothing else changes, and no label is looked at.
    """
    for node in model.nodes:
        if isinstance(node.layer, BatchNormalization):
            before = model.derive(outputs=[output_key(*node.inputs[0])], classes=None, golden=None)
            rows = np.arange(windows.shape[0])
            count, mean, squares = 0, np.zeros(()), np.zeros(())
            for a in range(0, len(rows), BLOCK):  # merged as Chan et al. 1979 do: what is kept is one block
                part = before.predict(windows.take(rows[a : a + BLOCK]))
                values = np.moveaxis(part, node.layer.axis, -1).astype(np.float64)
                over, size = tuple(range(values.ndim - 1)), values.size // values.shape[-1]
                shift, count = values.mean(axis=over) - mean, count + size
                mean = mean + shift * size / count
                squares = squares + values.var(axis=over) * size + shift**2 * size * (count - size) / count
            found = {"moving_mean": mean, "moving_variance": squares / count}
            names = {f"{node.owner}/{name}": array for name, array in found.items()}
            model = model.replace({name: array.astype(model.parameters[name].dtype) for name, array in names.items()})
    return model
