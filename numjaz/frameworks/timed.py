"""Engines that are timed, each in an interpreter of its own: made ready once, then asked again and again.

The interpreter is sent a line of JSON a question, and answers each in one: how long calls took, what
windows give, how much of the disk is loaded.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import numjaz
from numjaz.errors import NumjazError
from numjaz.formats.shipped import shipped_models
from numjaz.frameworks.interpreter import line_of
from numjaz.layers import Array
from numjaz.model import Model

POOL = 8  # different windows that take turns

Predict = Callable[[Array], Array]


@dataclass(frozen=True)
class Request:
    """What the interpreter shall time.

    Attributes
    ----------
    engine : str
        One of `ENGINES`.
    path : str
        The network, in numjaz's ``.npz``.
    window, threads : int
        Samples a window; threads that the engine may use.
    """

    engine: str
    path: str
    window: int
    threads: int


def main(text: str) -> None:
    """Answer the questions on standard input until it ends."""
    answers = os.fdopen(os.dup(1), "w")  # a framework may print: that goes to standard error
    os.dup2(2, 1)
    try:
        request = Request(**json.loads(text))
        model = numjaz.load(request.path)
        prepared = ENGINES[request.engine](model, request)
        _answer(answers, {"ready": True})
        for line in sys.stdin:
            _answer(answers, _asked(json.loads(line), prepared, model, request.window, request.engine))
    except (Exception, KeyboardInterrupt) as error:
        said = str(error) if isinstance(error, NumjazError) else f"{type(error).__name__}: {line_of(error)}"
        _answer(answers, {"error": said})
        sys.exit(1)


def _answer(answers: Any, values: Any) -> None:
    answers.write(json.dumps(values) + "\n")
    answers.flush()


def _asked(question: dict[str, Any], prepared: Callable[[int], Predict], model: Model, window: int, engine: str) -> Any:
    match question["ask"]:
        case "outputs":
            x = np.load(question["x"])
            return {"outputs": np.asarray(prepared(len(x))(x), np.float64).tolist()}
        case "time":
            return {"seconds": _times(prepared(question["windows"]), model, window, **question)}
        case "installed":
            return {"bytes": installed(engine)}
    raise NumjazError(f"nobody answers {question!r:.80}")


def _times(
    predict: Predict, model: Model, window: int, *, ask: str, windows: int, repeats: int, least_s: float
) -> list[float]:
    """Seconds of each of some calls, on inputs that vary; more of them where they are over at once."""
    features = model.nodes[0].layer.features  # type: ignore[attr-defined]
    rng = np.random.default_rng(0)
    pool = [rng.normal(size=(windows, window, features)).astype(np.float32) for _ in range(POOL)]
    predict(pool[0])
    seconds: list[float] = []
    while len(seconds) < repeats or sum(seconds) < least_s:
        x = pool[len(seconds) % POOL]
        started = time.perf_counter()
        predict(x)
        seconds.append(time.perf_counter() - started)
    return seconds


def installed(engine: str) -> int:
    """Bytes on disk of the packages that an engine has loaded, the standard library aside."""
    places: set[Path] = set()
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        needless = name == "numjaz" and (engine == "numjaz-file" or not engine.startswith("numjaz"))  # but to ask
        if file is not None and "." not in name and name not in sys.stdlib_module_names and not needless:
            places.add(Path(file).parent if Path(file).stem == "__init__" else Path(file))
    if any(place.name == "numjaz" for place in places):
        places.add(Path(next(iter(shipped_models().values()))).parent)
    places |= {place.with_name(f"{place.name}.libs") for place in places}
    found = {f for place in places for f in ([place] if place.is_file() else place.rglob("*"))}
    beside = {"__pycache__", "training"}  # compiled again anywhere; not in the wheel
    return sum(f.stat().st_size for f in found if f.is_file() and not beside & set(f.parts))


def _numjaz(model: Model, request: Request) -> Callable[[int], Predict]:
    plans: dict[int, Any] = {}

    def prepared(windows: int) -> Predict:
        plan = plans.setdefault(windows, None) or numjaz.compile(model, windows)
        plans[windows] = plan
        predict: Predict = plan.predict
        return predict

    return prepared


def _hdf5(model: Model, request: Request) -> Callable[[int], Predict]:
    return _numjaz(numjaz.load(Path(request.path).with_suffix(".h5")), request)


def _reference(model: Model, request: Request) -> Callable[[int], Predict]:
    return lambda windows: lambda x: model.reference({model.inputs[0]: x})[model.outputs[0]]


def _file(model: Model, request: Request) -> Callable[[int], Predict]:
    sys.path.insert(0, str(Path(request.path).parent))
    import network  # type: ignore[import-not-found, unused-ignore]

    predict: Predict = network.predict
    return lambda windows: predict


def _onnxruntime(model: Model, request: Request) -> Callable[[int], Predict]:
    import onnxruntime

    path = Path(request.path).with_suffix(".onnx")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = request.threads, 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda windows: lambda x: np.asarray(session.run(None, {name: x})[0])


def _torch(model: Model, request: Request) -> Callable[[int], Predict]:
    import torch

    from numjaz.frameworks.torch import torch_module

    torch.set_num_threads(request.threads)
    module = torch_module(model).eval()

    def predict(x: Array) -> Array:
        with torch.inference_mode():
            made: Array = module(torch.from_numpy(x)).numpy()
        return made

    return lambda windows: predict


def _keras(model: Model, request: Request) -> Callable[[int], Predict]:
    from numjaz.frameworks.keras import keras_model

    _limit_tensorflow(request.threads)
    twin = keras_model(model)
    return lambda windows: lambda x: np.asarray(twin.predict(x, batch_size=len(x), verbose=0))


def _function(model: Model, request: Request) -> Callable[[int], Predict]:
    import tensorflow as tf

    from numjaz.frameworks.keras import keras_model

    _limit_tensorflow(request.threads)
    called = tf.function(keras_model(model))
    return lambda windows: lambda x: np.asarray(called(tf.constant(x)))


def _limit_tensorflow(threads: int) -> None:
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def _litert(model: Model, request: Request) -> Callable[[int], Predict]:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        from tensorflow.lite.python.interpreter import Interpreter

    loaded = Interpreter(model_path=str(Path(request.path).with_suffix(".tflite")), num_threads=request.threads)
    loaded.allocate_tensors()
    given, made = loaded.get_input_details()[0]["index"], loaded.get_output_details()[0]["index"]

    def one(x: Array) -> Array:
        loaded.set_tensor(given, x)
        loaded.invoke()
        output: Array = loaded.get_tensor(made)
        return output

    return lambda windows: lambda x: np.concatenate([one(x[k : k + 1]) for k in range(len(x))])


ENGINES: dict[str, Callable[[Model, Request], Callable[[int], Predict]]] = {
    "numjaz": _numjaz,
    "numjaz-h5": _hdf5,
    "numjaz-file": _file,
    "numjaz-reference": _reference,
    "onnxruntime": _onnxruntime,
    "litert": _litert,
    "torch": _torch,
    "tf-function": _function,
    "keras": _keras,
}
"""What makes each ready: for a network, something that gives for so many windows what predicts them."""
