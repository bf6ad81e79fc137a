"""numjaz's activations in ONNX operators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from numjaz.errors import NumjazError
from numjaz.formats.onnx_graph import FLOAT, Free, Graph
from numjaz.layers.functions import SELU_ALPHA, SELU_SCALE

Written = Callable[[Graph, str, Any], str]  # the graph, x, and the length of its last axis


def _op(kind: str, **attributes: Any) -> Written:
    return lambda g, x, size: g.op(kind, x, **attributes)


def _clip(low: float, high: float) -> Written:
    return lambda g, x, size: g.op("Clip", x, g.constant(low), g.constant(high))


def _log_sigmoid(g: Graph, x: str, size: Any) -> str:
    return g.op("Neg", g.op("Softplus", g.op("Neg", x)))


def _gelu(g: Graph, x: str, size: Any) -> str:
    share = g.op("Add", g.op("Erf", g.op("Mul", x, g.constant(0.5**0.5))), g.constant(1))
    return g.op("Mul", g.op("Mul", x, g.constant(0.5)), share)


def _squareplus(g: Graph, x: str, size: Any) -> str:
    root = g.op("Sqrt", g.op("Add", g.op("Mul", x, x), g.constant(4)))
    return g.op("Div", g.op("Add", x, root), g.constant(2))


def _sparse_plus(g: Graph, x: str, size: Any) -> str:
    above = g.op("Add", x, g.constant(1))
    bent = g.op("Div", g.op("Mul", above, above), g.constant(4))
    rest = g.op("Where", g.op("Less", x, g.constant(1)), bent, x)
    return g.op("Where", g.op("LessOrEqual", x, g.constant(-1)), g.constant(0), rest)


def _sparsemax_keras(g: Graph, x: str, size: Any) -> str:
    many = g.shape(x, -1) if isinstance(size, Free) else g.ints(size)
    z = g.many("TopK", 2, x, many, axis=-1)[0]  # all of them, from the largest down
    sums = g.op("CumSum", z, g.constant(-1, np.int64))
    if isinstance(size, Free):
        stop = g.op("Add", g.squeeze(many, 0), g.constant(1, np.int64))
        counted = g.op("Range", g.constant(1, np.int64), stop, g.constant(1, np.int64))
        k = g.op("Cast", counted, to=FLOAT)
    else:
        k = g.constant(np.arange(1, size + 1))
    within = g.op("Greater", g.op("Mul", k, z), g.op("Sub", sums, g.constant(1)))
    support = g.op("Cast", within, to=FLOAT)
    over = g.op("Sub", g.sum(g.op("Mul", sums, support), [-1]), g.constant(1))
    threshold = g.op("Div", over, g.sum(support, [-1]))
    return g.op("Relu", g.op("Sub", x, threshold))


def _glu(g: Graph, x: str, size: Any) -> str:
    a, b = g.many("Split", 2, x, g.ints(size // 2, size // 2), axis=-1)
    return g.op("Mul", a, g.op("Sigmoid", b))


ACTIVATIONS: dict[str, Written] = {
    "celu": _op("Elu"),
    "elu": _op("Elu"),
    "exponential": _op("Exp"),
    "gelu": _gelu,
    "glu": _glu,
    "hard_shrink": _op("Shrink", bias=0.0, lambd=0.5),
    "hard_sigmoid": _op("HardSigmoid", alpha=1 / 6, beta=0.5),
    "hard_sigmoid_keras2": _op("HardSigmoid", alpha=0.2, beta=0.5),
    "hard_silu": _op("HardSwish"),
    "hard_tanh": _clip(-1, 1),
    "leaky_relu": _op("LeakyRelu", alpha=0.2),
    "linear": lambda g, x, size: x,
    "log_sigmoid": _log_sigmoid,
    "log_softmax": _op("LogSoftmax", axis=-1),
    "mish": lambda g, x, size: g.op("Mul", x, g.op("Tanh", g.op("Softplus", x))),
    "relu": _op("Relu"),
    "relu6": _clip(0, 6),
    "selu": _op("Selu", alpha=SELU_ALPHA, gamma=SELU_SCALE),
    "sigmoid": _op("Sigmoid"),
    "silu": lambda g, x, size: g.op("Mul", x, g.op("Sigmoid", x)),
    "soft_shrink": _op("Shrink", bias=0.5, lambd=0.5),
    "softmax": _op("Softmax", axis=-1),
    "softplus": _op("Softplus"),
    "softsign": _op("Softsign"),
    "sparse_plus": _sparse_plus,
    "sparse_sigmoid": _op("HardSigmoid", alpha=0.5, beta=0.5),
    "sparsemax_keras": _sparsemax_keras,
    "squareplus": _squareplus,
    "tanh": _op("Tanh"),
    "tanh_shrink": lambda g, x, size: g.op("Sub", x, g.op("Tanh", x)),
}

GATES: dict[str, tuple[str, list[float], list[float]]] = {
    "celu": ("Elu", [1.0], []),
    "elu": ("Elu", [1.0], []),
    "hard_sigmoid": ("HardSigmoid", [1 / 6], [0.5]),
    "hard_sigmoid_keras2": ("HardSigmoid", [0.2], [0.5]),
    "leaky_relu": ("LeakyRelu", [0.2], []),
    "linear": ("Affine", [1.0], [0.0]),
    "relu": ("Relu", [], []),
    "sigmoid": ("Sigmoid", [], []),
    "softplus": ("Softplus", [], []),
    "softsign": ("Softsign", [], []),
    "sparse_sigmoid": ("HardSigmoid", [0.5], [0.5]),
    "tanh": ("Tanh", [], []),
}
"""What ONNX's recurrent operators can have inside: its name there, alpha and beta."""


def activated(g: Graph, name: str, x: str, size: Any) -> str:
    """An activation of x, by its name; ``size`` is the length of x's last axis."""
    if name not in ACTIVATIONS:
        raise NumjazError(f"ONNX has no form of activation {name!r:.60}")
    return ACTIVATIONS[name](g, x, size)
