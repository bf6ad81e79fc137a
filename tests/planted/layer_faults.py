"""Faults of dense layers, convolutions, normalizations, and what stands between. Imports nothing of numjaz."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from place import Family, Place, Planted, after, before
from steps import single

Form = Callable[[np.ndarray], np.ndarray]
CONVOLUTIONS = ("Conv1D", "DepthwiseConv1D", "SeparableConv1D")
NORMS = ("BatchNormalization", "LayerNormalization")
OTHERS = {
    "relu": ("linear", "elu", "leaky_relu", "gelu"),
    "tanh": ("linear", "sigmoid", "relu"),
    "gelu": ("gelu_tanh", "relu"),
    "elu": ("selu", "relu"),
    "selu": ("elu", "relu"),
    "softmax": ("linear", "sigmoid"),
    "linear": ("relu", "tanh"),
}
TRAINED_ON = 32  # windows, in the batches of training


def activations(place: Place) -> Iterator[Planted]:
    """Another activation at a layer's end, or none."""
    step = place.step
    if step.kind not in ("Dense", "Activation", *CONVOLUTIONS):
        return
    own = step.config["activation"]
    for other in OTHERS.get(own, ()):
        family = "activation forgotten" if other == "linear" else "activation"
        told = rf"(?<![a-z_])activation is {other}\b"
        if other == "linear":
            told = "(?:softmax|activation) forgotten|activation is linear"
        family = "softmax forgotten" if (own, other) == ("softmax", "linear") else family
        yield place.fault(family, f"{other}, not {own}", told, "activation", step.configured(activation=other))
    if own == "softmax":
        twice = after(step, lambda y: y.softmax(-1))
        yield place.fault("softmax twice", "", "softmax twice|twice", "activation", twice)
        yield place.fault("axis", "softmax over the batch", "axis", "activation", step.ported(softmax_axis=0))


def slopes(place: Place) -> Iterator[Planted]:
    """Another slope or limit of a layer that is an activation."""
    step = place.step
    if step.kind == "LeakyReLU":
        key = "negative_slope" if "negative_slope" in step.config else "alpha"
        for slope in (0.01, 0.3):
            told = "leaky|slope"
            yield place.fault("slope", f"{slope:g}", told, "activation", step.configured(**{key: slope}))
    if step.kind == "ReLU" and step.config["max_value"]:
        told = "max_value|limit|clip|activation is relu|relu6"
        yield place.fault("slope", "no limit", told, "activation", step.configured(max_value=None))


def attention_axis(place: Place) -> Iterator[Planted]:
    """Softmax over channels where it is over time, or forgotten."""
    step = place.step
    if step.kind == "Softmax":
        yield place.fault("axis", "softmax over channels", "axis", "axis", step.configured(axis=-1))
        yield place.fault("axis", "softmax over the batch", "axis", "axis", step.ported(softmax_axis=0))
        yield place.fault("softmax twice", "", "softmax twice|twice", "axis", after(step, lambda y: y.softmax(1)))


def biases(place: Place) -> Iterator[Planted]:
    """A bias forgotten."""
    step = place.step
    if step.kind in ("Dense", *CONVOLUTIONS) and "bias" in step.weights:
        none = step.holding({"bias": 0 * step.weights["bias"]})
        yield place.fault("bias forgotten", "", "bias forgotten", "bias", none)


def kernels(place: Place) -> Iterator[Planted]:
    """A kernel turned, turned round, or its memory read in another shape."""
    step = place.step
    if step.kind not in ("Dense", *CONVOLUTIONS):
        return
    for name, kernel in step.weights.items():
        if not name.endswith("kernel"):
            continue
        forms: dict[tuple[str, str], Form] = {}
        square = kernel.shape[-1] == kernel.shape[-2]
        if square:
            forms["transposed", ""] = lambda a: np.swapaxes(a, -1, -2)
        if len(kernel.shape) == 3 and kernel.shape[0] > 1:
            forms["reversed", ""] = lambda a: a[::-1]
        if not square or kernel.ndim == 3:
            forms["reshaped", "torch's order read as Keras's shape"] = lambda a: a.T.ravel().reshape(a.shape)
            forms["reshaped", "Keras's order read as torch's shape"] = lambda a: a.ravel().reshape(a.shape[::-1]).T
        for (word, how), form in forms.items():
            told = rf"(?<![a-z_]){name} {word}" if step.kind == "SeparableConv1D" else f"kernel {word}"
            if word == "reshaped" and kernel.shape[0] == 1 and square:  # one tap: the two are the same
                told += "|kernel transposed"
            family = f"kernel {word}"
            yield place.fault(family, f"{name} {how}".strip(), told, name, step.holding({name: form(kernel)}))


