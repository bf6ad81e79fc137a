"""Known faults of ports, each as a small edit of a node: another layer, or other arrays of the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import permutations
from typing import Any

import numpy as np

from numjaz.layers import (
    ELU,
    GRU,
    LSTM,
    Activation,
    Array,
    BatchNormalization,
    Bidirectional,
    Conv1D,
    DepthwiseConv1D,
    Flatten,
    Layer,
    LayerNormalization,
    Permute,
    SeparableConv1D,
    SimpleRNN,
    Softmax,
)
from numjaz.layers.base import Arrays, Parameters, under
from numjaz.layers.functions import ACTIVATIONS

EPSILONS = (1e-3, 1e-5, 1e-6, 1e-7, 1e-8, 1e-12, 1e-2)
GATES = {"GRU": "zrh", "LSTM": "ifco"}
DTYPES = ("float16", "bfloat16")
SUMMED = 2.0**-24  # the error of a sum in float32, a number


@dataclass(frozen=True)
class Edit:
    """What the other side does, said of this one.

    Attributes
    ----------
    cause : str
        The fault, by the name of the catalogue.
    fix : str
        What mends the other side, in words.
    layer : Layer
        This side's layer as the other has it.
    params : dict of str to array
        This side's arrays as the other has them.
    before, after : Layer, optional
        What the other side does besides, to what the layer reads or makes.
    """

    cause: str
    fix: str
    layer: Layer
    params: Parameters
    before: Layer | None = None
    after: Layer | None = None

    @property
    def steps(self) -> list[tuple[Layer, Parameters]]:
        """All of it, in order."""
        steps = [(self.before, {}), (self.layer, self.params), (self.after, {})]
        return [(layer, params) for layer, params in steps if layer is not None]


def edits(layer: Layer, params: Parameters, inputs: Arrays = ()) -> Iterator[Edit]:
    """Every known fault that the layer could have; ``inputs`` are recorded ones, for statistics of a batch."""
    if isinstance(layer, Bidirectional):
        yield from _directions(layer, params)
    if isinstance(layer, (GRU, LSTM, SimpleRNN)):
        yield from _cell(layer, params)
    if isinstance(layer, (BatchNormalization, LayerNormalization)):
        yield from _normalization(layer, params)
    if isinstance(layer, BatchNormalization) and inputs:
        yield from _batch_statistics(layer, params, inputs[0].real.astype(np.float64))
    if isinstance(layer, (Conv1D, DepthwiseConv1D, SeparableConv1D)):
        yield from _convolution(layer, params)
    if not isinstance(layer, (GRU, LSTM, SimpleRNN, Bidirectional)):
        yield from _activations(layer, params, "activation")
    if isinstance(layer, Softmax):
        yield Edit("softmax forgotten", "apply the softmax", Activation("linear"), {})
    if isinstance(layer, Softmax) or getattr(layer, "activation", "") == "softmax":
        yield Edit("softmax twice", "apply the softmax once", layer, params, after=Softmax())
    if isinstance(layer, Flatten):
        turned = "channels before time, where numjaz and Keras have time before channels"
        yield Edit(
            f"flattened with {turned}", "exchange the two axes before flattening", layer, params, Permute((2, 1))
        )
    if not isinstance(layer, Bidirectional):
        yield from _arrays(layer, params)


def _arrays(layer: Layer, params: Parameters) -> Iterator[Edit]:
    """Faults of single arrays, whatever the layer."""
    for name, array in params.items():
        if "bias" in name or name == "beta":
            yield Edit(f"{name} forgotten", f"add {name}", layer, {**params, name: np.zeros_like(array)})
        if array.ndim >= 2 and array.shape[-1] == array.shape[-2]:
            turned = np.swapaxes(array, -1, -2)
            yield Edit(f"{name} transposed", f"transpose {name}", layer, {**params, name: turned})
        if array.ndim >= 2 and array.shape[0] > 1 and name != "bias":
            flipped = array[::-1]
            yield Edit(f"{name} reversed", f"turn {name} round along its first axis", layer, {**params, name: flipped})
    for dtype in DTYPES:
        rounded = {name: _cast(array, dtype) for name, array in params.items()}
        moved = [name for name, array in params.items() if not np.array_equal(rounded[name], array)]
        if moved:
            yield Edit(f"weights in {dtype}", "store the weights in float32", layer, rounded)
        for name in moved if len(moved) > 1 else ():
            yield Edit(f"{name} in {dtype}", f"store {name} in float32", layer, {**params, name: rounded[name]})


def _cast(array: Array, dtype: str) -> Array:
    if dtype == "float16":
        return array.astype(np.float16).astype(array.dtype)
    bits = array.astype(np.float32).view(np.uint32)
    kept = ((bits.astype(np.uint64) + 0x7FFF + ((bits >> 16) & 1)) >> 16 << 16).astype(np.uint32)  # to even
    return kept.view(np.float32).astype(array.dtype)


def _activations(layer: Layer, params: Parameters, option: str) -> Iterator[Edit]:
    """Another activation than the layer's."""
    own = getattr(layer, option, None)
    if isinstance(layer, ELU) or not isinstance(own, str):
        return
    for other in ACTIVATIONS:
        if other != own:
            cause = f"{option} forgotten" if other == "linear" else f"{option} is {other}, not {own}"
            changed: Layer = replace(layer, **{option: other})
            yield Edit(cause, f"use {own}", changed, params)


