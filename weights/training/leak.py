"""What a random split of overlapping windows would have claimed: the literature's way, beside the honest one.

    NUMJAZ_DATA=… python weights/training/leak.py

Runs ``originals/NAME-random-split.keras``, which was trained on four fifths of the training people's
windows drawn at random, on the other fifth (which overlap with windows trained on) and on the
people kept apart. Needs no framework.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from recipes import KEPT_APART, RECIPES, labelled_windows, random_split

import numjaz
from numjaz.learn.metrics import accuracy, confusion, over_people

NAME = "jazbat-watch-1d-activity"


def figures() -> dict[str, dict[str, float]]:
    """Accuracy and 95 % interval over people, on both kinds of test windows."""
    recipe = RECIPES[NAME]
    model = numjaz.load(Path(__file__).parent.parent / "originals" / f"{NAME}-random-split.keras")
    x, y, who = labelled_windows(recipe)
    apart = np.isin(who, KEPT_APART)
    tests = {"random_windows": random_split(np.flatnonzero(~apart))[1], "people_kept_apart": np.flatnonzero(apart)}
    made = {}
    for name, rows in tests.items():
        guess = np.concatenate([model.predict(x[rows[k : k + 1024]]).argmax(axis=1) for k in range(0, len(rows), 1024)])
        people = [who[rows] == person for person in sorted(set(who[rows].tolist()))]
        matrices = np.stack([confusion(y[rows][m], guess[m], len(recipe.classes)) for m in people])
        value, low, high = over_people(matrices, accuracy)
        made[name] = {"accuracy": value, "low": low, "high": high, "windows": len(rows), "people": len(people)}
    return made


if __name__ == "__main__":
    print(json.dumps(figures(), indent=1))
