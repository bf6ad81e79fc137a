"""What rounding alone can do: an array that carries, beside each value, how far a rounded computation may be from it.

`Rounded` is a complex array: its real part is the value in float64, its imaginary part the bound. Whatever only moves
numbers (slices, shapes, zeros around) moves both parts as it is; whatever computes goes through the rules below. So a
layer's own equations, run on such arrays, give the error budget of that layer, and no layer is described twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import numpy as np

from numjaz.layers import Array

UNITS = {"float64": 2.0**-53, "float32": 2.0**-24, "float16": 2.0**-11}
"""Half a unit in the last place of 1: the largest relative error of one rounded operation."""
OVERFLOW = 700.0  # of exp in float64, nearly
MUCH = 0.5  # an error of an exponent that leaves little of what it is for
WIDE = 1e-3  # an error from which a function's two ends say more than its slope
FLUSHING = 1e-6  # units of dtypes in which numbers that underflow are taken for zero, as TensorFlow does
SUM: Any = np.add.reduce
LARGEST: Any = np.maximum.reduce
TINY = {UNITS["float64"]: 2.0**-1022, UNITS["float32"]: 2.0**-126, UNITS["float16"]: 2.0**-24}
"""By unit, what underflows: numbers below may lose their digits, or be taken for zero."""
DTYPES = {UNITS["float64"]: np.float32, UNITS["float32"]: np.float32, UNITS["float16"]: np.float16}
"""By unit, what constants of a layer are kept in, at worst."""
LOGISTIC = {UNITS["float64"]: 4.0, UNITS["float32"]: 4.0, UNITS["float16"]: 0.0}
"""By unit, how many of them however small the value: ONNX Runtime's sigmoid ends at -18, its recurrent layers' tanh is
alike; in float32, from which float16 is rounded."""
USUAL = 2.0
"""Of `unit`: what functions mostly err by."""
FUNCTION = {UNITS["float64"]: 16.0, UNITS["float32"]: 16.0, UNITS["float16"]: 4.0}
"""By unit, how many of them: 8 units in the last place, which exp, tanh, … of any framework on a CPU stay within; of
float16 2, since each is computed in float32."""


@dataclass(frozen=True)
class Arithmetic:
    """How the other side computes.

    Attributes
    ----------
    unit : float
        Of `UNITS`.
    terms : int
        Into how many terms a layer's products may be summed at once: frameworks add biases and a recurrent layer's two
        products in orders of their own.
    sums : float
        The unit in which a product's sum is kept until it is rounded once, where that is not ``unit``: float16 is
        mostly summed in float32.
    expected : bool
        Whether the imaginary part is the standard deviation of independent errors rather than a bound.
    """

    unit: float = UNITS["float32"]
    terms: int = 0
    sums: float = 0.0
    expected: bool = False


_ARITHMETIC: ContextVar[Arithmetic] = ContextVar("arithmetic", default=Arithmetic())  # noqa: B039  it is frozen


@contextmanager
def arithmetic(kind: Arithmetic) -> Iterator[None]:
    """The arithmetic of what is computed inside."""
    token = _ARITHMETIC.set(kind)
    try:
        yield
    finally:
        _ARITHMETIC.reset(token)


class Rounded(np.ndarray[Any, np.dtype[np.complex128]]):
    """Values and, as their imaginary parts, how far from them a rounded computation may be."""

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = None, **options: Any) -> Any:
        values, errors = zip(*(_parts(x) for x in inputs), strict=True)
        name = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
        if name in PREDICATES:
            return _condition(PREDICATES[name](*values), *values, *errors)
        if name not in RULES:
            raise NotImplementedError(f"no rule for the rounding of {name}")
        with np.errstate(all="ignore"):
            value, error = RULES[name](*values, *errors, **{k: v for k, v in options.items() if k in REDUCED})
            if name == "add" and all(isinstance(x, Rounded) for x in inputs):
                error = error + _begun_with(*values, *errors)
            if name == "divide" and not isinstance(inputs[0], Rounded) and not current().expected:
                error = error + LOGISTIC[current().unit] * current().unit  # 1 / (1 + exp(-x)): a function of its own
        made = rounded(value, error)
        if out is not None:
            out[0][...] = made
            return out[0]
        return made

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        if function in FUNCTIONS:
            with np.errstate(all="ignore"):
                return FUNCTIONS[function](*args, **options)
        made = function(*map(_bare, args), **{name: _bare(value) for name, value in options.items()})
        return made.view(Rounded) if isinstance(made, np.ndarray) and made.dtype == np.complex128 else made


def current() -> Arithmetic:
    """The arithmetic of what is being computed."""
    return _ARITHMETIC.get()


class Doubtful(np.ndarray[Any, np.dtype[np.bool_]]):
    """A condition, and where the other side may find it otherwise."""

    doubts: Array

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        if any(issubclass(kind, Rounded) for kind in types):
            return NotImplemented
        return function(*map(_bare, args), **{name: _bare(value) for name, value in options.items()})

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if any(isinstance(x, Rounded) for x in inputs):
            return NotImplemented
        return getattr(ufunc, method)(*map(_bare, inputs), **options)


def _condition(holds: Any, *parts: Array) -> Any:
    """A comparison of two numbers, in doubt where their errors reach over what parts them."""
    if len(parts) != 4 or not (np.any(parts[2]) or np.any(parts[3])):
        return holds
    a, b, da, db = parts
    made = np.asarray(holds).view(Doubtful)
    made.doubts = np.abs(a - b) <= da + db
    return made


def rounded(values: Any, errors: Any = 0.0) -> Rounded:
    """Values with these errors; without, numbers that both sides hold exactly."""
    made = np.empty(np.broadcast_shapes(np.shape(values), np.shape(errors)), np.complex128)
    made.real, made.imag = values, np.where(np.isnan(errors), np.inf, errors)  # 0 times infinity: nothing is known
    return made.view(Rounded)


def _parts(x: Any) -> tuple[Array, Array]:
    """Values and errors; a constant's is what the other side's dtype cannot hold of it."""
    bare = np.asarray(_bare(x))
    if isinstance(x, Rounded):
        return bare.real, bare.imag
    value, unit = bare.real.astype(np.float64), current().unit
    if bare.dtype.kind == "c":  # cast to a tensor's dtype, and perhaps computed with since
        return value, np.where(np.isfinite(value) & (value != 0), 4 * unit * np.abs(value) + TINY[unit], 0.0)
    with np.errstate(over="ignore", invalid="ignore"):
        held = value if bare.dtype.kind in "biu" else value.astype(DTYPES[unit]).astype(np.float64)
        return value, np.where(held == value, 0.0, np.abs(held - value))


def _bare(x: Any) -> Any:
    if isinstance(x, (list, tuple)):
        return type(x)(map(_bare, x))
    return x.view(np.ndarray) if isinstance(x, (Rounded, Doubtful)) else x


Parts = tuple[Array, Array]


def _once(value: Array, error: Array, units: float = 1.0) -> Parts:
    """An inherited error, and the rounding of the operation itself."""
    kind = current()
    if kind.expected:  # a rounding error is spread evenly over its unit
        size = np.where(np.isinf(value), 0.0, np.abs(value))
        return value, np.hypot(error, units * kind.unit * size / np.sqrt(3))
    size = np.where(np.isinf(value), 0.0, np.abs(value))  # what is infinite is that on both sides
    return value, error + units * kind.unit * (size + error) + TINY[kind.unit]


def _both(a: Array, b: Array) -> Array:
    """Two errors at once."""
    return np.hypot(a, b) if current().expected else a + b


def _sum(a: Array, b: Array, da: Array, db: Array) -> Parts:
    return _once(a + b, _both(da, db))


def _begun_with(a: Array, b: Array, da: Array, db: Array) -> Any:
    """What a bias loses where the other side begins with it, and adds every product of the layer to that."""
    kind = current()
    if kind.expected or not kind.terms:
        return 0.0
    held = sum(np.where(error <= kind.unit * np.abs(each), np.abs(each), 0.0) for each, error in ((a, da), (b, db)))
    return _gamma(kind.terms, kind.sums or kind.unit) * held


def _difference(a: Array, b: Array, da: Array, db: Array) -> Parts:
    return _once(a - b, _both(da, db))


def _product(a: Array, b: Array, da: Array, db: Array) -> Parts:
    cross = 0.0 if current().expected else da * db
    return _once(a * b, _both(np.abs(a) * db, np.abs(b) * da) + cross)


def _quotient(a: Array, b: Array, da: Array, db: Array) -> Parts:
    value = a / b
    room = np.abs(b) - (0.0 if current().expected else db)
    error = np.where(room > 0, _both(da, np.abs(value) * db) / room, np.inf)
    return _once(value, np.where((da == 0) & (db == 0), 0.0, error))


def _products(a: Array, b: Array, da: Array, db: Array, product: Callable[[Array, Array], Array], terms: int) -> Parts:
    """Sums of so many products, in whatever order they are added up."""
    kind, value = current(), product(a, b)
    if kind.expected:
        inherited = product(a * a, db * db) + product(da * da, b * b)
        partial = (terms / 2 + 1) * product(a * a, b * b)  # a random walk's sums, each rounded
        error = np.sqrt(inherited + (kind.sums or kind.unit) ** 2 / 3 * partial)
        return _once(value, error) if kind.sums else (value, error)
    size_a, size_b = np.abs(a), np.abs(b)
    inherited = product(size_a, db) + product(da, size_b + db)
    most = max(terms, kind.terms) + 2
    unit = kind.sums or kind.unit
    flushed = 1 + size_a.max(initial=0) + size_b.max(initial=0) if unit < FLUSHING else 1.0
    error = inherited + _gamma(most, unit) * product(size_a + da, size_b + db) + most * TINY[unit] * flushed
    return _once(value, error) if kind.sums else (value, error)


def _gamma(terms: int, unit: float) -> float:
    """The largest relative error of so many roundings, (1 + unit)^terms - 1, however many they are."""
    return float(np.expm1(terms * unit))


def _matmul(a: Array, b: Array, da: Array, db: Array) -> Parts:
    return _products(a, b, da, db, np.matmul, a.shape[-1])


def _einsum(subscripts: str, left: Any, right: Any) -> Rounded:
    (a, da), (b, db) = _parts(left), _parts(right)
    first, second = subscripts.split("->")[0].split(",")
    sizes = dict(zip(first + second, a.shape + b.shape, strict=True))
    terms = int(np.prod([n for letter, n in sizes.items() if letter not in subscripts.split("->")[1]]))
    return rounded(*_products(a, b, da, db, lambda x, y: np.einsum(subscripts, x, y), terms))


def _total(a: Array, da: Array, axis: Any = None, keepdims: bool = False, **_: Any) -> Parts:
    count = a.size // max(SUM(np.ones(a.shape), axis=axis).size, 1)
    value = SUM(a, axis=axis, keepdims=keepdims)
    kind = current()
    if kind.expected:
        inherited = SUM(da * da, axis=axis, keepdims=keepdims)
        partial = (count / 2 + 1) * SUM(a * a, axis=axis, keepdims=keepdims)
        return _once(value, np.sqrt(inherited + (kind.sums or kind.unit) ** 2 / 3 * partial))
    size = SUM(np.abs(a) + da, axis=axis, keepdims=keepdims)
    lost = _gamma(count + 1, kind.unit) * size + count * TINY[kind.unit]
    return value, SUM(da, axis=axis, keepdims=keepdims) + lost


def _largest(a: Array, da: Array, axis: Any = None, keepdims: bool = False, **_: Any) -> Parts:
    return LARGEST(a, axis=axis, keepdims=keepdims), LARGEST(da, axis=axis, keepdims=keepdims)


def _running(x: Any, axis: int | None = None, **_: Any) -> Rounded:
    value, error = _parts(x)
    count, kind = value.shape[-1 if axis is None else axis], current()
    sums = np.cumsum(value, axis=axis)
    if kind.expected:
        lost = kind.unit**2 / 3 * np.cumsum(sums * sums, axis=axis)
        return rounded(sums, np.sqrt(np.cumsum(error * error, axis=axis) + lost))
    lost = _gamma(count + 1, kind.unit) * np.cumsum(np.abs(value) + error, axis=axis) + count * TINY[kind.unit]
    return rounded(sums, np.cumsum(error, axis=axis) + lost)


def _clip(x: Any, low: Any, high: Any) -> Rounded:
    value, error = _parts(x)
    return rounded(np.clip(value, low, high), error)


def _chosen(condition: Any, yes: Any, no: Any) -> Rounded:
    """One of two; where the choice is in doubt the other side may have taken the other one."""
    (a, da), (b, db) = _parts(yes), _parts(no)
    value, error = np.where(_bare(condition), a, b), np.where(_bare(condition), da, db)
    if isinstance(condition, Doubtful):
        apart = np.where(a == b, 0.0, np.abs(a - b))
        error = np.where(condition.doubts, np.maximum(error, apart + np.where(_bare(condition), db, da)), error)
    return rounded(value, error)


def _function(function: Callable[[Array], Array], slope: Callable[[Array, Array], Array]) -> Callable[..., Parts]:
    """A function's rule: the steepest it is within the error, and what a framework's own form of it may be off."""

    def rule(a: Array, da: Array) -> Parts:
        value = function(a)
        inherited = np.where(da > 0, slope(a, 0 * da if current().expected else da) * da, 0.0)
        return _once(value, inherited, _by_a_function())

    return rule


def _by_a_function() -> float:
    kind = current()
    return USUAL if kind.expected else FUNCTION[kind.unit]


def _exponential(a: Array, da: Array) -> Parts:
    """`exp`: where much is inherited the middle of what it may be, which no error makes negative.

    Beyond `OVERFLOW` nothing that follows tells two apart, and what follows stays finite.
    """
    value = np.exp(np.minimum(a, OVERFLOW))
    if current().expected:
        return _once(value, value * da, _by_a_function())
    low, high = np.exp(np.minimum(a - da, OVERFLOW)), np.exp(np.minimum(a + da, OVERFLOW))
    wide = da > MUCH
    inherited = np.where(wide, (high - low) / 2, value * np.expm1(np.minimum(da, MUCH)))
    return _once(np.where(wide, (low + high) / 2, value), inherited, _by_a_function())


def _less_one(a: Array, da: Array) -> Parts:
    """`exp` less 1: some frameworks compute just that, whose rounding is that of ``exp``."""
    _, error = _function(np.exp, lambda a, da: np.exp(a + da))(a, da)
    return _once(np.expm1(a), error)


def _tangent(a: Array, da: Array) -> Parts:
    """`tanh`, whose small values some frameworks take from a sigmoid's."""
    if current().expected:
        value, error = _function(np.tanh, lambda a, da: 1 - np.tanh(a) ** 2)(a, da)
    else:  # no further than to its ends
        near = (1 - np.tanh(np.maximum(np.abs(a) - da, 0)) ** 2) * np.minimum(da, WIDE)
        far = np.tanh(np.abs(a)) - np.tanh(np.abs(a) - da)
        value, error = _once(np.tanh(a), np.where(da > WIDE, far, near), _by_a_function())
    return value, error if current().expected else error + LOGISTIC[current().unit] * current().unit


