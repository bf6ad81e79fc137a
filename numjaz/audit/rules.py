"""How much the tools count for a call, and why: the rules that their conventions are made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numjaz.audit.twin import Call


@dataclass(frozen=True)
class Rule:
    """How much a call counts, and why that is not its multiply-accumulates."""

    count: Callable[[Call], Any]
    why: str = ""


MACS = Rule(lambda c: c.macs)
BIASED = Rule(lambda c: c.macs + c.biases, "biases counted as multiply-accumulates")
CONV = dict.fromkeys(("conv", "conv_same"), MACS)  # for the tools that see a convolution with padding="same"
CONV_BIASED = dict.fromkeys(CONV, BIASED)
EACH = Rule(lambda c: c.made, "1 a number")
CELLS = ("gru", "lstm", "rnn")
ONE_MADE = Rule(lambda c: c.made, "1 a number made")
ONE_EACH = Rule(lambda c: c.read, "1 a number")
TWO_EACH = Rule(lambda c: (2 if c.parameters else 1) * c.read, "2 a number (1 without weights)")
FIVE_EACH = Rule(lambda c: 5 * c.read, "5 a number")
ONCE_A_WINDOW = Rule(lambda c: c.batch * c.parameters, "its parameters once a window")
DOUBLED = Rule(lambda c: 2 * c.macs + c.biases, "2 a multiply-accumulate, and biases")


def thop_cell(hadamard: int, gates: int) -> Rule:
    """Its cells: for each gate an addition, and what the equations multiply element by element."""
    return Rule(
        lambda c: c.macs + c.biases + (gates + hadamard) * c.steps * c.units,
        "biases, and each gate's addition and product, counted as multiply-accumulates",
    )


def ptflops_cell(elementwise: int) -> Rule:
    """The same with what it computes element by element at a step."""
    return Rule(
        lambda c: c.macs + c.biases + elementwise * c.steps * c.units,
        "biases, and the gates' additions and products, counted as multiply-accumulates",
    )


def ptflops_attention(call: Call) -> Any:
    """Its formula: every projection as wide as its input, scores scaled, a softmax, a bias at the end in any case."""
    (query, key, value), (asked, held) = call.widths, call.lengths
    inputs = asked * query**2 + held * key**2 + held * value**2
    biases = (asked + 2 * held) * query if call.biases else 0
    heads = asked * held * (query // call.heads + value // call.heads + 1) * call.heads
    return call.batch * (asked * query + inputs + biases + heads + asked * value * (value + 1))


def without_scores(call: Call) -> Any:
    """An attention's projections: the products of scores and values are one operation, scaled_dot_product_attention."""
    return call.macs - call.batch * call.lengths[0] * call.lengths[1] * (call.widths[0] + call.widths[2])


def calflops_cell(gates: int, elementwise: int) -> Rule:
    """Of each product's sum one addition less; biases and what is computed element by element added."""
    return Rule(
        lambda c: 2 * c.macs + c.biases + (elementwise - 2 * gates) * c.steps * c.units,
        "biases, the gates' additions and products; one addition less a sum",
    )


NO_SCORES = "not the products of scaled_dot_product_attention"
PROJECTIONS = Rule(without_scores, NO_SCORES)
CALFLOPS: dict[str, Rule] = {
    **dict.fromkeys(CONV, DOUBLED),
    "linear": Rule(lambda c: 2 * c.macs, "2 a multiply-accumulate"),
    "attention": Rule(lambda c: 2 * without_scores(c), f"2 a multiply-accumulate, {NO_SCORES}"),
    "gru": calflops_cell(3, 7),
    "lstm": calflops_cell(4, 10),
    "rnn": calflops_cell(1, 1),
    "batch_norm": TWO_EACH,
    "layer_norm": FIVE_EACH,
    **dict.fromkeys(("max_pool", "avg_pool", "adaptive_max_pool", "adaptive_avg_pool"), ONE_EACH),
    **dict.fromkeys(("relu", "prelu", "elu", "elu_scaled", "leaky_relu", "silu", "gelu", "softmax"), ONE_EACH),
    **dict.fromkeys(("add", "mul"), EACH),
}


