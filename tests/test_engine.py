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
from numjaz.architectures.cnn_bigru import cnn_bigru
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


NETWORKS: dict[str, numjaz.Model] = {
    "jazbat": numjaz.load("jazbat-watch-1d-activity"),
    "jazbat 3d": numjaz.load("jazbat-watch-3d-activity"),
    "jazbat, linear": numjaz.jazbat(6, activation="linear", reset_after=False, modules=1),
    "cnn-bigru": cnn_bigru(units=40),
    "lstms": network(
        [
            node("input", Input(3)),
            node("first", LSTM(24), "input"),
            node("second", LSTM(20, return_sequences=False, go_backwards=True), "first"),
            node("classes", Dense(4, activation="softmax"), "second"),
        ]
    ),
    "wide": network(
        [
            node("input", Input(20)),
            node("both", Bidirectional(GRU(40), GRU(40)), "input"),
            node("simple", Bidirectional(SimpleRNN(40), SimpleRNN(40)), "both"),
            node("conv", Conv1D(12, 4, padding="causal", dilation=2, activation="gelu"), "simple"),
            node("skip", Conv1D(12, 3), "simple"),
            node("sum", Add(), "conv", "skip"),
            node("pool", GlobalAveragePooling1D(), "sum"),
        ]
    ),
}
ULPS = 40  # of the largest magnitude of any tensor: what float32 plans may differ from float64 by
LENGTH = 100


def windows(model: numjaz.Model, count: int, dtype: Any = np.float32) -> np.ndarray:
    features = model.nodes[0].layer.features  # type: ignore[attr-defined]
    return np.random.default_rng(0).normal(size=(count, LENGTH, features)).astype(dtype)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("width", [1, 16, 64])
class TestNetworks:
    def test_float64_is_the_reference(self, name: str, width: int) -> None:
        model = NETWORKS[name]
        x = windows(model, 19, np.float64)
        alike(numjaz.compile(model, width, np.float64).predict(x), model, x, 1e3)

    def test_float32_is_as_near_to_float64_as_the_reference_is(self, name: str, width: int) -> None:
        model = NETWORKS[name]
        x = windows(model, 70)
        exact = next(iter(reference(model, x.astype(np.float64)).values()))
        own = np.abs(next(iter(reference(model, x).values())) - exact).max()
        made = np.abs(numjaz.compile(model, width).predict(x) - exact).max()
        assert made <= 3 * own + np.finfo(np.float32).eps

    def test_bits_do_not_depend_on_how_windows_are_split(self, name: str, width: int) -> None:
        model, plan = NETWORKS[name], numjaz.compile(NETWORKS[name], width)
        x = windows(model, 70)
        whole = plan.predict(x)
        for size in (1, 7, 16, 64):
            parts = [plan.predict(x[a : a + size]) for a in range(0, len(x), size)]
            np.testing.assert_array_equal(np.concatenate(parts), whole)
        np.testing.assert_array_equal(numjaz.compile(model, width).predict(x), whole)

    def test_the_arena_is_what_memory_says(self, name: str, width: int) -> None:
        plan = numjaz.compile(NETWORKS[name], width)
        assert numjaz.memory(plan, "arena").peak_bytes == plan.arena_bytes
        assert numjaz.memory(plan, "liveness").peak_bytes <= plan.arena_bytes

    def test_it_says_what_it_does(self, name: str, width: int) -> None:
        said = numjaz.compile(NETWORKS[name], width).explain()
        assert max(map(len, said.splitlines()[3:])) <= 120
        assert "MACs" in said


@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "wide"])  # whose gelu runs as it is stated
@pytest.mark.parametrize("width", [1, 16, 64])
def test_nothing_large_is_allocated(name: str, width: int) -> None:
    model, plan = NETWORKS[name], numjaz.compile(NETWORKS[name], width)
    x = windows(model, width)
    made = plan.predict(x)
    plan.predict(x)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    plan.predict(x)
    peak = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    assert peak <= made.nbytes + 10_000


