"""Which class each window is of, as indices, and what each class weighs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numjaz.errors import NumjazError
from numjaz.layers import Array, Input
from numjaz.learn.windows import Windows
from numjaz.model import Model

Labels = NDArray[np.intp]


def len_classes(model: Model) -> int:
    """How many classes the network's first output has."""
    return int(model.shapes()[model.outputs[0]][-1])


def indices(labels: Sequence[Any] | Array, classes: Sequence[str] | int) -> Labels:
    """Labels as numbers of classes.

    Parameters
    ----------
    labels : sequence (N,)
        The class of each window: its number, from 0, or its name.
    classes : sequence of str, or int
        Their names, or how many there are where they have none.

    Returns
    -------
    array (N,)

    Raises
    ------
    NumjazError
        For a label that is no class, naming the window, and for names where classes have none.

    Examples
    --------
    >>> indices(["tense", "calm"], ("calm", "tense")).tolist()
    [1, 0]
    """
    given, count = np.asarray(labels), classes if isinstance(classes, int) else len(classes)
    if given.ndim != 1:
        raise NumjazError(f"labels have shape {given.shape}; there is one for each window, its class")
    if given.dtype.kind in "iub":
        wrong = np.flatnonzero((given < 0) | (given >= count))
        if len(wrong):
            raise NumjazError(f"label {given[wrong[0]]} of window {wrong[0]:,}: there are classes 0 to {count - 1}")
        return given.astype(np.intp)
    if isinstance(classes, int):
        raise NumjazError(
            f"labels are {given.dtype}, and the network's classes have no names: give whole numbers, "
            f"or name them with model.derive(classes=[...])"
        )
    index = {name: k for k, name in enumerate(classes)}
    for at, name in enumerate(given.tolist()):
        if name not in index:
            raise NumjazError(f"label {name!r:.60} of window {at:,}: the classes are {', '.join(classes):.200}")
    return np.array([index[name] for name in given.tolist()], np.intp)


def people_for(groups: Sequence[Any] | Array, count: int) -> NDArray[Any]:
    """Whose each of ``count`` windows is: numbers, or names; `NumjazError` where there is not one a window."""
    given = np.asarray(list(groups) if isinstance(groups, Iterable) else groups)
    if given.shape != (count,):
        raise NumjazError(f"groups have shape {given.shape} for {count:,} windows; there is one a window: whose it is")
    return given.astype(str) if given.dtype == object else given


def labels_for(model: Model, windows: Windows, labels: Sequence[Any] | Array) -> Labels:
    """The labels as indices, where they and the windows fit the network."""
    found = indices(labels, model.classes or len_classes(model))
    layer = next(node.layer for node in model.nodes if isinstance(node.layer, Input))
    count, time_, features = windows.shape
    if layer.features != features or layer.axes not in ((None,), (time_,)):
        raise NumjazError(f"windows of {time_} samples of {features} features do not fit {layer}")
    if len(found) != count:
        raise NumjazError(f"{len(found):,} labels for {count:,} windows")
    if not count:
        raise NumjazError("there are no windows")
    return found


def balanced(labels: Labels, classes: int) -> Array:
    """Weights in inverse proportion to how many windows a class has; 0 for one that has none."""
    counts = np.bincount(labels, minlength=classes)
    met = counts > 0
    return np.where(met, len(labels) / (met.sum() * np.maximum(counts, 1)), 0.0)
