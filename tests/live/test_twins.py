"""The twin in torch: the same network, of torch's own modules where there are any."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given

import numjaz
from numjaz import Model, Node, NumjazError
from numjaz.formats.torch_names import module_names
from numjaz.layers import ACTIVATIONS, Activation, Dense, Input
from numjaz.layers.base import Layer
from numjaz.nodes import owned_parameters

torch = pytest.importorskip("torch")

from random_models import KINDS, cases  # noqa: E402
from torch import nn  # noqa: E402
from torch_beside import CLOSE, agree, noise, some, tensors  # noqa: E402

from numjaz.frameworks.torch import torch_module  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # torch's own


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_the_twin_is_the_network(kind: type[Layer]) -> None:
    """Every activation and the outputs of random networks of every layer, called as `predict` is."""

    @some
    @given(cases(kind))
    def holds(case: tuple[Model, Any]) -> None:
        model, x = case
        twin = torch_module(model)
        if not model.parameters:
            twin = twin.double()
        with torch.no_grad():
            agree(twin.activations(tensors(x)), model.activations(x))
            made, expected = twin(tensors(x)), model.predict(x)
        several = isinstance(expected, dict)
        agree(made if several else {"": made}, expected if several else {"": expected})

    holds()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_of_large_numbers(name: str) -> None:
    """Where one framework or the other has changed to a limit already."""
    x = np.linspace(-60, 60, 1201).reshape(1, -1, 1)
    nodes = [Node("input", Input(1)), Node("layer", Activation(name), (("input", 0),))]
    model = Model(nodes, {})
    with torch.no_grad():
        made = torch_module(model).double()(torch.tensor(x)).numpy()
    expected = model.predict(x)
    np.testing.assert_allclose(made, expected, rtol=CLOSE, atol=CLOSE * np.abs(x).max())


def test_names_that_torch_would_not_take() -> None:
    """Dots, names of a module's own methods, a name that another becomes."""
    names = ["a.b", "a_b", "forward", "training", "inner/dense", "a_b_2", "_modules", "forward_"]
    nodes = [Node("eval", Input(2))]
    for name in names:
        nodes.append(Node(name, Dense(2), ((nodes[-1].name, 0),)))
    called = ["a_b_3", "a_b", "forward__2", "training_", "inner/dense", "a_b_2", "_modules_", "forward_"]
    assert list(module_names(nodes).values()) == ["eval_", *called]
    rng = np.random.default_rng(0)
    table = owned_parameters(nodes)
    model = Model(nodes, {f"{o}/{n}": rng.standard_normal(p.shape) for o, own in table.items() for n, p in own.items()})
    twin, x = torch_module(model), rng.standard_normal((3, 4, 2))
    with torch.no_grad():
        agree(twin.activations(torch.tensor(x)), model.activations(x))
    assert set(twin.state_dict()) == {
        f"{m}.{leaf}" for m in list(module_names(nodes).values())[1:] for leaf in ("weight", "bias")
    }


def test_jazbat_has_torchs_own_modules() -> None:
    """Native modules, the model's dtype, one module for shared arrays, nothing trained twice."""
    base = numjaz.jazbat()
    twin = torch_module(base)
    assert not twin.training
    kinds = {type(module) for module in twin.modules()}
    assert {nn.GRU, nn.BatchNorm1d, nn.Conv1d, nn.AdaptiveAvgPool1d, nn.Linear} <= kinds
    assert {tensor.dtype for tensor in twin.parameters()} == {torch.float32}
    trainable = sum(int(np.prod(p.shape)) for p in base.parameter_table.values() if p.trainable)
    assert sum(p.numel() for p in twin.parameters() if p.requires_grad) == trainable
    x = noise(2, 64, 1)
    with torch.no_grad():
        agree(twin.double().activations(torch.tensor(x)), base.activations(x))
    again = Node("again", base.nodes[-1].layer, (("classes", 0),), owner="classes")
    double = jazbat_twice(again)
    assert len(torch_module(double).state_dict()) == len(torch_module(jazbat_twice()).state_dict())
    with pytest.raises(NumjazError, match="the inputs are input, not nobody"):
        twin({"nobody": torch.tensor(x)})


def jazbat_twice(*more: Node) -> Model:
    model = numjaz.jazbat(classes=6, reduction=6)
    return Model([*model.nodes, *more], model.parameters)


def test_making_a_twin_draws_no_random_numbers() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    torch_module(numjaz.jazbat())
    assert torch.equal(before, torch.get_rng_state())


def test_without_torch_one_line_says_what_to_do() -> None:
    code = "import sys; sys.modules['torch'] = None\nimport numjaz\ntry:\n    import numjaz.frameworks.torch\nexcept numjaz.NumjazError as error:\n    print(error)"
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert made.stdout.strip() == "the twin needs torch: pip install torch"


def test_a_layer_of_ones_own_is_refused() -> None:
    class Mine(Layer):
        pass

    model = Model([Node("input", Input(2)), Node("mine", Mine(), (("input", 0),))], {})
    with pytest.raises(NumjazError, match="Mine: torch's twin does not know this layer"):
        torch_module(model)
