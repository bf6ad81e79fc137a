"""Weights to begin with, as Keras's initialisers define them, from a seed."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from numjaz.errors import NumjazError
from numjaz.layers import Array, Parameter

MAX_DRAWN = 50_000_000  # a gigabyte while they are drawn


def initial_parameters(table: Mapping[str, Parameter], seed: int | None) -> dict[str, Array]:
    """A float32 array for each parameter; the same seed gives the same ones, None zeros, for what only counts."""
    total = sum(math.prod(parameter.shape) for parameter in table.values())
    if total > MAX_DRAWN:
        raise NumjazError(f"{total:,} parameters; at most {MAX_DRAWN:,} are drawn")
    if seed is None:
        return {name: np.zeros(parameter.shape, np.float32) for name, parameter in table.items()}
    rng = np.random.default_rng(seed)
    return {name: _initial(parameter, rng).astype(np.float32) for name, parameter in table.items()}


def _initial(parameter: Parameter, rng: np.random.Generator) -> Array:
    shape = parameter.shape
    match parameter.initial:
        case "zeros":
            return np.zeros(shape)
        case "ones":
            return np.ones(shape)
        case "orthogonal":  # rows of a random orthogonal basis
            basis, triangle = np.linalg.qr(rng.standard_normal((max(shape), min(shape))))
            basis = basis * np.sign(np.diag(triangle))
            return basis if shape[0] >= shape[1] else basis.T
        case _:  # glorot_uniform
            fan_in, fan_out = (int(np.prod(shape[:-1])), int(np.prod(shape[:-2])) * shape[-1])
            limit = np.sqrt(6 / (fan_in + fan_out))
            return rng.uniform(-limit, limit, shape)
