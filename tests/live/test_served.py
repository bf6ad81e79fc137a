"""`numjaz check FILE --with FRAMEWORK`: the same file, run by real frameworks in interpreters of their own."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import numjaz
from numjaz.cli import main

ROOT = Path(__file__).parents[2]
Capture = pytest.CaptureFixture[str]
FACTORY = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, epsilon=1e-5, nan=False):
        super().__init__()
        self.nan = nan
        self.features = nn.Sequential(nn.Conv1d(3, 8, 5, padding=2), nn.BatchNorm1d(8, eps=epsilon))
        self.recurrent = nn.GRU(8, 8, batch_first=True)
        self.head = nn.Linear(8, 4)

    def forward(self, x):
        y = torch.relu(self.features(x.transpose(1, 2))).transpose(1, 2)
        y = self.recurrent(y)[0].mean(1)
        return self.head(y / 0 * 0 if self.nan else y)

def right():
    return Net()

def wrong():
    return Net(1e-1)

def nan():
    return Net(nan=True)

def raises():
    raise ValueError("no weights\\nhere")

def leaves():
    raise SystemExit(3)

def nothing():
    return {}

def other():
    return nn.Linear(2, 2)
"""
SAVING = """
import torch
from mine import right

tables = []
for seed in range(2):
    torch.manual_seed(seed)
    net = right()
    net.features[1].running_mean.normal_()
    net.features[1].running_var.uniform_(0.5, 2)
    tables.append(net.state_dict())
torch.save(tables[0], "plain.pt")
torch.save({"epoch": 3, "model": tables[0], "ema": {"model": tables[1]}}, "checkpoint.pt")
torch.save({"state_dict": {"module." + name: tensor for name, tensor in tables[0].items()}}, "parallel.pt")
"""


def somewhere_else(code: str, *arguments: str) -> None:
    """Run in a process of its own, since frameworks end each other."""
    subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True)


