"""Counting conventions beside the real tools, run on the torch twin: the same integers."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable
from typing import Any

import pytest
from counting_networks import NETWORKS, random_network

import numjaz
from numjaz.audit import CONVENTIONS, memory

torch = pytest.importorskip("torch")
from numjaz.frameworks.torch import torch_module  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # the tools' own
WINDOWS = (64, 256) if os.environ.get("NUMJAZ_GRID") else (64,)


def torchinfo(module: Any, x: Any) -> int:
    return pytest.importorskip("torchinfo").summary(module, input_data=x, verbose=0).total_mult_adds


def thop(module: Any, x: Any) -> int:
    return int(pytest.importorskip("thop").profile(module, (x,), verbose=False)[0])


def ptflops(backend: str) -> Callable[[Any, Any], int]:
    def run(module: Any, x: Any) -> int:
        tool = pytest.importorskip("ptflops")
        with contextlib.redirect_stdout(io.StringIO()):
            return tool.get_model_complexity_info(
                module, tuple(x.shape[1:]), as_strings=False, print_per_layer_stat=False, backend=backend
            )[0]

    return run


def fvcore(module: Any, x: Any) -> int:
    analysis = pytest.importorskip("fvcore.nn").FlopCountAnalysis(module, x)
    return analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False).total()


def calflops(number: int) -> Callable[[Any, Any], int]:
    def run(module: Any, x: Any) -> int:
        tool = pytest.importorskip("calflops")
        with contextlib.redirect_stdout(io.StringIO()):
            return tool.calculate_flops(module, args=[x], output_as_string=False, print_results=False)[number]

    return run


def torchprofile(module: Any, x: Any) -> int:
    return pytest.importorskip("torchprofile").profile_macs(module, x)


def flopcounter(module: Any, x: Any) -> int:
    from torch.utils.flop_counter import FlopCounterMode

    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        module(x)
    return counter.get_total_flops()


TOOLS: dict[str, Callable[[Any, Any], int]] = {
    "torchinfo": torchinfo,
    "thop": thop,
    "ptflops": ptflops("pytorch"),
    "ptflops-aten": ptflops("aten"),
    "fvcore": fvcore,
    "calflops": calflops(1),
    "calflops-flops": calflops(0),
    "torchprofile": torchprofile,
    "flopcounter": flopcounter,
}


def twin(model: numjaz.Model, window: int) -> tuple[Any, Any]:
    return torch_module(model), torch.zeros(1, window, model.shapes(window)[model.inputs[0]][-1])


def test_every_convention_has_its_tool() -> None:
    assert set(TOOLS) == set(CONVENTIONS) - {"tf-profiler", "onnx-tool"}  # in files of their own


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("convention", TOOLS)
def test_the_tool_prints_the_same(convention: str, network: str, window: int) -> None:
    model = NETWORKS[network]()
    assert TOOLS[convention](*twin(model, window)) == numjaz.count(model, convention, window).macs


@pytest.mark.parametrize("convention", TOOLS)
def test_random_networks(convention: str) -> None:
    for seed in range(200 if os.environ.get("NUMJAZ_GRID") else 25):
        model = random_network(seed)
        assert TOOLS[convention](*twin(model, 64)) == numjaz.count(model, convention, 64).macs, model.summary(64)


@pytest.mark.parametrize("network", ["jazbat 1D", "residual", "separable"])
def test_torchinfos_memory(network: str) -> None:
    model = NETWORKS[network]()
    module, x = twin(model, 64)
    summary = pytest.importorskip("torchinfo").summary(module, input_data=x, verbose=0)
    assert summary.total_output_bytes == memory(model, "torchinfo", 64).peak_bytes
