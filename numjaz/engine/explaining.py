"""What a plan does, as text: what was fused, each step's shapes, its share of the work and of the time, the arena."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from numjaz.engine.runtime.activations import Activated, Activation
from numjaz.engine.runtime.forms import Form, Merge
from numjaz.engine.runtime.pools import GlobalPool, Pool
from numjaz.engine.runtime.products import Depthwise, Product
from numjaz.engine.runtime.program import Program
from numjaz.engine.runtime.recurrence import Recurrence
from numjaz.engine.runtime.reference import Reference
from numjaz.model import Model
from numjaz.report import table

ROUNDS = 5  # runs whose median is a step's time
LONGEST = 30  # characters of a name


def fused(model: Model, again: Model) -> list[str]:
    """Which nodes of a network are no longer there by themselves."""
    kept = {node.name for node in again.nodes}
    return [node.name for node in model.nodes if node.name not in kept]


def steps_table(program: Program) -> str:
    """A row for each form."""
    forms = [form for section in program.sections for form in section.forms]
    seconds, macs = measured(program), sum(form.macs for form in forms)
    number = {id(form): n for n, section in enumerate(program.sections) for form in section.forms}
    rows = []
    for form in forms:
        shapes = _few([f"{v.time} x {v.channels}" if v.time > 1 else str(v.channels) for v in form.makes], ", ")
        share, took = form.macs / max(macs, 1), seconds[id(form)] / max(sum(seconds.values()), 1e-12)
        rows.append([str(number[id(form)]), _short(form.name), described(form), shapes, f"{share:.0%}", f"{took:.0%}"])
    heads = ["section", "step", "computed as", "makes", "MACs", "time"]
    return table(heads, rows, right=(0, 4, 5))


def measured(program: Program) -> dict[int, float]:
    """Seconds of each form in one run, the median of a few, by its id."""
    runs: dict[int, list[float]] = {}
    with np.errstate(all="ignore"):
        for _ in range(ROUNDS):
            took: dict[int, float] = {}
            for step in program.steps:
                started = time.perf_counter()
                for call, arguments in program.calls[step.first : step.end]:
                    call(*arguments)
                took[id(step.form)] = took.get(id(step.form), 0.0) + time.perf_counter() - started
            for form, spent in took.items():
                runs.setdefault(form, []).append(spent)
    return {form: float(np.median(spent)) for form, spent in runs.items()}


def arena_table(program: Program) -> str:
    """A row for each tensor of the arena."""
    rows = [
        [_short(t.name), f"{t.size:,}", f"{program.arena.offsets[t.name]:,}", f"{t.first} to {t.last}"]
        for t in sorted(program.tensors, key=lambda t: (t.first, t.last))
    ]
    return table(["tensor", "bytes", "at", "sections"], rows, right=(1, 2))


def described(form: Form) -> str:
    """How a form computes, in a few words."""
    match form:
        case Product(kernel=kernel, activation=activation):
            taps = f"{len(kernel)} taps, " if len(kernel) > 1 else ""
            ending = "" if activation == "linear" else f", {_named(activation)}"
            return f"product, {taps}{kernel.shape[1]} -> {kernel.shape[2]}{ending}"
        case Depthwise(kernel=kernel):
            return f"{len(kernel)} taps, channel by channel"
        case Recurrence(cell=cell, units=units, sides=sides):
            return f"{cell}, {units} units" + (", both ways at once" if len(sides) > 1 else "")
        case Merge(how=how):
            return how.lower()
        case Activated(activation=activation):
            return _named(activation)
        case Pool(how=how, size=size):
            return f"{how} of {size}"
        case GlobalPool(how=how):
            return f"{how} over time"
        case Reference(layer=layer):
            return f"as stated: {type(layer).__name__}"
    return type(form).__name__.lower()


def _named(activation: Activation) -> str:
    return activation if isinstance(activation, str) else activation.__name__


def _few(words: Sequence[str], between: str) -> str:
    """The first two, and how many there are."""
    return between.join(words) if len(words) < 3 else f"{between.join(words[:2])}{between}… ({len(words)})"


def _short(name: str) -> str:
    half = LONGEST // 2
    return name if len(name) <= LONGEST else f"{name[:half]}…{name[-half + 1 :]}"
