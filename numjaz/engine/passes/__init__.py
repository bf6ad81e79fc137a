"""Rewritings of a network that leave its function as it is; each for itself, from a Model to a Model."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from numjaz.engine.passes.folding import folded_normalizations
from numjaz.engine.passes.idle import without_idle
from numjaz.engine.passes.separable import split_separable
from numjaz.model import Model

PASSES: dict[str, Callable[[Model], Model]] = {
    "idle": without_idle,
    "separable": split_separable,
    "normalization": folded_normalizations,
}
"""In the order in which they are applied; each can be left out by its name."""


def rewritten(model: Model, without: Iterable[str] = ()) -> Model:
    """The network after all passes but those named."""
    for name, each in PASSES.items():
        if name not in set(without):
            model = each(model)
    return model


__all__ = ["PASSES", "rewritten"]
