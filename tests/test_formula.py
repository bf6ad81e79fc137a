"""Formulas: whatever is computed in symbols is what numbers give."""

from __future__ import annotations

import operator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from numjaz.formula import Formula

SYMBOLS = "TFh"


def computed(expression: Any, values: dict[str, Any]) -> Any:
    if not isinstance(expression, tuple):
        return values.get(expression, expression)
    operation, a, b = expression
    return operation(computed(a, values), b if isinstance(b, int) else computed(b, values))


EXPRESSIONS = st.recursive(
    st.one_of(st.sampled_from(SYMBOLS), st.integers(-20, 20)),
    lambda inner: st.one_of(
        st.tuples(st.sampled_from([operator.add, operator.sub, operator.mul]), inner, inner),
        st.tuples(st.sampled_from([operator.floordiv, operator.mod]), inner, st.integers(1, 9)),
    ),
    max_leaves=8,
)


@given(EXPRESSIONS, st.tuples(*[st.integers(-9, 300)] * 3))
def test_the_same_as_numbers(expression: Any, numbers: tuple[int, ...]) -> None:
    values = dict(zip(SYMBOLS, numbers, strict=True))
    formula = Formula.of(computed(expression, {name: Formula.symbol(name) for name in SYMBOLS}))
    assert formula.at(values) == computed(expression, values)
    assert formula.symbols <= set(SYMBOLS)
    assert (formula.constant is None) == bool(formula.symbols)


@given(EXPRESSIONS, EXPRESSIONS)
def test_equal_formulas_are_one(a: Any, b: Any) -> None:
    symbols = {name: Formula.symbol(name) for name in SYMBOLS}
    p, q = Formula.of(computed(a, symbols)), Formula.of(computed(b, symbols))
    assert p + q == q + p
    assert (p + q) * (p - q) == p * p - q * q
    assert hash(p + q) == hash(q + p)
    assert (p - p) == 0
    assert not p - p


@given(EXPRESSIONS)
def test_a_text_is_the_formula(expression: Any) -> None:
    """Read as Python, the text gives the same: products with a dot, powers raised, quotients between brackets."""
    formula = Formula.of(computed(expression, {name: Formula.symbol(name) for name in SYMBOLS}))
    text = str(formula)
    if "⌈" in text or "⌊" in text:
        return
    for digit, raised in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹"):
        text = text.replace(
            raised, f"**{digit}" if not text[: text.find(raised)].endswith(tuple("⁰¹²³⁴⁵⁶⁷⁸⁹")) else str(digit)
        )
    values = {"T": 7, "F": -3, "h": 11}
    for name, value in values.items():
        text = text.replace(name, f"({value})")
    assert eval(text.replace("·", "*")) == formula.at(values)


def test_what_needs_a_value_is_refused() -> None:
    T = Formula.symbol("T")
    for refused in (lambda: T // 0, lambda: T // T, lambda: T + 0.5, lambda: T < 3, lambda: range(T)):
        with pytest.raises(TypeError):
            refused()
    with pytest.raises(KeyError):
        T.at({"h": 3})