def once(call: Call, biases: int, elementwise: int) -> Any:
    """One step of a recurrent layer, however many there are; torch's biases are ``biases`` times Keras's."""
    steps = call.steps // call.batch
    return (2 * call.macs + call.biases // biases) // steps + elementwise * call.units * call.batch


def keras_attention(call: Call) -> Any:
    """Scores are scaled (1) and go through a softmax (5 a number); their own products it does not know."""
    return 2 * without_scores(call) + call.biases + 6 * call.heads * call.batch * call.lengths[0] * call.lengths[1]


ONE_STEP = "the body of the loop over time is counted once, however long the window"
PROFILER: dict[str, Rule] = {
    "conv": Rule(
        lambda c: 2 * c.macs * (c.groups == 1) + c.biases, "2 a multiply-accumulate, none in groups, and biases"
    ),
    "linear": DOUBLED,
    "gru": Rule(lambda c: once(c, 1, 8), ONE_STEP),
    "lstm": Rule(lambda c: once(c, 2, 8), ONE_STEP),
    "rnn": Rule(lambda c: once(c, 2, 1), ONE_STEP),
    "attention": Rule(keras_attention, "2 a multiply-accumulate, biases, softmax; not the products of the scores"),
    "batch_norm": Rule(lambda c: 2 * c.read + (6 if c.parameters else 5) * c.channels, "2 a number, 5 or 6 a channel"),
    "layer_norm": Rule(lambda c: 7 * c.read + c.parameters * c.rows + 4 * c.rows, "8 or 9 a number, 4 a row"),
    **dict.fromkeys(("max_pool", "avg_pool"), Rule(lambda c: c.pool * c.made, "each number that a pool sees")),
    "adaptive_avg_pool": ONE_EACH,
    "softmax": FIVE_EACH,
    "gelu": Rule(lambda c: 4 * c.read, "4 a number"),
    "silu": Rule(lambda c: 2 * c.read, "2 a number"),
    "elu_scaled": Rule(lambda c: 2 * c.read, "2 a number"),
    "prelu": Rule(lambda c: 3 * c.read + c.parameters, "3 a number"),
    **dict.fromkeys(("add", "sub", "mul", "div", "maximum", "minimum"), EACH),
}
TWICE = "its module and the function within are both counted"


def instructions(each: int) -> Rule:
    """So many x86 instructions for each number made, as onnx-tool weighs ONNX's operators."""
    return Rule(lambda c: each * c.made, f"{each} x86 instruction{'s' * (each > 1)} a number")


def onnx_cell(elementwise: int) -> Rule:
    """Products and biases of both directions; what is computed element by element of one alone."""
    return Rule(
        lambda c: c.macs + c.biases + elementwise * c.steps * (c.units // c.directions),
        f"biases, and {elementwise} x86 instructions a unit and step, of one direction alone",
    )


ONNX: dict[str, Rule] = {
    **CONV_BIASED,
    "linear": BIASED,
    "gru": onnx_cell(3 + 2 * 32 + 38 + 5),  # its additions, two sigmoids, a tanh, what blends
    "lstm": onnx_cell(4 + 3 * 32 + 2 * 38 + 4),
    "batch_norm": instructions(1 + 24 + 4 + 1 + 1),  # a root and a division for each number, not for each channel
    # Opset 10 has no layer norm: means, a difference, a power, a quotient; the deviation of each row; weights, biases.
    "layer_norm": Rule(
        lambda c: (1 + 1 + 32 + 1 + 4) * c.read + (c.parameters + 1 + 24) * c.rows,
        "40 or 41 x86 instructions a number, 25 a row",
    ),
    **dict.fromkeys(("max_pool", "avg_pool"), Rule(lambda c: c.pool * c.made, "each number that a pool sees")),
    **dict.fromkeys(("adaptive_max_pool", "mean"), ONE_EACH),
    "adaptive_avg_pool": Rule(lambda c: c.read + 4 * c.made, "1 a number, and 4 x86 instructions a division"),
    **{
        kind: instructions(each)
        for kind, each in {
            "relu": 1,
            "x.relu": 1,
            "leaky_relu": 2,
            "prelu": 2,
            "relu6": 2,
            "hard_tanh": 2,
            "hard_shrink": 3,
            "hard_sigmoid": 4,
            "hard_sigmoid_keras2": 4,
            "sparse_sigmoid": 4,
            "hard_silu": 5,
            "soft_shrink": 5,
            "softsign": 6,
            "gelu": 7,  # whose error function costs nothing
            "sparse_plus": 9,
            "squareplus": 31,
            "exponential": 32,
            "sigmoid": 32,
            "silu": 33,
            "glu": 33,
            "elu": 35,
            "elu_scaled": 35,
            "softmax": 36,
            "log_sigmoid": 75,
            "tanh": 76,  # twice its 38
            "softplus": 76,
            "tanh_shrink": 77,
            "log_softmax": 80,
            "mish": 153,
            "add": 1,
            "a+b": 1,
            "sub": 1,
            "mul": 1,
            "div": 4,
            "maximum": 1,
            "minimum": 1,
        }.items()
    },
}
ONNX_CANNOT = {
    **{kind: f"onnx-tool 1.0.1 does not know ONNX's {name}" for kind, name in (("rnn", "RNN"), ("selu", "Selu"))},
    **{
        kind: f"torch exports no {kind.removesuffix('_keras')} at opset 10, which this convention is stated for"
        for kind in ("attention", "celu", "sparsemax_keras")
    },
}
"""Calls with which there is no number of onnx-tool's, and why."""
