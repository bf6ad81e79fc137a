"""Matrices at every step: convolutions and dense layers; those of one sample that read the same are one product."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from numjaz.engine.runtime.layout import Array, aligned
from numjaz.engine.training.steps import Arrays, Step
from numjaz.engine.training.tensors import Spare, Tensor, outer_sum, seen
from numjaz.layers.base import Rng

BLOCK = 32  # steps of time whose products for a kernel's derivative are summed by one matrix product


class Share(NamedTuple):
    """A layer of a product: its kernel (k, C, F) or (C, F), its activation and where its output goes."""

    kernel: str
    bias: str | None
    activation: str  # linear or relu
    y: Tensor


class Product(Step):
    """One matrix (F, k (C + 1)) at every step, for one layer or for several that read one input."""

    def __init__(
        self, owner: str, x: Tensor, shares: Sequence[Share], before: int, params: Arrays, grads: Arrays, spare: Spare
    ) -> None:
        super().__init__(owner, (x,), [share.y for share in shares], params, grads)
        kernels = [self._kernel(params, share) for share in shares]
        self._shares = shares
        self._ends = np.cumsum([0, *(kernel.shape[2] for kernel in kernels)]).tolist()
        (k, channels, _), filters = kernels[0].shape, self._ends[-1]
        time, width = len(shares[0].y.y), x.y.shape[2]
        dtype = x.y.dtype
        self._seen = x.seen(before, k, time)
        self._matrix = aligned((filters, k, channels + 1), dtype)
        self._one = before  # the tap that always meets a sample, and so the ones
        self._back = aligned((channels, k, filters), dtype)
        self._made = spare.array((time, filters, width), "made")
        # Derivatives, with as many zeros around as the kernel turned round sees beyond the ends.
        first, last = k - 1 - before, len(x.y) - 1 + before - (time - 1)
        self._spare, self._bordered = spare, (first + time + last, filters, width)
        self._first, self._time, self._k = first, time, k
        self._mask = np.empty((time, max(k.shape[2] for k in kernels), width), bool)
        steps = min(BLOCK, time)
        self._left = spare.array((filters, steps, width), "left")
        self._right = spare.array((k * (channels + 1), steps, width), "right")

    def prepare(self) -> None:
        for share, a, b in zip(self._shares, self._ends, self._ends[1:], strict=False):
            kernel = self._kernel(self.params, share)
            self._matrix[a:b, :, :-1] = kernel.transpose(2, 0, 1)
            if share.bias is not None:
                self._matrix[a:b, self._one, -1] = self.params[share.bias]
            self._back[:, :, a:b] = kernel[::-1].transpose(1, 0, 2)

    def forward(self, *, training: bool, rng: Rng) -> None:
        alone = len(self._shares) == 1
        matrix = self._matrix.reshape(len(self._matrix), -1)
        made = self.ys[0].y if alone else self._made
        np.matmul(matrix, self._seen, out=made)
        for share, a, b in zip(self._shares, self._ends, self._ends[1:], strict=False):
            part = made if alone else made[:, a:b]
            if share.activation == "relu":
                np.maximum(part, 0, out=share.y.y)
            elif not alone:
                np.copyto(share.y.y, part)

    def backward(self) -> None:
        if not self.grads and self.sink is None:
            return
        bordered = self._spare.array(self._bordered, "bordered")
        bordered[: self._first] = 0
        bordered[self._first + self._time :] = 0
        d = bordered[self._first : self._first + self._time]
        for share, a, b in zip(self._shares, self._ends, self._ends[1:], strict=False):
            given = share.y.d
            assert given is not None
            if share.activation == "relu":  # 0 where the output is 0
                mask = self._mask[:, : b - a]
                np.greater(share.y.y, 0, out=mask)
                np.multiply(given, mask, out=d[:, a:b])
            else:
                np.copyto(d[:, a:b], given)
        if self.grads:
            self._to_kernels(d)
        if self.sink is not None:
            met = seen(bordered, self._k, len(self.xs[0].y))
            with self.sink.share() as share_d:
                np.matmul(self._back.reshape(len(self._back), -1), met, out=share_d)

    def _to_kernels(self, d: Array) -> None:
        """The kernels' derivatives: sums over time and windows, a stretch of time after the other."""
        total: Array = np.zeros((d.shape[1], self._seen.shape[1]), d.dtype)
        for a in range(0, len(d), BLOCK):
            total += outer_sum(d[a : a + BLOCK], self._seen[a : a + BLOCK], self._left, self._right)
        of_matrix = total.reshape(self._matrix.shape)
        for share, a, b in zip(self._shares, self._ends, self._ends[1:], strict=False):
            if share.kernel in self.grads:
                self._kernel(self.grads, share)[...] += of_matrix[a:b, :, :-1].transpose(1, 2, 0)
            if share.bias is not None and share.bias in self.grads:
                self.grads[share.bias][...] += of_matrix[a:b, self._one, -1]

    @staticmethod
    def _kernel(arrays: Arrays, share: Share) -> Array:
        """A kernel as (k, C, F)."""
        kernel = arrays[share.kernel]
        return kernel if kernel.ndim == 3 else kernel[None]
