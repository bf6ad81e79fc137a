"""Running a network in a framework, in an interpreter of its own.

`served` starts that interpreter; what it runs is `main`, which writes a recording, or why there is none.
"""

from __future__ import annotations

import json
import os
import pkgutil
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import numjaz
from numjaz.compare.runs import Run, read_run, write_run
from numjaz.errors import NumjazError
from numjaz.formats.torch_names import IGNORED, to_torch
from numjaz.frameworks.interpreter import MOST, command, end_with_input, environment, line_of
from numjaz.layers import Array
from numjaz.model import Model
from numjaz.nodes import layers_by_owner, owned_parameters

SECONDS = 600
PACKAGES = {"keras": "keras tensorflow-cpu", "torch": "torch", "onnxruntime": "onnxruntime onnx"}


@dataclass(frozen=True)
class Request:
    """What the other interpreter is asked.

    Attributes
    ----------
    framework, path : str
        As `served` takes them.
    folder : str
        Where `NETWORK` and `INPUTS` lie, and where it writes.
    architecture, key : str or None
        What the user said of a file that holds weights only.
    factory : str
        What makes the torch module.
    """

    framework: str
    path: str
    folder: str
    architecture: str | None
    key: str | None
    factory: str

    def file(self, name: str) -> Path:
        """A file in the folder."""
        return Path(self.folder) / name

    def twin(self) -> Model:
        """The network as numjaz has opened it."""
        return numjaz.load(self.file(NETWORK))


NETWORK, INPUTS, OUTPUTS, SAID = "network.npz", "inputs.npz", "outputs.npz", "said.txt"


def served(
    framework: str,
    model: Model,
    x: Mapping[str, Array],
    *,
    path: str = "",
    architecture: str | None = None,
    key: str | None = None,
    factory: str = "",
    python: str = sys.executable,
) -> Run:
    """A network's run in a framework.

    Parameters
    ----------
    framework : str
        ``keras``, ``torch`` or ``onnxruntime``.
    model : Model
        The network; the framework is given the twin that numjaz makes of it, but for what it reads itself.
    x : dict of str to array
        The inputs, in the dtype that the framework has the network in: `dtype_there`.
    path : str
        The file that the network is of. Keras reads its own archives and ``.h5``, and weights only where
        ``architecture`` is such a file; torch reads a state dict where there is a ``factory``.
    architecture, key : str, optional
        What was said of that file.
    factory : str
        ``module:function`` that makes the torch module, looked for in the current folder too.
    python : str
        The interpreter that has the framework; numjaz is lent to it, and needs NumPy alone there.

    Raises
    ------
    NumjazError
        With what the other interpreter said.
    """
    if framework not in FRAMEWORKS:
        raise NumjazError(f"framework {framework!r:.40} is not one of {', '.join(FRAMEWORKS)}")
    if factory and framework != "torch":
        raise NumjazError(f"a factory makes a torch module, and {framework} takes none")
    with tempfile.TemporaryDirectory() as folder:
        request = Request(framework, path, folder, architecture, key, factory)
        model.save(request.file(NETWORK))
        write_run(Run("inputs", x, x), request.file(INPUTS))
        code, said = _started(command(python, "serve", asdict(request)))
        if request.file(SAID).exists():
            raise NumjazError(f"{framework} in {python}: {request.file(SAID).read_text(encoding='utf-8')}")
        if code or not request.file(OUTPUTS).exists():
            last = next((line.strip() for line in reversed(said.splitlines()) if line.strip()), "nothing")
            ended = f"was ended by {signal.Signals(-code).name}" if code < 0 else "is no Python that runs numjaz"
            raise NumjazError(f"{python} {ended}; it said: {last[:MOST]}")
        run = read_run(request.file(OUTPUTS))
        return Run(framework, run.inputs, run.outputs)


def dtype_there(model: Model) -> np.dtype[Any]:
    """What a framework computes the network in: float64 where an array is, else float32."""
    return np.result_type(np.float32, *model.parameters.values())


