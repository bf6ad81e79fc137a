"""What a network may be given: shapes, dtypes and values, and in one line what is wrong with others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from numjaz.errors import NumjazError
from numjaz.layers import Array, Input


def checked_input(x: Array, layer: Input) -> Array:
    """An array as an input takes it; `NumjazError` names the axis that does not fit."""
    if x.dtype not in (np.float32, np.float64):
        raise NumjazError(f"x has dtype {x.dtype}; the network takes float32 or float64 (x.astype(numpy.float32))")
    axes = _axes(len(layer.axes) + 2)
    if x.ndim != len(axes):
        hint = "; x[None] makes one window a batch" if x.ndim == len(axes) - 1 else ""
        raise NumjazError(f"x has shape {x.shape}; the axes are ({', '.join(axes)}), {len(axes)} of them{hint}")
    if x.shape[-1] != layer.features:
        wrong = f"is {x.shape[-1]}, the network takes {layer.features}"
        raise NumjazError(f"x has shape {x.shape}: axis {len(axes) - 1} (features) {wrong}")
    for k, size in enumerate(layer.axes, start=1):
        if x.shape[k] == 0 or (size is not None and x.shape[k] != size):
            wrong = "is empty" if x.shape[k] == 0 else f"is {x.shape[k]}, the network takes {size}"
            raise NumjazError(f"x has shape {x.shape}: axis {k} ({axes[k]}) {wrong}")
    return x


def check_finite(x: Array) -> None:
    """Raise where a value is not finite; `NumjazError` names its place."""
    finite = np.isfinite(x)
    if not finite.all():
        at, axes = tuple(int(i) for i in np.argwhere(~finite)[0]), _axes(x.ndim)
        place = ", ".join(f"axis {k} ({axis}) {i}" for k, (axis, i) in enumerate(zip(axes, at, strict=True)))
        raise NumjazError(f"x is not finite at {place}: {x[at]}")


def cast(given: Mapping[str, Array], dtype: np.dtype[Any]) -> dict[str, Array]:
    """Inputs as `Model.checked` gives them in another dtype; `NumjazError` where a number is not finite there."""
    for array in given.values():
        check_finite(array)
    with np.errstate(over="ignore"):
        made = {name: array.astype(dtype, copy=False) for name, array in given.items()}
    for name, array in made.items():
        large = np.argwhere(~np.isfinite(array))
        if len(large):
            raise NumjazError(f"x holds {given[name][tuple(large[0])]:g}, which {dtype} cannot")
    return made


def _axes(rank: int) -> list[str]:
    inner = ["time"] if rank == 3 else [f"axis {k}" for k in range(1, rank - 1)]
    return ["windows", *inner, "features"]
