"""The first node at which two runs part: faults are found where they are, rounding and what is inherited are none."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from counting_networks import NETWORKS

import numjaz
from numjaz import Model, NumjazError
from numjaz.cli import main
from numjaz.compare.divergence import Comparison, compare, excite
from numjaz.compare.matching import match
from numjaz.compare.runs import Run, read_run, run_model, write_run
from numjaz.layers import GRU, Activation, BatchNormalization, Bidirectional, Conv1D, Layer

RIGHT = numjaz.jazbat(features=3, classes=6, reduction=6, units=8, modules=2)


def edited(node: str, layer: Layer, model: Model = RIGHT) -> Model:
    """A network with one layer typed otherwise."""
    nodes = [replace(n, layer=layer if n.name == node else n.layer) for n in model.nodes]
    return Model(nodes, model.parameters)


def shifted(name: str, change: Any, model: Model = RIGHT) -> Model:
    """A network with one array that is another."""
    return model.replace({name: change(model.parameters[name])})


FAULTS: dict[str, tuple[str, Model]] = {
    "a gate's activation": (
        "bigru",
        edited("bigru", Bidirectional(*(GRU(8, recurrent_activation="hard_sigmoid"),) * 2)),
    ),
    "one direction's kernel turned round": ("bigru", shifted("bigru/backward/kernel", lambda a: a[::-1])),
    "epsilon": ("norm", edited("norm", BatchNormalization(1e-5))),
    "gamma and mean": ("norm", shifted("norm/moving_mean", lambda a: a + 1e-3)),
    "a kernel reversed in time": ("module1_branch5", shifted("module1_branch5/kernel", lambda a: a[::-1])),
    "a missing activation": ("module2_merge", edited("module2_merge", Conv1D(64, 1, activation="linear"))),
    "a bias forgotten": ("reduction", shifted("reduction/bias", lambda a: a + 0.02)),
    "padding": ("module1_branch3", edited("module1_branch3", Conv1D(10, 3, "causal", "relu"))),
    "half precision": ("module2_shortcut", shifted("module2_shortcut/kernel", lambda a: a.astype(np.float16))),
    "classes": ("classes", shifted("classes/kernel", lambda a: a[:, ::-1])),
}


CAUSES = {  # and what mends it; what the catalogue has not is unknown
    "a gate's activation": ("recurrent_activation is hard_sigmoid, not sigmoid", "bigru: use sigmoid"),
    "one direction's kernel turned round": ("backward: kernel reversed", "bigru: backward: turn kernel round"),
    "epsilon": ("epsilon 1e-05, not 0.001", "norm: use epsilon=0.001"),
    "a kernel reversed in time": ("kernel reversed", "module1_branch5: turn kernel round in time"),
    "a missing activation": ("activation forgotten", "module2_merge: use relu"),
    "padding": ("padding causal, not same", "module1_branch3: use padding='same'"),
    "half precision": ("weights in float16", "module2_shortcut: store the weights in float32"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_known_fault_is_named(fault: str) -> None:
    found = compare(RIGHT, FAULTS[fault][1])
    if fault not in CAUSES:
        assert (found.cause, found.fix) == ("unknown", None)
        return
    cause, fix = CAUSES[fault]
    assert cause in str(found.cause).split(" or ")
    assert str(found.fix).startswith(fix)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_where_it_is(fault: str) -> None:
    node, wrong = FAULTS[fault]
    found = compare(RIGHT, wrong)
    assert (found.agree, found.node) == (False, node)
    assert [each.name for each in found.nodes if each.fault] == [node]  # what follows only inherits it
    behind = [each.name for each in found.nodes]
    later = found.nodes[behind.index(node) + 1 :]
    assert not later or any(each.inherited for each in later)
    assert all(each.ratio <= 1 for each in found.nodes if each.name != node)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("seed", range(3))
def test_rounding_is_none(network: str, seed: int) -> None:
    """Float32 in blocks and orders of BLAS's own, against the bounds of float64."""
    model = NETWORKS[network]()
    found = compare(model, run_model(model, excite(model, seed=seed)))
    assert (found.agree, found.node, found.cause, found.fix) == (True, None, None, None)
    assert len(found.nodes) == len(model.nodes) - len(model.inputs)


def without(run: Run, *names: str) -> Run:
    return replace(run, outputs={name: array for name, array in run.outputs.items() if name not in names})


def test_what_nobody_recorded_is_among_the_suspects() -> None:
    hidden = ("module1_sum", "module1_branch5_reduce", "module1_branch5")
    right = without(run_model(RIGHT, excite(RIGHT)), *hidden)
    assert compare(RIGHT, right).agree
    wrong = without(run_model(FAULTS["a kernel reversed in time"][1], excite(RIGHT)), *hidden)
    found = compare(RIGHT, wrong)
    assert (found.node, found.cause) == ("module1_branch5", "kernel reversed")  # of the suspects the one that explains
    first = next(each for each in found.nodes if each.fault)
    assert first.suspects == ("module1_branch5_reduce", "module1_branch5", "module1_sum", "module1_merge")