def _cell(layer: Any, params: Parameters) -> Iterator[Edit]:
    """Faults of a recurrent layer."""
    yield from _activations(layer, params, "activation")
    yield from _activations(layer, params, "recurrent_activation")
    letters = GATES.get(type(layer).__name__, "")
    for order in permutations(range(len(letters))):
        if list(order) != sorted(order):
            there = "".join(letters[k] for k in order)
            fix = f"reorder its gates to {letters}"
            yield Edit(f"gate order {there}, not {letters}", fix, layer, _gates(params, order, layer.units))
    bias = params.get("bias")
    if isinstance(layer, GRU) and bias is not None and layer.reset_after:
        summed = {**params, "bias": bias[0] + bias[1]}
        yield Edit("reset before the product", "use reset_after=True", replace(layer, reset_after=False), summed)
        first, second = np.zeros_like(bias), np.zeros_like(bias)
        first[0], second[1] = bias[0], bias[1]
        both = np.stack([bias[0] + bias[1], np.zeros_like(bias[0])])
        for cause, fix, array in (
            ("recurrent bias forgotten", "add the second bias, row 1 of bias", first),
            ("input bias forgotten", "add the first bias, row 0 of bias", second),
            ("biases summed", "keep two biases: the second acts within the reset", both),
            ("biases swapped", "row 0 is the input's bias, row 1 the state's", bias[::-1]),
        ):
            yield Edit(cause, fix, layer, {**params, "bias": array})
    if isinstance(layer, GRU) and bias is not None and not layer.reset_after:
        split = {**params, "bias": np.stack([bias, np.zeros_like(bias)])}
        yield Edit("reset after the product", "use reset_after=False", replace(layer, reset_after=True), split)


def _gates(params: Parameters, order: tuple[int, ...], units: int) -> dict[str, Array]:
    columns = np.concatenate([np.arange(k * units, (k + 1) * units) for k in order])
    return {name: array[..., columns] for name, array in params.items()}


def _directions(layer: Bidirectional, params: Parameters) -> Iterator[Edit]:
    """Faults of one direction, of both alike, and of their order."""
    sides: dict[str, Any] = {"forward": layer.forward_layer, "backward": layer.backward_layer}
    held = {side: under(params, side) for side in sides}
    if {n: a.shape for n, a in held["forward"].items()} == {n: a.shape for n, a in held["backward"].items()}:
        swapped = {**_put("forward", held["backward"]), **_put("backward", held["forward"])}
        yield Edit("directions swapped", "exchange forward and backward weights", layer, swapped)
    single = {side: list(edits(cell, held[side])) for side, cell in sides.items()}
    for one, other in zip(single["forward"], single["backward"], strict=False):
        if one.cause == other.cause and type(one.layer) is type(layer.forward_layer):
            changed = replace(layer, forward_layer=one.layer, backward_layer=other.layer)  # type: ignore[arg-type]
            yield Edit(one.cause, one.fix, changed, {**_put("forward", one.params), **_put("backward", other.params)})
    for side, found in single.items():
        rest = "backward" if side == "forward" else "forward"
        for each in found:
            if each.layer == sides[side]:  # its arrays alone
                arrays = {**_put(side, each.params), **_put(rest, held[rest])}
                yield Edit(f"{side}: {each.cause}", f"{side}: {each.fix}", layer, arrays)


def _put(side: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    return {f"{side}/{name}": array for name, array in arrays.items()}


def _normalization(layer: Any, params: Parameters) -> Iterator[Edit]:
    for epsilon in EPSILONS:
        if epsilon != layer.epsilon:
            fix = f"use epsilon={layer.epsilon:g}"
            yield Edit(f"epsilon {epsilon:g}, not {layer.epsilon:g}", fix, replace(layer, epsilon=epsilon), params)
    for one, other in (("gamma", "beta"), ("moving_mean", "moving_variance")):
        if one in params and other in params:
            swapped = {**params, one: params[other], other: np.abs(params[one])}
            yield Edit(f"{one} and {other} swapped", f"exchange {one} and {other}", layer, swapped)
    if "moving_variance" in params:
        variance = params["moving_variance"]
        forms: tuple[tuple[str, str, Callable[[Array], Array]], ...] = (
            ("variance taken for a deviation", "take the root of the variance", lambda v: v * v),
            ("deviation taken for a variance", "square the deviation", np.sqrt),
        )
        for cause, fix, form in forms:
            yield Edit(cause, fix, layer, {**params, "moving_variance": form(variance)})
    if "gamma" in params:
        plain = {**params, "gamma": np.ones_like(params["gamma"])}
        yield Edit("gamma forgotten", "multiply by gamma", layer, plain)


def _batch_statistics(layer: BatchNormalization, params: Parameters, x: Array) -> Iterator[Edit]:
    """Of the windows themselves in the place of the moving ones, with either variance."""
    kept = layer.axis % x.ndim
    axes = tuple(k for k in range(x.ndim) if k != kept)
    count = x.size // x.shape[kept]
    mean, variance = x.mean(axes), x.var(axes)
    error = SUMMED * count  # of sums in float32, in whatever order
    for of, form in (("", variance), (", unbiased", variance * count / max(count - 1, 1))):
        there = {
            **params,
            "moving_mean": mean + 1j * error * np.abs(x).mean(axes),
            "moving_variance": form + 2j * error * (x * x).mean(axes),
        }
        yield Edit(f"statistics of the batch{of}, not the moving ones", "call it in inference mode", layer, there)


def _convolution(layer: Any, params: Parameters) -> Iterator[Edit]:
    for padding in ("same", "valid", "causal"):
        if padding != layer.padding:
            changed = replace(layer, padding=padding)
            yield Edit(f"padding {padding}, not {layer.padding}", f"use padding={layer.padding!r}", changed, params)
    if layer.dilation > 1:
        yield Edit("dilation ignored", f"use dilation {layer.dilation}", replace(layer, dilation=1), params)
