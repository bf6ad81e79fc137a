"""What a training was, in one file beside the weights, and in words on a card."""

from __future__ import annotations

import hashlib
import platform
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from numjaz.contract import MAGNITUDES
from numjaz.errors import NumjazError
from numjaz.learn.augmentation import Augmentation
from numjaz.learn.history import History
from numjaz.learn.judging import Judged
from numjaz.learn.pages import many, over_people, people, said
from numjaz.learn.recipe import Recipe
from numjaz.learn.store import Store
from numjaz.model import Model
from numjaz.report import markdown

FORMAT = "numjaz training 1"


def weights_sha256(model: Model) -> str:
    """The hash of a network's arrays, names and shapes: two networks of one hash have the same bits."""
    digest = hashlib.sha256()
    for name, array in sorted(model.parameters.items()):
        digest.update(f"{name} {array.shape} {array.dtype.str}\n".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def sha256_of(path: str | Path) -> str:
    """The SHA-256 of a file; `NumjazError` where it cannot be read."""
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise NumjazError(f"{path}: cannot be read ({error.strerror})") from None


def record_of(
    model: Model,
    store: Store,
    recipe: Recipe,
    history: History,
    *,
    command: Sequence[str],
    recordings: Mapping[str, str],
    beside: Mapping[str, str],
    people: Mapping[str, Sequence[str]],
) -> dict[str, Any]:
    """A training as plain values: enough to do it again.

    Parameters
    ----------
    model : Model
        What it gave.
    store : Store
        All windows.
    recipe, history
        How, and how it went.
    command : sequence of str
        What `numjaz` was called with.
    recordings : mapping of str to str
        Each recording's name and SHA-256.
    beside : mapping of str to str
        The same of what was joined to them: a gyroscope's recordings, gravity's.
    people : mapping of str to sequence of str
        Who was trained on, who was for validation, who was kept apart.
    """
    from numjaz import __version__

    return {
        "format": FORMAT,
        "command": list(command),
        "recordings": dict(recordings),
        **({"beside": dict(beside)} if beside else {}),
        "windows": store.shape[0],
        "windows_sha256": store.sha256,
        "classes": list(model.classes or ()),
        "people": {kind: list(names) for kind, names in people.items()},
        "recipe": recipe.plain(),
        **history.plain(),
        "weights_sha256": weights_sha256(model),
        "versions": {"numjaz": __version__, "numpy": np.__version__, "python": platform.python_version()},
        "machine": f"{platform.system()} {platform.machine()}",
    }


def card(name: str, model: Model, record: Mapping[str, Any], judged: Judged | None, reproduce: str) -> str:
    """A trained network's card, in Markdown: what it takes, what it was trained on, how well it does, on whom."""
    lines = [f"# {name}", ""]
    if model.provenance.get("title"):
        lines += [f"{model.provenance['title']}.", ""]
    if judged is not None:
        accuracy, f1 = (judged.figure(each) for each in ("accuracy", "macro_f1"))
        met = set(judged.people) & set(model.provenance.get("people_trained_on", ()))
        who = f"kept apart, {len(met)} of whom the source was trained on" if met else "not trained on"
        lines += [
            f"On {people(judged)} {who}: **accuracy {said(accuracy)}**, **macro-F1 {said(f1)}**, of "
            f"{len(judged):,} windows. {over_people(judged)}",
            "",
        ]
    else:
        lines += ["Not judged: nobody was kept apart.", ""]
    lines += [*_input(model), *_training(model, record)]
    if judged is not None:
        lines += ["## Figures on the people kept apart", "", f"Reproduce: `{reproduce}`", "", *_figures(judged)]
    return "\n".join(lines).rstrip() + "\n"


def _input(model: Model) -> list[str]:
    contract = model.contract
    if contract is None:
        return []
    fed = f"{', '.join(contract.features)} in {', '.join(dict.fromkeys(contract.units))}"
    if contract.magnitude:
        fed += f": {MAGNITUDES[contract.magnitude]}, g = 9.81 m/s^2"
    rows = [
        ["features", fed],
        ["rate", f"{contract.rate_hz:g} Hz"],
        [
            "window, hop",
            f"{contract.window} samples ({contract.window / contract.rate_hz:g} s), {contract.hop} samples",
        ],
        ["gravity", "included" if contract.gravity else "removed"],
        ["placement", contract.placement or "not stated"],
    ]
    return ["## Input", "", markdown(["", ""], rows), ""]


def _training(model: Model, record: Mapping[str, Any]) -> list[str]:
    recipe, people = Recipe.from_plain(record["recipe"]), record["people"]
    lines = ["## Data and training", ""]
    data = model.provenance.get("data", {})
    lines += [f"- {what}: {data[key]}." for key, what in (("citation", "Data"), ("licence", "Licence")) if key in data]
    for kind, what in (("recordings", "Recording"), ("beside", "Beside it")):
        lines += [f"- {what}: `{name}`, SHA-256 `{digest}`." for name, digest in record.get(kind, {}).items()]
    for kind, what in (
        ("trained", "Trained on"),
        ("validation", "Watched while training"),
        ("apart", "Kept apart, for the figures here"),
    ):
        if people.get(kind):
            lines.append(f"- {what}: {many(len(people[kind]))}, {', '.join(people[kind])}.")
    lines += [
        f"- Recipe: {_recipe(recipe)}.",
        f"- {record['seconds']:.0f} seconds of training; {len(record['epochs'])} epochs, the weights of epoch "
        f"{record['kept']}.",
        f"- Trainer: numjaz {record['versions']['numjaz']}, NumPy {record['versions']['numpy']}.",
        f"- Weights: SHA-256 `{record['weights_sha256']}`.",
        f"- Command: `numjaz {shlex.join(record['command'])}`",
        "",
    ]
    return lines


def _recipe(recipe: Recipe) -> str:
    plain = recipe.plain()
    usual = Recipe().plain()
    said = [f"{recipe.optimizer} in {recipe.form.capitalize()}'s form", f"learning rate {recipe.learning_rate:g}"]
    said += [f"schedule {recipe.schedule}", f"batches of {recipe.batch}", f"{recipe.epochs} epochs at most"]
    said.append(f"seed {recipe.seed}")
    named = ("optimizer", "form", "learning_rate", "schedule", "batch", "epochs", "seed", "augmentation")
    said += [f"{key} {value}" for key, value in plain.items() if key not in named and value != usual[key]]
    changes = {k: v for k, v in plain["augmentation"].items() if v != getattr(Augmentation(), k)}
    said.append(
        "windows changed by " + ", ".join(f"{k.replace('_', ' ')} {v:g}" for k, v in changes.items())
        if changes
        else "no augmentation"
    )
    return "; ".join(said)


def _figures(judged: Judged) -> list[str]:
    found = judged.to_dict()
    recalls = [
        [
            name,
            str(sum(row)),
            said(recall) if sum(row) else "not recorded",
        ]
        for name, recall, row in zip(judged.classes, judged.recalls, found["confusion"], strict=True)
    ]
    persons = [
        [who, str(p["windows"]), f"{p['accuracy']:.3f}", f"{p['macro_f1']:.3f}"]
        for who, p in found["per_person"].items()
    ]
    return [
        markdown(["class", "windows", "recall (95 % interval)"], recalls),
        "",
        markdown(["person", "windows", "accuracy", "macro-F1"], persons),
        "",
    ]