def _normal(a: Array, da: Array) -> Parts:
    """`erf`, of which oneDNN's form, torch's within gelu, errs by units in the last place of 1, not of the value."""
    from scipy.special import erf

    value, kind = np.asarray(erf(a)), current()
    near = np.maximum(np.abs(a) - (0.0 if kind.expected else da), 0)
    inherited = 2 / np.sqrt(np.pi) * np.exp(-(near**2)) * da
    return value, _both(inherited, np.asarray(_by_a_function() * kind.unit))


RULES: dict[str, Callable[..., Parts]] = {
    "add": _sum,
    "subtract": _difference,
    "multiply": _product,
    "divide": _quotient,
    "matmul": _matmul,
    "add.reduce": _total,
    "maximum.reduce": _largest,
    "maximum": lambda a, b, da, db: (np.maximum(a, b), np.maximum(da, db)),
    "minimum": lambda a, b, da, db: (np.minimum(a, b), np.maximum(da, db)),
    "negative": lambda a, da: (-a, da),
    "absolute": lambda a, da: (np.abs(a), da),
    "sign": lambda a, da: (np.sign(a), np.where((da > 0) & (da >= np.abs(a)), 2.0, 0.0)),
    "sqrt": lambda a, da: _once(np.sqrt(a), np.where(da > 0, da / (np.sqrt(np.maximum(a - da, 0)) + np.sqrt(a)), 0.0)),
    "exp": _exponential,
    "expm1": _less_one,
    "log": _function(np.log, lambda a, da: 1 / np.maximum(a - da, 0)),
    "log1p": _function(np.log1p, lambda a, da: 1 / np.maximum(1 + a - da, 0)),
    "tanh": _tangent,
    "erf": _normal,
}
"""What each operation makes of values and errors."""
REDUCED = ("axis", "keepdims")
PREDICATES: dict[str, Callable[..., Any]] = {
    name: getattr(np, name) for name in ("greater", "greater_equal", "less", "less_equal", "equal", "isfinite")
}
FUNCTIONS: dict[Any, Callable[..., Any]] = {
    np.einsum: _einsum,
    np.clip: _clip,
    np.cumsum: _running,
    np.where: _chosen,
}
