"""Convolutions of each channel on its own."""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np

from numjaz.layers.base import (
    Array,
    Backward,
    Parameter,
    Parameters,
    Shape,
    check_count,
    sequence,
)
from numjaz.layers.convolution import Convolution
from numjaz.layers.operations import Operations
from numjaz.records import frozen


class _Depthwise(Convolution):
    def _depthwise(self, x: Array, kernel: Array) -> Array:
        """Each channel on its own: (N, T, C), (k, C, M) -> (N, T, C M)."""
        pairs = zip(self._taps(x), kernel, strict=True)
        y: Array = reduce(np.add, (np.einsum("ntc,cm->ntcm", tap, w) for tap, w in pairs))
        return y.reshape(*y.shape[:2], -1)

    def _depthwise_back(self, d: Array, x: Array, kernel: Array) -> tuple[Array, Array]:
        """The derivatives by x and by the kernel, for those by what `_depthwise` made of them."""
        d = d.reshape(*d.shape[:2], *kernel.shape[1:])  # (N, T, C, M)
        d_kernel = np.stack([np.einsum("ntc,ntcm->cm", tap, d) for tap in self._taps(x)])
        return self._put_back((np.einsum("ntcm,cm->ntc", d, w) for w in kernel), x), d_kernel


@frozen
class DepthwiseConv1D(_Depthwise):
    """A convolution of each channel on its own, ``depth_multiplier`` (M) outputs a channel.

    ``kernel`` is (kernel_size, C, M); output channel c M + m comes from channel c.
    """

    kernel_size: int
    depth_multiplier: int = 1
    padding: str = "valid"
    activation: str = "linear"
    use_bias: bool = True
    strides: int = 1
    dilation: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count(self, "depth_multiplier")

    def output_shapes(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        time, channels = sequence(shapes, self)
        return ((self._time(time), channels * self.depth_multiplier),)

    def parameters(self, shapes: tuple[Shape, ...]) -> dict[str, Parameter]:
        _, channels = sequence(shapes, self)
        kernel = {"kernel": Parameter((self.kernel_size, channels, self.depth_multiplier))}
        bias = {"bias": Parameter((channels * self.depth_multiplier,), initial="zeros")}
        return kernel | (bias if self.use_bias else {})

    def _convolved(self, params: Parameters, x: Array) -> Array:
        return self._depthwise(x, params["kernel"])

    def backward(self, params: Parameters, saved: Any, d_outputs: tuple[Array | None, ...]) -> Backward:
        x, d, d_params = self._before_ending(params, saved, d_outputs)
        d_x, d_params["kernel"] = self._depthwise_back(d, x, params["kernel"])
        return Backward((d_x,), d_params)

    def operations(self, shapes: tuple[Shape, ...], batch: Any = 1) -> Operations:
        time, channels = sequence(shapes, self)
        steps, wide = batch * self._time(time), channels * self.depth_multiplier
        return self._walked(steps * wide, "kernel", steps * self.kernel_size * wide) + self._ending(steps, wide)


@frozen
class SeparableConv1D(_Depthwise):
    """A depthwise convolution, then one matrix at every step (Chollet 2017).

    ``depthwise_kernel`` is (kernel_size, C, M), ``pointwise_kernel`` (1, C M, filters).
    """

    filters: int
    kernel_size: int
    depth_multiplier: int = 1
    padding: str = "valid"
    activation: str = "linear"
    use_bias: bool = True
    strides: int = 1
    dilation: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count(self, "filters", "depth_multiplier")

    def output_shapes(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        time, _ = sequence(shapes, self)
        return ((self._time(time), self.filters),)

    def parameters(self, shapes: tuple[Shape, ...]) -> dict[str, Parameter]:
        _, channels = sequence(shapes, self)
        kernels = {
            "depthwise_kernel": Parameter((self.kernel_size, channels, self.depth_multiplier)),
            "pointwise_kernel": Parameter((1, channels * self.depth_multiplier, self.filters)),
        }
        return kernels | ({"bias": Parameter((self.filters,), initial="zeros")} if self.use_bias else {})

    def _convolved(self, params: Parameters, x: Array) -> Array:
        y: Array = self._depthwise(x, params["depthwise_kernel"]) @ params["pointwise_kernel"][0]
        return y

    def backward(self, params: Parameters, saved: Any, d_outputs: tuple[Array | None, ...]) -> Backward:
        x, d, d_params = self._before_ending(params, saved, d_outputs)
        middle = self._depthwise(x, params["depthwise_kernel"])  # (N, T, C M)
        d_params["pointwise_kernel"] = np.tensordot(middle, d, axes=((0, 1), (0, 1)))[None]
        d_middle = d @ params["pointwise_kernel"][0].T
        d_x, d_params["depthwise_kernel"] = self._depthwise_back(d_middle, x, params["depthwise_kernel"])
        return Backward((d_x,), d_params)

    def operations(self, shapes: tuple[Shape, ...], batch: Any = 1) -> Operations:
        time, channels = sequence(shapes, self)
        steps, wide = batch * self._time(time), channels * self.depth_multiplier
        depthwise = self._walked(steps * wide, "depthwise_kernel", steps * self.kernel_size * wide)
        pointwise = Operations({"pointwise_kernel": steps * wide * self.filters})
        return depthwise + pointwise + self._ending(steps, self.filters)