def _started(command: list[str]) -> tuple[int, str]:
    """Run the other interpreter; its exit code, and what it wrote on standard error.

    Its standard input ends when this process does, in whatever way: `end_with_input`.
    """
    reading, writing = os.pipe()
    try:
        with subprocess.Popen(
            command,
            env=environment(),
            stdin=reading,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
        ) as process:
            try:
                said = process.communicate(timeout=SECONDS)[1]
            except BaseException:
                process.kill()
                raise
    except subprocess.TimeoutExpired:
        raise NumjazError(f"{command[0]} did not end within {SECONDS} seconds") from None
    except OSError as error:
        raise NumjazError(f"{command[0]}: cannot be run ({error.strerror})") from None
    finally:
        os.close(reading)
        os.close(writing)
    return process.returncode, said


def main(text: str) -> None:
    """Answer a `Request` in JSON: a recording, or one line that says why there is none."""
    end_with_input()
    request = Request(**json.loads(text))
    try:
        pkgutil.resolve_name(request.framework)
    except ImportError as error:
        packages = PACKAGES[request.framework]
        said = f"cannot be imported ({line_of(error)}): {sys.executable} -m pip install {packages}"
    else:
        try:
            run = FRAMEWORKS[request.framework](request, dict(read_run(request.file(INPUTS)).inputs))
            write_run(run, request.file(OUTPUTS))
            return
        except ModuleNotFoundError as error:
            package = str(error.name).partition(".")[0]
            said = line_of(error) + (f": {sys.executable} -m pip install {package}" if error.name else "")
        except NumjazError as error:
            said = str(error)
        except Exception as error:
            said = f"{type(error).__name__}: {line_of(error)}"
    request.file(SAID).write_text(said, encoding="utf-8")
    sys.exit(1)


def _keras(request: Request, x: dict[str, Array]) -> Run:
    import keras

    from numjaz.frameworks import record

    architecture = request.architecture or ""
    if _whole(request.path):
        model = keras.models.load_model(request.path, compile=False)
    elif _whole(architecture) and _hdf5(request.path):
        model = keras.models.load_model(architecture, compile=False)
        model.load_weights(request.path)
    else:
        from numjaz.frameworks.keras import keras_model

        model = keras_model(request.twin())
    return record(model, _taken(x))


def _taken(x: dict[str, Array]) -> Any:
    """What a model is called with: the only input itself, or all by name."""
    (first, *others) = x.values()
    return x if others else first


def _whole(path: str) -> bool:
    """Whether Keras can read the network from the file, and not only weights."""
    if not _hdf5(path):
        return path.endswith(".keras")
    import h5py

    with h5py.File(path) as file:
        return "model_config" in file.attrs


def _hdf5(path: str) -> bool:
    return Path(path).suffix in (".h5", ".hdf5") and Path(path).is_file()


def _torch(request: Request, x: dict[str, Array]) -> Run:
    import torch

    from numjaz.frameworks import record

    if not request.factory:
        from numjaz.frameworks.torch import torch_module

        with torch.no_grad():
            made = torch_module(request.twin()).activations({n: torch.from_numpy(a) for n, a in x.items()})
        return Run("torch", x, {name: tensor.numpy() for name, tensor in made.items()})
    state, module = _state(request), _made(request.factory)
    if not isinstance(module, torch.nn.Module):
        raise NumjazError(f"--factory {request.factory} gave {type(module).__name__}, not a torch.nn.Module")
    wanted = list(module.state_dict())
    ends = [name.removesuffix(wanted[0]) for name in state if wanted and name.endswith(wanted[0])]
    head = next((head for head in ends if all(head + name in state for name in wanted)), "")  # DataParallel's "module."
    module.load_state_dict({name.removeprefix(head): state[name] for name in state if name.startswith(head)})
    run, called = record(module, _taken(x)), _called(request.twin(), module)
    outputs = {}
    for name, array in run.outputs.items():
        place, bracket, number = name.partition("[")
        outputs[called.get(place, place) + bracket + number] = array
    return Run("torch", run.inputs, outputs)


