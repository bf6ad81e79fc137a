"""Real torch: what rounding does in it stays inside the bounds and near them; float16 is agreement, faults are not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from rounding_pairs import judged, measured, torch_run

import numjaz
from numjaz.compare.divergence import compare, excite
from numjaz.compare.runs import Run
from numjaz.frameworks import record

torch = pytest.importorskip("torch")
from numjaz.frameworks.torch import torch_module  # noqa: E402

MODEL = numjaz.load("jazbat-watch-3d-activity")
SMALL = numjaz.jazbat(features=3, classes=6, reduction=6, units=8, modules=2)


def half(model: numjaz.Model, change: Any = lambda module: None) -> Run:
    """A run in float16, of a module that somebody changed before."""
    module = torch_module(model)
    with torch.no_grad():
        change(module)
        x = {name: torch.from_numpy(array).half() for name, array in excite(model).items()}
        made = module.half().activations(x)
    return Run("half", {n: t.numpy() for n, t in x.items()}, {n: t.numpy() for n, t in made.items()})


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_a_sample_of_random_networks(dtype: str, tmp_path: Any, capsys: Any) -> None:
    rows = list(measured("torch", dtype, 30, named=False))
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert judged(str(tmp_path / "rows.jsonl"), least=150, recurrent=10, expected=0.8), capsys.readouterr().out


@pytest.mark.parametrize("name", ["small", "trained"])
def test_half_is_agreement(name: str) -> None:
    model = {"small": SMALL, "trained": MODEL}[name]
    found = compare(model, half(model))
    assert found.agree, [each for each in found.nodes if each.fault]
    assert all(np.isfinite(each.bound) for each in found.nodes)
    assert max(each.relative for each in found.nodes) > 1e-4


@pytest.mark.parametrize("node", ["norm", "module1_branch5", "module2_merge", "reduction", "bigru"])
def test_a_tenth_of_a_kernel_is_found_in_half(node: str) -> None:
    def more(module: Any) -> None:
        part = getattr(module, node)
        (part.weight if hasattr(part, "weight") else part.weight_ih_l0).mul_(1.1)

    found = compare(SMALL, half(SMALL, more))
    assert (found.agree, found.node) == (False, node)


def test_truncated_weights_in_a_float32_run_are_a_fault() -> None:
    cut_down = SMALL.replace({name: cut(array) for name, array in SMALL.parameters.items()})
    found = compare(SMALL, torch_run(cut_down, excite(SMALL), "float32"))
    assert (found.agree, found.node) == (False, "bigru")


def cut(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float16).astype(array.dtype)


def test_a_typed_module_in_half_is_recorded_and_agrees() -> None:
    layers = [torch.nn.Conv1d(3, 16, 5, padding="same"), torch.nn.BatchNorm1d(16), torch.nn.ReLU()]
    torch.manual_seed(0)
    module = torch.nn.Sequential(*layers).eval()
    held = {name: tensor.numpy() for name, tensor in module.state_dict().items()}
    nodes = [
        numjaz.Node("input", numjaz.layers.Input(3)),
        numjaz.Node("0", numjaz.layers.Conv1D(16, 5), (("input", 0),)),
        numjaz.Node("1", numjaz.layers.BatchNormalization(1e-5), (("0", 0),)),
        numjaz.Node("2", numjaz.layers.ReLU(), (("1", 0),)),
    ]
    kept = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}
    arrays = {f"1/{own}": held[f"1.{there}"] for own, there in kept.items()}
    arrays |= {"0/kernel": held["0.weight"].transpose(2, 1, 0), "0/bias": held["0.bias"]}
    model = numjaz.Model(nodes, arrays)
    x = torch.randn(4, 3, 50)
    run = record(module.half(), x.half())
    taken = Run(run.name, {"input": x.half().numpy().swapaxes(1, 2)}, run.outputs)
    found = compare(model, taken)
    assert found.agree, [each for each in found.nodes if each.fault]
    assert {each.name for each in found.nodes} == {"0", "1", "2"}


def test_autocast_mixes_dtypes_and_agrees() -> None:
    x = {name: torch.from_numpy(array) for name, array in excite(SMALL).items()}
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.float16):
        made = torch_module(SMALL).activations(x)
    run = Run("autocast", {n: t.numpy() for n, t in x.items()}, {n: t.numpy() for n, t in made.items()})
    assert {str(array.dtype) for array in run.outputs.values()} == {"float16", "float32"}
    found = compare(SMALL, run)
    assert found.agree, [each for each in found.nodes if each.fault]


def test_keras_on_torch_is_recorded_as_keras(tmp_path: Any) -> None:
    """Its models are torch modules too, whose parts without parts are not the layers."""
    pytest.importorskip("keras", minversion="3")
    SMALL.save(tmp_path / "small.npz")
    code = (
        "import numjaz; from numjaz.frameworks.keras import keras_model; from numjaz.frameworks import record; "
        "from numjaz.compare.divergence import compare, excite; model = numjaz.load('small.npz'); "
        "found = compare(model, record(keras_model(model), excite(model)['input'])); "
        "print(found.agree, len(found.nodes) == len(model.nodes) - 1)"
    )
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=tmp_path,
        env={**os.environ, "KERAS_BACKEND": "torch"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ended.stdout.split() == ["True", "True"], ended.stderr[-2000:]
