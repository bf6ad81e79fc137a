"""Networks of thousands of layers: what a file costs grows with its layers, not with their square."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from child import refused, run
from test_notes import changed

import numjaz
from numjaz import Node
from numjaz.layers import Add, Dense, Input

pytestmark = pytest.mark.skipif(not hasattr(os, "wait4"), reason="measuring a child's memory needs wait4")


def chain() -> list[Node]:
    """3,000 layers, one behind the other."""
    nodes = [Node("input", Input(1))]
    for k in range(3000):
        nodes.append(Node(f"d{k}", Dense(1), ((nodes[-1].name, 0),)))
    return nodes


def fan() -> list[Node]:
    """800 layers side by side."""
    nodes = [Node("input", Input(1)), *(Node(f"d{k}", Dense(1), (("input", 0),)) for k in range(800))]
    return [*nodes, Node("sum", Add(), tuple((node.name, 0) for node in nodes[1:]))]


def ladder() -> list[Node]:
    """1,500 layers, each of which reaches all that are behind it through sums alone."""
    nodes = [Node("input", Input(1))]
    last = "input"
    for k in range(1500):
        nodes.append(Node(f"d{k}", Dense(1), ((last, 0),)))
        nodes.append(Node(f"a{k}", Add(), ((last, 0), (f"d{k}", 0))))
        last = f"a{k}"
    return nodes


def saved(path: Path, nodes: list[Node]) -> None:
    """A file whose arrays are called otherwise than the note's layers, the last one short."""
    owners = [node.name for node in nodes if isinstance(node.layer, Dense)]
    arrays = {
        f"{owner}/{name}": np.zeros(shape) for owner in owners for name, shape in (("kernel", (1, 1)), ("bias", 1))
    }
    numjaz.Model(nodes, arrays).save(path)

    def renamed(note: dict) -> None:
        for node in note["nodes"]:
            node["name"] = node["owner"] = f"other_{node['name']}"
            node["inputs"] = [[f"other_{source}", output] for source, output in node["inputs"]]
        note["outputs"] = [f"other_{note['outputs'][0]}"]
        note["nodes"].append({**note["nodes"][1], "name": "one_more", "owner": "one_more"})

    changed(path, renamed)


@pytest.mark.parametrize(
    ("nodes", "said"),
    [(chain, "need bias"), (fan, "need bias"), (ladder, "over 500,000 paths lead from layer to layer")],
)
def test_thousands_of_layers(tmp_path: Path, nodes: Callable[[], list[Node]], said: str) -> None:
    saved(tmp_path / "m.npz", nodes())
    refused(run("info", str(tmp_path / "m.npz")), said)


@pytest.mark.parametrize("naming", ["keras_writing import keras_names", "torch_names import module_names"])
def test_ten_thousand_names_that_become_one(naming: str) -> None:
    code = (
        f"from numjaz.formats.{naming} as called; from numjaz.nodes import Node; from numjaz.layers import Input\n"
        "patterns = [f'{k:014b}'.replace('0', '.').replace('1', '_') for k in range(10_000)]\n"
        "names = called([Node(name, Input(1)) for name in patterns])\n"
        "assert len(set(names.values())) == 10_000"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
