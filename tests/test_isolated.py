"""One node on recorded inputs: over hundreds of steps rounding stays inside its bound, and a fault does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from numjaz.architectures.initial import initial_parameters
from numjaz.compare import isolated, rounding
from numjaz.compare.isolated import alone, likely
from numjaz.compare.precision import held_in
from numjaz.compare.rounding import Arithmetic, arithmetic
from numjaz.layers import GRU, LSTM, Bidirectional, Layer, SimpleRNN

STEPS, WIDTH = 200, 5
LAYERS: dict[str, Layer] = {
    f"{cell.__name__} {'every step' if sequences else 'last step'}": cell(12, return_sequences=sequences)
    for cell in (GRU, LSTM, SimpleRNN)
    for sequences in (True, False)
}
LAYERS |= {
    "GRU, reset before": GRU(12, reset_after=False),
    "GRU, no biases": GRU(12, use_bias=False),
    "LSTM and states": LSTM(12, return_state=True),
    "LSTM, last step and states": LSTM(12, return_sequences=False, return_state=True),
    "backwards": GRU(12, go_backwards=True),
    "both directions": Bidirectional(GRU(12), GRU(12)),
    "both directions, last steps": Bidirectional(*(LSTM(12, return_sequences=False),) * 2),
    "relu": SimpleRNN(12, "relu"),
}


def case(layer: Layer, seed: int) -> tuple[dict[str, np.ndarray], np.ndarray, tuple[np.ndarray, ...]]:
    rng = np.random.default_rng(seed)
    drawn = initial_parameters(layer.parameters(((STEPS, WIDTH),)), seed)
    scale = 0.5 if getattr(layer, "activation", "") == "relu" else 1.0  # or it grows beyond all numbers
    params = {n: (scale * a + rng.normal(0, 0.05, a.shape)).astype(np.float32) for n, a in drawn.items()}
    x = rng.normal(0, 2, (3, STEPS, WIDTH)).astype(np.float32)
    return params, x, layer.forward(params, (x,)).outputs


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("seed", range(3))
def test_two_hundred_steps_round_inside_the_bound(name: str, seed: int) -> None:
    params, x, recorded = case(LAYERS[name], seed)
    found = alone(LAYERS[name], params, (x,), recorded)
    assert len(found) == len(recorded)
    for made, held in zip(found, recorded, strict=True):
        assert made.shape == held.shape
        error = np.abs(held.astype(np.float64) - made.real)
        assert (error <= made.imag).all()
        assert made.imag.max() < 1e-3
    error, bound = np.abs(recorded[0] - found[0].real), found[0].imag
    assert np.median(bound[error > 0] / error[error > 0]) < 2_000  # it says something


@pytest.mark.parametrize(
    ("layer", "other"),
    [
        (GRU(12), GRU(12, recurrent_activation="hard_sigmoid")),
        (GRU(12), GRU(12, activation="softsign")),
        (LSTM(12), LSTM(12, recurrent_activation="hard_sigmoid")),
        (LSTM(12, return_sequences=False), LSTM(12, "softsign", return_sequences=False)),
        (SimpleRNN(12), SimpleRNN(12, "softsign")),
        (Bidirectional(GRU(12), GRU(12)), Bidirectional(GRU(12), GRU(12, "softsign"))),
    ],
    ids=str,
)
def test_another_equation_does_not(layer: Layer, other: Layer) -> None:
    params, x, _ = case(layer, 0)
    recorded = other.forward(params, (x,)).outputs
    (found,) = alone(layer, params, (x,), recorded)
    assert (np.abs(recorded[0] - found.real) > 10 * found.imag).any()


def test_one_weight_a_little_off() -> None:
    """A thousandth of one weight is no rounding."""
    layer: Any = GRU(12)
    params, x, _ = case(layer, 0)
    wrong = {**params, "kernel": params["kernel"].copy()}
    wrong["kernel"][0, 0] *= 1.001
    recorded = layer.forward(wrong, (x,)).outputs
    (found,) = alone(layer, params, (x,), recorded)
    assert (np.abs(recorded[0] - found.real) > found.imag).any()


def test_inherited_errors_are_no_fault() -> None:
    """Of other inputs the outputs are others; on its own inputs the node is right."""
    layer = replace(GRU(12))
    params, x, _ = case(layer, 0)
    moved = (x + 0.1).astype(np.float32)
    recorded = layer.forward(params, (moved,)).outputs
    (found,) = alone(layer, params, (moved,), recorded)
    assert (np.abs(recorded[0] - found.real) <= found.imag).all()


def test_the_other_form_of_a_gru_is_one_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where h and n have other signs, torch's n + z (h - n) cancels: beyond what z h + (1 - z) n can lose."""
    monkeypatch.setitem(rounding.LOGISTIC, rounding.UNITS["float32"], 0.0)  # of gates that err little
    rng = np.random.default_rng(0)
    layer: Any = GRU(12)
    params = {
        n: rng.normal(0, 0.05, p.shape).astype(np.float32) for n, p in layer.parameters(((STEPS, WIDTH),)).items()
    }
    params["bias"][0] = np.repeat([5.0, -5.0, 0.0], 12)  # z is nearly 1, and n whatever the inputs make of it
    params["kernel"][:, 24:] *= 100
    x = rng.choice([-1.0, 1.0], (3, STEPS, WIDTH)).astype(np.float32)
    h, one = np.zeros((3, 12), np.float32), np.float32(1)
    steps = []
    for t in range(STEPS):
        a, g = x[:, t] @ params["kernel"] + params["bias"][0], h @ params["recurrent_kernel"] + params["bias"][1]
        z, r = (one / (one + np.exp(-(a + g)[:, k * 12 : k * 12 + 12])) for k in (0, 1))
        n = np.tanh(a[:, 24:] + r * g[:, 24:])
        h = n + z * (h - n)
        steps.append(h)
    recorded = np.stack(steps, axis=1)
    (found,) = alone(layer, params, (x,), (recorded,))
    error = np.abs(recorded - found.real)
    assert (error <= found.imag).all()
    monkeypatch.setattr(isolated, "_either", lambda made, other: made)
    (one_form,) = alone(layer, params, (x,), (recorded,))
    assert (error > one_form.imag).any()  # the test would see it


