"""What a training was: a line for each epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """One pass over the windows. Losses are means over windows; shares are of windows."""

    loss: float
    accuracy: float
    learning_rate: float
    validation_loss: float | None = None
    validation_accuracy: float | None = None


@dataclass(frozen=True)
class History:
    """What `fit` did.

    Attributes
    ----------
    epochs : tuple of Epoch
        In their order.
    kept : int
        The epoch whose weights were kept, counted from 1.
    seconds : float
        What it took.
    """

    epochs: tuple[Epoch, ...]
    kept: int
    seconds: float

    def plain(self) -> dict[str, Any]:
        """The history as values that JSON can hold."""
        return {"epochs": plain_epochs(self.epochs), "kept": self.kept, "seconds": round(self.seconds, 1)}


class Progress(NamedTuple):
    """How far a training is: loss and accuracy are those of the epoch so far."""

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    accuracy: float
    left_s: float


def plain_epochs(epochs: Sequence[Epoch]) -> list[dict[str, Any]]:
    """Epochs as values that JSON can hold, without what was not measured."""
    return [{key: value for key, value in asdict(epoch).items() if value is not None} for epoch in epochs]


def epochs_of(values: Sequence[Mapping[str, Any]]) -> list[Epoch]:
    """The inverse of `plain_epochs`."""
    return [Epoch(**value) for value in values]
