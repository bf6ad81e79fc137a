"""numjaz's activations in torch."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from numjaz.errors import NumjazError

MODULES: dict[str, Callable[[], nn.Module]] = {
    "celu": nn.CELU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "glu": nn.GLU,
    "hard_shrink": nn.Hardshrink,
    "hard_sigmoid": nn.Hardsigmoid,
    "hard_silu": nn.Hardswish,
    "hard_tanh": nn.Hardtanh,
    "leaky_relu": partial(nn.LeakyReLU, 0.2),
    "linear": nn.Identity,
    "log_sigmoid": nn.LogSigmoid,
    "log_softmax": partial(nn.LogSoftmax, -1),
    "mish": nn.Mish,
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "selu": nn.SELU,
    "sigmoid": nn.Sigmoid,
    "silu": nn.SiLU,
    "soft_shrink": nn.Softshrink,
    "softmax": partial(nn.Softmax, -1),
    "softplus": partial(nn.Softplus, threshold=40),  # beyond it torch takes x itself; 20, its own, shows in float64
    "softsign": nn.Softsign,
    "tanh": nn.Tanh,
    "tanh_shrink": nn.Tanhshrink,
}
"""The activations that torch has a module for."""


def sparse_plus(x: Tensor) -> Tensor:
    """Y = 0 below -1, x above 1, (x + 1)^2 / 4 between."""
    return torch.where(x <= -1, 0, torch.where(x < 1, (x + 1) * (x + 1) / 4, x))


def sparsemax_keras(x: Tensor) -> Tensor:
    """What Keras calls ``sparsemax``, over the last axis."""
    z = x.sort(dim=-1, descending=True).values
    sums, k = z.cumsum(dim=-1), torch.arange(1, x.shape[-1] + 1, dtype=x.dtype, device=x.device)
    support = k * z > sums - 1
    threshold = (torch.where(support, sums, 0).sum(dim=-1, keepdim=True) - 1) / support.sum(dim=-1, keepdim=True)
    return (x - threshold).clamp(min=0)


FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "exponential": torch.exp,
    "hard_sigmoid_keras2": lambda x: (0.2 * x + 0.5).clamp(0, 1),
    "sparse_plus": sparse_plus,
    "sparse_sigmoid": lambda x: (0.5 * (x + 1)).clamp(0, 1),
    "sparsemax_keras": sparsemax_keras,
    "squareplus": lambda x: (x + (x * x + 4).sqrt()) / 2,
}
"""The others."""


def activated(name: str, x: Tensor) -> Tensor:
    """An activation of x, by its name."""
    if name in FUNCTIONS:
        return FUNCTIONS[name](x)
    if name not in MODULES:
        raise NumjazError(f"torch's twin knows no activation {name!r:.60}")
    y: Tensor = MODULES[name]()(x)
    return y
