"""Plans against the layers as they are stated: every layer and option, every way of computing many windows."""

from __future__ import annotations

import threading
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numjaz_networks import model as network
from numjaz_networks import node
from random_models import KINDS, PATIENT, cases

import numjaz
from numjaz.engine import PASSES
from numjaz.engine.runtime import sections
from numjaz.layers import GRU, LSTM, Add, Bidirectional, Conv1D, Dense, GlobalAveragePooling1D, Input, SimpleRNN
from numjaz.layers.base import Layer

few = settings(max_examples=settings().max_examples // 4, suppress_health_check=PATIENT)


def named(made: Any, model: numjaz.Model) -> dict[str, np.ndarray]:
    return made if isinstance(made, dict) else {model.outputs[0]: made}


def reference(model: numjaz.Model, x: Any) -> dict[str, np.ndarray]:
    return model.reference(model.checked(x))


def repeated(x: Any, count: int) -> Any:
    """So many windows, no two of the later ones alike."""
    if isinstance(x, dict):
        return {name: repeated(array, count) for name, array in x.items()}
    scales = np.linspace(1.0, 0.5, count, dtype=x.dtype).reshape(-1, *[1] * (x.ndim - 1))
    return x[np.arange(count) % len(x)] * scales


def alike(made: Any, model: numjaz.Model, x: Any, ulps: float) -> None:
    """Within so many units of the largest magnitude of the tensors."""
    largest = max(float(np.abs(a).max(initial=0)) for a in model.activations(x).values())
    for name, expected in reference(model, x).items():
        y = named(made, model)[name]
        assert y.shape == expected.shape
        assert y.dtype == expected.dtype
        bound = ulps * np.finfo(y.dtype).eps * max(largest, 1.0)
        np.testing.assert_allclose(y, expected, rtol=0, atol=bound)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_plan_is_the_network(kind: type[Layer]) -> None:
    @few
    @given(cases(kind), st.sampled_from([1, 16]), st.sampled_from([1, 3, 17]))
    def holds(case: tuple[numjaz.Model, Any], width: int, count: int) -> None:
        model, x = case[0], repeated(case[1], count)
        alike(numjaz.compile(model, width, np.float64).predict(x), model, x, 1e4)

    holds()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_stretch_by_stretch_it_is_the_same(kind: type[Layer], monkeypatch: pytest.MonkeyPatch) -> None:
    """As few moments at once as the network lets, where the sample would fit in one go."""
    monkeypatch.setattr(sections, "STRETCH", 1)

    @few
    @given(cases(kind), st.integers(1, 16))
    def holds(case: tuple[numjaz.Model, Any], count: int) -> None:
        model, x = case[0], repeated(case[1], count)
        alike(numjaz.compile(model, 16, np.float64).predict(x), model, x, 1e4)

    holds()


@pytest.mark.parametrize("name", PASSES)
def test_each_pass_leaves_the_function(name: str) -> None:
    @few
    @given(cases())
    def holds(case: tuple[numjaz.Model, Any]) -> None:
        model, x = case
        again = PASSES[name](model)
        assert again.outputs == model.outputs
        alike(again.activations(x) if len(model.outputs) > 1 else again.activations(x)[model.outputs[0]], model, x, 1e4)

    holds()
