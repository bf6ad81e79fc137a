"""Printed numbers and formulas: what their digits, and their symbols, stand for."""

from __future__ import annotations

import pytest

from numjaz.audit.growth import degrees_of
from numjaz.audit.printed import printed_number
from numjaz.audit.search import reproduces
from numjaz.errors import NumjazError


@pytest.mark.parametrize(
    ("text", "unit", "counted", "expected"),
    [
        ("6.96M", 1, True, (6.96e6, 6.955e6, 6.97e6, False)),
        ("28,232", 1, True, (28232, 28232, 28232, True)),
        ("≈29K", 1, True, (29e3, 28.5e3, 30e3, False)),
        ("22–23×", 1, False, (22.5, 22, 23, False)),
        ("110", 1000, False, (110e3, 109.5e3, 111e3, False)),
        ("26×", 1, False, (26, 25.5, 27, False)),
        ("0.158", 1e6, False, (158e3, 157.5e3, 159e3, False)),
        ("29 596", 1, True, (29596, 29596, 29596, True)),
        ("29\u202f596", 1, True, (29596, 29596, 29596, True)),
        ("29, 596", 1, True, (29596, 29596, 29596, True)),
        ("2.96e4", 1, True, (29600, 29550, 29700, False)),
        ("2.96×10⁴", 1, True, (29600, 29550, 29700, False)),
        ("2.96 x 10^4", 1, True, (29600, 29550, 29700, False)),
        ("29.6k", 1, True, (29600, 29550, 29700, False)),
        ("<30K", 1, True, (30e3, 0, 30e3, False)),
        ("> 90 %", 0.01, False, (0.9, 0.9, float("inf"), False)),
        ("5 to 7", 1, True, (6, 5, 7, False)),
    ],
)
def test_printed_numbers(text: str, unit: float, counted: bool, expected: tuple[float, ...]) -> None:
    assert printed_number(text, unit, counted) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "unit", "like", "unlike"),
    [
        ("110", 1000, (109_500, 110_784, 110_999), (109_499, 111_000)),  # rounded, or cut off
        ("6.96M", 1, (6_955_000, 6_969_999), (6_954_999, 6_970_000)),
        ("28,232", 1, (28_232,), (28_231, 28_233)),
        ("22–23", 1, (22, 22.7, 23), (21.9, 23.1)),
        ("<30K", 1, (0, 29_999, 30_000), (30_001,)),
        ("> 90 %", 0.01, (0.9, 1), (0.89,)),
    ],
)
def test_what_is_printed_like_that(text: str, unit: float, like: tuple[float, ...], unlike: tuple[float, ...]) -> None:
    number = printed_number(text, unit)
    assert all(reproduces(number, value) for value in like)
    assert not any(reproduces(number, value) for value in unlike)


@pytest.mark.parametrize(
    ("printed", "powers"),
    [
        ("O(T·(d·h + h²))", {"T": 1, "d": 1, "h": 2}),
        ("T^2*h + 3", {"T": 2, "h": 1}),
        ("(a + b)·(a + b)", {"a": 2, "b": 2}),
        ("O(n_class × h^3)", {"h": 3, "n_class": 1}),
    ],
)
def test_powers_in_a_printed_formula(printed: str, powers: dict[str, int]) -> None:
    assert degrees_of(printed) == powers


@pytest.mark.parametrize(
    "printed", ["", "3", "T/h", "T**-1", "f(T)", "T^9", "__import__('os')", "(a+b+c+d+e+f)^5·" * 9 + "a"]
)
def test_what_is_no_formula(printed: str) -> None:
    with pytest.raises(NumjazError, match="is no formula"):
        degrees_of(printed)
