"""A training on its way: from step to step, and from a checkpoint on."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from numjaz.errors import NumjazError
from numjaz.layers import Array
from numjaz.learn import checkpoint as checkpoints
from numjaz.learn.checkpoint import Checkpoint
from numjaz.learn.history import Epoch, History, Progress, epochs_of, plain_epochs
from numjaz.learn.labels import Labels, balanced, len_classes
from numjaz.learn.optimizers import rate_at
from numjaz.learn.recipe import Recipe
from numjaz.learn.sampling import order
from numjaz.learn.trainer import Trainer
from numjaz.learn.windows import Windows
from numjaz.model import Model

CHECKPOINT_S = 60.0  # a checkpoint is written at least so often, beside one after each epoch
BLOCK = 256  # validation windows predicted at once


class Run:
    """A training on its way."""

    def __init__(
        self,
        model: Model,
        recipe: Recipe,
        windows: Windows,
        labels: Labels,
        people: Array | None,
        validation: tuple[Windows, Labels] | None,
    ) -> None:
        self._model, self._recipe, self._windows, self._labels = model, recipe, windows, labels
        self._people, self._validation = people, validation
        self._whose = np.zeros(len(labels)) if people is None else people  # nobody's are one person's
        recipe.augmentation.check(windows.shape[2])
        self._trainer = Trainer(model, recipe, windows.shape[1])
        self._steps = -(-len(labels) // recipe.batch)
        self._weights = balanced(labels, len_classes(model)) if recipe.weights == "balanced" else None
        self._epochs: list[Epoch] = []
        self._step = self._right = self._seen = 0  # of this epoch
        self._total = 0.0
        self._best: dict[str, Array] | None = None
        self._kept, self._least = 0, np.inf
        self._seconds = 0.0

    @property
    def history(self) -> History:
        return History(tuple(self._epochs), self._kept or len(self._epochs), self._seconds)

    def model(self) -> Model:
        """The trained network, and in its provenance what it was trained on."""
        old = self._model.provenance
        people = {
            *old.get("people_trained_on", ()),
            *(() if self._people is None else map(str, np.unique(self._people))),
        }
        said = {key: old[key] for key in ("title", "trained_by", "recipe", "data", "pretrained") if key in old}
        provenance: dict[str, Any] = {
            "trained_by": _version(),
            "recipe": self._recipe.plain(),
            "windows_trained_on": len(self._labels),
            **({"people_trained_on": sorted(people)} if people else {}),
            **({"pretrained": said} if "trained_by" in said else {}),
        }
        parameters = self._trainer.parameters if self._best is None else self._best
        return self._model.derive(parameters=parameters, golden=None, provenance=provenance)

    def train(self, path: Path | None, tell: Callable[[Progress], None] | None, interrupted: threading.Event) -> None:
        begun, written, before = time.monotonic(), time.monotonic(), self._seconds
        while not self._done:
            epoch = len(self._epochs)
            rows = order(self._labels, self._whose, sampling=self._recipe.sampling, seed=self._recipe.seed, epoch=epoch)
            while self._step < self._steps:
                self._one(epoch, rows)
                self._seconds = before + time.monotonic() - begun
                if tell is not None:
                    tell(self._progress(epoch, time.monotonic() - begun, before))
                due = time.monotonic() - written > CHECKPOINT_S
                if path is not None and (due or interrupted.is_set()) and self._step < self._steps:
                    self._write(path)
                    written = time.monotonic()
                if interrupted.is_set() and self._step < self._steps:
                    raise KeyboardInterrupt
            self._end_epoch(epoch)
            self._seconds = before + time.monotonic() - begun
            if path is not None:
                self._write(path)
                written = time.monotonic()
            if interrupted.is_set():
                raise KeyboardInterrupt

    def _one(self, epoch: int, rows: Labels) -> None:
        """The next step."""
        recipe, number = self._recipe, epoch * self._steps + self._step
        chosen = rows[self._step * recipe.batch : (self._step + 1) * recipe.batch]
        # One generator for what happens to the windows, one for what happens in the network.
        before, within = (np.random.default_rng([recipe.seed, kind, epoch, self._step]) for kind in (1, 2))
        x = recipe.augmentation.apply(self._windows.take(chosen).astype(recipe.dtype, copy=False), before)
        rate = rate_at(recipe, number, recipe.epochs * self._steps)
        loss, right = self._trainer.step(x, self._labels[chosen], self._weights, number + 1, rate, within)
        self._total += loss.total
        self._right += right
        self._seen += len(chosen)
        self._step += 1

    def _end_epoch(self, epoch: int) -> None:
        rate = rate_at(self._recipe, (epoch + 1) * self._steps - 1, self._recipe.epochs * self._steps)
        loss, right = self._judge() if self._validation is not None else (None, None)
        self._epochs.append(
            Epoch(
                loss=self._total / self._seen,
                accuracy=self._right / self._seen,
                learning_rate=rate,
                validation_loss=loss,
                validation_accuracy=right,
            )
        )
        if loss is not None and self._recipe.patience is not None and loss < self._least:
            self._least, self._kept, self._best = loss, epoch + 1, self._trainer.parameters
        self._step = self._right = self._seen = 0
        self._total = 0.0

    @property
    def _done(self) -> bool:
        patience = self._recipe.patience
        waited = patience is not None and len(self._epochs) - self._kept >= patience and self._kept > 0
        return len(self._epochs) >= self._recipe.epochs or waited

    def _judge(self) -> tuple[float, float]:
        """Loss and accuracy on the validation windows."""
        assert self._validation is not None
        windows, labels = self._validation
        model = self._model.derive(parameters=self._trainer.parameters, golden=None)
        total, right = 0.0, 0
        for a in range(0, len(labels), BLOCK):
            rows = np.arange(a, min(a + BLOCK, len(labels)))
            p = model.predict(windows.take(rows).astype(self._recipe.dtype, copy=False))
            of_truth = p[np.arange(len(rows)), labels[rows]]
            total -= float(np.log(np.maximum(of_truth, np.finfo(p.dtype).tiny)).sum(dtype=np.float64))
            right += int((p.argmax(axis=1) == labels[rows]).sum())
        return total / len(labels), right / len(labels)

    def _progress(self, epoch: int, elapsed: float, before: float) -> Progress:
        steps = self._recipe.epochs * self._steps
        done = epoch * self._steps + self._step
        left = (before + elapsed) / done * (steps - done)
        return Progress(
            epoch + 1,
            self._recipe.epochs,
            self._step,
            self._steps,
            self._total / self._seen,
            self._right / self._seen,
            left,
        )

    def _write(self, path: Path) -> None:
        best = {} if self._best is None else {f"best/{name}": array for name, array in self._best.items()}
        place = {
            "epochs": plain_epochs(self._epochs),
            "step": self._step,
            "total": self._total,
            "right": self._right,
            "seen": self._seen,
            "kept": self._kept,
            "least": self._least if self._kept else None,
            "seconds": self._seconds,
        }
        checkpoints.write(path, Checkpoint({**self._trainer.state, **best}, place, self._about))

    def restore(self, path: Path) -> None:
        """Go on where a checkpoint stands."""
        found = checkpoints.read(path)
        checkpoints.check_same(path, found.about, self._about)
        for name, array in self._trainer.state.items():
            if name not in found.arrays or found.arrays[name].shape != array.shape:
                raise NumjazError(f"{path}: holds no {name!r} of this network; begin anew")
            array[...] = found.arrays[name]
        prefix, place = "best/", found.place
        best = {name[len(prefix) :]: array for name, array in found.arrays.items() if name.startswith(prefix)}
        self._best = best or None
        self._epochs = epochs_of(place["epochs"])
        self._step, self._right, self._seen = place["step"], place["right"], place["seen"]
        self._total, self._kept, self._seconds = place["total"], place["kept"], place["seconds"]
        self._least = np.inf if place["least"] is None else place["least"]

    @cached_property
    def _about(self) -> dict[str, Any]:
        """What must be the same for a training to go on."""
        whose = b""
        if self._people is not None:
            names, numbers = np.unique(self._people, return_inverse=True)
            whose = "\n".join(map(str, names)).encode() + numbers.astype("<i8").tobytes()
        layers = [(node.name, node.layer.config(), node.inputs, node.owner) for node in self._model.nodes]
        return {
            "recipe": self._recipe.plain(),
            "network": _hash(repr(layers).encode()),
            "classes": list(self._model.classes or ()),
            "weights to begin with": _hash(*(array.tobytes() for array in self._model.parameters.values())),
            **_hashes("", self._windows, self._labels, whose),
            **({} if self._validation is None else _hashes("validation ", *self._validation)),
        }


def _hashes(what: str, windows: Windows, labels: Labels, whose: bytes = b"") -> dict[str, Any]:
    """What some windows are known by; windows that state no hash of their own, by their shape alone."""
    return {
        f"{what}windows": list(windows.shape),
        f"{what}labels": _hash(labels.astype("<i8").tobytes(), whose),
        f"{what}data": str(getattr(windows, "sha256", "")),
    }


def _hash(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def _version() -> str:
    from numjaz import __version__

    return f"numjaz {__version__}"
