"""Recurrent layers in ONNX: its own operators, and a scan over the steps where those lack an activation."""

from __future__ import annotations

from typing import Any

import numpy as np

from numjaz.formats.onnx_activations import GATES, activated
from numjaz.formats.onnx_graph import Graph
from numjaz.layers import GRU, LSTM, Array, Bidirectional, Recurrent

Own = dict[str, Array]
LSTM_ORDER = (0, 3, 1, 2)  # i, f, c, o here; ONNX has i, o, f, c, and the GRU's gates as here


def recurrent(g: Graph, layer: Recurrent, own: Own, inputs: list[str], shapes: Any) -> list[str]:
    """A recurrent layer on its own."""
    outputs, states = _run(g, layer, own, "", inputs, layer.go_backwards)
    first = _in_order(g, layer, outputs) if layer.return_sequences else states[0]
    return [first, *(states if layer.return_state else ())]


def bidirectional(g: Graph, layer: Bidirectional, own: Own, inputs: list[str], shapes: Any) -> list[str]:
    """Two recurrent layers, and what is made of both."""
    x, given = inputs[0], inputs[1:]
    half = len(given) // 2
    made, ends = [], []
    for side, head, backwards, states in (
        (layer.forward_layer, "forward/", False, given[:half]),
        (layer.backward_layer, "backward/", True, given[half:]),
    ):
        # The backward layer reads what is turned round, and its outputs are turned round again.
        outputs, last = _run(g, side, own, head, [x, *states], backwards != side.go_backwards)
        made.append(_in_order(g, side, outputs) if side.return_sequences else last[0])
        ends += last if side.return_state else []
    if layer.merge == "none":
        return made + ends
    if layer.merge == "concat":
        return [g.op("Concat", *made, axis=-1), *ends]
    y = g.op("Mul" if layer.merge == "mul" else "Add", *made)
    return [g.op("Div", y, g.constant(2)) if layer.merge == "ave" else y, *ends]


def _in_order(g: Graph, layer: Recurrent, outputs: str) -> str:
    """(T, N, units) -> (N, T, units), in the order of reading where the layer goes backwards."""
    y = g.transpose(outputs, 1, 0, 2)
    return g.flip(y, 1) if layer.go_backwards else y


def _run(g: Graph, layer: Recurrent, own: Own, head: str, inputs: list[str], backwards: bool) -> tuple[str, list[str]]:
    """Every step's output, (T, N, units) in the order of time, and the last state."""
    own = {name.removeprefix(head): array for name, array in own.items() if name.startswith(head)}
    x = g.transpose(inputs[0], 1, 0, 2)  # (N, T, C) -> (T, N, C)
    inside = [layer.activation, getattr(layer, "recurrent_activation", "tanh")]
    run = _operator if all(name in GATES for name in inside) else _scan
    return run(g, layer, own, head, [x, *inputs[1:]], backwards)


def _operator(
    g: Graph, layer: Recurrent, own: Own, head: str, inputs: list[str], backwards: bool
) -> tuple[str, list[str]]:
    kind = "GRU" if isinstance(layer, GRU) else "LSTM" if isinstance(layer, LSTM) else "RNN"
    inside = [layer.activation] * layer.STATES
    if isinstance(layer, GRU | LSTM):
        inside.insert(0, layer.recurrent_activation)
    attributes: dict[str, Any] = {
        "hidden_size": layer.units,
        "direction": "reverse" if backwards else "forward",
        "activations": [GATES[name][0] for name in inside],
    }
    for k, option in ((1, "activation_alpha"), (2, "activation_beta")):
        values = [value for name in inside for value in GATES[name][k]]
        attributes |= {option: values} if values else {}
    if isinstance(layer, GRU):
        attributes["linear_before_reset"] = int(layer.reset_after)
    w = g.weight(f"{head}kernel", _gates(layer, own["kernel"]).T[None])
    r = g.weight(f"{head}recurrent_kernel", _gates(layer, own["recurrent_kernel"]).T[None])
    b = g.weight(f"{head}bias", _biases(layer, own["bias"])) if layer.use_bias else ""
    states = [g.unsqueeze(state, 0) for state in inputs[1:]]
    outputs, *last = g.many(kind, 1 + layer.STATES, inputs[0], w, r, b, "", *states, **attributes)
    return g.squeeze(outputs, 1), [g.squeeze(state, 0) for state in last]


