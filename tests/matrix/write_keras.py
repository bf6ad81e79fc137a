"""Write every network with the installed Keras: ``python tests/matrix/write_keras.py FOLDER``.

Under FOLDER, in a folder named after the version: each network of `keras_networks`, in float64 and float32, in
every container that this Keras has, beside it (``.npz``) its inputs and what Keras gives for them at every layer.
Where Keras itself cannot write a file, ``refused.json`` says what it says. Imports nothing of numjaz.

``write_keras.py tests/fixtures/networks --fixtures`` writes what the default tests read of this version.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parent.parent))

import h5py
import keras
import numpy as np
import tensorflow as tf
from keras_networks import KERAS_2, NETWORKS, named_outputs, network, sample

DTYPES = ("float64", "float32")
ARCHIVE = {"save_format": "keras_v3"} if keras.__version__.startswith("2.12.") else {}  # else HDF5 under that ending
CONTAINERS: dict[str, Callable[[keras.Model, str], None]] = {
    "keras": lambda model, path: model.save(path, **ARCHIVE),
    "weights.h5": lambda model, path: model.save_weights(path),
    "h5": lambda model, path: model.save(path),
}
if KERAS_2:
    CONTAINERS["legacy-weights.h5"] = lambda model, path: model.save_weights(path, save_format="h5")
FIXTURES = {  # where a version's configuration or tree is unlike the others'
    "2.12.0": ("nested-float32.keras", "cnn-bigru-float32.keras", "separable-float32.keras"),
    "2.13.1": ("nested-float32.keras",),
    "2.14.0": ("cnn-bigru-float32.keras",),
    "2.15.0": (
        "nested-float32.h5",
        "nested-float32.legacy-weights.h5",
        "subclassed-float32.weights.h5",
        "subclassed-float32.legacy-weights.h5",
    ),
    "3.0.5": ("nested-float32.keras", "subclassed-float32.weights.h5"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--fixtures", action="store_true", help="only the few files that the default tests read")
    args = parser.parse_args()
    folder = args.folder / f"keras-{keras.__version__}"
    folder.mkdir(parents=True, exist_ok=True)
    refused: dict[str, str] = {}
    for name in NETWORKS:
        for dtype in DTYPES:
            kept = [c for c in CONTAINERS if not args.fixtures or f"{name}-{dtype}.{c}" in FIXTURES[keras.__version__]]
            if not kept:
                continue
            model = network(name, dtype)
            x = sample(model, dtype)
            made = {f"node/{node}": value for node, value in named_outputs(model, x).items()}
            outputs = model(x if len(x) > 1 else x[0], training=False)
            arrays = {f"x/{k}": array for k, array in enumerate(x)} | made | {"y": np.asarray(outputs)}
            np.savez_compressed(folder / f"{name}-{dtype}.npz", **arrays)
            for container in kept:
                path = folder / f"{name}-{dtype}.{container}"
                try:
                    CONTAINERS[container](model, str(path))
                except (NotImplementedError, ValueError) as error:
                    path.unlink(missing_ok=True)  # the part that was written
                    refused[path.name] = f"{type(error).__name__}: {' '.join(str(error).split())}"
    versions = {
        "python": platform.python_version(),
        "keras": keras.__version__,
        "tensorflow": tf.__version__,
        "numpy": np.__version__,
        "h5py": h5py.__version__,
    }
    (folder / "VERSIONS").write_text("".join(f"{name} {version}\n" for name, version in versions.items()))
    if refused:
        (folder / "refused.json").write_text(json.dumps(refused, indent=1) + "\n")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
