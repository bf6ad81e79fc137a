"""Make the shipped files from what training left: numjaz's own file and the card of each network.

    NUMJAZ_DATA=… python weights/training/publish.py

Judges each network on the people kept apart with ``numjaz score``, lets real Keras compute the
golden test case, and writes ``weights/NAME.h5`` and ``weights/NAME.md``.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
from leak import NAME as LEAKY
from leak import figures as leak_figures
from recipes import KEPT_APART, RECIPES, SEED, Recipe, data_folder

import numjaz
from numjaz.cli import main as command
from numjaz.doors.output import whole
from numjaz.report import markdown

WEIGHTS = Path(__file__).parent.parent
CITATION = (
    "G. M. Weiss, K. Yoneda, T. Hayajneh, Smartphone and Smartwatch-Based Biometrics Using Activities of Daily Living, "
    "IEEE Access 7:133190-133202, 2019, doi:10.1109/ACCESS.2019.2940729"
)
LICENCE = "CC BY 4.0 (UCI Machine Learning Repository, data set 507)"
LIMITS = {
    "watch": (
        "Adults of one university who did as they were told, a few minutes of each activity, a watch on the dominant wrist. "
        "Eating and drinking are confused with one another: see the recall of each class. Every window gets one of the classes, "
        "also when it is none of them. Not a medical device; not to be used to judge or to watch people without their consent."
    ),
    "phone": (
        "Six activities, because only these were recorded by everybody with the phone in the pocket. A phone in a pocket does not "
        "see a spoon: with all 18 classes and the few people who recorded them, the same network trained in torch reaches an "
        "accuracy of 0.27 on other people. Every window gets one of the six classes, also when it is none of them. Not a medical "
        "device; not to be used to judge or to watch people without their consent."
    ),
}


def main() -> None:
    """Publish every network whose training is done."""
    for name, recipe in RECIPES.items():
        record_path = WEIGHTS / "originals" / f"{name}.json"
        original = record_path.with_suffix(".keras")
        if not original.exists():
            sys.exit(f"{original} is missing: train {name} first")
        record = json.loads(record_path.read_text())
        publish(name, recipe, record, original)


def publish(name: str, recipe: Recipe, record: dict[str, Any], original: Path) -> None:
    """One network: its file, its judgement, its card."""
    path = WEIGHTS / f"{name}.h5"
    judge = ["score", str(data_folder() / recipe.file), "--people", ",".join(KEPT_APART), "-m", name]
    judge += ["--rate", f"{recipe.rate_hz:g}"] if recipe.rate_hz is not None else []
    model = numjaz.load(original).derive(
        classes=recipe.classes, contract=recipe.contract, golden=_golden(recipe, original)
    )
    provenance = {
        "title": recipe.title,
        "trained_by": f"Keras {record['versions']['keras']}, TensorFlow {record['versions']['tensorflow']}",
        "recipe": record["recipe"],
        "people_trained_on": record["people_trained_on"],
        "people_kept_apart": list(KEPT_APART),
        "data": {**record["data"], "citation": CITATION, "licence": LICENCE},
        "original_sha256": _sha256(original),
    }
    model.derive(provenance=provenance).save(path)
    judged = json.loads(_output([*judge, "--json"]))
    kept = {
        k: judged[k] for k in ("accuracy", "accuracy_interval", "macro_f1", "macro_f1_interval", "windows", "people")
    }
    model.derive(provenance={**provenance, "judged": kept}).save(path)
    shown = " ".join(judge).replace(str(data_folder()), "$NUMJAZ_DATA")
    with whole(path.with_suffix(".md")) as beside:
        beside.write_text(_card(name, recipe, record, judged, f"numjaz {shown}", path, original), encoding="utf-8")
    print(f"{name}: accuracy {judged['accuracy']:.3f} {judged['accuracy_interval']}")


def _golden(recipe: Recipe, original: Path) -> numjaz.Golden:
    """A window of the simulated walk, and what Keras itself gives for it."""
    walk = numjaz.simulate_gait([("walking", 30.0)])
    x = next(numjaz.windows(walk, recipe.contract).batches(1)).x.astype(np.float32)
    return numjaz.Golden(x, np.asarray(keras.models.load_model(original)(x, training=False)))


def _card(
    name: str, recipe: Recipe, record: dict[str, Any], judged: dict[str, Any], shown: str, path: Path, original: Path
) -> str:
    contract, training = recipe.contract, record["recipe"]
    low, high = judged["accuracy_interval"]
    recalls = [
        [activity, str(sum(row)), _with_interval(recall["value"], *recall["interval"])]
        for (activity, recall), row in zip(judged["recall"].items(), judged["confusion"], strict=True)
    ]
    people = [
        [who, str(p["windows"]), f"{p['accuracy']:.3f}", f"{p['macro_f1']:.3f}"]
        for who, p in judged["per_person"].items()
    ]
    fed = f"{', '.join(contract.features)} in {contract.units[0]}"
    if contract.magnitude:
        fed += f": {numjaz.contract.MAGNITUDES[contract.magnitude]}, g = 9.81 m/s^2".replace("|", r"\|")
    leak = ""
    if name == LEAKY:
        found = leak_figures()
        leaky, honest = found["random_windows"], found["people_kept_apart"]
        leak = f"""
