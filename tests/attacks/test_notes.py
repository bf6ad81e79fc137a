"""A file chooses its test case and its options: neither may cost more than a small device has."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from child import refused, run

import numjaz
from numjaz import Golden, Node
from numjaz.architectures.initial import initial_parameters
from numjaz.layers import (
    GRU,
    Dense,
    GlobalMaxPooling1D,
    Input,
    Layer,
    MultiHeadAttention,
    RepeatVector,
    UpSampling1D,
    ZeroPadding1D,
)
from numjaz.nodes import parameter_table

pytestmark = pytest.mark.skipif(not hasattr(os, "wait4"), reason="measuring a child's memory needs wait4")


def saved(path: Path, layers: list[Layer], time: int = 4) -> None:
    """A chain of layers with a test case, as ``.npz``."""
    nodes = [Node("input", Input(3))]
    for k, layer in enumerate(layers):
        inputs = ((nodes[-1].name, 0),) * (2 if isinstance(layer, MultiHeadAttention) else 1)
        nodes.append(Node(f"n{k}", layer, inputs))
    model = numjaz.Model(nodes, initial_parameters(parameter_table(nodes), 0))
    x = np.zeros((1, time, 3))
    model.derive(golden=Golden(x, np.zeros((1, 2)))).save(path)


def changed(path: Path, change: Any) -> None:
    """The same file with another note."""
    with zipfile.ZipFile(path) as held:
        entries = {name: held.read(name) for name in held.namelist()}
    with np.load(path) as arrays:
        note = json.loads(arrays["numjaz"].tobytes())
    change(note)
    text = np.frombuffer(json.dumps(note).encode(), np.uint8)
    with zipfile.ZipFile(path, "w") as made:
        for name, content in entries.items():
            if name != "numjaz.npy":
                made.writestr(name, content)
        with made.open("numjaz.npy", "w") as entry:
            np.lib.format.write_array(entry, text)


def larger(key: str, value: int) -> Any:
    return lambda note: note["nodes"][1]["layer"].update({key: value})


@pytest.mark.parametrize("command", ["info", "check"])
@pytest.mark.parametrize(
    ("layers", "change"),
    [
        ([UpSampling1D(3), GlobalMaxPooling1D(), Dense(2)], larger("size", 10**9)),
        ([UpSampling1D(3), GlobalMaxPooling1D(), Dense(2)], larger("size", 3 * 10**7)),
        ([ZeroPadding1D(3, 3), GlobalMaxPooling1D(), Dense(2)], larger("behind", 10**9)),
        (
            [GlobalMaxPooling1D(), RepeatVector(3), GlobalMaxPooling1D(), Dense(2)],
            lambda n: n["nodes"][2]["layer"].update(n=10**9),
        ),
    ],
    ids=["up", "up a little", "padding", "repeat"],
)
def test_options_that_ask_for_gigabytes(tmp_path: Path, command: str, layers: list[Layer], change: Any) -> None:
    path = tmp_path / "m.npz"
    saved(path, layers)
    changed(path, change)
    refused(run(command, str(path)), r"the test case would take [\d,]+ numbers; at most")


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ([GRU(2) for _ in range(3)] + [GlobalMaxPooling1D(), Dense(2)], "steps"),
        ([MultiHeadAttention(1, 1), GlobalMaxPooling1D(), Dense(2)], "numbers"),
    ],
    ids=["steps", "attention"],
)
def test_a_long_test_case(tmp_path: Path, layers: list[Layer], said: str) -> None:
    path = tmp_path / "m.npz"
    saved(path, layers, time=20_001)
    refused(run("info", str(path)), f"the test case would take [\\d,]+ {said}; at most")


def test_a_builder_with_absurd_options(tmp_path: Path) -> None:
    np.savez(tmp_path / "m.npz", kernel=np.zeros(3))
    refused(run("info", str(tmp_path / "m.npz"), "--architecture", "jazbat:units=40000"), "parameters; at most")


def test_the_file_that_is_read_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "m.npz"
    saved(path, [GlobalMaxPooling1D(), Dense(2)])
    before = path.read_bytes()
    refused(run("convert", str(path), str(path)), "is the file that is read")
    assert path.read_bytes() == before


def test_a_replaced_file_keeps_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "m.npz"
    path.write_bytes(b"")
    path.chmod(0o600)
    saved(path, [GlobalMaxPooling1D(), Dense(2)])
    assert path.stat().st_mode & 0o777 == 0o600
