"""Known faults of attention: its scale, its mask, the order of its heads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from numjaz.compare.faults.edit import Edit, Site


def attention_faults(site: Site) -> Iterator[Edit]:
    """What an attention over time may have."""
    layer: Any = site.layer
    params = site.params
    scale = np.sqrt(layer.key_dim)
    query = {name: array * scale if name.startswith("query/") else array for name, array in params.items()}
    yield Edit("scores not scaled", f"divide the scores by sqrt({layer.key_dim})", "scale", layer, query)
    whole = {n: a / np.sqrt(layer.heads) if n.startswith("query/") else a for n, a in params.items()}
    cause = "scores scaled by all heads' width"
    yield Edit(cause, f"divide the scores by sqrt({layer.key_dim})", "scale", layer, whole)
    causal = "mask forgotten" if layer.causal else "later steps masked"
    yield Edit(causal, f"use causal={layer.causal}", "mask", replace(layer, causal=not layer.causal), params)
    for names in (("query", "key", "value", "output"), ("query",), ("key",), ("value",), ("output",)):
        moved = {**params, **{n: _interleaved(n, a) for n, a in params.items() if n.split("/")[0] in names}}
        cause = f"heads interleaved in {', '.join(names)}"
        yield Edit(cause, "a head's numbers stand side by side", "heads", layer, moved)
    ends = {"query": "key", "key": "query"}
    turned = {f"{ends.get(n.split('/')[0], n.split('/')[0])}/{n.split('/')[1]}": a for n, a in params.items()}
    yield Edit("query's and key's arrays exchanged", "exchange them", "order", layer, turned)
    if len(site.inputs) == 2:
        cause = "query and value exchanged"
        yield Edit(cause, "give the query first", "order", layer, params, given=lambda i: (i[1], i[0]))


def _interleaved(name: str, array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Numbers of a head `dim` apart, in the place of side by side: (…, heads, dim), or (heads, dim, …) at the end."""
    if name == "output/bias":
        return array
    if name == "output/kernel":
        heads, dim, rest = array.shape
        return array.reshape(dim, heads, rest).swapaxes(0, 1).copy()
    *rest, heads, dim = array.shape
    return array.reshape(*rest, dim, heads).swapaxes(-1, -2).copy()
