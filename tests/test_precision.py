"""Runs in float16 declare it; differences are told in more ways than one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import numjaz
from numjaz import Node, NumjazError
from numjaz.architectures.initial import initial_parameters
from numjaz.compare.divergence import compare, excite
from numjaz.compare.matching import match
from numjaz.compare.precision import coarsest, held_in
from numjaz.compare.rounding import UNITS
from numjaz.compare.runs import Run, read_run, run_model, write_run
from numjaz.compare.walking import Walk
from numjaz.layers import GRU, LSTM, Bidirectional, Conv1D, Dense, GlobalAveragePooling1D, Input
from numjaz.nodes import parameter_table

LAYERS = {
    "input": Input(3, (20,)),
    "gru": GRU(6),
    "a": Conv1D(8, 3, activation="relu"),
    "b": Conv1D(8, 3),
    "c": Conv1D(8, 3),
    "pool": GlobalAveragePooling1D(),
    "classes": Dense(4, "softmax"),
}


def chain() -> numjaz.Model:
    names = list(LAYERS)
    nodes = [Node(n, LAYERS[n], ((names[k - 1], 0),) if k else ()) for k, n in enumerate(names)]
    return numjaz.Model(nodes, initial_parameters(parameter_table(nodes), seed=0))


def cast(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float16).astype(np.float32)


def coarse(model: numjaz.Model, change: Any = None, whole: bool = False) -> Run:
    """A run in float16, node by node: weights rounded, computed in float32, each output rounded."""
    model = model.replace({name: array if whole else cast(array) for name, array in model.parameters.items()})
    model = change(model) if change else model
    made = {"input": cast(excite(model)["input"])}
    for node in model.nodes[1:]:
        params = {k.removeprefix(f"{node.name}/"): a for k, a in model.parameters.items() if k.startswith(node.name)}
        (y,) = node.layer.forward(params, (made[node.inputs[0][0]],)).outputs
        made[node.name] = cast(y)
    outputs = {name: array.astype(np.float16) for name, array in made.items() if name != "input"}
    return Run("coarse", {"input": made["input"].astype(np.float16)}, outputs)


@pytest.mark.parametrize("whole", [False, True])
def test_a_run_in_float16_agrees(whole: bool, tmp_path: Any) -> None:
    """Whether the weights were rounded too, or kept, as normalizations of a mixed policy are."""
    run = coarse(chain(), whole=whole)
    write_run(run, tmp_path / "run.npz")
    found = compare(chain(), read_run(tmp_path / "run.npz"))
    assert found.agree, found.first
    assert all(0 < each.bound < np.inf for each in found.nodes)


@pytest.mark.parametrize("name", ["gru", "a", "b", "c"])
def test_a_tenth_of_a_kernel_is_found_there(name: str) -> None:
    """Whose bound is that of sums in float16, some hundredths."""

    def more(model: numjaz.Model) -> numjaz.Model:
        return model.replace({f"{name}/kernel": cast(1.1 * model.parameters[f"{name}/kernel"])})

    found = compare(chain(), coarse(chain(), more))
    assert (found.agree, found.node) == (False, name)


def test_one_kind_of_layer_may_sum_in_float16() -> None:
    """TF 2.15 sums dense layers and recurrences so, and convolutions not: no fault of the only dense layer."""
    model, run = chain(), coarse(chain())
    kernel, bias = (
        np.abs(model.parameters[f"classes/{each}"]).astype(np.float16) + np.float16(0.1) for each in ("kernel", "bias")
    )
    kernel = np.repeat(kernel, 40, axis=0)
    nodes = [
        *model.nodes[:-2],
        Node("flat", numjaz.layers.Flatten(), (("c", 0),)),
        Node("classes", Dense(4), (("flat", 0),)),
    ]
    kernel = np.resize(kernel, (160, 4))
    other = numjaz.Model(
        nodes,
        {**model.parameters, "classes/kernel": kernel.astype(np.float32), "classes/bias": bias.astype(np.float32)},
    )
    flat = run.outputs["c"].reshape(24, -1)
    y = np.zeros((24, 4), np.float16)
    for k in range(160):
        y = y + flat[:, k, None] * kernel[k]
    outputs = {name: array for name, array in run.outputs.items() if name != "pool"} | {
        "flat": flat,
        "classes": y + bias,
    }
    found = compare(other, replace(run, outputs=outputs))
    assert found.agree, found.first
    run = replace(run, outputs=outputs)
    fine = Walk(
        other, run_model(other, run.inputs), run, dict(zip(outputs, outputs, strict=True)), None, UNITS["float32"]
    )
    assert [each.name for each in fine.found.values() if each.fault] == ["classes"]  # float32 sums do not explain it


def test_the_same_in_float32_is_a_fault() -> None:
    model = chain()
    run = run_model(model.replace({name: cast(array) for name, array in model.parameters.items()}), excite(model))
    found = compare(model, run)
    assert (found.agree, found.node) == (False, "gru")


def test_mixed_dtypes_are_judged_by_the_coarsest() -> None:
    """Inputs in float32, cast by the first layer; a last layer that gives float32 of what float16 made."""
    run = coarse(chain())
    inputs = {"input": excite(chain())["input"]}
    outputs = {name: a.astype(np.float32) if name == "classes" else a for name, a in run.outputs.items()}
    assert compare(chain(), replace(run, inputs=inputs, outputs=outputs)).agree


def test_sums_in_float16_throughout_agree_too() -> None:
    """As Eigen's products do."""
    run = coarse(chain())
    outputs = dict(run.outputs)
    for source, name in (("gru", "a"), ("a", "b"), ("b", "c")):
        layer: Any = LAYERS[name]
        k, b = (chain().parameters[f"{name}/{each}"].astype(np.float16) for each in ("kernel", "bias"))
        x = np.pad(outputs[source], ((0, 0), (len(k) // 2, len(k) // 2), (0, 0)))
        y = np.zeros((*outputs[source].shape[:2], 8), np.float16)
        for tap in range(len(k)):
            for channel in range(k.shape[1]):
                y = y + x[:, tap : tap + 20, channel, None] * k[tap, channel]
        y = y + b
        outputs[name] = np.maximum(y, 0) if layer.activation == "relu" else y
    outputs["pool"] = outputs["c"].astype(np.float32).mean(1).astype(np.float16)
    p = {n: cast(chain().parameters[f"classes/{n}"]) for n in ("kernel", "bias")}
    outputs["classes"] = (
        LAYERS["classes"].forward(p, (outputs["pool"].astype(np.float32),)).outputs[0].astype(np.float16)
    )
    found = compare(chain(), replace(run, outputs=outputs))
    assert found.agree, found.first


@pytest.mark.parametrize(
    ("kind", "name"), [(np.int64, "a"), (np.bool_, "pool"), (np.complex64, "b"), (np.int8, "input")]
)
def test_what_is_no_number_of_a_networks_is_refused(kind: Any, name: str) -> None:
    run = coarse(chain())
    held = {
        each: array.astype(kind) if each == name else array for each, array in {**run.inputs, **run.outputs}.items()
    }
    other = Run("odd", {"input": held.pop("input")}, held)
    with pytest.raises(
        NumjazError, match=rf"^odd: {name} is recorded as {np.dtype(kind)}; a run can be compared in float64, "
    ):
        compare(chain(), other)


def test_lengths_of_a_graph_are_left_out() -> None:
    run = run_model(chain(), excite(chain()))
    outputs = {**run.outputs, "shape/Gather": np.arange(3), "mask": np.ones((24, 20, 8), bool)}
    assert compare(chain(), replace(run, outputs=outputs)).agree


def test_held_in() -> None:
    exact, rough = np.float32([0.5, 1, -3]), np.float32([0.1, 1e-9, 7e4])
    assert held_in("float16", exact.astype(np.float16)).dtype == np.float16
    np.testing.assert_array_equal(held_in("float16", exact), exact)
    made = held_in("float16", rough)
    np.testing.assert_array_equal(made.real[:2], [np.float16(0.1), 0])
    np.testing.assert_allclose(made.imag[:2], [abs(float(np.float16(0.1)) - float(rough[0])), 1e-9], rtol=1e-6)
    assert made.imag[2] == np.inf  # 70,000 is beyond all float16
    assert coarsest([rough, exact.astype(np.float16), exact.astype(float)]) == "float16"


@pytest.mark.parametrize(("dtype", "found"), [(np.float16, {"a": "q", "b": "p"}), (np.float32, {"b": "r"})])
def test_names_apart_are_matched_further_off_in_float16(dtype: Any, found: dict[str, str]) -> None:
    """But for the last output, which is what a network is for: it is compared, whatever it is."""
    y, z, other = np.random.default_rng(0).normal(size=(3, 4, 5)).astype(np.float32)
    there = {"p": (1.01 * z).astype(dtype), "q": (1.01 * y).astype(dtype), "r": other.astype(dtype)}
    assert match({"a": y, "b": z}, there) == found


def test_a_difference_in_other_words() -> None:
    """Largest, relative, in units in the last place, and the share: counted here one by one."""
    model = chain()
    run = run_model(model, excite(model))
    y = run.outputs["b"].copy()
    y[3, 7, 2] += np.float32(0.25)
    y[5, 0, 0] += np.float32(1e-3)
    (each,) = (n for n in compare(model, replace(run, outputs={**run.outputs, "b": y})).nodes if n.name == "b")
    largest = np.abs(run.outputs["b"]).max()
    assert each.max_abs == np.abs(y.astype(float) - run.outputs["b"]).max() == pytest.approx(0.25, rel=1e-5)
    assert each.relative == pytest.approx(0.25 / largest, rel=1e-5)
    place = 2.0 ** (np.floor(np.log2(largest)) - 23)
    assert each.ulp == pytest.approx(0.25 / place, rel=1e-5)
    assert each.share == 2 / y.size
    assert each.where == (3, 7, 2)
    assert 0 < each.expected < each.bound < 0.01


def test_nothing_at_all_differs() -> None:
    found = compare(chain(), run_model(chain(), excite(chain())))
    assert all((each.max_abs, each.relative, each.ulp, each.share) == (0, 0, 0, 0) for each in found.nodes)


@pytest.mark.parametrize("cell", [GRU(3), LSTM(3), GRU(3, return_sequences=False)])
def test_states_given_to_both_directions_count(cell: Any) -> None:
    layer = Bidirectional(cell, cell)
    nodes = [Node("x", Input(2)), *(Node(f"s{k}", Input(3, ())) for k in range(2 * cell.STATES))]
    nodes.append(Node("both", layer, tuple((node.name, 0) for node in nodes)))
    model = numjaz.Model(nodes, initial_parameters(parameter_table(nodes), 0))
    rng = np.random.default_rng(0)
    x = {"x": rng.normal(size=(4, 9, 2)).astype(np.float32)}
    x |= {node.name: rng.normal(size=(4, 3)).astype(np.float32) for node in nodes[1:-1]}
    assert compare(model, run_model(model, x)).agree
