"""Training a network."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from numjaz.errors import NumjazError
from numjaz.layers import Array
from numjaz.learn.history import History, Progress
from numjaz.learn.labels import labels_for, people_for
from numjaz.learn.recipe import Recipe
from numjaz.learn.run import Run
from numjaz.learn.windows import Windows, as_windows
from numjaz.model import Model


def fit(
    model: Model,
    x: Array | Windows,
    labels: Sequence[Any] | Array,
    recipe: Recipe | None = None,
    *,
    groups: Sequence[Any] | Array | None = None,
    validation: tuple[Array | Windows, Sequence[Any] | Array] | None = None,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    tell: Callable[[Progress], None] | None = None,
) -> tuple[Model, History]:
    """Train a network that ends in a softmax, by categorical cross-entropy.

    The same arguments give the same bits on the same machine, also where a training was interrupted and
    resumed: what is drawn at random depends on the recipe's seed, the epoch and the step alone.

    Parameters
    ----------
    model : Model
        The network, with the weights to begin with.
    x : array (N, T, F), or Windows
        Windows; read a batch at a time.
    labels : sequence (N,)
        The class of each window: an index, or a name where the model has names.
    recipe : Recipe, optional
        How.
    groups : sequence (N,), optional
        Whose window each is: needed where the recipe draws people equally often, and kept in the trained
        network's provenance.
    validation : (x, labels), optional
        Windows that are not trained on; after each epoch they are judged.
    checkpoint : path, optional
        A file that the state is written to after each epoch, once a minute, and on an interrupt.
    resume : bool
        Go on where the checkpoint stands; without a checkpoint file, begin.
    tell : callable, optional
        Called after every step with a `Progress`.

    Returns
    -------
    (Model, History)

    Raises
    ------
    NumjazError
        Where windows, labels and network do not fit together, where the loss is no number, where the
        checkpoint is of another training.
    KeyboardInterrupt
        On Ctrl-C, after the step and its checkpoint were finished.

    Examples
    --------
    >>> import numjaz, numpy as np
    >>> x = np.random.default_rng(0).normal(size=(64, 32, 1)).astype(np.float32)
    >>> labels = np.arange(64) % 2
    >>> x[labels == 1] *= 3
    >>> trained, history = fit(numjaz.jazbat(classes=2), x, labels, Recipe(epochs=3, batch=16))
    >>> history.epochs[-1].loss < history.epochs[0].loss
    True
    """
    recipe = Recipe() if recipe is None else recipe
    if not isinstance(recipe, Recipe):
        raise NumjazError(f"recipe must be a numjaz.learn.recipe.Recipe, not {type(recipe).__name__}")
    windows = as_windows(x)
    known, held = labels_for(model, windows, labels), None if validation is None else as_windows(validation[0])
    judged = None if held is None or validation is None else (held, labels_for(model, held, validation[1]))
    if recipe.patience is not None and judged is None:
        raise NumjazError("recipe: patience needs validation windows")
    people = None if groups is None else people_for(groups, len(known))
    if people is None and recipe.sampling in ("person", "both"):
        raise NumjazError(f"recipe: sampling {recipe.sampling!r} needs groups: whose window each is")
    run = Run(model, recipe, windows, known, people, judged)
    path = None if checkpoint is None else Path(checkpoint)
    if resume and path is not None and path.exists():
        run.restore(path)
    with _interrupts(path is not None) as interrupted:
        run.train(path, tell, interrupted)
    return run.model(), run.history


@contextmanager
def _interrupts(wanted: bool) -> Iterator[threading.Event]:
    """An event that Ctrl-C sets, so that a step is finished first; a second Ctrl-C does not wait."""
    asked = threading.Event()
    if not wanted or threading.current_thread() is not threading.main_thread():
        yield asked
        return

    def note(number: int, frame: FrameType | None) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    before = signal.signal(signal.SIGINT, note)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)