def test_exact_gives_the_bits_of_the_reference() -> None:
    for model in NETWORKS.values():
        x = windows(model, 5)
        np.testing.assert_array_equal(
            numjaz.compile(model, exact=True).predict(x), next(iter(reference(model, x).values()))
        )


def test_a_plan_is_ready_for_windows_of_any_length() -> None:
    model = NETWORKS["jazbat"]
    plan = numjaz.compile(model, 1, np.float64)
    for length in (256, 1, 2, 3, 9, 64, 256, 301, 40):
        x = np.random.default_rng(length).normal(size=(2, length, 1))
        alike(plan.predict(x), model, x, 1e3)


def test_a_network_that_computes_nothing() -> None:
    model = numjaz.Model([node("a", Input(2)), node("b", Input(2))], {}, outputs=["b", "a"])
    x = {name: np.random.default_rng(k).normal(size=(3, 5, 2)) for k, name in enumerate("ab")}
    for width in (1, 16):
        plan = numjaz.compile(model, width, np.float64)
        for name, y in plan.predict(x).items():
            np.testing.assert_array_equal(y, x[name])
        assert numjaz.memory(plan, "arena").peak_bytes == plan.arena_bytes
        assert "nothing was fused" in plan.explain()


def test_what_is_refused() -> None:
    model = NETWORKS["jazbat"]
    for options in ({"batch": 0}, {"batch": True}, {"batch": 2.0}, {"dtype": np.float16}, {"without": ["gru"]}):
        with pytest.raises(numjaz.NumjazError):
            numjaz.compile(model, **options)  # type: ignore[arg-type]
    x = windows(model, 3)
    x[1, 7] = np.inf
    for width in (1, 16):
        with pytest.raises(numjaz.NumjazError, match=r"not finite at axis 0 \(windows\) 1, axis 1 \(time\) 7"):
            numjaz.compile(model, width).predict(x)
    with pytest.raises(numjaz.NumjazError, match="axis 2"):
        numjaz.compile(model).predict(np.zeros((1, 8, 2), np.float32))
    with pytest.raises(numjaz.NumjazError, match="all, liveness and arena"):
        numjaz.memory(numjaz.compile(model), "pair")


def test_many_threads_may_ask_a_model() -> None:
    model = NETWORKS["jazbat"]
    x = windows(model, 40)
    expected, made = model.predict(x), []

    def ask() -> None:
        made.extend(model.predict(x) for _ in range(5))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(made) == 20
    for y in made:
        np.testing.assert_array_equal(y, expected)


def test_a_plan_that_computes_refuses_another_thread() -> None:
    model = NETWORKS["jazbat"]
    plan, x = numjaz.compile(model, 1), windows(model, 2)
    expected, said = plan.predict(x), []

    def ask() -> None:
        try:
            plan.predict(x)
        except numjaz.NumjazError as error:
            said.append(str(error))

    def meanwhile() -> None:
        other = threading.Thread(target=ask)
        other.start()
        other.join()

    plan._runner(LENGTH).program.calls.append((meanwhile, ()))
    np.testing.assert_array_equal(plan.predict(x), expected)
    assert len(said) == 2
    assert "another thread" in said[0]


def test_an_interrupted_plan_is_usable() -> None:
    model = NETWORKS["jazbat"]
    for width in (1, 16):
        plan = numjaz.compile(model, width)
        x = windows(model, 3)
        expected = plan.predict(x)
        calls = plan._runner(LENGTH).program.calls
        for at in (0, len(calls) // 3, len(calls) - 1):

            def interrupt(*args: Any) -> None:
                raise KeyboardInterrupt

            kept, calls[at] = calls[at], (interrupt, ())
            with pytest.raises(KeyboardInterrupt):
                plan.predict(x)
            calls[at] = kept
            np.testing.assert_array_equal(plan.predict(x), expected)
