"""The right side: each network with random and with trained weights, saved by Keras. Imports nothing of numjaz."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from inputs import LENGTH, noise, sensor
from networks import NETWORKS, built, randomised, trained
from steps import Network, read

ENDING = ".h5" if keras.__version__.startswith("2.") else ".keras"


@dataclass(frozen=True)
class Subject:
    """A network with weights.

    Attributes
    ----------
    network, weights : str
        Of `NETWORKS`; what the weights are.
    file : str
        Of the model, in the corpus.
    model : keras.Model
        In Keras.
    steps, other : dict of str to Step
        Its layers; the same with the weights of another epoch, or of another seed.
    """

    network: str
    weights: str
    file: str
    model: keras.Model
    steps: Network
    other: Network

    @property
    def input(self) -> str:
        """The name of the input layer."""
        return next(step.name for step in self.steps.values() if step.kind == "InputLayer")

    def windows(self, rng: np.random.Generator, batch: int, scale: float = 1.0) -> np.ndarray:
        """Windows of this network's shape: two times in three noise, else smooth ones."""
        time, features = (n or LENGTH for n in self.model.inputs[0].shape[1:])
        kind = noise if rng.random() < 2 / 3 else sensor
        return (scale * kind(rng, batch, int(time), int(features))).astype(np.float32)


def subjects(folder: Path, seed: int, few: bool) -> list[Subject]:
    """All of them; those that another part has written are read."""
    (folder / "models").mkdir(parents=True, exist_ok=True)
    found = []
    for name in [*NETWORKS][:: 3 if few else 1]:
        draws = [read(randomised(built(name), seed + k)) for k in (1, 2)]
        for k in (0, 1):
            found.append(_kept(folder, name, f"random{k + 1}", randomised(built(name), seed + 1 + k), draws[1 - k]))
        rounded = _rounded(randomised(built(name), seed + 1))
        found.append(_kept(folder, name, "rounded", rounded, draws[1]))
        found.append(_trained(folder, name, seed))
    return found


def _kept(folder: Path, name: str, weights: str, model: keras.Model, other: Network) -> Subject:
    file = f"models/{name}-{weights}{ENDING}"
    if not (folder / file).exists():
        model.save(folder / file)
    return Subject(name, weights, file, model, read(model), other)


def _rounded(model: keras.Model) -> keras.Model:
    """Weights that float16 holds."""
    model.set_weights([w.astype(np.float16).astype(w.dtype) for w in model.get_weights()])
    return model


def _trained(folder: Path, name: str, seed: int) -> Subject:
    paths = [folder / f"models/{name}-{weights}{ENDING}" for weights in ("trained", "halfway")]
    if not all(path.exists() for path in paths):
        fitted, halfway = trained(built(name), seed)
        for path, weights in zip(paths, (fitted.get_weights(), halfway), strict=True):
            model = built(name)
            model.set_weights(weights)
            model.save(path)
    last, earlier = (keras.models.load_model(path, compile=False) for path in paths)
    return Subject(name, "trained", f"models/{paths[0].name}", last, read(last), read(earlier))
