"""Formulas in O(…): in which power of each symbol a paper lets a number grow, and in which it does."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Sequence
from itertools import pairwise

from numjaz.errors import NumjazError
from numjaz.formula import Formula

RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
MOST = 5  # the highest power that is told apart
MOST_TERMS = 10_000


def degrees_of(text: str) -> dict[str, int]:
    """The highest power of each symbol in a printed formula of sums and products.

    Examples
    --------
    >>> degrees_of("O(T·(d·h + h²) + h·n_class)")
    {'T': 1, 'd': 1, 'h': 2, 'n_class': 1}
    """
    plain = re.sub(r"^\s*O\s*(?=\()", "", text)
    plain = re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹]+", lambda found: "**" + found[0].translate(RAISED), plain)
    plain = plain.replace("^", "**").replace("·", "*").replace("×", "*")
    try:
        formula = _read(ast.parse(plain.strip(), mode="eval").body)
    except (SyntaxError, ValueError, RecursionError, TypeError):
        raise NumjazError(f"{text!r:.60} is no formula of sums, products and powers") from None
    found: dict[str, int] = {}
    for monomial in formula.terms:
        for symbol, power in monomial:
            found[str(symbol)] = max(power, found.get(str(symbol), 0))
    if not found:
        raise NumjazError(f"{text!r:.60} is no formula with symbols")
    return dict(sorted(found.items()))


def _read(node: ast.expr) -> Formula:
    match node:
        case ast.BinOp(left, ast.Add(), right):
            return _read(left) + _read(right)
        case ast.BinOp(left, ast.Mult(), right):
            return _times(_read(left), _read(right))
        case ast.BinOp(left, ast.Pow(), ast.Constant(int(power))) if 0 < power <= MOST:
            base = made = _read(left)
            for _ in range(power - 1):
                made = _times(made, base)
            return made
        case ast.Name(name):
            return Formula.symbol(name)
        case ast.Constant(int(value)):
            return Formula.of(value)
    raise ValueError(node)


def _times(left: Formula, right: Formula) -> Formula:
    if len(left.terms) * len(right.terms) > MOST_TERMS:
        raise ValueError("too long")
    return left * right


def degree(value_at: Callable[[int], int], points: Sequence[int]) -> int:
    """In which power a polynomial grows, from its values at points a constant step apart.

    Its differences of the n-th order are the first that are zero: its power is n - 1.

    Examples
    --------
    >>> degree(lambda h: 6 * h * h + h, range(1, 8))
    2
    """
    values, order = [value_at(point) for point in points], 0
    while any(values) and len(values) > 1:
        values = [after - before for before, after in pairwise(values)]
        order += 1
    if any(values):
        raise NumjazError("does not grow as a polynomial does")
    return max(order - 1, 0)


def degrees_text(degrees: dict[str, int]) -> str:
    """As text: ``T¹ h²``."""
    raised = "⁰¹²³⁴⁵⁶⁷⁸⁹"
    return " ".join(f"{symbol}{raised[power]}" for symbol, power in degrees.items())
