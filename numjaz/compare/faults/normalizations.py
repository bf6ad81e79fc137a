"""Known faults of normalizations: constants, statistics, where they stand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from numjaz.compare.faults.edit import Edit, Site
from numjaz.layers import Activation, Array, BatchNormalization, LayerNormalization, Normalization

EPSILONS = (1e-3, 1e-5, 1e-6, 1e-7, 1e-8, 1e-12, 1e-2, 1e-4, 0.0)
SUMMED = 2.0**-24  # the error of a sum in float32, a number
AFTER = ("relu", "tanh", "sigmoid", "elu", "gelu", "silu", "selu", "relu6", "hard_sigmoid", "leaky_relu")


def normalization_faults(site: Site) -> Iterator[Edit]:
    """What a normalization by moving statistics, or by a window's own, may have."""
    layer: Any = site.layer
    for epsilon in EPSILONS:
        if epsilon != layer.epsilon:
            cause, fix = f"epsilon {epsilon:g}, not {layer.epsilon:g}", f"use epsilon={layer.epsilon:g}"
            yield Edit(cause, fix, "epsilon", replace(layer, epsilon=epsilon), site.params)
    yield from _swapped(site, "gamma", "beta")
    if "gamma" in site.params:
        plain = {**site.params, "gamma": np.ones_like(site.params["gamma"])}
        yield Edit("gamma forgotten", "multiply by gamma: y = y * gamma", "gamma", layer, plain)
    if isinstance(layer, BatchNormalization):
        yield from _statistics(site)
        yield from _placed(site)
    if isinstance(layer, LayerNormalization):
        yield from _axes(site)


def _swapped(site: Site, one: str, other: str) -> Iterator[Edit]:
    if one in site.params and other in site.params:
        moved = {**site.params, one: site.params[other], other: site.params[one]}
        if one == "moving_mean":
            moved[other] = np.abs(moved[other])
        yield Edit(
            f"{one} and {other} swapped",
            f"exchange {one} and {other}: {one}, {other} = {other}, {one}",
            one,
            site.layer,
            moved,
        )


def _statistics(site: Site) -> Iterator[Edit]:
    layer, params = site.layer, site.params
    variance, mean = params["moving_variance"], params["moving_mean"]
    yield from _swapped(site, "moving_mean", "moving_variance")

    def edit(cause: str, fix: str, name: str, array: Array) -> Edit:
        return Edit(cause, fix, name, layer, {**params, name: array})

    yield edit(
        "variance taken for a deviation",
        "take the root of the variance: np.sqrt(variance + epsilon)",
        "moving_variance",
        variance * variance,
    )
    yield edit(
        "deviation taken for a variance",
        "square the deviation: variance = deviation ** 2",
        "moving_variance",
        np.sqrt(variance),
    )
    yield edit("moving_mean forgotten", "take off the moving mean: x - moving_mean", "moving_mean", np.zeros_like(mean))
    yield edit("moving_mean added", "take off the moving mean: x - moving_mean", "moving_mean", -mean)
    fix = "divide by the root of the moving variance: / np.sqrt(moving_variance + epsilon)"
    yield edit("moving_variance forgotten", fix, "moving_variance", np.ones_like(variance))
    yield from _of_the_batch(site, site.inputs[0].real.astype(np.float64))


def _of_the_batch(site: Site, x: Array) -> Iterator[Edit]:
    """Statistics of the windows themselves in the place of the moving ones, with either variance."""
    layer: Any = site.layer
    kept = layer.axis % x.ndim
    axes = tuple(k for k in range(x.ndim) if k != kept)
    count = x.size // x.shape[kept]
    mean, variance = x.mean(axes), x.var(axes)
    error = SUMMED * count  # of sums in float32, in whatever order
    for of, form in (("", variance), (", unbiased", variance * count / max(count - 1, 1))):
        there = {
            **site.params,
            "moving_mean": mean + 1j * error * np.abs(x).mean(axes),
            "moving_variance": form + 2j * error * (x * x).mean(axes),
        }
        cause = f"statistics of the batch{of}, not the moving ones"
        yield Edit(cause, "call it in inference mode: model.eval(), or training=False", "moving_mean", layer, there)


