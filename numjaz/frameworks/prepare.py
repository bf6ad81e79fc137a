"""The files that engines are timed with, each written by what the engine's users would write it with."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import numjaz
from numjaz.engine.exporting import export
from numjaz.errors import NumjazError
from numjaz.frameworks.interpreter import command, environment, line_of
from numjaz.model import Model

SECONDS = 1800  # LiteRT's unrolled form takes minutes


def prepare(
    model: Model,
    folder: Path,
    engines: Iterable[str],
    pythons: Mapping[str, str],
    window: int,
    tell: Callable[[str], None],
) -> None:
    """Write ``network.npz`` and what the engines read beside it."""
    model.save(folder / "network.npz")
    for name in engines:
        if name == "onnxruntime":
            model.save(folder / "network.onnx")
        elif name == "numjaz-h5":
            model.save(folder / "network.h5")
        elif name == "numjaz-file":
            export(model, folder / "network.py", window)
        elif name in WRITERS:
            tell(f"{name}'s file is written")
            request = {"engine": name, "folder": str(folder), "window": window}
            ended = subprocess.run(
                command(pythons[name], "prepare", request),
                env=environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=SECONDS,
            )
            if ended.returncode:
                last = next((row.strip() for row in reversed(ended.stderr.splitlines()) if row.strip()), "nothing")
                raise NumjazError(f"{name} in {pythons[name]}: {last:.300}")


def main(text: str) -> None:
    """Write one engine's file, or say why not."""
    request = json.loads(text)
    folder = Path(request["folder"])
    try:
        WRITERS[request["engine"]](numjaz.load(folder / "network.npz"), folder, request["window"])
    except Exception as error:
        said = str(error) if isinstance(error, NumjazError) else f"{type(error).__name__}: {line_of(error)}"
        sys.exit(f"\n{said}")


def _torch(model: Model, folder: Path, window: int) -> None:
    import torch

    from numjaz.frameworks.torch import torch_module

    module, x = torch_module(model).eval(), torch.from_numpy(np.load(folder / "x.npy"))
    with torch.no_grad():
        traced: Any = torch.jit.trace(module, x, check_trace=False)  # type: ignore[no-untyped-call, unused-ignore]
        traced.save(str(folder / "network.pt"))


def _keras(model: Model, folder: Path, window: int) -> None:
    from numjaz.frameworks.keras import keras_model

    keras_model(model).save(folder / "network.keras")


def _litert(model: Model, folder: Path, window: int) -> None:
    """Unrolled: of LiteRT's forms the faster one by far."""
    import keras
    import tensorflow as tf

    from numjaz.frameworks.keras import keras_model

    twin = keras_model(model)
    fixed = keras.Model.from_config(_unrolled(twin.get_config(), window))
    fixed.set_weights(twin.get_weights())
    written = tf.lite.TFLiteConverter.from_keras_model(fixed).convert()
    (folder / "network.tflite").write_bytes(written)


def _unrolled(config: Any, window: int) -> Any:
    """A Keras configuration for one window of a fixed length, step after step."""
    if isinstance(config, dict):
        changed = {key: _unrolled(value, window) for key, value in config.items()}
        if "unroll" in changed:
            changed["unroll"] = True
        if isinstance(changed.get("batch_shape"), (list, tuple)):
            changed["batch_shape"] = (1, window, changed["batch_shape"][-1])
        return changed
    return [_unrolled(value, window) for value in config] if isinstance(config, list) else config


WRITERS: dict[str, Callable[[Model, Path, int], None]] = {"torch": _torch, "keras": _keras, "litert": _litert}
"""What writes the file that an engine starts from, where numjaz does not."""
