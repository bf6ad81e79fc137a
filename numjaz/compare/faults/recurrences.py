"""Known faults of recurrent layers: gates, biases, states, directions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import permutations
from typing import Any

import numpy as np

from numjaz.compare.faults.edit import Edit, Site
from numjaz.layers import GRU, LSTM, Array
from numjaz.layers.base import Arrays

FEW = 3  # gates, whose orders in one array are looked for together with another fault
LETTERS = {"GRU": "zrh", "LSTM": "ifco"}
"""Numjaz's and Keras's gates; torch has r, z, n and the same four, ONNX z, r, h and i, o, f, c."""


def cell_faults(site: Site) -> Iterator[Edit]:
    """What a recurrent layer may have besides another activation."""
    yield from _gates(site)
    if "bias" in site.params:
        yield from _biases(site)
    yield from _kernels(site)
    yield from _states(site)


def _gates(site: Site) -> Iterator[Edit]:
    layer: Any = site.layer
    letters = LETTERS.get(type(layer).__name__, "")
    for order in permutations(range(len(letters))):
        if list(order) == sorted(order):
            continue
        cause = f"gate order {''.join(letters[k] for k in order)}, not {letters}"
        back = f"np.concatenate([np.split(a, {len(letters)}, -1)[k] for k in {list(np.argsort(order))}], -1)"
        moved = {name: _columns(array, order, layer.units) for name, array in site.params.items()}
        yield Edit(cause, f"reorder its gates to {letters}: a = {back}", "gates", layer, moved)
        for name, array in moved.items():
            one = {**site.params, name: array}
            fix, rare = f"reorder the gates of {name} to {letters}: a = {back}", len(letters) > FEW
            yield Edit(f"{cause}, in {name}", fix, "gates", layer, one, rare=rare)
    if letters == "zrh":
        turned = {name: _with(a, slice(0, layer.units), -a[..., : layer.units]) for name, a in site.params.items()}
        yield Edit(
            "update gate the other way round",
            "the state is kept where z is 1: h = z * h + (1 - z) * n",
            "gates",
            layer,
            turned,
        )


def _columns(array: Array, order: tuple[int, ...], units: int) -> Array:
    return array[..., np.concatenate([np.arange(k * units, (k + 1) * units) for k in order])]


def _with(array: Array, columns: slice, values: Array) -> Array:
    made = array.copy()
    made[..., columns] = values
    return made


def _biases(site: Site) -> Iterator[Edit]:
    layer: Any = site.layer
    bias, units = site.params["bias"], layer.units

    def edit(cause: str, fix: str, array: Array) -> Edit:
        return Edit(cause, fix, "bias", layer, {**site.params, "bias": array})

    yield edit("bias added twice", "add the bias once, where the other side has two: bias_hh = 0", 2 * bias)
    if isinstance(layer, LSTM):
        forget = slice(units, 2 * units)
        more, less = (_with(bias, forget, bias[forget] + one) for one in (1, -1))
        yield edit(
            "forget gate's 1 added twice", "the stored bias holds the 1 that it began with: add nothing to it", more
        )
        yield edit(
            "forget gate's 1 taken off", "the stored bias holds the 1 that it began with: add nothing to it", less
        )
    if not isinstance(layer, GRU):
        return
    if not layer.reset_after:
        split = {**site.params, "bias": np.stack([bias, np.zeros_like(bias)])}
        fix = "use reset_after=False"
        yield Edit("reset after the product", fix, "reset", replace(layer, reset_after=True), split)
        return
    none, both = np.zeros_like(bias[0]), bias[0] + bias[1]
    before = replace(layer, reset_after=False)
    yield Edit("reset before the product", "use reset_after=True", "reset", before, {**site.params, "bias": both})
    fix = "use reset_after=True, and add the second bias: b_recurrent = bias[1]"
    cause = "reset before the product and recurrent bias forgotten"
    yield Edit(cause, fix, "reset", before, {**site.params, "bias": bias[0]}, rare=True)
    yield edit("recurrent bias forgotten", "add the second bias: b_recurrent = bias[1]", np.stack([bias[0], none]))
    yield edit("input bias forgotten", "add the first bias: b_input = bias[0]", np.stack([none, bias[1]]))
    yield edit(
        "biases summed",
        "keep two biases, the second within the reset: n = tanh(x W + bias[0] + r * (h U + bias[1]))",
        np.stack([both, none]),
    )
    yield edit("biases swapped", "row 0 is the input's bias, row 1 the state's: bias = bias[::-1]", bias[::-1])


def _kernels(site: Site) -> Iterator[Edit]:
    layer: Any = site.layer
    array, gates = site.params["recurrent_kernel"], layer.GATES
    turned = np.concatenate([part.T for part in np.split(array, gates, axis=1)], axis=1)
    fix = f"transpose it gate by gate: U = np.concatenate([u.T for u in np.split(U, {gates}, 1)], 1)"
    yield Edit(
        "recurrent_kernel transposed", fix, "recurrent_kernel", layer, {**site.params, "recurrent_kernel": turned}
    )


def _states(site: Site) -> Iterator[Edit]:
    layer: Any = site.layer
    if len(site.inputs) == 1:

        def ones(inputs: Arrays) -> Arrays:
            start = np.ones((len(inputs[0]), layer.units), inputs[0].dtype)
            return (*inputs, *(start,) * layer.STATES)

        yield Edit(
            "initial state of ones",
            "begin with a state of zeros: h = np.zeros((batch, units))",
            "state",
            layer,
            site.params,
            given=ones,
        )
    if not layer.return_sequences:
        yield Edit(
            "first step, not last state",
            "take the last step of those that the layer read: y = y[:, -1]",
            "state",
            layer,
            site.params,
            given=lambda inputs: (inputs[0][:, :1] if not layer.go_backwards else inputs[0][:, -1:], *inputs[1:]),
        )
    else:
        fix = "turn the outputs round, they stand in the order of reading: y = y[:, ::-1]"
        yield Edit("output in the other order of time", fix, "time", layer, site.params, undo=turned_round, rare=True)
    given = Edit("", "", "time", layer, site.params, given=lambda inputs: (inputs[0][:, ::-1], *inputs[1:]), rare=True)
    yield replace(given, cause="read in the other direction", fix="read the sequence in its direction: x = x[:, ::-1]")
    if layer.return_sequences:
        cause = "read in the other direction, and its output turned round"
        yield replace(given, cause=cause, fix="read the sequence in its direction: x = x[:, ::-1]", undo=turned_round)


def turned_round(arrays: Arrays) -> Arrays:
    """The first of them with its time turned round."""
    return (arrays[0][:, ::-1], *arrays[1:])


def direction_faults(site: Site, opposite: dict[str, Array], side: str) -> Iterator[Edit]:
    """What one direction of two may have besides; a backward one is given its sequence turned round."""
    if {n: a.shape for n, a in opposite.items()} == {n: a.shape for n, a in site.params.items()}:
        fix = "exchange forward and backward weights: forward, backward = backward, forward"
        yield Edit("directions swapped", fix, "directions", site.layer, opposite)
    if side == "backward":
        for edit in _states(site):
            cause = {
                "first step, not last state": "last step, not last state",
                "output in the other order of time": "backward output not turned back",
                "read in the other direction": "backward layer reads forward, its output turned round",
                "read in the other direction, and its output turned round": "backward layer reads forward",
            }.get(edit.cause)
            fix = {
                "last step, not last state": "take the last state, of the first sample: y_backward[:, 0]",
                "backward output not turned back": "turn the backward layer's output round in time: y = y[:, ::-1]",
            }.get(cause or "", "give the sequence to it turned round: x[:, ::-1]")
            if cause:
                yield replace(edit, cause=cause, fix=fix, rare=False)
