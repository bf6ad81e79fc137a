"""Generate a corpus of planted faults: ``plant.py FOLDER [--part NAME] [--sample] [--seed N]``.

Run by an interpreter with Keras 2 or Keras 3, with ``KERAS_BACKEND=torch`` or without: each is a part of its own, and
all go to one folder. The part that computes with the torch backend plants in a port to torch and in ONNX graphs
besides; it reads the models that the other part of Keras 3 has trained, which is why that one comes first: to train
with the torch backend takes many times as long. Imports nothing of numjaz; `judge.py` is what does.

::

    python3-with-keras-2 tests/planted/plant.py FOLDER
    python3-with-keras-3 tests/planted/plant.py FOLDER
    KERAS_BACKEND=torch python3-with-keras-3 tests/planted/plant.py FOLDER
    python3 tests/planted/judge.py FOLDER
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings
from collections import Counter
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from corpus import Corpus
from subjects import subjects
from writing import Writer

PARTS = {"2": "keras2", "tensorflow": "keras3-tensorflow", "torch": "keras3-torch"}
COUNTS = {  # of singles, pairs, outside, agreeing
    "keras2": {"keras": (70, 150)},
    "keras3-tensorflow": {"keras": (70, 150)},
    "keras3-torch": {"port": (400, 200), "onnx": (50, 60), "keras": (50, 90)},
}
PAIRS, OUTSIDE = 240, 90


def part_name() -> str:
    """What this interpreter's part is called."""
    return PARTS["2"] if keras.__version__.startswith("2.") else PARTS[keras.backend.backend()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--part", help="what this part's cases are called; without, after Keras and its backend")
    parser.add_argument("--sample", action="store_true", help="a tenth of the cases, on fewer networks")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    begun, share = time.perf_counter(), 10 if args.sample else 1
    corpus = Corpus(args.folder, args.part or part_name())
    rng = np.random.default_rng([args.seed, *map(ord, part_name())])
    writer = Writer(corpus, subjects(args.folder, args.seed, args.sample), rng)
    print(f"{len(writer.subjects)} models ({time.perf_counter() - begun:.0f} s)", file=sys.stderr)
    for runner, (singles, agreeing) in COUNTS[part_name()].items():
        if runner == "port":
            writer.pairs(PAIRS // share)
            writer.outside(OUTSIDE // share)
        writer.singles(runner, singles // share)
        writer.agreements(runner, agreeing // share)
        corpus.save()
        print(f"{runner}: {len(corpus.cases)} cases ({time.perf_counter() - begun:.0f} s)", file=sys.stderr)
    for (runner, kind), count in sorted(Counter((case.runner, case.kind) for case in corpus.cases).items()):
        print(f"{runner}  {kind}  {count}")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
