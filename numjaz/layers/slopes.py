"""The derivatives of the activations by name: each takes x, y = f(x) and the derivative by y, and gives that by x.

Where a function has a corner the slope is torch's. So it is 0 for ``relu`` at 0 and wherever a hard function
ends, the slope of the left side for ``leaky_relu``, ``elu`` and ``selu`` at 0, that of the right side for
``hard_silu`` at 3 and -3. What torch does not have is taken likewise: 0 at the ends of ``hard_sigmoid_keras2``
and ``sparse_sigmoid``, and where an output of ``sparsemax_keras`` has just become 0.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from numjaz.layers import functions
from numjaz.layers.base import Array
from numjaz.layers.functions import SELU_ALPHA, SELU_SCALE

Slope = Callable[..., Array]


def linear(x: Array, y: Array, dy: Array) -> Array:
    """Dx = dy."""
    return dy


def relu(x: Array, y: Array, dy: Array) -> Array:
    """Dx = dy where x > 0."""
    return dy * (x > 0)


def leaky_relu(x: Array, y: Array, dy: Array, slope: float = 0.2) -> Array:
    """Dx = dy where x > 0, slope dy elsewhere."""
    return np.where(x > 0, dy, slope * dy)


def within(low: float, high: float, slope: float = 1.0) -> Slope:
    """Dx = slope dy between two x, and 0 from them on."""
    return lambda x, y, dy: slope * dy * ((x > low) & (x < high))


def exponential(x: Array, y: Array, dy: Array) -> Array:
    """Dx = dy y."""
    return dy * y


def sigmoid(x: Array, y: Array, dy: Array) -> Array:
    """Dx = dy y (1 - y)."""
    made: Array = dy * y * (1 - y)
    return made


def tanh(x: Array, y: Array, dy: Array) -> Array:
    """Dx = dy (1 - y^2)."""
    made: Array = dy * (1 - y * y)
    return made


def tanh_shrink(x: Array, y: Array, dy: Array) -> Array:
    """Dx = dy tanh(x)^2."""
    made: Array = dy * np.tanh(x) ** 2
    return made


def log_sigmoid(x: Array, y: Array, dy: Array) -> Array:
    """Dx = dy sigmoid(-x)."""
    return dy * functions.sigmoid(-x)


def softplus(x: Array, y: Array, dy: Array) -> Array:
    """Dx = dy sigmoid(x)."""
    return dy * functions.sigmoid(x)


def silu(x: Array, y: Array, dy: Array) -> Array:
    """Dx = dy (s + y (1 - s)), s = sigmoid(x)."""
    s = functions.sigmoid(x)
    made: Array = dy * (s + y * (1 - s))
    return made


def hard_silu(x: Array, y: Array, dy: Array) -> Array:
    """Dx = dy (x / 3 + 1/2) between -3 and 3, 0 before, dy behind."""
    made: Array = dy * np.where(x <= -3, 0, np.where(x < 3, x / 3 + 0.5, 1)).astype(x.dtype)
    return made


def gelu(x: Array, y: Array, dy: Array) -> Array:
    """Dx = dy (P(x) + x p(x)), P and p the normal distribution's share below x and its density."""
    from scipy.special import ndtr

    made: Array = dy * (ndtr(x) + x * np.exp(-x * x / 2) / np.sqrt(np.array(2 * np.pi, x.dtype)))
    return made


def mish(x: Array, y: Array, dy: Array) -> Array:
    """Dx = dy (t + x (1 - t^2) sigmoid(x)), t = tanh(softplus(x))."""
    t = np.tanh(functions.softplus(x))
    made: Array = dy * (t + x * (1 - t * t) * functions.sigmoid(x))
    return made


def elu(x: Array, y: Array, dy: Array, alpha: float = 1.0) -> Array:
    """Dx = dy where x > 0, alpha exp(x) dy elsewhere."""
    return np.where(x > 0, dy, alpha * np.exp(np.minimum(x, 0)) * dy)