def _placed(site: Site) -> Iterator[Edit]:
    """On the other side of an activation."""
    if site.raw and site.activations[0] != "linear":
        own = Activation(site.activations[0])
        cause = f"batch norm before the activation ({own.activation}), not after it"
        fix = f"apply the activation first: y = batch_norm({own.activation}(x))"
        yield Edit(cause, fix, "place", site.layer, site.params, after=own, raw=True)
        cause = f"the activation before it ({own.activation}) forgotten"
        yield Edit(cause, fix, "place", site.layer, site.params, raw=True)
    for name in AFTER:
        cause = f"batch norm after the activation ({name}), not before it"
        fix = f"apply the activation afterwards: y = {name}(batch_norm(x))"
        yield Edit(cause, fix, "place", site.layer, site.params, before=Activation(name), rare=True)


def _axes(site: Site) -> Iterator[Edit]:
    """A window's own statistics over other axes, or the unbiased ones; the root beside epsilon."""
    layer: Any = site.layer
    params, rank = site.params, site.inputs[0].ndim
    own = {axis % rank for axis in layer.axis}
    count = int(np.prod([site.inputs[0].shape[axis] for axis in own]))
    share = (count - 1) / count
    if "gamma" in params and count > 1:  # g x / sqrt(v n/(n-1) + e) is g sqrt(s) x / sqrt(v + e s), s = (n-1)/n
        arrays = {**params, "gamma": params["gamma"] * np.sqrt(share)}
        fix = "divide by n, not by n - 1: x.var(unbiased=False)"
        yield Edit("unbiased variance", fix, "variance", replace(layer, epsilon=layer.epsilon * share), arrays)
    plain = replace(layer, scale=False, center=False)
    for axes in ((1,), (1, 2), (2,)):
        if set(axes) != own and max(axes) < rank:
            other = replace(plain, axis=axes)
            fix = f"take mean and variance over axis {', '.join(map(str, layer.axis))}"
            cause = f"mean and variance over axis {', '.join(map(str, axes))}, not {', '.join(map(str, layer.axis))}"
            scaled = BatchNormalization(0.0, scale=layer.scale, center=layer.center)
            if own == {rank - 1}:
                still = {"moving_mean": np.zeros(layer_width(site)), "moving_variance": np.ones(layer_width(site))}
                yield Edit(cause, fix, "axis", scaled, {**params, **still}, before=other)


def layer_width(site: Site) -> int:
    """How many channels a node reads."""
    return int(site.inputs[0].shape[-1])


def standardization_faults(site: Site) -> Iterator[Edit]:
    """What a normalization by constants may have."""
    layer: Any = site.layer
    if not isinstance(layer, Normalization):
        return
    if layer.mean is None:
        mean, variance = site.params["mean"], site.params["variance"]
        for cause, fix, arrays in (
            (
                "variance taken for a deviation",
                "take the root of the variance: np.sqrt(variance + epsilon)",
                {"variance": variance * variance},
            ),
            (
                "deviation taken for a variance",
                "square the deviation: variance = deviation ** 2",
                {"variance": np.sqrt(variance)},
            ),
            ("mean forgotten", "take off the mean", {"mean": np.zeros_like(mean)}),
            ("variance forgotten", "divide by the root of the variance", {"variance": np.ones_like(variance)}),
        ):
            yield Edit(cause, fix, "variance", layer, {**site.params, **arrays})
        yield from _swapped(site, "mean", "variance")
    yield Edit(
        "normalization turned round",
        "take off the mean and divide",
        "invert",
        replace(layer, invert=not layer.invert),
        site.params,
    )
