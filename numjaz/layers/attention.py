"""Attention over time."""

from __future__ import annotations

from typing import Any

import numpy as np

from numjaz.errors import NumjazError
from numjaz.layers.base import (
    Array,
    Arrays,
    Backward,
    Forward,
    Layer,
    Parameter,
    Parameters,
    Rng,
    Shape,
    check_count,
    check_flag,
)
from numjaz.layers.functions import activation_operations, derivative, softmax
from numjaz.layers.operations import Operations, biases, elementary
from numjaz.records import frozen


@frozen
class MultiHeadAttention(Layer):
    """Scaled dot-product attention in several heads (Vaswani et al. 2017).

    Inputs are query (N, T, C), value (N, S, B) and, where it is not the value, key (N, S, A)::

        q = query Wq + bq      k = key Wk + bk      v = value Wv + bv      # (N, ., heads, dim)
        p = softmax over s of (q[t] . k[s] / sqrt(key_dim))                # (N, heads, T, S)
        y[t] = sum over heads of (sum over s of p[t, s] v[s]) Wo + bo      # (N, T, output)

    With ``causal`` step t sees no later s. ``scores`` makes p a second output. ``output`` is the
    query's channels where 0.
    """

    heads: int
    key_dim: int
    value_dim: int = 0  # 0: key_dim
    output: int = 0
    use_bias: bool = True
    causal: bool = False
    scores: bool = False

    def __post_init__(self) -> None:
        check_count(self, "heads", "key_dim")
        check_flag(self, "use_bias", "causal", "scores")
        check_count(self, "value_dim", "output", low=0)

    @property
    def reach(self) -> tuple[int | None, int | None]:
        return (None, 0) if self.causal else (None, None)

    def _inputs(self, shapes: tuple[Shape, ...]) -> tuple[Shape, Shape, Shape]:
        if len(shapes) not in (2, 3) or any(len(shape) != 2 for shape in shapes):
            raise NumjazError(
                f"MultiHeadAttention takes query, value and perhaps key, each (time, channels), "
                f"not {', '.join(map(str, shapes))}"
            )
        return shapes[0], shapes[1], shapes[-1]

    def output_shapes(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        query, value, _ = self._inputs(shapes)
        y = (query[0], self.output or query[1])
        return (y, (self.heads, query[0], value[0])) if self.scores else (y,)

    def parameters(self, shapes: tuple[Shape, ...]) -> dict[str, Parameter]:
        query, value, key = self._inputs(shapes)
        wide = self.value_dim or self.key_dim
        table: dict[str, Parameter] = {}
        for name, channels, dim in (
            ("query", query[1], self.key_dim),
            ("key", key[1], self.key_dim),
            ("value", value[1], wide),
        ):
            table[f"{name}/kernel"] = Parameter((channels, self.heads, dim))
            table |= {f"{name}/bias": Parameter((self.heads, dim), initial="zeros")} if self.use_bias else {}
        table["output/kernel"] = Parameter((self.heads, wide, self.output or query[1]))
        bias = {"output/bias": Parameter((self.output or query[1],), initial="zeros")}
        return table | (bias if self.use_bias else {})

    def forward(self, params: Parameters, inputs: Arrays, *, training: bool = False, rng: Rng = None) -> Forward:
        _, _, _, p, mixed = self._attended(params, inputs)
        y = np.einsum("nthd,hdo->nto", mixed, params["output/kernel"])
        if self.use_bias:
            y = y + params["output/bias"]
        return Forward((y, p) if self.scores else (y,), inputs)

    def backward(self, params: Parameters, saved: Any, d_outputs: tuple[Array | None, ...]) -> Backward:
        inputs, (q, k, v, p, mixed) = saved, self._attended(params, saved)
        d, d_scores = (*d_outputs, None)[:2]
        d = np.zeros((*q.shape[:2], params["output/kernel"].shape[2]), q.dtype) if d is None else d
        d_params = {"output/kernel": np.einsum("nthd,nto->hdo", mixed, d)}
        if self.use_bias:
            d_params["output/bias"] = d.sum(axis=(0, 1))
        d_mixed = np.einsum("nto,hdo->nthd", d, params["output/kernel"])
        d_p = np.einsum("nthd,nshd->nhts", d_mixed, v)
        if d_scores is not None:
            d_p = d_p + d_scores
        d_similar = derivative("softmax")(p, p, d_p)  # 0 where p is, and so where a step is not seen
        d_q = np.einsum("nhts,nshd->nthd", d_similar, k) / np.sqrt(np.asarray(self.key_dim, q.dtype))
        d_k = np.einsum("nhts,nthd->nshd", d_similar, q)
        d_v = np.einsum("nhts,nthd->nshd", p, d_mixed)
        read = []
        for name, x, made in (("query", inputs[0], d_q), ("value", inputs[1], d_v), ("key", inputs[-1], d_k)):
            d_params[f"{name}/kernel"] = np.einsum("ntc,nthd->chd", x, made)
            if self.use_bias:
                d_params[f"{name}/bias"] = made.sum(axis=(0, 1))
            read.append(np.einsum("nthd,chd->ntc", made, params[f"{name}/kernel"]))
        return Backward(tuple(read) if len(inputs) == 3 else (read[0], read[1] + read[2]), d_params)

    def operations(self, shapes: tuple[Shape, ...], batch: Any = 1) -> Operations:
        query, value, key = self._inputs(shapes)
        steps, others = batch * query[0], batch * value[0]
        narrow, wide = self.heads * self.key_dim, self.heads * (self.value_dim or self.key_dim)
        (made, *_) = self.output_shapes(shapes)
        products = {
            "query/kernel": steps * query[1] * narrow,
            "key/kernel": others * key[1] * narrow,
            "value/kernel": others * value[1] * wide,
            "scores": steps * value[0] * narrow,
            "values": steps * value[0] * wide,
            "output/kernel": steps * wide * made[1],
        }
        added = biases(self.use_bias, (steps + others) * narrow + others * wide + steps * made[1])
        scores = activation_operations("softmax", self.heads * steps * value[0], self.heads * steps)
        return Operations(products) + added + scores + elementary(divisions=steps * narrow)

    def _heads(self, params: Parameters, name: str, x: Array) -> Array:
        """(N, T, C) -> (N, T, heads, dim)."""
        y: Array = np.einsum("ntc,chd->nthd", x, params[f"{name}/kernel"])
        return y + params[f"{name}/bias"] if self.use_bias else y

    def _attended(self, params: Parameters, inputs: Arrays) -> tuple[Array, ...]:
        """The heads' queries, scaled, keys and values, the shares p, and the values mixed by them."""
        query, value, key = inputs[0], inputs[1], inputs[-1]
        if value.shape[1] != key.shape[1]:
            raise NumjazError(f"MultiHeadAttention: {value.shape[1]} values have {key.shape[1]} keys")
        q, k, v = (self._heads(params, n, x) for n, x in (("query", query), ("key", key), ("value", value)))
        q = q / np.sqrt(np.asarray(self.key_dim, q.dtype))
        similar = np.einsum("nthd,nshd->nhts", q, k)
        if self.causal:
            t, s = similar.shape[2:]
            similar = np.where(np.tri(t, s, dtype=bool), similar, -np.inf).astype(q.dtype)
        p = softmax(similar)
        mixed = np.einsum("nhts,nshd->nthd", p, v)
        return q, k, v, p, mixed