def padding(place: Place) -> Iterator[Planted]:
    """Zeros elsewhere, or none."""
    step = place.step
    if step.kind not in CONVOLUTIONS or single(step.config["kernel_size"]) == 1:
        return
    own, size = step.config["padding"], single(step.config["kernel_size"])
    for other in ("same", "valid", "causal"):
        if other != own:
            yield place.fault("padding", f"{other}, not {own}", "padding", "padding", step.configured(padding=other))
    if own == "same":
        if size % 2 == 0 or single(step.config["strides"]) > 1:
            yield place.fault("padding", "odd zero before", "padding", "padding", step.ported(odd_left=True))
        if single(step.config["strides"]) > 1:
            yield place.fault("padding", "symmetric", "padding", "padding", step.ported(symmetric=True))


def steps_of_taps(place: Place) -> Iterator[Planted]:
    """Strides or a dilation forgotten."""
    step = place.step
    if step.kind not in CONVOLUTIONS:
        return
    if single(step.config["strides"]) > 1:
        yield place.fault("strides ignored", "", "strides? ignored|strides", "strides", step.configured(strides=1))
    if single(step.config["dilation_rate"]) > 1:
        yield place.fault("dilation ignored", "", "dilation ignored", "dilation", step.configured(dilation_rate=1))


