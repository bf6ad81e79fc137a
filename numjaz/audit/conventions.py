"""Counting conventions: what each tool prints for one and the same network, and why.

A convention is a table: for each kind of call of the canonical twin (`numjaz.audit.twin`) how much it counts,
and why that is not the number of multiply-accumulates. What a table does not list it counts as nothing. Measured
on the tools in the versions that are named here; tests run them beside the tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from numjaz.audit.forms import rewritten
from numjaz.audit.rules import (
    BIASED,
    CALFLOPS,
    CELLS,
    CONV,
    CONV_BIASED,
    EACH,
    FIVE_EACH,
    MACS,
    NO_SCORES,
    ONCE_A_WINDOW,
    ONE_MADE,
    ONNX,
    ONNX_CANNOT,
    PROFILER,
    PROJECTIONS,
    TWICE,
    TWO_EACH,
    Rule,
    ptflops_attention,
    ptflops_cell,
    thop_cell,
    without_scores,
)
from numjaz.audit.twin import Call, calls_of
from numjaz.errors import NumjazError
from numjaz.layers import Layer, Shape
from numjaz.model import Model
from numjaz.nodes import asked, output_shapes, with_inputs

Shapes = tuple[Shape, ...]


@dataclass(frozen=True)
class Convention:
    """What a tool counts: by kind of call, as a module of the twin or (``functions``) as a function within one."""

    name: str
    tool: str
    prints: str  # what the number is called
    modules: Mapping[str, Rule]
    functions: Mapping[str, Rule] = field(default_factory=dict)
    forgets: str = ""  # what counts as nothing and should not
    scale: int = 1
    flops: bool = False  # whether it prints operations, two a multiply-accumulate
    cannot: Mapping[str, str] = field(default_factory=dict)  # kinds on which the tool ends, and why

    def calls(self, layer: Layer, shapes: Shapes, batch: Any, form: str = "twin") -> list[Call]:
        """What the tool sees of a layer; raises where it sees nothing of the network at all."""
        calls = rewritten(calls_of(layer, shapes, batch), form)
        for call in calls:
            if call.kind in self.cannot:
                raise NumjazError(f"{layer}: {self.cannot[call.kind]}")
        return calls

    def of(self, call: Call) -> Any:
        """How much a call counts."""
        rule = self._rule(call)
        return self.scale * rule.count(call) if rule else 0

    def why(self, call: Call) -> str:
        """Why that is not its multiply-accumulates."""
        rule = self._rule(call)
        if rule:
            return rule.why
        return "counted as nothing" if call.macs or call.kind in self.modules else ""

    def _rule(self, call: Call) -> Rule | None:
        return (self.functions if call.function else self.modules).get(call.kind)


CONVENTIONS: dict[str, Convention] = {
    convention.name: convention
    for convention in (
        Convention(
            "torchinfo",
            "torchinfo 1.8.0",
            "mult-adds",
            {
                **CONV_BIASED,
                "linear": Rule(lambda c: c.batch * c.parameters, "its parameters once a window, whatever its steps"),
                "batch_norm": ONCE_A_WINDOW,
                "layer_norm": ONCE_A_WINDOW,
                "prelu": ONCE_A_WINDOW,
                **dict.fromkeys(CELLS, BIASED),
            },
            forgets="attention: it counts modules without modules in them alone (torchinfo #32)",
        ),
        Convention(
            "thop",
            "thop 0.1.1",
            "MACs",
            {
                **CONV,
                "linear": MACS,
                "batch_norm": Rule(lambda c: (4 if c.parameters else 2) * c.read, "4 a number (2 without weights)"),
                "layer_norm": Rule(lambda c: 4 * c.read, "4 a number"),
                "gru": thop_cell(gates=3, hadamard=4),
                "lstm": thop_cell(gates=4, hadamard=4),
                "rnn": thop_cell(gates=1, hadamard=0),
                "avg_pool": ONE_MADE,
                "adaptive_avg_pool": Rule(lambda c: c.read + c.made, "the additions and a division"),
                "softmax": Rule(lambda c: 3 * c.read - c.rows, "exponentials, additions, divisions"),
                "prelu": EACH,
            },
            forgets="attention; the biases of convolutions and dense layers",
        ),
        Convention(
            "ptflops",
            "ptflops 0.7.5, backend pytorch",
            "MACs",
            {
                **CONV_BIASED,
                "linear": BIASED,
                "batch_norm": TWO_EACH,
                "layer_norm": EACH,
                "gru": ptflops_cell(7),
                "lstm": ptflops_cell(10),
                "rnn": ptflops_cell(1),
                "attention": Rule(ptflops_attention, "scaling, softmax and biases counted"),
                **dict.fromkeys(
                    ("max_pool", "avg_pool", "adaptive_max_pool", "adaptive_avg_pool"),
                    Rule(lambda c: 2 * c.read, f"each number read; {TWICE}"),
                ),
                **dict.fromkeys(
                    ("relu", "prelu", "elu", "elu_scaled", "gelu"), Rule(lambda c: 2 * c.read, f"1 a number; {TWICE}")
                ),
                **dict.fromkeys(("leaky_relu", "relu6", "softmax", "silu"), EACH),
            },
            functions=dict.fromkeys(("relu", "elu", "gelu", "silu", "softmax", "add", "mul"), EACH),
        ),
        Convention(
            "ptflops-aten",
            "ptflops 0.7.5, backend aten",
            "MACs",
            {
                **CONV_BIASED,
                "linear": BIASED,
                "gru": BIASED,
                "rnn": BIASED,
                "attention": Rule(lambda c: without_scores(c) + c.biases, f"biases counted, and {NO_SCORES}"),
            },
            forgets="LSTM, which is one operation of mkldnn's on a CPU; calls MACs FLOPs (ptflops #40, #72)",
        ),
        Convention(
            "fvcore",
            "fvcore 0.1.5",
            "flops (multiply-accumulates)",
            {
                "conv": MACS,
                "linear": MACS,
                "batch_norm": TWO_EACH,
                "layer_norm": FIVE_EACH,
                "attention": PROJECTIONS,
            },
            forgets="GRU, LSTM and RNN; convolutions with padding='same' (fvcore #98)",
        ),
        Convention(
            "calflops",
            "calflops 0.3.2",
            "MACs",
            {**CONV, "linear": MACS, "attention": PROJECTIONS},
            forgets="GRU, LSTM and RNN, which its FLOPs of the same call have (calculate-flops.pytorch #55)",
        ),
        Convention(
            "calflops-flops",
            "calflops 0.3.2",
            "FLOPs",
            CALFLOPS,
            functions=CALFLOPS,
            flops=True,
        ),
        Convention(
            "torchprofile",
            "torchprofile 0.1.0",
            "MACs",
            {
                "conv": MACS,
                "linear": MACS,
                "lstm": MACS,
                "batch_norm": Rule(lambda c: c.read if c.parameters else 0, "1 a number (0 without weights)"),
                "layer_norm": EACH,
                **dict.fromkeys(("avg_pool", "adaptive_avg_pool", "mean"), ONE_MADE),
                "leaky_relu": EACH,
                "attention": Rule(lambda c: c.macs + 4, "4 products of sizes, which tracing turns into tensors"),
            },
            functions={
                "leaky_relu": EACH,
                "mul": EACH,
            },
            forgets="GRU and RNN; convolutions with padding='same' (torchprofile #4)",
        ),
        Convention(
            "flopcounter",
            "torch 2.13 FlopCounterMode",
            "FLOPs (2 a multiply-accumulate)",
            {**CONV, "linear": MACS, "gru": MACS, "rnn": MACS},
            forgets="LSTM on a CPU with mkldnn; attention without gradients: fused operations (pytorch #126268)",
            scale=2,
            flops=True,
        ),
        # As its manual says: a model exported by torch.onnx.export without free sizes, given to model_profile. The
        # export is TorchScript's (dynamo=False), opset 10 (the last whose shapes are constants everywhere),
        # training=PRESERVE (or a batch norm after a convolution is folded into it).
        Convention(
            "onnx-tool",
            "onnx-tool 1.0.1, TorchScript export",
            "MACs",
            ONNX,
            functions=ONNX,
            forgets="the second direction's gates; error functions (onnx-tool #64)",
            cannot=ONNX_CANNOT,
        ),
        Convention(
            "tf-profiler",
            "TensorFlow 2.21 v1 profiler, Keras twin",
            "float operations",
            PROFILER,
            functions=PROFILER,
            flops=True,
            forgets="all steps of a recurrent layer but one; most activations (keras-flops #18)",
        ),
    )
}
"""The tools' conventions by name. ``matmul``, the default, is none: the products of the layers themselves."""
NAMES = ("matmul", *CONVENTIONS)


