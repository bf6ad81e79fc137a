"""Faults planted in a real torch module, by torch alone: found at their node, and named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from test_torch_compare import torch_run

import numjaz
from numjaz.compare.divergence import compare, excite
from numjaz.compare.runs import Run
from numjaz.layers import Conv1D, Dense, Flatten, Input

torch = pytest.importorskip("torch")
from numjaz.frameworks.torch import torch_module  # noqa: E402

MODEL = numjaz.load("jazbat-watch-3d-activity")


def swap(a: Any, b: Any) -> None:
    kept = a.clone()
    a.copy_(b)
    b.copy_(kept)


def gates(gru: Any, order: tuple[int, ...]) -> None:
    """Torch keeps r, z, n; somebody copied them in another order."""
    for array in gru.parameters():
        parts = array.chunk(3, 0)
        array.copy_(torch.cat([parts[k] for k in order], 0).clone())


def both(gru: Any, change: Callable[[str], None]) -> None:
    for side in ("", "_reverse"):
        change(side)


FAULTS: dict[str, tuple[str, Callable[[Any], Any], str]] = {
    "gate order": ("bigru", lambda m: gates(m.bigru, (1, 0, 2)), "gate order rzh, not zrh"),
    "the second bias forgotten": (
        "bigru",
        lambda m: both(m.bigru, lambda side: getattr(m.bigru, f"bias_hh_l0{side}").zero_()),
        "recurrent bias forgotten",
    ),
    "directions": (
        "bigru",
        lambda m: [
            swap(getattr(m.bigru, name), getattr(m.bigru, f"{name}_reverse"))
            for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
        ],
        "directions swapped",
    ),
    "recurrent kernel": (
        "bigru",
        lambda m: m.bigru.weight_hh_l0.copy_(torch.cat([part.T for part in m.bigru.weight_hh_l0.chunk(3, 0)]).clone()),
        "forward: recurrent_kernel transposed",  # the other direction was left as it is
    ),
    "epsilon": ("norm", lambda m: setattr(m.norm, "eps", 1e-5), "epsilon 1e-05, not 0.001"),
    "gamma and beta": ("norm", lambda m: swap(m.norm.weight, m.norm.bias), "gamma and beta swapped"),
    "mean and variance": (
        "norm",
        lambda m: swap(m.norm.running_mean, m.norm.running_var) or m.norm.running_var.abs_(),
        "moving_mean and moving_variance swapped",
    ),
    "deviation": ("norm", lambda m: m.norm.running_var.sqrt_(), "deviation taken for a variance"),
    "convolution turned round": (
        "module1_branch5",
        lambda m: m.module1_branch5.weight.copy_(m.module1_branch5.weight.flip(2)),
        "kernel reversed",
    ),
    "half precision": (
        "module3_merge",
        lambda m: m.module3_merge.weight.copy_(m.module3_merge.weight.half().float()),
        "kernel in float16",
    ),
    "half precision of all": (
        "module2_merge",
        lambda m: [array.copy_(array.half().float()) for array in m.module2_merge.parameters()],
        "weights in float16",
    ),
    "bias": ("reduction", lambda m: m.reduction.bias.zero_(), "bias forgotten"),
    "one weight": ("module2_shortcut", lambda m: m.module2_shortcut.weight[0, 0].mul_(1.01), "unknown"),
}


def test_statistics_of_the_batch() -> None:
    """Somebody forgot ``eval()``."""
    module, x = torch_module(MODEL), excite(MODEL)
    module.norm.train()
    with torch.no_grad():
        made = module.activations({name: torch.from_numpy(array) for name, array in x.items()})
    found = compare(MODEL, Run("torch", x, {name: tensor.numpy() for name, tensor in made.items()}))
    assert (found.node, found.fix) == ("norm", "norm: call it in inference mode: model.eval(), or training=False")
    assert str(found.cause).startswith("statistics of the batch")


def test_the_order_of_a_flattening_and_a_softmax_too_many() -> None:
    from counting_networks import chain

    model = chain(Input(3, (20,)), Conv1D(4, 3), Flatten(), Dense(5, "softmax"))
    x = excite(model)
    right = torch_run(model, x)
    for node, change, cause in (
        ("n2", lambda y: right.outputs["n1"].swapaxes(1, 2).reshape(y.shape), "flattened with channels before time"),
        ("n3", lambda y: torch.softmax(torch.from_numpy(y), -1).numpy(), "softmax twice"),
    ):
        outputs = {**right.outputs, node: change(right.outputs[node])}
        if node == "n2":  # what follows reads it
            del outputs["n3"]
        found = compare(model, Run("torch", x, outputs))
        assert found.node == node
        assert str(found.cause).startswith(cause)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found_and_named(fault: str) -> None:
    node, plant, cause = FAULTS[fault]
    module, x = torch_module(MODEL), excite(MODEL)
    with torch.no_grad():
        plant(module)
        made = module.activations({name: torch.from_numpy(array) for name, array in x.items()})
    found = compare(MODEL, Run("torch", x, {name: tensor.numpy() for name, tensor in made.items()}))
    assert (found.agree, found.node) == (False, node)
    assert cause in str(found.cause).split(" or ")
    assert (found.fix is None) == (cause == "unknown")
    assert compare(MODEL, torch_run(MODEL, x)).agree