## What a random split would have claimed

Much of the literature draws the test windows at random from the same recordings. Windows overlap by seven eighths, so
the test then holds seconds that were trained on, of people who were trained on. One network trained that way, with the
same recipe on four fifths of the same people's windows:

{
            markdown(
                ["tested on", "windows", "people", "accuracy (95 % interval over people)"],
                [
                    [text, f"{f['windows']:,}", str(f["people"]), _with_interval(f["accuracy"], f["low"], f["high"])]
                    for text, f in (
                        ("the other fifth of the windows, drawn at random", leaky),
                        ("people kept apart", honest),
                    )
                ],
            )
        }

Reproduce: `python weights/training/leak.py`
"""
    return f"""# {name}

{recipe.title[0].upper() + recipe.title[1:]}. Jazbat-Net (doi:10.1109/JIOT.2026.3666469), R = 18, {
        len(recipe.classes)
    } classes.

On {judged["people"]} people not trained on: **accuracy {judged["accuracy"]:.3f}** [{low:.3f}, {high:.3f}], **macro-F1
{judged["macro_f1"]:.3f}** [{judged["macro_f1_interval"][0]:.3f}, {judged["macro_f1_interval"][1]:.3f}], of {
        judged["windows"]:,} windows. Intervals: 95 %, bootstrap over people.

## Input

| | |
|---|---|
| features | {fed} |
| rate | {contract.rate_hz:g} Hz |
| window, hop | {contract.window} samples ({contract.window / contract.rate_hz:g} s), {contract.hop} samples |
| gravity | included |
| normalisation | none |
| placement | {contract.placement} |

## Data and training

- Data: {CITATION}. Licence: {LICENCE}. File `{record["data"]["file"]}`, SHA-256 `{record["data"]["sha256"]}`.
- Trained on {len(record["people_trained_on"])} people, {record["windows_trained_on"]:,} windows: {
        ", ".join(record["people_trained_on"])
    }.
- Kept apart, every fifth in the order of their numbers, and used for nothing but the figures here:
  {", ".join(KEPT_APART)}. Six further people of the data set are held back by its owner, for later judging.
- Recipe: {training["loss"]}; {training["optimizer"]}; batches of {training["batch"]}; {
        training["epochs"]
    } epochs; seed {SEED}. No
  augmentation, no early stopping, the last epoch's weights. The paper trains 40 epochs and states neither learning rate nor batch.
- Recordings at another rate than {contract.rate_hz:g} Hz were resampled by their timestamps, in training as in use.
- {record["seconds"]:.0f} seconds on one core with Keras {record["versions"]["keras"]}, TensorFlow {
        record["versions"]["tensorflow"]
    }.
- Training: `python weights/training/keras_train.py {name}`

## Figures on the people kept apart

Reproduce: `{shown}`

{markdown(["class", "windows", "recall (95 % interval)"], recalls)}

{markdown(["person", "windows", "accuracy", "macro-F1"], people)}
{leak}
## Limits

{LIMITS["phone" if "phone" in name else "watch"]}

## Files

| file | SHA-256 |
|---|---|
| `{path.name}` | `{_sha256(path)}` |
| `originals/{original.name}` (as Keras wrote it; in the repository only) | `{_sha256(original)}` |
"""


def _with_interval(value: float | None, low: float | None, high: float | None) -> str:
    if value is None:
        return "not recorded"
    return f"{value:.3f}" + (f" [{low:.3f}, {high:.3f}]" if low is not None and high is not None else "")


def _output(argv: list[str]) -> str:
    """What a numjaz command prints."""
    with contextlib.redirect_stdout(io.StringIO()) as text:
        code = command(argv)
    if code != 0:
        sys.exit(f"numjaz {' '.join(argv)} ended with {code}")
    return text.getvalue()


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    main()
