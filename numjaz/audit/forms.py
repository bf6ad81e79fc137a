"""Other ways to write one network in torch, as far as counting tools tell them apart from the canonical twin."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import product

from numjaz.audit.twin import Call
from numjaz.errors import NumjazError

TRAITS: dict[str, str] = {
    "ReLU modules": "nn.ReLU, where the twin calls nn.functional.relu within a layer",
    "ReLU methods": "x.relu() or torch.relu(x) in its place",
    "mean": "x.mean over time, where the twin has nn.AdaptiveAvgPool1d",
    "operators": "a + b, where the twin calls torch.add",
    "padding same": "padding='same', where the twin states numbers",
    "logits": "no softmax at the end",
}
"""What a form may have otherwise than the twin."""
FORMS = (
    "twin",
    *(
        ", ".join(filter(None, traits))
        for traits in product(
            ("", "ReLU modules", "ReLU methods"), ("", "mean"), ("", "operators"), ("", "padding same"), ("", "logits")
        )
        if any(traits)
    ),
)
"""The forms: the canonical torch twin, and every set of `TRAITS` that can be together."""
KINDS = {"mean": ("adaptive_avg_pool", "mean"), "operators": ("add", "a+b"), "padding same": ("conv", "conv_same")}


def rewritten(calls: Iterable[Call], form: str) -> list[Call]:
    """The calls of the twin as a network written in this form makes them."""
    traits = [] if form == "twin" else form.split(", ")
    return [_rewritten(call, traits) for call in calls if not (call.kind == "softmax" and "logits" in traits)]


def _rewritten(call: Call, traits: list[str]) -> Call:
    if call.kind == "relu" and "ReLU modules" in traits:
        return replace(call, function=False)
    if call.kind == "relu" and "ReLU methods" in traits:
        return replace(call, kind="x.relu")
    for trait in traits:
        if trait in KINDS and KINDS[trait][0] == call.kind:
            return replace(call, kind=KINDS[trait][1])
    return call


def check_form(form: str) -> None:
    """Raise unless there is a form of this name."""
    if form not in FORMS:
        raise NumjazError(f"form {form!r:.60}: twin, or one or more of {', '.join(TRAITS)}, in this order")