def _gates(layer: Recurrent, array: Array) -> Array:
    """The last axis with the gates in ONNX's order."""
    if not isinstance(layer, LSTM):
        return array
    parts = np.split(array, 4, axis=-1)
    return np.concatenate([parts[k] for k in LSTM_ORDER], axis=-1)


def _biases(layer: Recurrent, bias: Array) -> Array:
    """The input's and the recurrent one in a row, (1, 2 gates units)."""
    bias = _gates(layer, bias)
    return bias.reshape(1, -1) if bias.ndim == 2 else np.concatenate((bias, np.zeros_like(bias)))[None]


def _scan(g: Graph, layer: Recurrent, own: Own, head: str, inputs: list[str], backwards: bool) -> tuple[str, list[str]]:
    """The layer's equations, step by step."""
    x = g.op("MatMul", inputs[0], g.weight(f"{head}kernel", own["kernel"]))
    after = isinstance(layer, GRU) and layer.reset_after
    if layer.use_bias:
        bias = own["bias"][0] if after else own["bias"]
        x = g.op("Add", x, g.weight(f"{head}bias", bias))
    states = inputs[1:]
    if not states:
        shape = g.op("Concat", g.shape(x, 1, 2), g.ints(layer.units), axis=0)
        states = [g.op("ConstantOfShape", shape)] * layer.STATES
    body = g.body()
    body.inputs = [body.name(f"{g.scope}/state") for _ in states] + [body.name(f"{g.scope}/x")]
    made = _cell(body, layer, own, head, body.inputs[-1], body.inputs[:-1])
    body.outputs = [*made, body.op("Identity", made[0])]
    turned = [int(backwards)]
    *last, outputs = g.many(
        "Scan",
        layer.STATES + 1,
        *states,
        x,
        body=body,
        num_scan_inputs=1,
        scan_input_directions=turned,
        scan_output_directions=turned,
    )
    return outputs, last


def _cell(g: Graph, layer: Recurrent, own: Own, head: str, x: str, states: list[str]) -> list[str]:
    u, h = layer.units, states[0]

    def product(a: str, name: str, first: int, last: int) -> str:
        return g.op("MatMul", a, g.weight(f"{head}{name}", own["recurrent_kernel"][:, first * u : last * u]))

    def parts(a: str, count: int) -> list[str]:
        return g.many("Split", count, a, g.ints(*[u] * count), axis=-1)

    def gate(a: str) -> str:
        return activated(g, layer.recurrent_activation, a, u)  # type: ignore[attr-defined]

    def candidate(a: str) -> str:
        return activated(g, layer.activation, a, u)

    if isinstance(layer, LSTM):
        enter, forget, new, leave = parts(g.op("Add", x, product(h, "recurrent_kernel", 0, 4)), 4)
        c = g.op("Add", g.op("Mul", gate(forget), states[1]), g.op("Mul", gate(enter), candidate(new)))
        return [g.op("Mul", gate(leave), candidate(c)), c]
    if not isinstance(layer, GRU):
        return [candidate(g.op("Add", x, product(h, "recurrent_kernel", 0, 1)))]
    xz, xr, xh = parts(x, 3)
    if layer.reset_after:
        past = product(h, "recurrent_kernel", 0, 3)
        if layer.use_bias:
            past = g.op("Add", past, g.weight(f"{head}recurrent_bias", own["bias"][1]))
        hz, hr, hh = parts(past, 3)
        z, r = gate(g.op("Add", xz, hz)), gate(g.op("Add", xr, hr))
        n = candidate(g.op("Add", xh, g.op("Mul", r, hh)))
    else:
        hz, hr = parts(product(h, "recurrent_kernel_gates", 0, 2), 2)
        z, r = gate(g.op("Add", xz, hz)), gate(g.op("Add", xr, hr))
        n = candidate(g.op("Add", xh, product(g.op("Mul", r, h), "recurrent_kernel_candidate", 2, 3)))
    kept = g.op("Mul", z, h)
    return [g.op("Add", kept, g.op("Mul", g.op("Sub", g.constant(1), z), n))]
