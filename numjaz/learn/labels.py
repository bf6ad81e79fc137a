"""Which class each window is of, as indices, and what each class weighs."""

from __future__ import annotations

from collections.abc import Sequence
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


def indices(model: Model, labels: Sequence[Any] | Array) -> Labels:
    """Classes by their indices; `NumjazError` names one that the network does not have."""
    given, count = np.asarray(labels), len_classes(model)
    if given.ndim != 1:
        raise NumjazError(f"labels must be one class a window, not an array of shape {given.shape}")
    if given.dtype.kind in "iub":
        wrong = np.flatnonzero((given < 0) | (given >= count))
        if len(wrong):
            raise NumjazError(
                f"label {given[wrong[0]]} of window {wrong[0]:,}: the network has classes 0 to {count - 1}"
            )
        return given.astype(np.intp)
    if model.classes is None:
        raise NumjazError("labels are names, and the network has none: model.derive(classes=[...]) names its classes")
    index = {name: k for k, name in enumerate(model.classes)}
    for at, name in enumerate(given.tolist()):
        if name not in index:
            raise NumjazError(f"label {name!r:.60} of window {at:,}: the classes are {', '.join(index)}")
    return np.array([index[name] for name in given.tolist()], np.intp)


def labels_for(model: Model, windows: Windows, labels: Sequence[Any] | Array) -> Labels:
    """The labels as indices, where they and the windows fit the network."""
    found = indices(model, labels)
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
