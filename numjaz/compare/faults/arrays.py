"""Known faults of single arrays, whatever the layer: their order in memory, their precision, whose they are."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from numjaz.compare.faults.edit import Edit, Site
from numjaz.layers import Array

DTYPES = ("float16", "bfloat16")
KERNELS = ("kernel", "recurrent_kernel", "depthwise_kernel", "pointwise_kernel")


def array_faults(site: Site) -> Iterator[Edit]:
    """What each array of a layer may have."""
    for name, array in site.params.items():
        if "bias" in name or name == "beta":
            yield _edit(
                site, name, f"{name} forgotten", f"add {name}: y = y + {name}", np.zeros_like(array), kind="bias"
            )
        if name == "bias" and not hasattr(site.layer, "return_sequences"):
            fix = "add the bias once: y = y + bias"
            yield _edit(site, name, "bias added twice", fix, 2 * array, kind="bias")
        if name.rpartition("/")[2] in KERNELS:
            yield from _ordered(site, name, array)
    yield from _precision(site)
    yield from _exchanged(site)


def _edit(site: Site, name: str, cause: str, fix: str, array: Array, kind: str = "", rare: bool = False) -> Edit:
    return Edit(cause, fix, kind or name, site.layer, {**site.params, name: array}, rare=rare)


def _ordered(site: Site, name: str, array: Array) -> Iterator[Edit]:
    """A kernel whose numbers stand in another order."""
    if array.ndim >= 2 and array.shape[-1] == array.shape[-2]:
        yield _edit(
            site,
            name,
            f"{name} transposed",
            f"transpose {name}: {name} = {name}.swapaxes(-1, -2)",
            np.swapaxes(array, -1, -2),
        )
    if array.ndim >= 2 and array.shape[0] > 1:
        axis = "in time" if array.ndim == 3 and "kernel" in name and "/" not in name else "along its first axis"
        yield _edit(site, name, f"{name} reversed", f"turn {name} round {axis}: {name} = {name}[::-1]", array[::-1])
    if array.ndim < 2:
        return
    # The same numbers in memory, read in the other's shape: (out, in, k) as (k, in, out), and the other way.
    turned = array.reshape(array.shape[::-1]).T
    read = array.T.reshape(array.shape)
    for other, cause in (
        (turned, f"{name} reshaped, not transposed"),
        (read, f"{name} reshaped, not transposed, from the other side's order"),
    ):
        if not np.array_equal(other, array):
            yield _edit(site, name, cause, f"transpose {name}, a reshape keeps the order in memory: {name}.T", other)
    if array.ndim == 2:
        yield from _flattened(site, name, array)


def _flattened(site: Site, name: str, array: Array) -> Iterator[Edit]:
    """Rows of a matrix behind a flattening, in the order of channels before time."""
    rows = len(array)
    for channels in range(2, rows // 2 + 1):
        if name == "kernel" and rows % channels == 0 and site.inputs[0].ndim == 2:
            order = np.arange(rows).reshape(-1, channels).T.ravel()
            cause = f"rows of {name} in the order of channels before time, {channels} of {rows // channels}"
            fix = f"reorder the rows, time before channels: {name}.reshape({channels}, -1, units).swapaxes(0, 1)"
            for moved in (array[order], array[np.argsort(order)]):
                yield _edit(site, name, cause, fix, moved)


def _precision(site: Site) -> Iterator[Edit]:
    for dtype in DTYPES:
        rounded = {name: _cast(array, dtype) for name, array in site.params.items()}
        moved = [name for name, array in site.params.items() if not np.array_equal(rounded[name], array)]
        if moved:
            fix = "store the weights in float32: astype(np.float32) from the original"
            yield Edit(f"weights in {dtype}", fix, "precision", site.layer, rounded)
        for name in moved if len(moved) > 1 else ():
            arrays = {**site.params, name: rounded[name]}
            yield Edit(f"{name} in {dtype}", f"store {name} in float32", "precision", site.layer, arrays)


def _cast(array: Array, dtype: str) -> Array:
    if array.dtype.kind == "c":  # only known with an error
        return array
    if dtype == "float16":
        return array.astype(np.float16).astype(array.dtype)
    bits = array.astype(np.float32).reshape(-1).view(np.uint32)  # one number alone has other rules in NumPy 1.24
    kept = ((bits.astype(np.uint64) + 0x7FFF + ((bits >> 16) & 1)) >> 16 << 16).astype(np.uint32)  # to even
    return kept.view(np.float32).astype(array.dtype).reshape(array.shape)


def _exchanged(site: Site) -> Iterator[Edit]:
    """Arrays of another layer of the same shapes."""
    for owner, arrays in site.others.items():
        fix = "load the layer's own arrays"
        yield Edit(f"holds the arrays of {owner}", fix, "owner", site.layer, {**site.params, **arrays})
        for name in arrays if len(arrays) > 1 else ():
            yield _edit(
                site, name, f"{name} is that of {owner}", f"load the layer's own {name}", arrays[name], "owner", True
            )
