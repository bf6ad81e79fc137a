"""Train one of the shipped networks with Keras; stopped at any time, it goes on where it was.

    NUMJAZ_DATA=… python weights/training/keras_train.py jazbat-watch-1d-activity
    NUMJAZ_DATA=… python weights/training/keras_train.py jazbat-watch-1d-activity --split random

Writes ``weights/originals/NAME.keras`` and ``NAME.json``, the record of the run. With ``--split
random`` a fifth of the *windows* of the training people, drawn at random, is kept for the test, as
much of the literature does: they overlap with windows trained on, and the figure shows it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import sys
import time
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf
from keras_jazbat import jazbat
from recipes import BATCH, EPOCHS, KEPT_APART, LEARNING_RATE, RECIPES, SEED, data_folder, labelled_windows, random_split

import numjaz

ORIGINALS = Path(__file__).parent.parent / "originals"


def main() -> None:
    """Train, evaluate on the people kept apart, and write the network and the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=RECIPES)
    parser.add_argument("--split", choices=("people", "random"), default="people")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="fewer, for a trial")
    parser.add_argument("--out", type=Path, default=ORIGINALS)
    args = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)

    recipe = RECIPES[args.name]
    label = args.name + ("" if args.split == "people" else "-random-split")
    args.out.mkdir(parents=True, exist_ok=True)
    x, y, who = labelled_windows(recipe)
    apart = np.isin(who, KEPT_APART)
    training = np.flatnonzero(~apart)
    tests = {"people_kept_apart": np.flatnonzero(apart)}
    if args.split == "random":
        training, tests["random_windows"] = random_split(training)

    keras.utils.set_random_seed(SEED)
    steps = -(-len(training) // BATCH)
    checkpoint, record_path = args.out / f"{label}.checkpoint.keras", args.out / f"{label}.json"
    record = {"epochs": [], "seconds": 0.0}
    if checkpoint.exists():
        record = json.loads(record_path.read_text())
        network = keras.models.load_model(checkpoint)
        # The record is written first, so a stop between the two leaves it an epoch ahead.
        record["epochs"] = record["epochs"][: int(network.optimizer.iterations) // steps]
        print(f"going on after epoch {len(record['epochs'])}")
    else:
        network = jazbat(len(recipe.contract.features), len(recipe.classes))
        schedule = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps * args.epochs)
        network.compile(keras.optimizers.Adam(schedule), "sparse_categorical_crossentropy", metrics=["accuracy"])

    for epoch in range(len(record["epochs"]), args.epochs):
        order = np.random.default_rng([SEED, epoch]).permutation(training)  # the same, resumed or not
        started = time.perf_counter()
        fitted = network.fit(
            x[order], y[order], batch_size=BATCH, shuffle=False, verbose=1 if sys.stdout.isatty() else 0
        )
        record["seconds"] += time.perf_counter() - started
        record["epochs"].append({name: round(values[0], 5) for name, values in fitted.history.items()})
        print(f"epoch {epoch + 1}/{args.epochs}: {record['epochs'][-1]}, {record['seconds']:.0f} s", flush=True)
        _write(record_path, lambda path: path.write_text(json.dumps(record)))
        _write(checkpoint, lambda path: network.save(path))

    for name, rows in tests.items():
        predicted = network.predict(x[rows], batch_size=256, verbose=0).argmax(axis=1)
        record[name] = {"windows": len(rows), "accuracy": float(np.mean(predicted == y[rows]))}
        print(f"{name}: accuracy {record[name]['accuracy']:.4f} of {len(rows):,} windows")
    record |= {
        "name": args.name,
        "split": args.split,
        "recipe": {
            "loss": "categorical cross-entropy",
            "optimizer": f"Adam, learning rate {LEARNING_RATE:g} falling to 0 along half a cosine",
            "batch": BATCH,
            "epochs": args.epochs,
            "seed": SEED,
        },
        "people_trained_on": sorted(set(who[training].tolist())),
        "people_kept_apart": record["people_kept_apart"] | {"people": sorted(set(who[apart].tolist()))},
        "windows_trained_on": len(training),
        "data": {"file": recipe.file, "sha256": hashlib.sha256((data_folder() / recipe.file).read_bytes()).hexdigest()},
        "versions": {
            "python": platform.python_version(),
            "keras": keras.__version__,
            "tensorflow": tf.__version__,
            "numpy": np.__version__,
            "numjaz": numjaz.__version__,
        },
    }
    bare = keras.models.clone_model(network)  # without the optimizer's state
    bare.set_weights(network.get_weights())
    _write(args.out / f"{label}.keras", lambda path: bare.save(path))
    _write(record_path, lambda path: path.write_text(json.dumps(record, indent=1) + "\n"))
    checkpoint.unlink(missing_ok=True)


def _write(path: Path, write) -> None:
    """Write beside, then rename: a stop leaves the old file or the new one."""
    beside = path.with_name("partial-" + path.name)
    write(beside)
    beside.replace(path)


if __name__ == "__main__":
    main()