def groups(place: Place) -> Iterator[Planted]:
    """Channels handed to other groups, or given out in another order."""
    step = place.step
    if step.kind == "Conv1D" and step.config.get("groups", 1) > 1:
        count = step.config["groups"]

        def first(x: Any) -> Any:
            return x[..., : x.shape[-1] // count].repeat(*[1] * (x.ndim - 1), count)

        told = "group|interleav|shuffl"
        yield place.fault("groups", "all see the first", told, "groups", before(step, first))
        yield place.fault("groups", "inputs interleaved", told, "groups", before(step, _interleaved(count)))
        yield place.fault("groups", "outputs interleaved", told, "groups", after(step, _interleaved(count)))
    if step.kind == "DepthwiseConv1D" and step.config["depth_multiplier"] > 1:
        channels = step.weights["kernel"].shape[1]
        told = "group|interleav|shuffl|multiplier"
        yield place.fault("groups", "multiples first", told, "groups", after(step, _interleaved(channels)))


def _interleaved(count: int) -> Callable[[Any], Any]:
    def op(x: Any) -> Any:
        return x.reshape(*x.shape[:-1], count, -1).transpose(-1, -2).reshape(x.shape)

    return op


def epsilon(place: Place) -> Iterator[Planted]:
    """Another number added to the variance."""
    step = place.step
    if step.kind in NORMS:
        for other in (1e-5, 1e-6) if step.kind == "LayerNormalization" else (1e-5, 1e-2):
            yield place.fault(
                "epsilon", f"{other:g}", rf"epsilon.*{other:g}", "epsilon", step.configured(epsilon=other)
            )


def normalization_arrays(place: Place) -> Iterator[Planted]:
    """The four arrays taken for one another, or in another form, or forgotten."""
    step = place.step
    if step.kind not in NORMS:
        return
    held = step.weights
    for one, other in (("gamma", "beta"), ("moving_mean", "moving_variance")):
        if one in held and other in held and (one == "gamma" or (held[one] > 0).all()):
            told, swapped = f"{one} and {other} swapped", {one: held[other], other: held[one]}
            yield place.fault(told, "", told, f"{one} {other}", step.holding(swapped))
    forms: dict[str, tuple[str, Form]] = {
        "gamma forgotten": ("gamma", np.ones_like),
        "beta forgotten": ("beta", np.zeros_like),
        "variance taken for a deviation": ("moving_variance", np.square),
        "deviation taken for a variance": ("moving_variance", np.sqrt),
    }
    for told, (name, form) in forms.items():
        if name in held:
            yield place.fault(told, "", told, name, step.holding({name: form(held[name])}))
    if "moving_variance" in held:
        for count in (TRAINED_ON, 8 * TRAINED_ON):
            moved = (held["moving_variance"] * (count / (count - 1))).astype(np.float32)
            edited = step.holding({"moving_variance": moved})
            yield place.fault("unbiased variance", f"of {count}", "unbiased variance", "moving_variance", edited)


def normalization_over(place: Place) -> Iterator[Planted]:
    """Statistics of other numbers."""
    step = place.step
    if step.kind == "BatchNormalization":
        told, arrays = "statistics of the batch", "moving_mean moving_variance"
        yield place.fault(told, "", told, arrays, step.ported(batch_statistics=True))
    if step.kind == "LayerNormalization":
        for over, told in (("time", "axis"), ("all", "axis"), ("unbiased", "unbiased variance")):
            family = "axis" if told == "axis" else told
            yield place.fault(family, f"layer norm, {over}", told, "axis", step.ported(norm_over=over))


def sides_of_an_activation(place: Place) -> Iterator[Planted]:
    """Batch norm on the other side of the activation of what stands before it."""
    step = place.step
    if step.kind != "BatchNormalization":
        return
    earlier = place.source
    own = earlier.config.get("activation")
    if earlier.kind in ("Conv1D", "Dense") and own in ("relu", "elu", "selu"):
        plain = earlier.configured(activation="linear")  # recorded as the module makes it
        told = "before the activation"
        yield place.fault(told, f"{earlier.kind} {own}", told, "activation", plain, after(step, _torch(own)))
    if earlier.kind == "Conv1D" and own == "linear" and [s.kind for s in place.readers] == ["Activation"]:
        (behind,) = place.readers
        told = "after the activation"
        act = _torch(behind.config["activation"])
        nothing = behind.configured(activation="linear")
        yield place.fault(told, f"{behind.config['activation']}", told, "activation", before(step, act), nothing)


def _torch(name: str) -> Callable[[Any], Any]:
    def op(x: Any) -> Any:
        from port import ACTIVATIONS

        return ACTIVATIONS[name](x)

    return op


def flattening(place: Place) -> Iterator[Planted]:
    """Channels before time."""
    step = place.step
    if step.kind == "Flatten":
        turned = before(step, lambda x: x.transpose(1, 2))
        yield place.fault("channels before time", "flattened", "channels before time", "order", turned)
    if step.kind == "Dense" and place.source.kind == "Flatten":
        kernel = step.weights["kernel"]
        width = _width(place)
        rows = kernel.reshape(-1, width, kernel.shape[1]).swapaxes(0, 1).reshape(kernel.shape)
        told = "channels before time|rows"
        yield place.fault("channels before time", "rows of a kernel", told, "kernel", step.holding({"kernel": rows}))


def _width(place: Place) -> int:
    """The channels of what was flattened before a dense layer."""
    step = place.source
    while "kernel" not in step.weights and "pointwise_kernel" not in step.weights:
        step = place.network[step.inputs[0]]
    return int(step.weights.get("pointwise_kernel", step.weights.get("kernel")).shape[-1])


def inputs(place: Place) -> Iterator[Planted]:
    """Inputs in another unit, another order, or standardized."""
    step = place.step
    if step.inputs and place.alone_at_input and step.kind not in ("Rescaling", "Normalization"):
        for factor in (9.80665, 1 / 9.80665, 1e-3):
            scaled = before(step, lambda x, factor=factor: x * factor)
            yield place.fault("inputs scaled", f"{factor:.4g}", "inputs scaled", "inputs", scaled)
        told = "standardi[sz]ed|normali[sz]ation"
        yield place.fault("normalization", "per window", told, "inputs", before(step, _standardized))
        for order in ([2, 1, 0], [1, 2, 0]):
            picked = before(step, lambda x, order=order: x[..., order + list(range(3, x.shape[-1]))])
            yield place.fault(
                "input channels", str(order), "input channels|order of the (inputs|channels)", "inputs", picked
            )
    if step.kind in ("Rescaling", "Normalization"):
        told = "normali[sz]ation|rescaling|forgotten|inputs scaled"
        none: dict[str, Any] = {"scale": 1.0, "offset": 0.0}
        if step.kind == "Normalization":
            none = {key: [value] * 3 for key, value in (("mean", 0.0), ("variance", 1.0))}
        yield place.fault("normalization", f"{step.kind} forgotten", told, "options", step.configured(**none))


def _standardized(x: Any) -> Any:
    return (x - x.mean(1, keepdim=True)) / (x.std(1, keepdim=True, unbiased=False) + 1e-8)


FAMILIES: tuple[Family, ...] = (
    activations,
    slopes,
    attention_axis,
    biases,
    kernels,
    padding,
    steps_of_taps,
    groups,
    epsilon,
    normalization_arrays,
    normalization_over,
    sides_of_an_activation,
    flattening,
    inputs,
)
