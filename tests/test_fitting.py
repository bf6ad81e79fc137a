"""Runs that are said in other words than the network's, and such as say too little."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from test_diagnosis import network

from numjaz import Model, NumjazError
from numjaz.cli import main
from numjaz.compare.divergence import compare, excite
from numjaz.compare.runs import Run, run_model, write_run
from numjaz.layers import GRU, LSTM, Array, BatchNormalization, Bidirectional, Conv1D, Dense, Input, Layer

MODEL = network(
    Input(3, (20,)),
    Conv1D(6, 4, activation="relu"),
    BatchNormalization(1e-5),
    GRU(5),
    LSTM(4, return_sequences=False),
    Dense(3, "softmax"),
)
RUN = run_model(MODEL, excite(MODEL))


def other(**outputs: Array) -> Run:
    return replace(RUN, outputs={**{name: a for name, a in RUN.outputs.items() if name != "n0"}, **outputs})


def test_the_only_input_may_have_any_name() -> None:
    assert compare(MODEL, Run("other", {"input_layer": RUN.inputs["n0"]}, RUN.outputs)).agree


def test_axes_of_one_and_all_steps_for_the_last() -> None:
    assert compare(MODEL, other(n5=RUN.outputs["n5"][:, None])).agree
    wrong = compare(MODEL, other(n5=1 - RUN.outputs["n5"][:, None]))
    assert (wrong.agree, wrong.node) == (False, "n5")
    steps = network(Input(3, (20,)), Bidirectional(GRU(4), GRU(4)), Dense(2))
    last = Model(
        [replace(n, layer=LAST) if n.name == "n1" else n for n in steps.nodes], steps.parameters
    )  # the same weights, and the last state alone
    run = run_model(last, excite(last))
    seen = run_model(steps, excite(last)).outputs["n1"]
    assert compare(last, replace(run, outputs={**run.outputs, "n1": seen})).agree


LAST: Layer = Bidirectional(GRU(4, return_sequences=False), GRU(4, return_sequences=False))


def test_double_precision_that_holds_single() -> None:
    """NumPy made it so when it was saved: nobody computed in it."""
    doubled = [{name: a.astype(np.float64) for name, a in arrays.items()} for arrays in (RUN.inputs, RUN.outputs)]
    assert compare(MODEL, Run("doubled", *doubled)).agree


@pytest.mark.parametrize("name", ["n1", "n2", "n3", "n5"])
def test_another_number_of_channels_is_a_fault_there(name: str) -> None:
    found = compare(MODEL, other(**{name: RUN.outputs[name][..., :2]}))
    assert (found.agree, found.node, found.cause) == (False, name, "unknown")
    assert found.first is not None
    assert found.first.of_another_shape


def test_nothing_is_said_where_no_output_was_compared() -> None:
    outputs = {name: a for name, a in RUN.outputs.items() if name != "n5"}
    with pytest.raises(NumjazError, match=r"agrees where it was recorded, but no output of the network \(n5\)"):
        compare(MODEL, replace(RUN, outputs=outputs))


def test_a_fault_does_not_hide_behind_other_names() -> None:
    """Matched by their order between outputs that are the same."""
    layers = {node.name: node.layer for node in MODEL.nodes} | {"n2": BatchNormalization(1e-3)}
    wrong = Model([replace(node, layer=layers[node.name]) for node in MODEL.nodes], MODEL.parameters)
    made = run_model(wrong, RUN.inputs).outputs
    named = {f"layer_{name}": a for name, a in made.items() if name != "n0"}
    dropped = {"dropout": made["n4"], "flat": made["n4"].copy()}
    found = compare(MODEL, Run("other", RUN.inputs, {**named, **dropped}))
    assert (found.node, found.cause) == ("n2", "epsilon 0.001, not 1e-05")


@pytest.mark.parametrize("cell", [GRU(4), LSTM(4), Bidirectional(LSTM(4), LSTM(4)), GRU(4, return_sequences=False)])
@pytest.mark.parametrize("scale", [1, 300, 3000, 30_000])
def test_large_inputs_leave_the_bounds_finite(cell: Layer, scale: float) -> None:
    """Raw counts of a sensor: gates are closed or open, and rounding moves none of them."""
    model = network(Input(3, (20,)), cell)
    rng = np.random.default_rng(0)
    x = (scale * rng.standard_normal((8, 20, 3))).astype(np.float32)
    found = compare(model, model, x)
    assert found.agree
    assert all(each.bound < 0.1 for each in found.nodes)
    made = run_model(model, x)
    half = {**made.outputs, "n1": 0.5 * made.outputs["n1"]}
    assert compare(model, replace(made, outputs=half)).node == "n1"


DAMAGE: dict[str, tuple[Callable[[dict[str, Array]], dict[str, Array]], str]] = {
    "nothing": (lambda held: {}, "neither HDF5, nor a Keras, torch, NumPy"),
    "numbers": (lambda held: {name: np.float32(1) for name in held}, "holds no windows"),
    "no windows": (lambda held: {name: a[:0] for name, a in held.items()}, "holds no windows"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_recordings_that_hold_nothing(damage: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change, said = DAMAGE[damage]
    MODEL.save(tmp_path / "model.npz")
    write_run(other(), tmp_path / "run.npz")
    held = dict(np.load(tmp_path / "run.npz"))
    np.savez(tmp_path / "run.npz", **change(held))
    assert main(["check", str(tmp_path / "model.npz"), str(tmp_path / "run.npz")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert said in error
