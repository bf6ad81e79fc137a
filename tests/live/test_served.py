"""`numjaz check FILE --with FRAMEWORK`: the same file, run by real frameworks in interpreters of their own."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

import numjaz
from numjaz.cli import main

ROOT = Path(__file__).parents[2]
Capture = pytest.CaptureFixture[str]
FACTORY = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, epsilon):
        super().__init__()
        self.conv = nn.Conv1d(3, 8, 5, padding=2)
        self.norm = nn.BatchNorm1d(8, eps=epsilon)
        self.dense = nn.Linear(8, 4)

    def forward(self, x):
        y = torch.relu(self.norm(self.conv(x.transpose(1, 2))))
        return self.dense(y.mean(2))

def right():
    return Net(1e-5)

def wrong():
    return Net(1e-1)
"""


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
    for path in sorted((ROOT / "weights" / "originals").glob("*.keras")):
        assert main(["check", str(path), "--with", "keras"]) == 0
        assert capsys.readouterr().out.splitlines()[-1] == "the two agree: rounding explains every difference"


def test_a_module_of_somebodys_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    needs("torch")
    from numjaz import Node
    from numjaz.architectures.initial import initial_parameters
    from numjaz.layers import BatchNormalization, Conv1D, Dense, GlobalAveragePooling1D, Input, ReLU
    from numjaz.nodes import parameter_table

    layers = [Input(3), Conv1D(8, 5, "same"), BatchNormalization(1e-5), ReLU(), GlobalAveragePooling1D(), Dense(4)]
    names = ["input", "conv", "norm", "relu", "pool", "dense"]
    nodes = [Node(names[0], layers[0])]
    nodes += [Node(n, layer, ((before, 0),)) for n, layer, before in zip(names[1:], layers[1:], names, strict=False)]
    model = numjaz.Model(nodes, initial_parameters(parameter_table(nodes), 0))
    model.save(tmp_path / "architecture.h5")
    model.save(tmp_path / "weights.pt")
    (tmp_path / "mine.py").write_text(FACTORY, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    command = ["check", "weights.pt", "--architecture", "architecture.h5", "--with", "torch", "--factory"]
    assert main([*command, "mine:right", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["agree"]
    assert main([*command, "mine:wrong", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["node"] == "norm"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--with", "caffe"], "framework 'caffe' is not one of keras, torch, onnxruntime"),
        (["--with", "torch", "--python", "/nowhere/python"], "/nowhere/python: cannot be run"),
        (["--with", "torch", "--factory", "nomodule:nothing"], "said:"),
        (["jazbat-watch-1d-activity", "--with", "torch"], "--with takes the place of OTHER"),
    ],
)
def test_what_cannot_be_run_says_why(arguments: list[str], said: str, capsys: Capture) -> None:
    assert main(["check", "jazbat-watch-1d-activity", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert said in error