def counted(convention: str, layer: Layer, shapes: Shapes, batch: Any, form: str = "twin") -> Any:
    """What a convention counts for one layer, written in this form."""
    if convention == "matmul":
        return layer.operations(shapes, batch).total_macs
    table = CONVENTIONS[convention]
    return sum(map(table.of, table.calls(layer, shapes, batch, form)))


class Difference(NamedTuple):
    """What a convention counts otherwise than the matrix products, by kind of call."""

    kind: str
    calls: int
    matmul: Any
    counted: Any
    why: str


def differences(
    convention: str, model: Model, window: int = 256, batch: int = 1, form: str = "twin"
) -> list[Difference]:
    """Where a convention's number comes from, where it is not the matrix products': a line a kind of call.

    The differences add up: ``counted - matmul`` over the lines is the convention's number less ``matmul``'s,
    each multiply-accumulate counted as often as the convention counts one (`Convention.scale`).
    """
    table = CONVENTIONS[convention]
    calls: dict[tuple[str, str], list[Call]] = {}
    made = output_shapes(model.nodes, window)
    for node, shapes in with_inputs(model.nodes, window, made):
        for call in asked(node, partial(table.calls, node.layer, batch=batch, form=form), shapes):
            calls.setdefault((call.kind, table.why(call)), []).append(call)
    found = [
        Difference(kind, len(alike), table.scale * sum(c.macs for c in alike), sum(map(table.of, alike)), why)
        for (kind, why), alike in calls.items()
    ]
    return [line for line in found if line.matmul != line.counted]


def check_convention(name: str) -> None:
    """Raise, listing them, unless there is a convention of this name."""
    if not isinstance(name, str) or name not in NAMES:
        raise NumjazError(f"convention {name!r:.60} is not one of {', '.join(NAMES)}")