def selu(x: Array, y: Array, dy: Array) -> Array:
    """Dx = scale times elu's."""
    return SELU_SCALE * elu(x, y, dy, SELU_ALPHA)


def softsign(x: Array, y: Array, dy: Array) -> Array:
    """Dx = dy / (1 + |x|)^2."""
    made: Array = dy / (1 + np.abs(x)) ** 2
    return made


def squareplus(x: Array, y: Array, dy: Array) -> Array:
    """Dx = dy (1 + x / sqrt(x^2 + 4)) / 2."""
    made: Array = dy * (1 + x / np.sqrt(x * x + 4)) / 2
    return made


def sparse_plus(x: Array, y: Array, dy: Array) -> Array:
    """Dx = dy (x + 1) / 2 between -1 and 1, 0 before, dy behind."""
    return dy * np.clip((x + 1) / 2, 0, 1)


def shrink(x: Array, y: Array, dy: Array) -> Array:
    """Dx = dy where |x| > 0.5: of both shrinks."""
    return dy * (np.abs(x) > 0.5)


def softmax(x: Array, y: Array, dy: Array, axis: int | tuple[int, ...] = -1) -> Array:
    """Dx = y (dy - sum(dy y))."""
    made: Array = y * (dy - (dy * y).sum(axis=axis, keepdims=True))
    return made


def log_softmax(x: Array, y: Array, dy: Array) -> Array:
    """Dx = dy - exp(y) sum(dy)."""
    made: Array = dy - np.exp(y) * dy.sum(axis=-1, keepdims=True)
    return made


def sparsemax_keras(x: Array, y: Array, dy: Array) -> Array:
    """Dx = m - w sum(m), m = dy where y > 0, and w how often a number of x is summed in the threshold.

    Of n numbers in the support, the largest stands in all n partial sums, the next in n - 1, …; the
    threshold is their sum over n. Equal numbers are told apart by their places.
    """
    order = np.argsort(-x, axis=-1, kind="stable")
    z = np.take_along_axis(x, order, axis=-1)
    support = np.arange(1, x.shape[-1] + 1) * z > np.cumsum(z, axis=-1) - 1
    times = np.cumsum(support[..., ::-1], axis=-1)[..., ::-1]  # of the k-th largest
    w = np.empty_like(x)
    np.put_along_axis(w, order, (times / support.sum(axis=-1, keepdims=True)).astype(x.dtype), axis=-1)
    m = dy * (y > 0)
    made: Array = m - w * m.sum(axis=-1, keepdims=True)
    return made


def glu(x: Array, y: Array, dy: Array) -> Array:
    """Da = dy s, db = dy a s (1 - s), a and b the halves of x and s = sigmoid(b)."""
    half = x.shape[-1] // 2
    s = functions.sigmoid(x[..., half:])
    return np.concatenate((dy * s, dy * y * (1 - s)), axis=-1)


DERIVATIVES: dict[str, Slope] = {
    "celu": elu,
    "elu": elu,
    "exponential": exponential,
    "gelu": gelu,
    "glu": glu,
    "hard_shrink": shrink,
    "hard_sigmoid": within(-3, 3, 1 / 6),
    "hard_sigmoid_keras2": within(-2.5, 2.5, 0.2),
    "hard_silu": hard_silu,
    "hard_tanh": within(-1, 1),
    "leaky_relu": leaky_relu,
    "linear": linear,
    "log_sigmoid": log_sigmoid,
    "log_softmax": log_softmax,
    "mish": mish,
    "relu": relu,
    "relu6": within(0, 6),
    "selu": selu,
    "sigmoid": sigmoid,
    "silu": silu,
    "soft_shrink": shrink,
    "softmax": softmax,
    "softplus": softplus,
    "softsign": softsign,
    "sparse_plus": sparse_plus,
    "sparse_sigmoid": within(-1, 1, 0.5),
    "sparsemax_keras": sparsemax_keras,
    "squareplus": squareplus,
    "tanh": tanh,
    "tanh_shrink": tanh_shrink,
}
"""The derivative of each of `ACTIVATIONS`, and of ``glu``, which halves an axis."""
