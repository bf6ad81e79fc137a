"""Exact formulas in symbols: what integers are where a length or a width is not known yet. Knows nobody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import gcd


@dataclass(frozen=True)
class _Rounded:
    """A quotient that does not come out even: as a symbol of its own."""

    of: Formula
    by: int
    up: bool

    def __str__(self) -> str:
        left, right = ("⌈", "⌉") if self.up else ("⌊", "⌋")
        inner = str(self.of)
        return f"{left}{f'({inner})' if len(self.of.terms) > 1 else inner}/{self.by}{right}"


Factor = str | _Rounded
Monomial = tuple[tuple[Factor, int], ...]  # symbols and their powers, in the order of their names


class Formula:
    """A polynomial with whole coefficients, and quotients rounded down or up.

    It takes the place of an int in ``+ - * // %`` and ``==``, so that code that was written for sizes gives
    formulas. Whatever would need the symbols' values, a comparison say, raises `TypeError`.

    Examples
    --------
    >>> T, F, h = map(Formula.symbol, "TFh")
    >>> macs = 2 * (T * F * 3 * h + T * h * 3 * h)
    >>> macs
    6·T·h·(F + h)
    >>> macs.at({"T": 256, "F": 1, "h": 32})
    1622016
    >>> -(-T // 2) + (T - 3) // 2
    ⌈T/2⌉ + ⌊(T - 3)/2⌋
    """

    __slots__ = ("terms",)

    def __init__(self, terms: Mapping[Monomial, int]) -> None:
        self.terms = {monomial: n for monomial, n in terms.items() if n}

    @classmethod
    def symbol(cls, name: str) -> Formula:
        """The formula that is one symbol."""
        return cls({((name, 1),): 1})

    @staticmethod
    def of(value: Formula | int) -> Formula:
        """A formula itself, or the constant one of an int; `TypeError` for anything else."""
        if not isinstance(value, (Formula, int)):
            raise TypeError(f"a formula is made of whole numbers, not {value!r}")
        return value if isinstance(value, Formula) else Formula({(): value})

    def at(self, values: Mapping[str, int]) -> int:
        """The number that it is where the symbols have these values; `KeyError` names one that has none."""
        total = 0
        for monomial, n in self.terms.items():
            for factor, power in monomial:
                n *= (values[factor] if isinstance(factor, str) else _rounded(factor, values)) ** power
            total += n
        return total

    @property
    def symbols(self) -> set[str]:
        """The symbols in it."""
        found: set[str] = set()
        for factor in {factor for monomial in self.terms for factor, _ in monomial}:
            found |= {factor} if isinstance(factor, str) else factor.of.symbols
        return found

    @property
    def constant(self) -> int | None:
        """Its value where it has no symbol, else None."""
        return self.terms.get((), 0) if set(self.terms) <= {()} else None

    def __add__(self, other: Formula | int) -> Formula:
        return _summed([*self.terms.items(), *Formula.of(other).terms.items()])

    def __mul__(self, other: Formula | int) -> Formula:
        others = Formula.of(other).terms.items()
        return _summed([(_joined(p, q), n * m) for p, n in self.terms.items() for q, m in others])

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self) -> Formula:
        return self * -1

    def __sub__(self, other: Formula | int) -> Formula:
        return self + -other

    def __rsub__(self, other: int) -> Formula:
        return -self + other

    def __floordiv__(self, by: int) -> Formula:
        if type(by) is not int or by < 1:
            raise TypeError(f"a formula is divided by whole numbers from 1, not {by!r}")
        even = Formula({m: n // by for m, n in self.terms.items() if n % by == 0})
        rest = Formula({m: n for m, n in self.terms.items() if n % by})
        if rest.constant is not None:
            return even + rest.constant // by
        negative = all(n <= 0 for n in rest.terms.values())
        part = Formula({((_Rounded(-rest if negative else rest, by, up=negative), 1),): -1 if negative else 1})
        return even + part

    def __mod__(self, by: int) -> Formula | int:
        left = self - self // by * by
        return left if left.constant is None else left.constant

    def __eq__(self, other: object) -> bool:
        return isinstance(other, (Formula, int)) and self.terms == Formula.of(other).terms

    def __hash__(self) -> int:
        return hash(self.constant) if self.constant is not None else hash(frozenset(self.terms.items()))

    def __bool__(self) -> bool:
        return bool(self.terms)

    def __str__(self) -> str:
        if not self.terms:
            return "0"
        monomials = [dict(monomial) for monomial in self.terms]
        common = {f: min(m.get(f, 0) for m in monomials) for f in monomials[0]}
        common = {factor: power for factor, power in common.items() if power}
        scale = gcd(*self.terms.values())
        if len(self.terms) == 1 or not common:
            return _text([(n, dict(monomial)) for monomial, n in self.terms.items()])
        inner = [
            (n // scale, {f: power - common.get(f, 0) for f, power in dict(monomial).items()})
            for monomial, n in self.terms.items()
        ]
        outside = _text([(scale, common)])
        return f"{outside}·({_text(inner)})"

    __repr__ = __str__


def _rounded(factor: _Rounded, values: Mapping[str, int]) -> int:
    value = factor.of.at(values)
    return -(-value // factor.by) if factor.up else value // factor.by


def _summed(terms: list[tuple[Monomial, int]]) -> Formula:
    total: dict[Monomial, int] = {}
    for monomial, n in terms:
        total[monomial] = total.get(monomial, 0) + n
    return Formula(total)


def _joined(a: Monomial, b: Monomial) -> Monomial:
    powers = dict(a)
    for factor, power in b:
        powers[factor] = powers.get(factor, 0) + power
    return tuple(sorted(powers.items(), key=lambda item: str(item[0])))


def _text(terms: list[tuple[int, dict[Factor, int]]]) -> str:
    """A sum, its longest products first; without a dot between a number and nothing."""
    text = ""
    for n, powers in sorted(terms, key=lambda term: -sum(term[1].values())):
        factors = [f"{f}{_superscript(power)}" for f, power in powers.items() if power]
        product = "·".join([*([str(abs(n))] if abs(n) != 1 or not factors else []), *factors])
        sign = ("-" if n < 0 else "") if not text else (" - " if n < 0 else " + ")
        text += sign + product
    return text


def _superscript(power: int) -> str:
    return "" if power == 1 else "".join("⁰¹²³⁴⁵⁶⁷⁸⁹"[int(digit)] for digit in str(power))
