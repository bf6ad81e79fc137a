"""Printed numbers: what their digits stand for, and what stands behind them."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import NamedTuple

from numjaz.errors import NumjazError

SPACES = "\u00a0\u2009\u202f"  # that papers set between thousands: no-break, thin, narrow
RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
FIGURE = r"(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
NUMBER = re.compile(
    rf"(?P<about>≈|~|∼|about|<|≤|>|≥)?\s*(?P<low>{FIGURE})(?:\s*[kKMG]?\s*(?:[–-]|to)\s*(?P<high>{FIGURE}))?"
    r"\s*(?:[×x·*]\s*10\s*\^?(?P<power>[-+]?\d+))?\s*(?P<scale>[kKMG]?)\s*(?P<rest>\D*)"
)
WORDS = re.compile(r"(x|×|%|MACs?|FLOP[sS]|OPs|ops|params|parameters|floats|numbers|windows)?")
"""What may stand behind a number; a unit of bytes or of time too, where it is the cell's own."""


class Printed(NamedTuple):
    """A printed number, and the least and the most that is printed like that.

    ``high`` is not among them where digits were left out; ``whole`` says that every digit is there.
    """

    value: float
    low: float
    high: float
    whole: bool


def printed_number(text: str, unit: float | Fraction = 1, counted: bool = True) -> Printed:
    """What a paper prints, as a number and the numbers that its digits stand for: rounded, or cut off.

    Where something is ``counted`` and neither ``≈`` nor K, M or a decimal stands there, the number is whole.

    Examples
    --------
    >>> printed_number("6.96M")
    Printed(value=6960000.0, low=6955000.0, high=6970000.0, whole=False)
    >>> printed_number("28,232").whole, printed_number("28 232").value, printed_number("2.82e4").value
    (True, 28232.0, 28200.0)
    >>> printed_number("22–23×")[:3], printed_number("<30k")[:3]
    ((22.5, 22.0, 23.000000000000004), (30000.0, 0.0, 30000.0))
    """
    plain = re.sub(rf"(?<=\d),?[ {SPACES}](?=\d{{3}}(?!\d))", "", text).translate(RAISED)
    found = NUMBER.fullmatch(plain.strip().strip(SPACES))
    if not found or not WORDS.fullmatch(found["rest"].strip()):
        raise NumjazError(f"printed {text!r:.40} is no number")
    about, scale = found["about"], {"": 1, "K": 10**3, "M": 10**6, "G": 10**9}[found["scale"].upper()]
    times = scale * Fraction(10) ** int(found["power"] or 0) * Fraction(unit)
    figures = [figure.replace(",", "") for figure in (found["low"], found["high"]) if figure]
    try:
        exact = [Fraction(figure) * times for figure in figures]
        values = [float(value) for value in exact]
    except OverflowError:
        raise NumjazError(f"printed {text!r:.40} is no finite number") from None
    if about in ("<", "≤"):
        return Printed(values[0], 0.0, values[0], False)
    if about in (">", "≥"):
        return Printed(values[0], values[0], math.inf, False)
    if len(values) > 1:
        return Printed(sum(values) / 2, values[0], math.nextafter(values[1], math.inf), False)
    digits, _, exponent = figures[0].lower().partition("e")
    step = Fraction(10) ** (int(exponent or 0) - len(digits.partition(".")[2])) * times
    if counted and step == 1 and not about:
        return Printed(values[0], values[0], values[0], True)
    return Printed(values[0], float(exact[0] - step / 2), float(exact[0] + step), False)


def bare_number(cell_printed: str, unit: str) -> str:
    """What is printed without the unit that stands behind it; `NumjazError` where that is another one."""
    found = re.search(r"(?<![A-Za-z])([kKMG]?i?B|bytes|ms|s|%|[x×])\s*$", cell_printed)
    if not found:
        return cell_printed
    if found[1].replace("×", "x") != unit.replace("×", "x"):
        raise NumjazError(f"printed {cell_printed!r:.40} has the unit {found[1]}, and the cell {unit or 'none'}")
    return cell_printed[: found.start()]