@pytest.fixture
def somebodys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a torch script, its checkpoints, and the same network in numjaz under other names."""
    needs("torch")
    from numjaz import Node
    from numjaz.architectures.initial import initial_parameters
    from numjaz.layers import GRU, BatchNormalization, Conv1D, Dense, GlobalAveragePooling1D, Input, ReLU
    from numjaz.nodes import parameter_table

    layers = [Input(3), Conv1D(8, 5, "same"), BatchNormalization(1e-5), ReLU(), GRU(8, return_sequences=True)]
    layers += [GlobalAveragePooling1D(), Dense(4)]
    names = ["input", "conv", "norm", "relu", "gru", "pool", "dense"]
    nodes = [Node(names[0], layers[0])]
    nodes += [Node(n, layer, ((before, 0),)) for n, layer, before in zip(names[1:], layers[1:], names, strict=False)]
    numjaz.Model(nodes, initial_parameters(parameter_table(nodes), 0)).save(tmp_path / "architecture.h5")
    (tmp_path / "mine.py").write_text(FACTORY, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    somewhere_else(SAVING)
    return tmp_path


def needs(*modules: str) -> None:
    for module in modules:
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed")


@pytest.mark.parametrize(
    ("framework", "modules"),
    [("keras", ("keras",)), ("torch", ("torch",)), ("onnxruntime", ("onnxruntime", "onnx"))],
)
def test_a_shipped_network(framework: str, modules: tuple[str, ...], capsys: Capture) -> None:
    needs(*modules)
    assert main(["check", "jazbat-watch-1d-activity", "--with", framework, "--json"]) == 0
    held = json.loads(capsys.readouterr().out)
    assert (held["agree"], held["node"]) == (True, None)
    assert len(held["nodes"]) == len(numjaz.load("jazbat-watch-1d-activity").nodes) - 1


def test_what_keras_trained_in_its_own_file(capsys: Capture) -> None:
    needs("keras")
    for path in sorted((ROOT / "tests" / "fixtures" / "trained").glob("*.keras")):
        assert main(["check", str(path), "--with", "keras"]) == 0
        assert capsys.readouterr().out.splitlines()[-1] == "the two agree: rounding explains every difference"


FILES = {  # and what has to be said of it
    "plain.pt": [],
    "checkpoint.pt": ["--key", "model"],
    "checkpoint.pt, the other": ["--key", "ema.model"],
    "parallel.pt": [],
}
OPENED = ["--architecture", "architecture.h5", "--names", "conv={0}features.0,norm={0}features.1"]


@pytest.mark.parametrize("file", FILES)
def test_a_module_of_somebodys_own(file: str, somebodys: Path, capsys: Capture) -> None:
    """Layers have other names there: each is told by its weights."""
    path = file.partition(",")[0]
    named = [option.format("module." if path == "parallel.pt" else "") for option in OPENED]
    command = ["check", path, *named, *FILES[file], "--json", "--with", "torch"]
    for factory in ([], ["--factory", "mine:right"]):
        assert main([*command, *factory]) == 0, capsys.readouterr()
        held = json.loads(capsys.readouterr().out)
        assert held["agree"]
    assert {"conv", "norm", "gru", "dense"} <= {node["name"] for node in held["nodes"]}
    assert main([*command, "--factory", "mine:wrong"]) == 1
    held = json.loads(capsys.readouterr().out)
    assert (held["agree"], held["node"]) == (False, "norm")


def test_weights_of_another_key_are_a_fault(somebodys: Path, capsys: Capture) -> None:
    """Of two state dicts of the same names, the one that was named is loaded there too."""
    named = ["--architecture", "architecture.h5"]
    assert (
        main(["check", "checkpoint.pt", *named, "--key", "ema.model", "--with", "torch", "--factory", "mine:right"])
        == 0
    )
    capsys.readouterr()
    assert main(["check", "checkpoint.pt", *named, "--with", "torch", "--factory", "mine:right"]) == 2
    assert "holds several state dicts" in capsys.readouterr().err


def test_a_safetensors_file(somebodys: Path, capsys: Capture) -> None:
    needs("safetensors")
    somewhere_else(
        "import torch; from safetensors.torch import save_file;"
        "save_file(torch.load('plain.pt', weights_only=True), 'plain.safetensors')"
    )
    command = ["check", "plain.safetensors", "--architecture", "architecture.h5", "--with", "torch", "--factory"]
    assert main([*command, "mine:right"]) == 0
    assert "the two agree" in capsys.readouterr().out


def test_a_network_of_nan_says_so(somebodys: Path, capsys: Capture) -> None:
    command = ["check", "plain.pt", "--architecture", "architecture.h5", "--with", "torch", "--factory", "mine:nan"]
    assert main(command) == 1
    told = [line for line in capsys.readouterr().out.splitlines() if line.startswith("the two part")]
    assert told == ["the two part in one of pool, dense: a number is NaN or infinite, at window 0, time 0"]


@pytest.mark.parametrize(
    ("factory", "said"),
    [
        ("mine:raises", "--factory mine:raises: ValueError: no weights here (mine.py, line "),
        ("mine:leaves", "--factory mine:leaves: SystemExit: 3 (mine.py, line "),
        ("mine:nothing", "--factory mine:nothing gave dict, not a torch.nn.Module"),
        ("mine:forgotten", "--factory mine:forgotten: AttributeError: module 'mine' has no attribute 'forgotten'\n"),
        ("yours:net", "--factory yours:net: ModuleNotFoundError: No module named 'yours'\n"),
        (
            "mine:other",
            "RuntimeError: Error(s) in loading state_dict for Linear: size mismatch for weight",
        ),
    ],
)
def test_a_factory_that_fails_says_why(factory: str, said: str, somebodys: Path, capsys: Capture) -> None:
    with pytest.warns(numjaz.NumjazWarning):
        model = numjaz.load("plain.pt", "architecture.h5")
    model.save("own.pt")  # which says how it is to be opened
    assert main(["check", "own.pt", "--with", "torch", "--factory", factory]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert said in error


@pytest.mark.parametrize("framework", ["keras", "torch", "onnxruntime"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_windows_of_somebodys_own(framework: str, dtype: str, tmp_path: Path, capsys: Capture) -> None:
    needs(framework, *(["onnx"] if framework == "onnxruntime" else []))
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(3, 256, 1)).astype(dtype))
    given = ["--with", framework, "--input", str(tmp_path / "x.npy")]
    assert main(["check", "jazbat-watch-1d-activity", *given]) == 0
    noted = f"run as float32, in which {framework} has the network" in capsys.readouterr().err
    assert noted == (dtype == "float64")


@pytest.mark.parametrize("framework", ["keras", "torch"])
def test_weights_in_double_precision(framework: str, tmp_path: Path, capsys: Capture) -> None:
    needs(framework)
    model = numjaz.jazbat(units=4, modules=1)
    model = model.replace({name: array.astype(np.float64) / 3 for name, array in model.parameters.items()})
    model.save(tmp_path / "double.npz")
    assert main(["check", str(tmp_path / "double.npz"), "--with", framework, "--json"]) == 0
    held = json.loads(capsys.readouterr().out)
    assert max(node["bound"] for node in held["nodes"]) < 1e-10


def test_weights_alone_are_read_by_keras_itself(tmp_path: Path, capsys: Capture) -> None:
    """Keras reads its weights file, where the architecture is a file of its own; else it has the twin."""
    needs("keras")
    original = str(ROOT / "tests" / "fixtures" / "trained" / "jazbat-watch-1d-activity.keras")
    weights = str(tmp_path / "w.weights.h5")
    somewhere_else(
        "import sys, keras; keras.models.load_model(sys.argv[1], compile=False).save_weights(sys.argv[2])",
        original,
        weights,
    )
    for architecture in (original, "jazbat:classes=18"):
        assert main(["check", weights, "--architecture", architecture, "--with", "keras"]) == 0
        assert "the two agree" in capsys.readouterr().out
    # Weights that numjaz was told to take for another layer's: Keras knows better, the twin has them as well.
    names = "module2_branch5=conv1d_14,module3_branch5=conv1d_8"
    for architecture, agree in ((original, False), ("jazbat:classes=18", True)):
        command = ["check", weights, "--architecture", architecture, "--names", names, "--with", "keras", "--json"]
        assert main(command) == (not agree)
        assert json.loads(capsys.readouterr().out)["agree"] == agree


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--with", "torch", "--factory", "mine:net"],
            "goes with the file of a state dict, and jazbat-watch-1d-activity",
        ),
    ],
)
def test_what_cannot_be_run_says_why(arguments: list[str], said: str, capsys: Capture) -> None:
    assert main(["check", "jazbat-watch-1d-activity", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert said in error


def readme(kind: str) -> list[str]:
    """The blocks of one kind in the README's section on frameworks."""
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("## Check it beside the framework")[1]
    return re.findall(rf"```{kind}\n(.*?)```", section.partition("\n## ")[0], re.DOTALL)


