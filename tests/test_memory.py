"""Activation memory: against brute force over all orders, and against what tracemalloc sees."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import numjaz
from numjaz import Node, NumjazError, memory
from numjaz.architectures.initial import initial_parameters
from numjaz.audit import scratch
from numjaz.audit.graph import Graph, best_order
from numjaz.layers import LSTM, Activation, Add, Concatenate, Conv1D, Dense, GlobalMaxPooling1D, Input
from numjaz.nodes import parameter_table
from numjaz.planning import Tensor, alive, arena

REFERENCE = numjaz.jazbat(features=1, classes=6, reduction=6)


@pytest.mark.parametrize(
    ("definition", "order", "numbers"),
    [
        ("all", "given", 220_434),
        ("parameter_layers", "given", 163_334),
        ("torchinfo", "given", 1_306_672 // 4),  # what torchinfo 1.8.0 prints, in bytes
        ("liveness", "given", 49_152),
        ("liveness", "best", 49_152),
        ("in_place", "best", 35_328),
    ],
)
def test_the_papers_network(definition: str, order: str, numbers: int) -> None:
    found = memory(REFERENCE, definition, order=order)
    assert found.peak_bytes == 4 * numbers
    assert found.proved
    assert memory(REFERENCE, definition, order=order, batch=3, dtype="int8").peak_bytes == 3 * numbers


def test_the_peak_is_named() -> None:
    peak = memory(REFERENCE).peak
    assert (peak.node, peak.tensors) == ("module1_shortcut", ("norm", "module1_merge", "module1_shortcut"))


def test_scratch() -> None:
    held = scratch(REFERENCE)
    assert held["bigru"] == {"projections": 4 * 256 * 6 * 32}
    assert held["module1_branch5"] == {"im2col": 4 * 256 * 5 * 10}
    assert set(held) == {"bigru", *(f"module{m}_branch{k}" for m in (1, 2, 3) for k in (3, 5))}


def network(seed: int) -> numjaz.Model:
    """A small graph of vectors: sums, joins, what can be written in place and what cannot; several ends."""
    rng = random.Random(seed)
    nodes: list[Node] = []
    width: dict[str, int] = {}
    kinds = rng.choice([[Dense], [Dense, Activation], [Dense, Activation, Add], [Dense, Activation, Add, Concatenate]])
    for k in range(rng.randint(3, 8)):
        kind = Input if k == 0 or rng.random() < 0.1 else rng.choice(kinds)
        read = [] if kind is Input else [rng.choice(list(width))]
        if kind is Add:
            read.append(rng.choice([other for other in width if width[other] in (1, width[read[0]])]))
        if kind is Concatenate:
            read.append(rng.choice(list(width)))
        sizes = [width[name] for name in read]
        made = {Dense: rng.choice([1, 5, 9, 20]), Input: rng.randint(1, 9), Concatenate: sum(sizes)}
        width[f"n{k}"] = made.get(kind, max(sizes, default=0))
        options = {Dense: [width[f"n{k}"]], Input: [width[f"n{k}"], ()], Activation: ["relu"]}.get(kind, [])
        nodes.append(Node(f"n{k}", kind(*options), tuple((name, 0) for name in read)))
    used = {source for node in nodes for source, _ in node.inputs}
    outputs = [name for name in width if name not in used or rng.random() < 0.2]
    return numjaz.Model(nodes, initial_parameters(parameter_table(nodes), 0), outputs=outputs)


def orders(graph: Graph) -> Iterator[list[int]]:
    """Every order in which each node stands behind what it reads, the inputs first."""

    def grow(done: list[int]) -> Iterator[list[int]]:
        if len(done) == len(graph.nodes):
            yield done
        for v in range(len(graph.nodes)):
            if v not in done and all(source in done for source, _ in graph.needs[v]):
                yield from grow([*done, v])

    yield from grow(list(graph.inputs))


@pytest.mark.parametrize("in_place", [False, True])
def test_the_best_order_is_the_best_of_all(in_place: bool) -> None:
    better = 0
    for seed in (*range(200), 289, 1454, 1504, 2603, 10765):  # the last five: where what may be overwritten decides
        model = network(seed)
        sizes = {name: [4 * shape[-1]] for name, shape in model.shapes().items()}
        graph = Graph.of(model.nodes, model.outputs, sizes)
        order, proved = best_order(graph, in_place)
        assert proved
        peaks = [max(alive(graph.tensors(each, in_place), len(each))) for each in orders(graph)]
        assert max(alive(graph.tensors(order, in_place), len(order))) == min(peaks)
        name = "in_place" if in_place else "liveness"
        assert memory(model, name, order="best").peak_bytes == min(peaks)
        better += min(peaks) < memory(model, name).peak_bytes
    assert better > 10


def states(*more: Node, outputs: list[str] | None = None) -> numjaz.Model:
    """A node that reads two outputs of another."""
    nodes = [Node("input", Input(3)), Node("lstm", LSTM(4, return_state=True), (("input", 0),)), *more]
    nodes.append(Node("sum", Add(), (("lstm", 1), ("lstm", 2))))
    return numjaz.Model(nodes, initial_parameters(parameter_table(nodes), 0), outputs=outputs)


def test_two_outputs_of_one_node_are_one_node_to_wait_for() -> None:
    assert [s.node for s in memory(states(), order="best").timeline] == ["input", "lstm", "sum"]
    relu = Node("relu", Activation("relu"), (("input", 0),))
    best = memory(states(relu, outputs=["sum", "relu", "lstm"]), order="best")
    order = [step.node for step in best.timeline]
    assert order.index("lstm") < order.index("sum")
    assert best.proved


@pytest.mark.parametrize("most", [1, 2, 3, 7])
def test_a_search_that_is_cut_ends_in_an_order_and_proves_nothing(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("numjaz.audit.graph.MAX_STATES", most)
    cut = 0
    for seed in range(300):
        model = network(seed)
        graph = Graph.of(model.nodes, model.outputs, {name: [4 * shape[-1]] for name, shape in model.shapes().items()})
        order, proved = best_order(graph, in_place=True)
        assert sorted(order) == list(range(len(graph.nodes)))
        assert all(order.index(source) < order.index(v) for v in order for source, _ in graph.needs[v])
        cut += not proved
    assert cut > 50


def bytes_held(model: numjaz.Model, in_place: bool) -> list[int]:
    """The same in other words: a set of buffers, step by step."""
    buffers: dict[int, int] = {}  # by number: bytes
    where: dict[str, int] = {}
    left = {node.name: sum(node.name in dict(other.inputs) for other in model.nodes) for node in model.nodes}
    shapes, held = model.shapes(), []
    for node in [n for n in model.nodes if isinstance(n.layer, Input)]:
        where[node.name] = len(buffers)
        buffers[len(buffers)] = 4 * shapes[node.name][-1]
    for node in model.nodes:
        if not isinstance(node.layer, Input):
            read = list(dict(node.inputs))
            for name in read:
                left[name] -= 1
            dead = [name for name in read if not left[name] and name not in model.outputs]
            size = 4 * shapes[node.name][-1]
            fit = [name for name in dead if buffers[where[name]] == size]
            if in_place and fit and isinstance(node.layer, (Activation, Add)):
                where[node.name] = where[fit[0]]
                dead.remove(fit[0])
            else:
                where[node.name] = max(buffers) + 1
                buffers[where[node.name]] = size
            held.append(sum(buffers.values()))
            for name in dead:
                buffers[where[name]] = 0
        if not left[node.name] and node.name not in model.outputs:
            if isinstance(node.layer, Input):
                held.append(sum(buffers.values()))
            buffers[where[node.name]] = 0
        elif isinstance(node.layer, Input):
            held.append(sum(buffers.values()))
    return held


@pytest.mark.parametrize("in_place", [False, True])
def test_the_timeline_of_random_graphs(in_place: bool) -> None:
    for seed in range(200):
        model = network(seed)
        found = memory(model, "in_place" if in_place else "liveness")
        assert [step.bytes for step in found.timeline] == bytes_held(model, in_place), model.summary()


def test_mcunet_and_pairs() -> None:
    """A residual block: while the second convolution is computed, what waits for the sum counts too."""
    nodes = [
        Node("x", Input(8)),
        Node("a", Conv1D(16, 3), (("x", 0),)),
        Node("b", Conv1D(8, 3), (("a", 0),)),
        Node("sum", Add(), (("b", 0), ("x", 0))),
        Node("relu", Activation("relu"), (("sum", 0),)),
    ]
    model = numjaz.Model(nodes, initial_parameters(parameter_table(nodes), 0))
    assert {s.node: s.bytes // 40 for s in memory(model, "mcunet", window=10).timeline} == {"a": 24, "b": 32}
    pairs = {s.node: s.bytes // 40 for s in memory(model, "pair", window=10).timeline}
    assert pairs == {"a": 24, "b": 24, "sum": 24, "relu": 16}


def test_a_gap_that_just_fits_is_used() -> None:
    tensors = [Tensor("a", 8, 0, 0), Tensor("b", 8, 0, 1), Tensor("c", 8, 1, 1)]
    assert arena(tensors).offsets == {"a": 0, "b": 8, "c": 0}


TENSORS = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 9), st.integers(0, 9)).map(lambda t: (t[0], min(t[1:]), max(t[1:])))
)


@given(TENSORS, st.sampled_from([1, 16]))
def test_what_lives_together_lies_apart(drawn: list[tuple[int, int, int]], alignment: int) -> None:
    tensors = [Tensor(str(k), *each) for k, each in enumerate(drawn)]
    size, offsets = arena(tensors, alignment)
    sums = [sum(t.size for t in tensors if t.first <= step <= t.last) for step in range(10)]
    assert alive(tensors, 10) == sums
    assert size >= max(sums)
    assert all(offset % alignment == 0 for offset in offsets.values())
    for a, b in combinations(tensors, 2):
        if a.first <= b.last and b.first <= a.last and a.size and b.size:
            assert offsets[a.name] + a.size <= offsets[b.name] or offsets[b.name] + b.size <= offsets[a.name]
    assert size == max((offsets[t.name] + t.size for t in tensors), default=0)


def lstm() -> numjaz.Model:
    nodes = [
        Node("input", Input(3)),
        Node("conv", Conv1D(8, 3, activation="relu"), (("input", 0),)),
        Node("lstm", LSTM(16), (("conv", 0),)),
        Node("joined", Concatenate(), (("lstm", 0), ("conv", 0))),
        Node("pool", GlobalMaxPooling1D(), (("joined", 0),)),
        Node("classes", Dense(4), (("pool", 0),)),
    ]
    return numjaz.Model(nodes, initial_parameters(parameter_table(nodes), 0))


@pytest.mark.parametrize(
    "model",
    [REFERENCE, numjaz.jazbat(features=6), numjaz.jazbat(features=3, reset_after=False, modules=1), lstm()],
    ids=["1D", "6D", "3D", "lstm"],
)
def test_tracemalloc_sees_the_same(model: numjaz.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind every node of the reference, with what a layer holds while it computes let go."""
    x = np.zeros((1, 64, model.nodes[0].layer.features), np.float32)  # type: ignore[attr-defined]
    model.reference(model.checked(x))  # the weights in this dtype are kept
    seen: list[int] = []
    depth = [0]

    def watched(forward: Any) -> Any:
        def measured(*args: Any, **options: Any) -> Any:
            depth[0] += 1
            made = forward(*args, **options)
            depth[0] -= 1
            if depth[0] == 0:
                arrays = tracemalloc.DomainFilter(True, np.lib.tracemalloc_domain)
                seen.append(sum(trace.size for trace in tracemalloc.take_snapshot().filter_traces([arrays]).traces))
            return made

        return measured

    for kind in {type(node.layer) for node in model.nodes}:
        monkeypatch.setattr(kind, "forward", watched(kind.forward))
    tracemalloc.start()
    model.reference({"input": x})
    tracemalloc.stop()
    found = memory(model, window=64)
    # The input is the caller's, and was there before.
    expected = [step.bytes - x.nbytes * ("input" in step.tensors) for step in found.timeline if step.node != "input"]
    assert seen[-len(expected) :] == expected


def test_what_is_refused() -> None:
    for options in (
        *({"definition": "peak"}, {"order": "any"}, {"definition": "all", "order": "best"}),
        *({"window": 0}, {"window": -1}, {"window": None}, {"batch": 1.5}, {"dtype": 4}),
    ):
        with pytest.raises(NumjazError):
            memory(REFERENCE, **options)  # type: ignore[arg-type]
