"""One node on recorded inputs: over hundreds of steps rounding stays inside its bound, and a fault does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from numjaz.architectures.initial import initial_parameters
from numjaz.compare.isolated import alone
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
