"""Real torch beside numjaz: rounding alone is found to be that, in every node of every network."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest
from counting_networks import NETWORKS, random_network

import numjaz
from numjaz.compare.divergence import compare, excite
from numjaz.compare.runs import Run
from numjaz.formats.shipped import shipped_models

torch = pytest.importorskip("torch")
from numjaz.frameworks.torch import torch_module  # noqa: E402

SHIPPED = shipped_models()


def torch_run(model: numjaz.Model, x: dict[str, np.ndarray]) -> Run:
    with torch.no_grad():
        made: dict[str, Any] = torch_module(model).activations({n: torch.from_numpy(a) for n, a in x.items()})
    return Run("torch", x, {name: tensor.numpy() for name, tensor in made.items()})


@pytest.mark.parametrize("network", NETWORKS)
def test_networks_of_all_kinds(network: str) -> None:
    model = NETWORKS[network]()
    found = compare(model, torch_run(model, excite(model)))
    assert found.agree, [each for each in found.nodes if each.fault]


@pytest.mark.parametrize("name", SHIPPED)
def test_trained_networks(name: str) -> None:
    model = numjaz.load(name)
    found = compare(model, torch_run(model, excite(model)))
    assert found.agree, [each for each in found.nodes if each.fault]


def test_random_networks() -> None:
    for seed in range(200 if os.environ.get("NUMJAZ_GRID") else 30):
        model = random_network(seed)
        found = compare(model, torch_run(model, excite(model, 64, seed)))
        assert found.agree, (seed, [each for each in found.nodes if each.fault])
