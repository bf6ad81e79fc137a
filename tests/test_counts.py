"""What `numjaz.count` says: the paper's tables, formulas, shared arrays."""

from __future__ import annotations

import math
from typing import Any

import pytest
from counting_networks import NETWORKS, chain
from hypothesis import assume, given
from random_models import cases

import numjaz
from numjaz import Node, NumjazError, count, memory
from numjaz.architectures.initial import initial_parameters
from numjaz.audit import CONVENTIONS, differences
from numjaz.audit.symbols import symbolic
from numjaz.formula import Formula
from numjaz.layers import Dense, Input, Softmax
from numjaz.nodes import owned_parameters, parameter_table

T = Formula.symbol("T")


@pytest.mark.parametrize(
    ("features", "six", "eighteen"),
    [(1, 6_955_044, 7_151_724), (3, 7_053_348, 7_250_028), (6, 7_200_804, 7_397_484)],
)
def test_the_papers_networks(features: int, six: int, eighteen: int) -> None:
    assert count(numjaz.jazbat(features=features, classes=6, reduction=6)).macs == six
    assert count(numjaz.jazbat(features=features, classes=6, reduction=18)).macs == eighteen


@pytest.mark.parametrize("features", [1, 3, 6])
def test_every_node_of_the_papers_network(features: int) -> None:
    counted = count(numjaz.jazbat(features=features, classes=6, reduction=6), window=T)
    rows = {row.node: row for row in counted.rows}
    assert rows["bigru"].macs == 6 * 32 * (features + 32) * T
    assert rows["bigru"].parameters == 6 * (32 * features + 1024 + 64)
    assert (rows["norm"].parameters, rows["norm"].trainable, rows["norm"].macs) == (256, 128, 0)
    for module in (1, 2, 3):
        inside = [row for row in counted.rows if row.node.startswith(f"module{module}")]
        assert sum(row.macs for row in inside) == 6816 * T
        assert sum(row.parameters for row in inside) == 6984
    assert (rows["reduction"].macs, rows["reduction"].parameters) == (64 * 6 * T, 64 * 6 + 6)
    assert (rows["classes"].macs, rows["classes"].parameters) == (36, 42)
    assert rows["module1_shortcut"].output_bytes == 4 * 64 * T
    assert (counted.parameters, counted.trainable) == (28_360 + 192 * (features - 1), 28_232 + 192 * (features - 1))


@given(cases())
def test_formulas_give_the_numbers(case: tuple[numjaz.Model, Any]) -> None:
    model, _ = case
    try:
        formulas = count(model, window=T)
    except NumjazError as error:
        assert "\n" not in str(error)
        assume(False)
    for window in (5040, 7, 64):
        try:
            numbers = count(model, window=window)
        except NumjazError:  # too short
            continue
        for formula, number in zip(formulas.rows, numbers.rows, strict=True):
            for kind in ("macs", "activations", "elementary"):
                found, expected = getattr(formula.operations, kind), getattr(number.operations, kind)
                assert {name: Formula.of(n).at({"T": window}) for name, n in found.items()} == expected
            assert Formula.of(formula.output_bytes).at({"T": window}) == number.output_bytes


def test_shared_arrays_count_once_and_compute_twice() -> None:
    nodes = [
        Node("a", Input(3)),
        Node("b", Dense(3), (("a", 0),), "shared"),
        Node("c", Dense(3), (("b", 0),), "shared"),
    ]
    counted = count(numjaz.Model(nodes, initial_parameters(parameter_table(nodes), 0)), window=10)
    assert (counted.macs, counted.parameters) == (2 * 90, 12)
    assert [row.weight_bytes for row in counted.rows] == [0, 48, 48]
    assert [row.parameters for row in counted.rows] == [0, 12, 0]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"convention": "mine"}, "convention 'mine' is not one of matmul"),
        ({"window": 0}, "window must be 1 sample or more, not 0"),
        ({"window": 2.5}, "window must be 1 sample or more, not 2.5"),
        ({"window": "256"}, "window must be 1 sample or more, not '256'"),
        ({"batch": 0}, "batch must be 1 window or more, not 0"),
        ({"convention": 3}, "convention 3 is not one of"),
        ({"dtype": "float"}, "dtype 'float' is not one of float64"),
    ],
)
def test_what_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(NumjazError, match=said):
        count(numjaz.jazbat(), **options)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("convention", CONVENTIONS)
def test_the_differences_are_all_of_them(convention: str, network: str) -> None:
    """What each line says a tool counts more or less adds up to what it prints more or less."""
    model = NETWORKS[network]()
    if convention == "onnx-tool" and network in ("rnn", "attention"):  # on which the tool ends
        with pytest.raises(NumjazError, match=r"node '.*': .*: (onnx-tool 1.0.1 does not know|torch exports no)"):
            count(model, convention)
        with pytest.raises(NumjazError, match=r"node '.*': .*: (onnx-tool 1.0.1 does not know|torch exports no)"):
            differences(convention, model)
        return
    lines = differences(convention, model, 64, 2)
    matmul, number = (count(model, name, 64, batch=2).macs for name in ("matmul", convention))
    assert sum(line.counted - line.matmul for line in lines) == number - CONVENTIONS[convention].scale * matmul
    assert all(line.why for line in lines)


@given(cases())
def test_symbols_stand_for_the_numbers(case: tuple[numjaz.Model, Any]) -> None:
    model, _ = case
    try:
        numbers = {row.node: row.macs for row in count(model, window=5040).rows}
        found = symbolic(model, 5040)
    except NumjazError:
        assume(False)
    owned = owned_parameters(model.nodes)
    held = {node.name: sum(math.prod(p.shape) for p in owned[node.owner].values()) for node in model.nodes}
    assert {each.node: (each.macs.at(each.values), each.parameters.at(each.values)) for each in found} == {
        node: (n, held[node]) for node, n in numbers.items() if n or held[node]
    }
    assert all("T" not in each.parameters.symbols for each in found)


def test_the_symbols_of_the_papers_equations() -> None:
    found = {each.node: each for each in symbolic(numjaz.jazbat(features=3))}
    assert str(found["bigru"].macs) == "6·T·h·(F + h)"
    assert found["bigru"].values == {"T": 256, "F": 3, "h": 32}
    assert str(found["module1_branch5"].macs) == "C·D·T·k"
    assert str(found["classes"].macs) == "C·n"
    assert str(found["bigru"].parameters) == "6·h·(F + h + 2)"
    assert str(found["module1_branch5"].parameters) == "D·(C·k + 1)"


def test_a_softmax_over_two_axes_is_no_module_of_torchs() -> None:
    """The twin computes it by its equation, in which thop counts nothing."""
    model = chain(Input(4, (64,)), Softmax((1, 2)))
    with pytest.raises(NumjazError, match=r"node 'n1': Softmax.*: torch has no module for it"):
        count(model, "thop", 64)


def test_what_is_no_model() -> None:
    for ask in (count, memory):
        with pytest.raises(NumjazError, match="takes a Model, not 'jazbat'"):
            ask("jazbat")  # type: ignore[arg-type, operator]
