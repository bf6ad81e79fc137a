"""One network typed in several ways: each tool prints what its convention says of that form."""

from __future__ import annotations

import os

import pytest
from counting_networks import model, node
from test_torch_counting import TOOLS

import numjaz
from numjaz.audit import FORMS
from numjaz.audit.forms import TRAITS
from numjaz.layers import Activation, Add, BatchNormalization, Conv1D, Dense, GlobalAveragePooling1D, Input

torch = pytest.importorskip("torch")
from torch_forms import Typed  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # the tools' own
SHORT = ("twin", *(trait for trait in TRAITS), ", ".join(trait for trait in TRAITS if trait != "ReLU methods"))


def residual() -> numjaz.Model:
    nodes = [node("input", Input(3)), node("stem", Conv1D(16, 7, "same", "relu"), "input")]
    nodes += [
        node("a", Conv1D(16, 3, "same", use_bias=False), "stem"),
        node("norm", BatchNormalization(), "a"),
        node("relu", Activation("relu"), "norm"),
        node("b", Conv1D(16, 5, "same", dilation=2), "relu"),
        node("sum", Add(), "stem", "b"),
        node("pool", GlobalAveragePooling1D(), "sum"),
    ]
    return model([*nodes, node("classes", Dense(6, "softmax"), "pool")])


NETWORKS = {"jazbat": numjaz.jazbat(features=1, classes=6, reduction=6), "residual": residual()}


@pytest.mark.parametrize("form", FORMS if os.environ.get("NUMJAZ_GRID") else SHORT)
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("convention", TOOLS)
def test_the_tool_prints_the_same(convention: str, network: str, form: str) -> None:
    window = 256 if network == "jazbat" else 64
    x = torch.zeros(1, window, NETWORKS[network].shapes(window)["input"][-1])
    printed = TOOLS[convention](Typed(NETWORKS[network], form), x)
    assert printed == numjaz.count(NETWORKS[network], convention, window, form=form).macs


@pytest.mark.parametrize(
    ("convention", "form", "printed"),  # measured apart, on a network written by hand
    [
        ("torchinfo", "ReLU methods, mean, operators, logits", 7_184_042),
        ("ptflops-aten", "ReLU methods, mean, operators, logits", 7_183_914),
        ("ptflops", "ReLU methods, mean, operators, logits", 7_331_370),
        ("ptflops", "mean, operators, logits", 7_461_930),
        ("ptflops", "ReLU modules, mean, operators, logits", 7_592_490),
        ("thop", "mean, operators, logits", 7_233_572),
        ("fvcore", "mean, operators, logits", 5_365_796),
        ("fvcore", "mean, operators, padding same, logits", 32_804),
        ("torchprofile", "mean, operators, logits", 5_349_418),
        ("torchprofile", "mean, operators, padding same, logits", 16_426),
        ("calflops", "mean, operators, logits", 5_333_028),
        ("calflops-flops", "mean, operators, logits", 14_318_664),
        ("calflops-flops", "ReLU methods, mean, operators, logits", 14_188_104),
        ("onnx-tool", "mean, operators", 8_782_082),
        ("onnx-tool", "mean, operators, logits", 8_781_866),
    ],
)
def test_numbers_that_others_measured(convention: str, form: str, printed: int) -> None:
    assert numjaz.count(NETWORKS["jazbat"], convention, 256, form=form).macs == printed


def test_onnx_tool_without_relu() -> None:
    """The equations of the paper print no activation."""
    linear = numjaz.jazbat(features=1, classes=6, reduction=6, activation="linear")
    assert numjaz.count(linear, "onnx-tool", 256, form="mean, operators").macs == 8_651_522
