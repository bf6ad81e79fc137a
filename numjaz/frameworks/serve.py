"""Running a model file in its framework, in an interpreter of its own: ``python -m numjaz.frameworks.serve``.

`served` starts that interpreter; what it runs is `main`, which writes a recording and nothing else.
"""

from __future__ import annotations

import os
import pkgutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import numjaz
from numjaz.compare.runs import Run, read_run, write_run
from numjaz.errors import NumjazError
from numjaz.layers import Array

SECONDS = 600


def served(
    framework: str, path: str, x: Mapping[str, Array], *, python: str = sys.executable, factory: str = ""
) -> Run:
    """A model file's run in a framework.

    Parameters
    ----------
    framework : str
        ``keras``, ``torch`` or ``onnxruntime``.
    path : str
        What the framework itself reads: a Keras archive or ``.h5``; for torch a state dict with a ``factory``. For
        any other file, or a shipped network, the framework is given the twin that numjaz makes of it.
    x : dict of str to array
        The inputs.
    python : str
        The interpreter that has the framework; numjaz is given to it, and needs NumPy alone there.
    factory : str
        ``module:function`` that makes the torch module, looked for in the current folder too.

    Raises
    ------
    NumjazError
        With what the other interpreter said last.
    """
    if framework not in FRAMEWORKS:
        raise NumjazError(f"framework {framework!r:.40} is not one of {', '.join(FRAMEWORKS)}")
    with tempfile.TemporaryDirectory() as folder:
        inputs, outputs = Path(folder) / "inputs.npz", Path(folder) / "outputs.npz"
        write_run(Run("inputs", x, x), inputs)
        here = str(Path(numjaz.__file__).parents[1])
        known = os.pathsep.join([here, str(Path.cwd()), *filter(None, [os.environ.get("PYTHONPATH")])])
        command = [python, "-m", "numjaz.frameworks.serve", framework, path, str(inputs), str(outputs), factory]
        try:
            ended = subprocess.run(
                command,
                env={**os.environ, "PYTHONPATH": known, "TF_CPP_MIN_LOG_LEVEL": "3"},
                capture_output=True,
                text=True,
                timeout=SECONDS,
                stdin=subprocess.DEVNULL,
            )
        except OSError as error:
            raise NumjazError(f"{python}: cannot be run ({error.strerror})") from None
        except subprocess.TimeoutExpired:
            raise NumjazError(f"{framework} did not end within {SECONDS} seconds") from None
        if ended.returncode or not outputs.exists():
            said = [line for line in ended.stderr.splitlines() if line.strip()] or ["nothing"]
            raise NumjazError(f"{framework} in {python} said: {said[-1].strip()[:300]}")
        run = read_run(outputs)
        return Run(framework, run.inputs, run.outputs)


def main(arguments: list[str]) -> None:
    """Run a file on recorded inputs, and write the recording."""
    framework, path, inputs, outputs, factory = arguments
    run = FRAMEWORKS[framework](path, dict(read_run(inputs).inputs), factory)
    write_run(run, outputs)


def _keras(path: str, x: dict[str, Array], factory: str) -> Run:
    import keras

    from numjaz.frameworks import record

    if _whole(path):
        loaded = keras.models.load_model(path, compile=False)
    else:
        from numjaz.frameworks.keras import keras_model

        loaded = keras_model(numjaz.load(path))
    return record(loaded, _taken(x))


def _taken(x: dict[str, Array]) -> Any:
    """What a model is called with: the only input itself, or all by name."""
    (first, *others) = x.values()
    return x if others else first


def _whole(path: str) -> bool:
    """Whether Keras can read the network from the file, and not only weights."""
    if path.endswith(".keras"):
        return True
    if not Path(path).is_file() or Path(path).suffix not in (".h5", ".hdf5"):
        return False
    import h5py

    with h5py.File(path) as file:
        return "model_config" in file.attrs


def _torch(path: str, x: dict[str, Array], factory: str) -> Run:
    import torch

    from numjaz.frameworks import record

    if not factory:
        from numjaz.frameworks.torch import torch_module

        with torch.no_grad():
            made = torch_module(numjaz.load(path)).activations({n: torch.from_numpy(a) for n, a in x.items()})
        return Run("torch", x, {name: tensor.numpy() for name, tensor in made.items()})
    built = pkgutil.resolve_name(factory)()
    built.load_state_dict(torch.load(path, weights_only=True, map_location="cpu"))
    return record(built, _taken(x))


def _onnxruntime(path: str, x: dict[str, Array], factory: str) -> Run:
    import onnx
    import onnxruntime

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.onnx"
        numjaz.load(path).save(file, "onnx")
        graph = onnx.load(file)
    wanted = {name for node in graph.graph.node for name in node.output}
    ends = {value.name for value in graph.graph.output}
    graph.graph.output.extend(onnx.ValueInfoProto(name=name) for name in sorted(wanted - ends))
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_outputs()]
    taken: dict[str, Any] = {value.name: x[value.name] for value in session.get_inputs()}
    return Run("onnxruntime", x, dict(zip(names, map(np.asarray, session.run(names, taken)), strict=True)))


FRAMEWORKS: dict[str, Callable[[str, dict[str, Array], str], Run]] = {
    "keras": _keras,
    "torch": _torch,
    "onnxruntime": _onnxruntime,
}

if __name__ == "__main__":
    main(sys.argv[1:])