def test_where_nothing_is_known_the_value_still_is() -> None:
    """Steps that only grow have no bound; that is no fault."""
    layer = SimpleRNN(2, "linear", use_bias=False, return_sequences=False)
    params = {"kernel": np.ones((1, 2), np.float32), "recurrent_kernel": 2 * np.eye(2, dtype=np.float32)}
    x = np.ones((1, 40, 1), np.float32)
    recorded = layer.forward(params, (x,)).outputs
    (found,) = alone(layer, params, (x,), recorded)
    assert np.isfinite(found.real).all()
    assert np.isinf(found.imag).all()


@pytest.mark.parametrize("name", ["GRU every step", "SimpleRNN every step", "LSTM every step", "LSTM last step"])
def test_the_expected_size_is_between_nothing_and_the_bound(name: str) -> None:
    params, x, recorded = case(LAYERS[name], 0)
    with arithmetic(Arithmetic()):
        (bound,), (expected,) = (each(LAYERS[name], params, (x,), recorded) for each in (alone, likely))
    error = np.sqrt((np.abs(recorded[0] - bound.real) ** 2).mean())
    assert 0.1 < np.sqrt((expected.imag**2).mean()) / error < 10
    assert (expected.imag < bound.imag).all()


def test_weights_known_with_an_error() -> None:
    """Weights that the other side may have rounded, as a mixed policy does, or not."""
    layer: Any = LSTM(12)
    params, x, _ = case(layer, 0)
    x = x.astype(np.float16).astype(np.float32)
    cast = {name: array.astype(np.float16).astype(np.float32) for name, array in params.items()}
    known = {name: held_in("float16", array) for name, array in params.items()}
    for other in (params, cast):
        recorded = layer.forward(other, (x,)).outputs
        with arithmetic(Arithmetic()):
            (found,) = alone(layer, known, (x,), recorded)
        assert (np.abs(recorded[0] - found.real) <= found.imag).all()


@pytest.mark.parametrize(
    "cell", [GRU(6), LSTM(6), SimpleRNN(6), Bidirectional(GRU(4), GRU(4)), Bidirectional(LSTM(4), LSTM(4))]
)
@pytest.mark.parametrize("seed", range(3))
def test_steps_that_nobody_recorded_hand_their_errors_on(cell: Any, seed: int) -> None:
    """A whole run in float32 beside one in float64: within the bounds, which grow with the steps."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((4, 60, 3)).astype(np.float32)
    params = {
        name: (0.2 * rng.standard_normal(p.shape)).astype(np.float32) for name, p in cell.parameters(((60, 3),)).items()
    }
    (single,) = cell.forward(params, (x,)).outputs
    (made,) = alone(cell, params, (x,), ())
    (exact,) = cell.forward({n: a.astype(float) for n, a in params.items()}, (x.astype(float),)).outputs
    np.testing.assert_allclose(made.real, exact, 1e-12, 1e-12)
    assert (np.abs(single - exact) <= made.imag).all()
    (anchored,) = alone(cell, params, (x,), (single,))
    assert made.imag.max() > anchored.imag.max()
    assert np.isfinite(made.imag).all()
