"""The activations by name: each as a function of an array, and what it computes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from numjaz.layers.base import Array, check_choice
from numjaz.layers.operations import Operations, elementary

SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805  # Klambauer et al. 2017


def linear(x: Array) -> Array:
    """Y = x."""
    return x


def relu(x: Array) -> Array:
    """Y = max(x, 0)."""
    return np.maximum(x, 0)


def relu6(x: Array) -> Array:
    """Y = min(max(x, 0), 6)."""
    return np.clip(x, 0, 6)


def leaky_relu(x: Array, slope: float = 0.2) -> Array:
    """Y = x where positive, slope x elsewhere; 0.2 is Keras's, torch's is 0.01."""
    return np.where(x > 0, x, slope * x)


def sigmoid(x: Array) -> Array:
    """Y = 1 / (1 + exp(-x))."""
    with np.errstate(over="ignore"):  # exp(-x) overflows to infinity where y is 0
        return 1 / (1 + np.exp(-x))


def log_sigmoid(x: Array) -> Array:
    """Y = log(sigmoid(x))."""
    return -softplus(-x)


def hard_sigmoid(x: Array) -> Array:
    """Y = x / 6 + 0.5, from 0 to 1: Keras 3's and torch's."""
    return np.clip(x / 6 + 0.5, 0, 1)


def hard_sigmoid_keras2(x: Array) -> Array:
    """Y = 0.2 x + 0.5, from 0 to 1: what Keras 2 calls ``hard_sigmoid``."""
    return np.clip(0.2 * x + 0.5, 0, 1)


def sparse_sigmoid(x: Array) -> Array:
    """Y = (x + 1) / 2, from 0 to 1."""
    return np.clip(0.5 * (x + 1), 0, 1)


def silu(x: Array) -> Array:
    """Y = x sigmoid(x), also called swish."""
    return x * sigmoid(x)


def hard_silu(x: Array) -> Array:
    """Y = x hard_sigmoid(x), also called hard swish."""
    return x * hard_sigmoid(x)


def gelu(x: Array) -> Array:
    """Y = x times the normal distribution's share below x (Hendrycks and Gimpel 2016), exactly."""
    from scipy.special import erf

    y: Array = 0.5 * x * (1 + erf(x / np.sqrt(np.array(2, x.dtype))))
    return y


def mish(x: Array) -> Array:
    """Y = x tanh(softplus(x))."""
    return x * np.tanh(softplus(x))


def elu(x: Array, alpha: float = 1.0) -> Array:
    """Y = x where positive, alpha (exp(x) - 1) elsewhere."""
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def selu(x: Array) -> Array:
    """Y = scale elu(x, alpha), with the constants that keep mean 0 and variance 1."""
    y: Array = SELU_SCALE * elu(x, SELU_ALPHA)
    return y


def softplus(x: Array) -> Array:
    """Y = log(1 + exp(x))."""
    y: Array = np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))
    return y


def softsign(x: Array) -> Array:
    """Y = x / (1 + |x|)."""
    y: Array = x / (1 + np.abs(x))
    return y


def squareplus(x: Array) -> Array:
    """Y = (x + sqrt(x^2 + 4)) / 2."""
    y: Array = (x + np.sqrt(x * x + 4)) / 2
    return y


def sparse_plus(x: Array) -> Array:
    """Y = 0 below -1, x above 1, (x + 1)^2 / 4 between."""
    return np.where(x <= -1, 0, np.where(x < 1, (x + 1) * (x + 1) / 4, x)).astype(x.dtype)


def hard_tanh(x: Array) -> Array:
    """Y = x, from -1 to 1."""
    return np.clip(x, -1, 1)


def tanh_shrink(x: Array) -> Array:
    """Y = x - tanh(x)."""
    return x - np.tanh(x)


def soft_shrink(x: Array) -> Array:
    """Y = x moved towards 0 by 0.5, and 0 within it."""
    y: Array = np.sign(x) * np.maximum(np.abs(x) - 0.5, 0)
    return y


def hard_shrink(x: Array) -> Array:
    """Y = x where |x| > 0.5, else 0."""
    return np.where(np.abs(x) > 0.5, x, 0).astype(x.dtype)


def softmax(x: Array, axis: int | tuple[int, ...] = -1) -> Array:
    """Y = exp(x) / sum(exp(x)) over an axis; the maximum taken off first changes nothing but overflow."""
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    y: Array = e / e.sum(axis=axis, keepdims=True)
    return y


def log_softmax(x: Array) -> Array:
    """Y = log(softmax(x)) over the last axis."""
    z = x - x.max(axis=-1, keepdims=True)
    y: Array = z - np.log(np.exp(z).sum(axis=-1, keepdims=True))
    return y


def sparsemax_keras(x: Array) -> Array:
    """What Keras calls ``sparsemax``, over the last axis.

    Sparsemax (Martins and Astudillo 2016) takes a threshold off x so that the rest sums to 1. Keras
    adds up every partial sum where the last one is due: its outputs do not sum to 1.
    """
    z = -np.sort(-x, axis=-1)  # from the largest down
    sums, k = np.cumsum(z, axis=-1), np.arange(1, x.shape[-1] + 1, dtype=x.dtype)
    support = k * z > sums - 1
    count: Array = support.sum(axis=-1, keepdims=True).astype(x.dtype)
    threshold = (np.where(support, sums, 0).sum(axis=-1, keepdims=True) - 1) / count
    y: Array = np.maximum(x - threshold, 0)
    return y


