"""A recorder within a torch script: what modules make is kept, what is none is among the suspects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import numjaz
from numjaz import NumjazError
from numjaz.compare.runs import read_run

torch = pytest.importorskip("torch")
from torch_forms import Typed  # noqa: E402
from without_frameworks import checked  # noqa: E402

from numjaz.frameworks import record  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::numjaz.NumjazWarning")  # how weights without names were matched
JAZBAT: dict[str, Any] = {"features": 3, "classes": 6, "reduction": 6, "units": 8, "modules": 2}
FORMS = ("twin", "ReLU modules", "mean, operators, padding same")


def typed(form: str, tmp_path: Path) -> tuple[Any, numjaz.Model]:
    """A network that somebody typed in torch, and what numjaz reads of its weights."""
    torch.manual_seed(0)
    module = Typed(numjaz.jazbat(**JAZBAT), form)
    for name, tensor in module.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 2)
        elif tensor.dtype.is_floating_point and "norm" in name:
            tensor.normal_()
    torch.save(module.state_dict(), tmp_path / "weights.pt")
    own = {key.removeprefix("made."): value for key, value in module.state_dict().items()}
    torch.save(own, tmp_path / "weights.pt")
    return module, numjaz.load(tmp_path / "weights.pt", architecture="jazbat", epsilon=1e-5, **JAZBAT)


def recorded(module: Any, path: Path | None = None) -> Any:
    x = np.random.default_rng(0).normal(0, 2, (5, 40, 3)).astype(np.float32)
    run = record(module, x, path)
    # The module's own names begin with that of the dict it keeps its parts in.
    outputs = {name.removeprefix("made."): array for name, array in run.outputs.items()}
    return type(run)(run.name, run.inputs, outputs)


@pytest.mark.parametrize("form", FORMS)
def test_what_somebody_typed_is_the_same(form: str, tmp_path: Path) -> None:
    module, model = typed(form, tmp_path)
    found = numjaz.compare(model, recorded(module))
    assert found.agree, [each for each in found.nodes if each.fault]
    assert {"bigru", "norm", "module1_merge", "classes"} <= {each.name for each in found.nodes}


@pytest.mark.parametrize(
    ("fault", "node"),
    [
        (lambda made: setattr(made["norm"], "eps", 1e-3), "norm"),
        (
            lambda made: made["module1_branch5"].weight.data.copy_(made["module1_branch5"].weight.flip(2)),
            "module1_branch5",
        ),
        (lambda made: made["bigru"].weight_hh_l0_reverse.data.mul_(1.01), "bigru"),
        (lambda made: made["reduction"].bias.data.add_(0.01), "reduction"),
    ],
)
def test_a_fault_of_the_script_is_found(fault: Any, node: str, tmp_path: Path) -> None:
    module, model = typed("twin", tmp_path)
    with torch.no_grad():
        fault(module.made)
    found = numjaz.compare(model, recorded(module))
    assert (found.agree, found.node) == (False, node)


def test_in_the_middle_of_training(tmp_path: Path) -> None:
    module, _ = typed("ReLU modules", tmp_path)
    module.train()
    x, y = torch.randn(16, 40, 3), torch.randint(6, (16,))
    optimiser = torch.optim.SGD(module.parameters(), 0.01)
    path = tmp_path / "run.npz"
    for epoch in range(3):
        optimiser.zero_grad()
        torch.nn.functional.nll_loss(torch.log(module(x) + 1e-6), y).backward()
        optimiser.step()
        if epoch == 1:
            state = torch.get_rng_state()
            before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
            record(module, x[:4], path)
            assert module.training
            assert module.made["norm"].training
            assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())
            assert torch.equal(torch.get_rng_state(), state)
            assert not any(part._forward_hooks for part in module.modules())
            own = {name.removeprefix("made."): tensor for name, tensor in module.state_dict().items()}
            torch.save(own, tmp_path / "then.pt")
    model = numjaz.load(tmp_path / "then.pt", architecture="jazbat", epsilon=1e-5, **JAZBAT)
    model.save(tmp_path / "then.npz")
    run = read_run(path)
    assert {name.removeprefix("made.") for name in run.outputs} >= {"bigru", "norm", "classes"}
    code, text = checked(tmp_path, "then.npz", "run.npz")
    assert (code, text.splitlines()[-1]) == (0, "the two agree: rounding explains every difference"), text
    own = {name.removeprefix("made."): tensor for name, tensor in module.state_dict().items()}
    torch.save(own, tmp_path / "later.pt")
    options = ",".join(f"{name}={value}" for name, value in JAZBAT.items())
    code, text = checked(tmp_path, "later.pt", "run.npz", "--architecture", f"jazbat:{options},epsilon=1e-5")
    assert code == 1, text
    assert "the two part in bigru: " in text  # another epoch's weights


def test_what_is_no_model() -> None:
    with pytest.raises(NumjazError, match="record takes a Keras or a torch model, not dict"):
        record({}, np.zeros(3))
