"""What must hold of every network, on random ones of every layer."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_models import KINDS, PATIENT, cases, models

import numjaz
from numjaz.compare.divergence import compare
from numjaz.compare.runs import run_model
from numjaz.layers import Bidirectional, TimeDistributed
from numjaz.layers.base import Layer

few = settings(max_examples=settings().max_examples // 4, suppress_health_check=PATIENT)


def named(made: Any, model: numjaz.Model) -> dict[str, np.ndarray]:
    return made if isinstance(made, dict) else {model.outputs[0]: made}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_saved_network_is_the_network(kind: type[Layer]) -> None:
    @few
    @given(cases(kind, np.float32) | cases(kind))
    def holds(case: tuple[numjaz.Model, Any]) -> None:
        model, x = case
        model = model.derive(golden=numjaz.Golden(x, model.predict(x)))  # one of 256 samples may grow without bound
        with tempfile.TemporaryDirectory() as folder:
            model.save(Path(folder) / "m.h5")
            back = numjaz.load(Path(folder) / "m.h5")
        assert (back.nodes, back.outputs) == (model.nodes, model.outputs)
        assert list(back.parameters) == list(model.parameters)
        for name, array in model.parameters.items():
            assert back.parameters[name].dtype == array.dtype
            np.testing.assert_array_equal(back.parameters[name], array)
        made, expected = named(back.predict(x), model), named(model.predict(x), model)
        assert list(made) == list(expected)
        for name in made:
            assert made[name].dtype == expected[name].dtype
            np.testing.assert_array_equal(made[name], expected[name])

    holds()


@settings(few, max_examples=60)
@given(cases())
def test_shapes_are_those_of_the_activations(case: tuple[numjaz.Model, Any]) -> None:
    model, x = case
    made = model.activations(x)
    given_x = x if isinstance(x, dict) else {model.inputs[0]: x}
    layers = {node.name: node.layer for node in model.nodes}
    free = [n for name, a in given_x.items() for n, m in zip(a.shape[1:], layers[name].axes, strict=False) if m is None]
    shapes = model.shapes(free[0] if free else None)
    assert {name: array.shape[1:] for name, array in made.items()} == shapes
    predicted = model.reference(model.checked(x))
    assert list(predicted) == list(model.outputs)
    for name, array in predicted.items():
        np.testing.assert_array_equal(array, made[name])


def test_every_layer_is_drawn() -> None:
    seen: set[type] = set()

    @settings(few, max_examples=300, derandomize=True, database=None)
    @given(models())
    def look(model: numjaz.Model) -> None:
        for node in model.nodes:
            seen.add(type(node.layer))
            if isinstance(node.layer, TimeDistributed):
                seen.add(type(node.layer.layer))
            if isinstance(node.layer, Bidirectional):
                seen.update((type(node.layer.forward_layer), type(node.layer.backward_layer)))

    look()
    assert set(KINDS) - seen == set()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_layer_that_is_asked_for_is_there(kind: type[Layer]) -> None:
    @settings(few, max_examples=3)
    @given(st.data())
    def holds(data: st.DataObject) -> None:
        model = data.draw(models(kind))
        assert any(type(node.layer) is kind for node in model.nodes)

    holds()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_what_is_wrong_in_any_layer_is_looked_into(kind: type[Layer]) -> None:
    """Every list of known faults is gone through, whatever the layer's options are."""

    @settings(max_examples=max(settings().max_examples // 12, 1), suppress_health_check=PATIENT)
    @given(cases(kind, np.float32))
    def holds(case: tuple[numjaz.Model, Any]) -> None:
        model, x = case
        run = run_model(model, x if isinstance(x, dict) else {model.inputs[0]: x})
        name = next((n.name for n in model.nodes if isinstance(n.layer, kind) and n.name in run.outputs), None)
        if name is None:
            return
        noise = np.random.default_rng(0).normal(size=run.outputs[name].shape)
        off = (run.outputs[name] * (1 + 0.1 * noise) + 0.1 * noise).astype(np.float32)
        found = compare(model, replace(run, outputs={**run.outputs, name: off}))
        assert found.agree is not None

    holds()