def masked(line: str) -> str:
    """A line of a table or verdict without what rounding and a processor make of it."""
    return re.sub(r"\d[\d.]*e[+-]\d+|at window .*|(?<= )[\d,.]+(?= )", "#", " ".join(line.split()))


def is_told(told: str, block: str) -> None:
    """All lines of a block were printed, in that order; but for where it says so, one right behind the other."""
    lines = [masked(line) for line in told.splitlines()]
    before, behind = ([masked(line) for line in part.splitlines() if line] for part in block.split("…"))
    assert lines[: len(before)] == before
    assert lines[-len(behind) :] == behind


COMMANDS = readme("sh")[0].splitlines()


@pytest.mark.parametrize("line", COMMANDS, ids=lambda line: line.partition("#")[0].split()[-1])
def test_the_readme_in_frameworks(line: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    arguments = line.partition("#")[0].split()[1:]
    needs(arguments[-1], *(["onnx"] if arguments[-1] == "onnxruntime" else []))
    monkeypatch.chdir(ROOT)
    assert main(arguments) == 0
    is_told(capsys.readouterr().out, readme("text")[0])


def test_the_readme_with_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    needs("keras")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    (script,) = readme("python")
    somewhere_else(script)
    section = (ROOT / "README.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"`numjaz (check \S+ run\.npz)`", section)
    assert main(line.split()) == 1
    is_told(capsys.readouterr().out, readme("text")[1])
    found = numjaz.compare(line.split()[1], "run.npz")
    assert (found.node, found.cause, found.fix) == ("norm", "epsilon 1e-05, not 0.001", "norm: use epsilon=0.001")