def test_other_names_are_matched_by_place_and_shape() -> None:
    run = run_model(RIGHT, excite(RIGHT))
    names = {name: f"layer_{k}" for k, name in enumerate(run.outputs)}
    other = replace(run, outputs={names[name]: array for name, array in run.outputs.items()})
    found = compare(RIGHT, other)
    assert found.agree
    assert found.matched == names
    assert match({"a": np.zeros((2, 3))}, {"b": np.zeros((2, 4))}) == {}
    with pytest.raises(NumjazError, match="no output has the name or the shape"):
        compare(RIGHT, replace(run, outputs={"z": np.zeros((1, 1), np.float32)}))


def test_a_recording_is_read_as_it_was_written(tmp_path: Path) -> None:
    run = run_model(RIGHT, excite(RIGHT))
    write_run(run, tmp_path / "run.npz")
    again = read_run(tmp_path / "run.npz")
    assert set(again.outputs) == set(run.outputs)
    assert all(np.array_equal(again.outputs[name], array) for name, array in run.outputs.items())
    assert compare(RIGHT, again).agree
    RIGHT.save(tmp_path / "model.npz")
    with pytest.raises(NumjazError, match="holds no recorded run"):
        read_run(tmp_path / "model.npz")


def test_a_number_that_is_none_is_a_fault() -> None:
    run = run_model(RIGHT, excite(RIGHT))
    spoiled = run.outputs["norm"].copy()
    spoiled[0, 0, 0] = np.nan
    found: Comparison = compare(RIGHT, replace(run, outputs={**run.outputs, "norm": spoiled}))
    assert (found.agree, found.node) == (False, "norm")
    assert next(each for each in found.nodes if each.fault).where == (0, 0, 0)


def test_double_precision_has_bounds_of_its_own() -> None:
    x = {name: array.astype(np.float64) for name, array in excite(RIGHT).items()}
    double = run_model(RIGHT, x)
    found = compare(RIGHT, double)
    assert found.agree
    assert max(each.bound for each in found.nodes) < 1e-10
    nudged = {**double.outputs, "norm": double.outputs["norm"] * (1 + 1e-9)}
    assert compare(RIGHT, replace(double, outputs=nudged)).node == "norm"


def test_activations_exchanged() -> None:
    model = NETWORKS["activations"]()
    wrong = edited("tanh", Activation("hard_tanh"), model)
    assert compare(model, wrong).node == "tanh"


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    node, wrong = FAULTS["epsilon"]
    RIGHT.save(tmp_path / "right.npz")
    wrong.save(tmp_path / "wrong.npz")
    write_run(run_model(wrong, excite(RIGHT)), tmp_path / "run.npz")
    right = str(tmp_path / "right.npz")
    assert main(["check", right, right]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "the two agree: rounding explains every difference"
    for other in ("wrong.npz", "run.npz"):
        assert main(["check", right, str(tmp_path / other)]) == 1
        text = capsys.readouterr().out
        assert text.splitlines()[-4].startswith("the two part in norm: ")
        assert text.splitlines()[-3:-1] == ["cause: epsilon 1e-05, not 0.001", "fix: norm: use epsilon=0.001"]
        assert text.splitlines()[-1].startswith("evidence: ")
        assert max(map(len, text.splitlines())) <= 100
        assert main(["check", right, str(tmp_path / other), "--json"]) == 1
        held = json.loads(capsys.readouterr().out)
        assert (held["agree"], held["node"]) == (False, node)
        assert (held["cause"], held["fix"]) == ("epsilon 1e-05, not 0.001", "norm: use epsilon=0.001")
        assert {"name", "max_abs", "bound", "inherited"} <= set(held["nodes"][0])
    x = np.random.default_rng(0).normal(size=(2, 50, 3)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "ints.npy", np.arange(3))
    assert main(["check", right, right, "--input", str(tmp_path / "x.npy")]) == 0
    for arguments, said in (
        ([right, "--input", "x.npy"], "--input and --html go with two networks"),
        ([right, str(tmp_path / "run.npz"), "--input", "x.npy"], "is a recording"),
        ([right, right, "--input", str(tmp_path / "ints.npy")], "holds no array of float32"),
        ([right, right, "--input", "nothere.npy"], "not readable as .npy"),
        ([right, right, "--input", "walk.csv"], "the network does not say what it expects of a recording"),
        (["jazbat-watch-3d-activity", right, "--input", "nothere.csv"], "nothere.csv"),
        ([right, str(tmp_path / "nothere.npz")], "nothere.npz"),
        ([right, "jazbat-watch-1d-activity"], "features"),
    ):
        capsys.readouterr()
        assert main(["check", *arguments]) == 2, arguments
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert said in error


def test_a_recording_as_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its windows, cut as the network asks; 9.81 m/s^2 along one axis."""
    rows = [f"{k / 20},{np.sin(k / 3):.4f},{np.cos(k / 5):.4f},9.81" for k in range(600)]
    (tmp_path / "walk.csv").write_text("\n".join(["time_s,ax,ay,az", *rows]), encoding="utf-8")
    name = "jazbat-watch-3d-activity"
    assert main(["check", name, name, "--input", str(tmp_path / "walk.csv"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["agree"]
    (tmp_path / "walk.csv").write_text("\n".join(["time_s,ax,ay,az", *rows[:30]]), encoding="utf-8")
    assert main(["check", name, name, "--input", str(tmp_path / "walk.csv")]) == 2
    assert "holds no window of 256 samples" in capsys.readouterr().err
