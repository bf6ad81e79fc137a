"""The forward pass against what real Keras gave, node by node, and the network's manners."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import numjaz
from numjaz import Node
from numjaz.layers import (
    GRU,
    LSTM,
    Add,
    AveragePooling1D,
    BatchNormalization,
    Bidirectional,
    Concatenate,
    Conv1D,
    Dense,
    DepthwiseConv1D,
    Dropout,
    GlobalAveragePooling1D,
    Input,
    LayerNormalization,
    MaxPooling1D,
    MultiHeadAttention,
    PReLU,
    Rescaling,
    SeparableConv1D,
    SimpleRNN,
    Softmax,
    TimeDistributed,
)
from numjaz.layers.base import Layer

FIXTURES = sorted(Path(__file__).parent.glob("fixtures/keras-*/*.npz"))
WEIGHTS = Path(__file__).parent.parent / "weights"


@pytest.mark.parametrize("path", FIXTURES, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_every_node_is_what_keras_gave(path: Path) -> None:
    with np.load(path) as expected:
        model = numjaz.load(path.with_suffix(".keras"))
        made = model.activations(expected["x"])
        names = set(expected.files) - {"x"}
        assert names <= set(made)
        assert len(names) >= 18
        for name in names:
            assert made[name].dtype == np.float64
            np.testing.assert_allclose(made[name], expected[name], rtol=0, atol=1e-12, err_msg=name)


def test_there_are_fixtures_of_both_kerases() -> None:
    assert {path.parent.name.split("-")[1].split(".")[0] for path in FIXTURES} == {"2", "3"}
    assert len(FIXTURES) == 8


@pytest.mark.parametrize(
    ("options", "total", "trainable"),
    [  # the paper's Table IV, its text's R = 18, Generisch-Net's figures (Sensors 24:6167)
        ({"reduction": 6}, 28_360, 28_232),
        ({"reduction": 18}, 29_212, 29_084),
        ({"reduction": 6, "reset_after": False}, 28_168, 28_040),
        ({"features": 3, "reduction": 6}, 28_744, 28_616),
        ({"features": 6, "classes": 18, "reduction": 18}, 30_400, 30_272),
        ({"features": 6, "reduction": 6}, 29_320, 29_192),
    ],
)
def test_parameters_are_those_of_the_papers(options: dict[str, int], total: int, trainable: int) -> None:
    table = numjaz.jazbat(**options).parameter_table.values()
    assert sum(int(np.prod(p.shape)) for p in table) == total
    assert sum(int(np.prod(p.shape)) for p in table if p.trainable) == trainable


def test_time_is_free_and_classes_sum_to_one() -> None:
    model = numjaz.jazbat(features=3, classes=4)
    for time in (1, 7, 256, 300):
        x = np.random.default_rng(time).standard_normal((2, time, 3)).astype(np.float32)
        made = model.predict(x)
        assert made.shape == (2, 4)
        assert made.dtype == np.float32
        np.testing.assert_allclose(made.sum(axis=1), 1, atol=1e-6)
    assert model.predict(np.zeros((0, 256, 3))).shape == (0, 4)


def test_a_batch_is_its_windows() -> None:
    model = numjaz.jazbat()
    x = np.random.default_rng(0).standard_normal((300, 32, 1))
    alone = np.concatenate([model.predict(x[i : i + 1]) for i in (0, 127, 128, 299)])
    np.testing.assert_allclose(model.predict(x)[[0, 127, 128, 299]], alone, rtol=0, atol=1e-14)


def test_activations_hold_every_node_and_the_reference_is_the_last() -> None:
    model = numjaz.jazbat()
    x = np.random.default_rng(0).standard_normal((2, 16, 1))
    made = model.activations(x)
    assert list(made) == [node.name for node in model.nodes]
    np.testing.assert_array_equal(made["classes"], model.reference(model.checked(x))["classes"])


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (np.zeros((2, 256, 3)), r"axis 2 \(features\) is 3, the network takes 1"),
        (np.zeros((256, 1)), r"axes are \(windows, time, features\).*x\[None\]"),
        (np.zeros((1, 0, 1)), r"axis 1 \(time\) is empty"),
        (np.zeros((1, 8, 1), dtype=np.int64), "dtype int64"),
        (np.zeros((1, 8, 1), dtype=np.float16), "dtype float16"),
        (np.array("text"), "dtype"),
        (np.full((3, 8, 1), np.nan), r"axis 0 \(windows\) 0, axis 1 \(time\) 0, axis 2 \(features\) 0: nan"),
        (np.where(np.arange(24).reshape(3, 8, 1) == 13, np.inf, 0.0), r"axis 0 \(windows\) 1, axis 1 \(time\) 5"),
        ({"nobody": np.zeros((1, 8, 1))}, "the inputs are input, not nobody"),
    ],
)
def test_wrong_input_is_named(x: object, said: str) -> None:
    with pytest.raises(numjaz.NumjazError, match=said):
        numjaz.jazbat().predict(x)  # type: ignore[arg-type]


def test_a_model_does_not_change() -> None:
    weights = {name: array.copy() for name, array in numjaz.jazbat().parameters.items()}
    model = numjaz.Model(numjaz.jazbat().nodes, weights)
    x = np.ones((1, 8, 1))
    before = model.predict(x)
    weights["classes/bias"][:] = 99
    with pytest.raises(ValueError, match="read-only"):
        model.parameters["classes/bias"][:] = 99
    with pytest.raises(TypeError):
        model.parameters["classes/bias"] = weights["classes/bias"]  # type: ignore[index]
    other = model.replace({"classes/bias": np.arange(6.0)})
    np.testing.assert_array_equal(model.predict(x), before)
    assert np.abs(other.predict(x) - before).max() > 0.1
    with pytest.raises(numjaz.NumjazError, match="'classes/bios'"):
        model.replace({"classes/bios": np.zeros(6)})


@pytest.mark.parametrize("copied", [lambda m: pickle.loads(pickle.dumps(m)), copy.deepcopy], ids=["pickled", "copied"])
@pytest.mark.parametrize("path", [*FIXTURES[:1], *sorted(WEIGHTS.glob("*1d-activity.h5"))], ids=lambda p: p.stem)
def test_a_copy_is_the_same_network(path: Path, copied: Callable[[numjaz.Model], numjaz.Model]) -> None:
    """To the bit, with plans of its own, whatever was computed before."""
    model = numjaz.load(path if path.suffix == ".h5" else path.with_suffix(".keras"))
    x = np.random.default_rng(0).standard_normal((2, 64, model.nodes[0].layer.features))  # type: ignore[attr-defined]
    said = model.predict(x)
    other = copied(model)
    assert (other.nodes, other.outputs, other.classes) == (model.nodes, model.outputs, model.classes)
    assert (other.contract, dict(other.provenance)) == (model.contract, dict(model.provenance))
    for name, array in model.parameters.items():
        assert other.parameters[name].tobytes() == array.tobytes()
        assert not np.shares_memory(other.parameters[name], array)
        assert not other.parameters[name].flags.writeable
    assert (other.golden is None) == (model.golden is None)
    for ours, theirs in zip(model.golden or (), other.golden or (), strict=True):
        np.testing.assert_array_equal(theirs, ours)
    np.testing.assert_array_equal(other.predict(x), said)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda p: p.pop("norm/gamma"), "'norm/gamma' is missing"),
        (lambda p: p.update(extra=np.zeros(3)), "'extra' belongs to no node"),
        (lambda p: p.update({"classes/kernel": np.zeros((6, 18))}), r"float64 \(6, 18\), expected floats \(18, 6\)"),
        (lambda p: p.update({"classes/bias": np.zeros(6, np.int64)}), "int64"),
        (lambda p: p.update({"classes/bias": np.full(6, np.inf)}), "not finite"),
    ],
)
def test_wrong_arrays_are_named(change: object, said: str) -> None:
    arrays = dict(numjaz.jazbat().parameters)
    change(arrays)  # type: ignore[operator]
    with pytest.raises(numjaz.NumjazError, match=said):
        numjaz.Model(numjaz.jazbat().nodes, arrays)


@pytest.mark.parametrize(
    "options",
    [{"units": 0}, {"units": True}, {"units": 32.0}, {"units": "32"}, {"reduction": -1}, {"activation": "swish"}]
    + [
        {"reset_after": 1},
        {"kernels": ()},
        {"kernels": (5.0,)},
        {"features": 0},
        {"classes": ["a", "a"]},
        {"epsilon": "x"},
    ],
)
def test_wrong_options_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(numjaz.NumjazError):
        numjaz.jazbat(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "nodes",
    [
        [],
        [numjaz.Node("a", Dense(2), (("a", 0),))],
        [numjaz.Node("a", Dense(2))],
        [*numjaz.jazbat().nodes, numjaz.jazbat().nodes[-1]],
        [*numjaz.jazbat().nodes, numjaz.Node("b", Dense(2), (("classes", 1),))],
        [*numjaz.jazbat().nodes, numjaz.Node("b", Add(), (("classes", 0), ("norm", 0)))],
        [*numjaz.jazbat().nodes, numjaz.Node("b", Conv1D(2, 1), (("classes", 0),))],
        [*numjaz.jazbat().nodes, numjaz.Node("b", Dense(2), (("classes", 0),), owner="classes")],
    ],
)
def test_wrong_wiring_is_refused(nodes: list[numjaz.Node]) -> None:
    with pytest.raises(numjaz.NumjazError):
        numjaz.Model(nodes, numjaz.jazbat().parameters)


def test_nodes_may_share_arrays() -> None:
    base = numjaz.jazbat(classes=18, reduction=18)
    twice = [*base.nodes, numjaz.Node("again", Dense(18, "softmax"), (("classes", 0),), owner="classes")]
    model = numjaz.Model(twice, base.parameters)
    x = np.random.default_rng(0).standard_normal((1, 16, 1))
    logits = base.predict(x) @ base.parameters["classes/kernel"] + base.parameters["classes/bias"]
    np.testing.assert_allclose(model.predict(x), np.exp(logits) / np.exp(logits).sum(), atol=1e-7)
    assert model.summary().splitlines()[-1] == base.summary().splitlines()[-1]
    assert base.summary().splitlines()[-1].startswith("29,440 parameters")


def test_a_gru_is_its_steps() -> None:
    rng = np.random.default_rng(0)
    for after in (True, False):
        layer = GRU(5, reset_after=after)
        params = {name: rng.standard_normal(p.shape) for name, p in layer.parameters(((9, 3),)).items()}
        x = rng.standard_normal((2, 9, 3))
        state, parts = layer.start(2, x.dtype), []
        for chunk in (x[:, :4], x[:, 4:5], x[:, 5:]):
            part, state = layer.step(params, state, chunk)
            parts.append(part)
        whole = layer.forward(params, (x,)).outputs[0]
        np.testing.assert_allclose(np.concatenate(parts, axis=1), whole, rtol=0, atol=1e-14)
        last = GRU(5, reset_after=after, return_sequences=False).forward(params, (x,)).outputs[0]
        np.testing.assert_allclose(last, state[0], rtol=0, atol=1e-14)
        np.testing.assert_array_equal(last, whole[:, -1])


@pytest.mark.parametrize(
    ("kernel", "padding", "expected"),
    [  # of 1, 2, 3, 4 with 1, 10 or 1, 10, 100, summed by hand; in an even kernel the odd zero stands behind
        ([1, 10], "same", [21, 32, 43, 4]),
        ([1, 10], "causal", [10, 21, 32, 43]),
        ([1, 10], "valid", [21, 32, 43]),
        ([1, 10, 100], "same", [210, 321, 432, 43]),
        ([1, 10, 100], "causal", [100, 210, 321, 432]),
        ([1, 10, 100], "valid", [321, 432]),
    ],
)
def test_convolution_by_hand(kernel: list[float], padding: str, expected: list[float]) -> None:
    layer = Conv1D(1, len(kernel), padding, use_bias=False)
    params = {"kernel": np.array(kernel, dtype=float).reshape(-1, 1, 1)}
    (made,) = layer.forward(params, (np.array([1.0, 2, 3, 4]).reshape(1, 4, 1),)).outputs
    assert made[0, :, 0].tolist() == expected
    assert layer.output_shapes(((4, 1),)) == (made.shape[1:],)


@dataclass
class Case:
    layer: Layer
    inputs: int = 1


@pytest.mark.parametrize(
    "case",
    [
        *(Case(Conv1D(3, k, padding)) for k in (1, 2, 5) for padding in ("same", "causal")),
        *(Case(Conv1D(3, 3, padding, dilation=2)) for padding in ("same", "causal")),
        *(Case(DepthwiseConv1D(k, padding=padding)) for k in (3, 4) for padding in ("same", "causal")),
        Case(SeparableConv1D(3, 4, padding="same")),
        *(Case(kind(k, 1, "same")) for kind in (MaxPooling1D, AveragePooling1D) for k in (2, 3, 5)),
        *(Case(layer) for layer in (GRU(3), LSTM(3), SimpleRNN(3, "linear"))),
        Case(MultiHeadAttention(1, 2), 2),
        Case(MultiHeadAttention(1, 2, causal=True), 2),
        *(
            Case(layer)
            for layer in (LayerNormalization(), PReLU((1,)), Softmax(), Softmax((1,)), Dropout(), Rescaling(2.0))
        ),
        Case(Concatenate(), 2),
        Case(TimeDistributed(Dense(3))),
        Case(Bidirectional(GRU(3), GRU(3))),
        Case(BatchNormalization()),
        Case(Dense(3, "tanh")),
        Case(Add(), 2),
        Case(GlobalAveragePooling1D()),
    ],
    ids=lambda case: str(case.layer),
)
def test_reach_is_where_a_disturbed_sample_shows(case: Case) -> None:
    """A sample at t changes the outputs from t - ahead to t + back, and no others."""
    rng = np.random.default_rng(0)
    time, at = 21, 10
    shapes = ((time, 2),) * case.inputs
    params = {name: rng.uniform(0.2, 1, p.shape) for name, p in case.layer.parameters(shapes).items()}
    x = rng.standard_normal((1, time, 2))
    other = x.copy()
    other[0, at, 0] += 4  # one channel: a softmax sees no step of all
    a, b = (case.layer.forward(params, (v,) * case.inputs).outputs[0] for v in (x, other))
    assert a.shape[1:] == case.layer.output_shapes(shapes)[0]
    if a.ndim == 2:
        assert case.layer.reach == (None, None)
        return
    moved = np.flatnonzero((a != b).any(axis=(0, 2)))
    back, ahead = case.layer.reach
    assert moved.min() == (0 if ahead is None else at - ahead)
    assert moved.max() == (time - 1 if back is None else at + back)


def test_a_length_that_does_not_fit_is_one_line() -> None:
    """Half of 8 samples, twice rounded up and once down: 2 and 2, but of 10 they are 3 and 2."""
    nodes = [
        Node("x", Input(2)),
        Node("up", MaxPooling1D(4, padding="same"), (("x", 0),)),
        Node("down", MaxPooling1D(4), (("x", 0),)),
        Node("sum", Add(), (("up", 0), ("down", 0))),
    ]
    network = numjaz.Model(nodes, {})
    assert network.predict(np.zeros((1, 8, 2))).shape == (1, 2, 2)
    with pytest.raises(numjaz.NumjazError, match=r"node 'sum': Add takes inputs of one shape, not \(3, 2\), \(2, 2\)"):
        network.predict(np.zeros((1, 10, 2)))