def glu(x: Array) -> Array:
    """Y = a sigmoid(b), a and b the halves of the last axis."""
    half = x.shape[-1] // 2
    return x[..., :half] * sigmoid(x[..., half:])


ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "celu": elu,  # alike at alpha 1, the only one that a name can mean
    "elu": elu,
    "exponential": np.exp,
    "gelu": gelu,
    "hard_shrink": hard_shrink,
    "hard_sigmoid": hard_sigmoid,
    "hard_sigmoid_keras2": hard_sigmoid_keras2,
    "hard_silu": hard_silu,
    "hard_tanh": hard_tanh,
    "leaky_relu": leaky_relu,
    "linear": linear,
    "log_sigmoid": log_sigmoid,
    "log_softmax": log_softmax,
    "mish": mish,
    "relu": relu,
    "relu6": relu6,
    "selu": selu,
    "sigmoid": sigmoid,
    "silu": silu,
    "soft_shrink": soft_shrink,
    "softmax": softmax,
    "softplus": softplus,
    "softsign": softsign,
    "sparse_plus": sparse_plus,
    "sparse_sigmoid": sparse_sigmoid,
    "sparsemax_keras": sparsemax_keras,
    "squareplus": squareplus,
    "tanh": np.tanh,
    "tanh_shrink": tanh_shrink,
}
"""The activations that keep a shape, which any layer may end with."""


ONE_BY_ONE: dict[str, dict[str, int]] = {
    "celu": {"comparisons": 2, "exponentials": 1, "multiplications": 1},
    "elu": {"comparisons": 2, "exponentials": 1, "multiplications": 1},
    "exponential": {"exponentials": 1},
    "gelu": {"multiplications": 2, "additions": 1, "divisions": 1, "errors": 1},
    "hard_shrink": {"signs": 1, "comparisons": 1},
    "hard_sigmoid": {"divisions": 1, "additions": 1, "comparisons": 2},
    "hard_sigmoid_keras2": {"multiplications": 1, "additions": 1, "comparisons": 2},
    "hard_silu": {"divisions": 1, "additions": 1, "comparisons": 2, "multiplications": 1},
    "hard_tanh": {"comparisons": 2},
    "leaky_relu": {"comparisons": 1, "multiplications": 1},
    "linear": {},
    "log_sigmoid": {"signs": 4, "comparisons": 1, "exponentials": 1, "logarithms": 1, "additions": 1},
    "mish": {
        **{"signs": 2, "comparisons": 1, "exponentials": 1, "logarithms": 1, "additions": 1},
        **{"tangents": 1, "multiplications": 1},
    },
    "relu": {"comparisons": 1},
    "relu6": {"comparisons": 2},
    "selu": {"comparisons": 2, "exponentials": 1, "multiplications": 2},
    "sigmoid": {"signs": 1, "exponentials": 1, "additions": 1, "divisions": 1},
    "silu": {"signs": 1, "exponentials": 1, "additions": 1, "divisions": 1, "multiplications": 1},
    "soft_shrink": {"signs": 2, "additions": 1, "comparisons": 1, "multiplications": 1},
    "softplus": {"signs": 2, "comparisons": 1, "exponentials": 1, "logarithms": 1, "additions": 1},
    "softsign": {"signs": 1, "additions": 1, "divisions": 1},
    "sparse_plus": {"comparisons": 2, "additions": 2, "multiplications": 1, "divisions": 1},
    "sparse_sigmoid": {"additions": 1, "multiplications": 1, "comparisons": 2},
    "squareplus": {"multiplications": 1, "additions": 2, "roots": 1, "divisions": 1},
    "tanh": {"tangents": 1},
    "tanh_shrink": {"tangents": 1, "additions": 1},
}
"""What an activation computes for each number."""


def activation_operations(name: str, numbers: Any, rows: Any) -> Operations:
    """What an activation computes for so many numbers, where it looks along so many rows of them."""
    done = Operations(activations={} if name == "linear" else {name: numbers})
    if name in ("softmax", "log_softmax"):
        sums = elementary(comparisons=numbers - rows, additions=2 * numbers - rows, exponentials=numbers)
        rest = elementary(divisions=numbers) if name == "softmax" else elementary(additions=numbers, logarithms=rows)
        return done + sums + rest
    if name == "sparsemax_keras":
        return done + elementary(
            signs=2 * numbers,
            sorted=numbers,
            multiplications=numbers,
            additions=5 * numbers - 2 * rows,  # partial sums, each less 1, two sums of rows, less 1, the threshold off
            divisions=rows,
            comparisons=2 * numbers,
        )
    return done + Operations(elementary={kind: n * numbers for kind, n in ONE_BY_ONE[name].items()})


def derivative(name: str) -> Callable[..., Array]:
    """The derivative of an activation, of x, y and the derivative by y; a device that only predicts imports none."""
    from numjaz.layers.slopes import DERIVATIVES

    return DERIVATIVES[name]


def check_activation(layer: object, *names: str) -> None:
    """Raise unless the options of these names are known activations."""
    for name in names:
        check_choice(layer, name, tuple(ACTIVATIONS))
