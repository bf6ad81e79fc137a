"""Convolution over time. As in every framework these are correlations: the kernel is not flipped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import reduce
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
    check_choice,
    check_count,
    check_flag,
    one,
    only,
    sequence,
)
from numjaz.layers.functions import ACTIVATIONS, activation_operations, check_activation, derivative
from numjaz.layers.operations import Operations, biases, elementary
from numjaz.records import frozen

PADDINGS = ("same", "valid", "causal")


def output_time(time: Any, span: int, strides: int, padding: str) -> Any:
    """Steps out for steps in; ``span`` is the samples that one output sees, first to last."""
    if padding == "valid":
        return (time - span) // strides + 1
    return -(-time // strides)


def zeros_around(time: int, span: int, strides: int, padding: str) -> tuple[int, int]:
    """Zeros before and behind: ``same`` puts the odd one behind, ``causal`` all of them before."""
    if padding == "valid":
        return (0, 0)
    total = span - 1
    if padding == "same":
        total = max((-(-time // strides) - 1) * strides + span - time, 0)
        return (total // 2, total - total // 2)
    return (total, 0)


def reach_of(span: int, strides: int, padding: str) -> tuple[int, int]:
    """Samples back and ahead, at most: with strides, the zeros of ``same`` depend on the length."""
    if padding == "causal":
        return (span - 1, 0)
    if padding == "valid":
        return (0, span - 1)
    return ((span - 1) // 2, span - 1 - max(span - strides, 0) // 2)


class Convolution(Layer):
    """What all convolutions share: how a kernel walks over time. Each states these options itself."""

    kernel_size: int
    padding: str
    activation: str
    use_bias: bool
    strides: int
    dilation: int

    def __post_init__(self) -> None:
        check_count(self, "kernel_size", "strides", "dilation")
        check_choice(self, "padding", PADDINGS)
        check_activation(self, "activation")
        check_flag(self, "use_bias")
        if self.strides > 1 and self.dilation > 1:
            raise NumjazError(f"{type(self).__name__}: strides and dilation cannot both be over 1")

    @property
    def span(self) -> int:
        """Samples that one output sees, from the first to the last."""
        return (self.kernel_size - 1) * self.dilation + 1

    @property
    def reach(self) -> tuple[int | None, int | None]:
        return reach_of(self.span, self.strides, self.padding)

    def _time(self, time: Any) -> Any:
        return output_time(time, self.span, self.strides, self.padding)

    def scratch(self, shapes: tuple[Shape, ...]) -> dict[str, Any]:
        time, channels = sequence(shapes, self)
        return {"im2col": self._time(time) * self.kernel_size * channels} if self.kernel_size > 1 else {}

    def _taps(self, x: Array) -> Iterator[Array]:
        """For each tap k, the samples that it meets: views of the padded x, (N, steps, C)."""
        steps = self._time(x.shape[1])
        if steps < 1:
            raise NumjazError(f"{type(self).__name__}: {x.shape[1]} samples are fewer than the {self.span} of a kernel")
        around = zeros_around(x.shape[1], self.span, self.strides, self.padding)
        if any(around):
            before, behind = (np.zeros((x.shape[0], n, x.shape[2]), x.dtype) for n in around)
            x = np.concatenate((before, x, behind), axis=1)
        for there in self._places(steps):
            yield x[:, there]

    def _places(self, steps: int) -> Iterator[slice]:
        """For each tap, where in the padded x the samples stand that it meets."""
        for k in range(self.kernel_size):
            first = k * self.dilation
            yield slice(first, first + (steps - 1) * self.strides + 1, self.strides)

    def _put_back(self, d_taps: Iterable[Array], x: Array) -> Array:
        """The derivatives by x, for those by what each tap met: `_taps` transposed."""
        steps = self._time(x.shape[1])
        before, behind = zeros_around(x.shape[1], self.span, self.strides, self.padding)
        d = np.zeros((x.shape[0], before + x.shape[1] + behind, x.shape[2]), x.dtype)
        for there, d_tap in zip(self._places(steps), d_taps, strict=True):
            d[:, there] += d_tap
        return d[:, before : before + x.shape[1]]

    def _walked(self, numbers: Any, matrix: str, macs: Any) -> Operations:
        """A kernel's walk that makes so many numbers: its taps' products, and their sum."""
        return Operations({matrix: macs}) + elementary(additions=(self.kernel_size - 1) * numbers)

    def _ending(self, steps: Any, channels: Any) -> Operations:
        made = activation_operations(self.activation, steps * channels, steps)
        return biases(self.use_bias, steps * channels) + made

    def forward(self, params: Parameters, inputs: Arrays, *, training: bool = False, rng: Rng = None) -> Forward:
        x = one(inputs, self)
        y = ACTIVATIONS[self.activation](self._activated(params, x))
        return Forward((y,), (x, y))

    def _activated(self, params: Parameters, x: Array) -> Array:
        """What is activated: (N, T, C) -> (N, steps, filters)."""
        a = self._convolved(params, x)
        return a + params["bias"] if self.use_bias else a

    def _convolved(self, params: Parameters, x: Array) -> Array:
        raise NotImplementedError

    def _before_ending(
        self, params: Parameters, saved: Any, d_outputs: tuple[Array | None, ...]
    ) -> tuple[Array, Array, dict[str, Array]]:
        """The input, and the derivatives by what the kernels made of it and by the bias."""
        x, y = saved
        d = derivative(self.activation)(self._activated(params, x), y, only(d_outputs))
        return x, d, {"bias": d.sum(axis=(0, 1))} if self.use_bias else {}


@frozen
class Conv1D(Convolution):
    """y[t] = activation(sum over k of x[s t + d k - left] W[k] + b).

    W is (kernel_size, C / groups, filters), s the strides, d the dilation. ``padding``: ``same`` puts
    as many zeros around as keep ceil(T / s) steps, the odd one behind; ``causal`` all of them before;
    ``valid`` none. With ``groups`` each share of the filters sees its own share of the channels.
    """

    filters: int
    kernel_size: int
    padding: str = "same"
    activation: str = "linear"
    use_bias: bool = True
    strides: int = 1
    dilation: int = 1
    groups: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count(self, "filters", "groups")
        if self.filters % self.groups:
            raise NumjazError(f"Conv1D: {self.filters} filters are not {self.groups} equal groups")

    def output_shapes(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        time, _ = sequence(shapes, self)
        return ((self._time(time), self.filters),)

    def parameters(self, shapes: tuple[Shape, ...]) -> dict[str, Parameter]:
        _, channels = sequence(shapes, self)
        if channels % self.groups:
            raise NumjazError(f"Conv1D: {channels} channels are not {self.groups} equal groups")
        kernel = {"kernel": Parameter((self.kernel_size, channels // self.groups, self.filters))}
        return kernel | ({"bias": Parameter((self.filters,), initial="zeros")} if self.use_bias else {})

    def _convolved(self, params: Parameters, x: Array) -> Array:
        pairs = zip(self._taps(x), params["kernel"], strict=True)
        return reduce(np.add, (self._product(tap, w) for tap, w in pairs))

    def backward(self, params: Parameters, saved: Any, d_outputs: tuple[Array | None, ...]) -> Backward:
        x, d, d_params = self._before_ending(params, saved, d_outputs)
        d = self._grouped(d)  # (G, N T, filters/G)
        kernels = [self._grouped(w) for w in params["kernel"]]  # (G, C/G, filters/G) each
        d_kernels = [self._grouped(tap).swapaxes(1, 2) @ d for tap in self._taps(x)]
        d_params["kernel"] = np.stack(d_kernels).swapaxes(1, 2).reshape(params["kernel"].shape)
        steps = (len(x), self._time(x.shape[1]), x.shape[2])
        d_taps = ((d @ w.swapaxes(1, 2)).swapaxes(0, 1).reshape(steps) for w in kernels)
        return Backward((self._put_back(d_taps, x),), d_params)

    def operations(self, shapes: tuple[Shape, ...], batch: Any = 1) -> Operations:
        time, channels = sequence(shapes, self)
        steps = batch * self._time(time)
        macs = steps * self.kernel_size * (channels // self.groups) * self.filters
        return self._walked(steps * self.filters, "kernel", macs) + self._ending(steps, self.filters)

    def _product(self, x: Array, w: Array) -> Array:
        """One tap's share: (N, T, C) -> (N, T, filters)."""
        if self.groups == 1:
            return x @ w
        x = x.reshape(*x.shape[:2], self.groups, -1)  # (N, T, G, C/G)
        w = w.reshape(w.shape[0], self.groups, -1)  # (C/G, G, filters/G)
        y: Array = np.einsum("ntgc,cgf->ntgf", x, w)
        return y.reshape(*x.shape[:2], self.filters)

    def _grouped(self, x: Array) -> Array:
        """Each group's rows: (…, G c) -> (G, …, c), what stands before the channels in one axis."""
        return x.reshape(-1, self.groups, x.shape[-1] // self.groups).swapaxes(0, 1)