def _called(model: Model, module: Any) -> dict[str, str]:
    """The node that each module is, by the weights that both hold; biases may be one here and two there."""
    state = {name: tensor.numpy() for name, tensor in module.state_dict().items()}
    places: dict[str, dict[str, Array]] = {}
    for name, array in state.items():
        place, _, leaf = name.rpartition(".")
        places.setdefault(place, {}).update({} if leaf == IGNORED else {leaf: array})
    layers, owned, found = layers_by_owner(model.nodes), owned_parameters(model.nodes), dict[str, str]()
    for owner, names in owned.items():
        nodes = [node.name for node in model.nodes if node.owner == owner]
        own = to_torch(layers[owner], {name: model.parameters[f"{owner}/{name}"] for name in names})
        same = [
            place
            for place, held in places.items()
            if place not in found
            and own.keys() == held.keys()
            and all(leaf.startswith("bias") or np.array_equal(held[leaf], array) for leaf, array in own.items())
        ]
        if own and same and len(nodes) == 1:
            found[same[0]] = nodes[0]
    return found


def _made(factory: str) -> Any:
    """What somebody's own function gives."""
    try:
        return pkgutil.resolve_name(factory)()
    except (Exception, SystemExit) as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        own = Path(last.filename).is_file() and last.filename not in (__file__, pkgutil.__file__)
        where = f" ({Path(last.filename).name}, line {last.lineno})" if own else ""
        raise NumjazError(f"--factory {factory}: {type(error).__name__}: {line_of(error)}{where}") from None


def _state(request: Request) -> dict[str, Any]:
    """The state dict that numjaz takes, read by torch itself."""
    import torch

    from numjaz.formats.tensor_files import open_tensors

    opened = open_tensors(request.path, request.key) if Path(request.path).is_file() else None
    if opened is None:
        raise NumjazError(f"--factory goes with the file of a state dict, and {request.path} is none")
    with opened as file:
        kind, names = file.kind, set(file.shapes)
    if kind == "npz":
        raise NumjazError(f"--factory goes with a state dict, and {request.path} is none of torch's")
    if kind == "safetensors":
        from safetensors.torch import load_file

        return dict(load_file(request.path))
    loaded = torch.load(request.path, weights_only=True, map_location="cpu")
    for path, held in _dicts(loaded):
        tensors = {name: value for name, value in held.items() if isinstance(value, torch.Tensor)}
        if set(tensors) == names and request.key in (None, path):
            return tensors
    raise NumjazError(f"{request.path}: torch reads no state dict of {len(names)} tensors there")


def _dicts(held: Any, path: str = "") -> Iterator[tuple[str, Mapping[Any, Any]]]:
    """Every dict in a checkpoint, by its dotted path."""
    if isinstance(held, Mapping):
        yield path, held
    inner = held.items() if isinstance(held, Mapping) else enumerate(held) if isinstance(held, (list, tuple)) else ()
    for key, value in inner:
        yield from _dicts(value, f"{path}.{key}" if path else str(key))


def _onnxruntime(request: Request, x: dict[str, Array]) -> Run:
    import onnx
    import onnxruntime

    file = request.file("model.onnx")
    request.twin().save(file, "onnx")
    graph = onnx.load(file)
    wanted = {name for node in graph.graph.node for name in node.output}
    ends = {value.name for value in graph.graph.output}
    graph.graph.output.extend(onnx.ValueInfoProto(name=name) for name in sorted(wanted - ends))
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_outputs()]
    taken: dict[str, Any] = {value.name: x[value.name] for value in session.get_inputs()}
    return Run("onnxruntime", x, dict(zip(names, map(np.asarray, session.run(names, taken)), strict=True)))


FRAMEWORKS: dict[str, Callable[[Request, dict[str, Array]], Run]] = {
    "keras": _keras,
    "torch": _torch,
    "onnxruntime": _onnxruntime,
}
