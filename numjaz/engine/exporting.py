"""A network as one Python file that needs NumPy alone, made from the engine's own source."""

from __future__ import annotations

import base64
import json
import math
import textwrap
import zlib
from collections.abc import Sequence
from dataclasses import MISSING, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from numjaz import __version__
from numjaz.doors.output import whole
from numjaz.engine.building import Built, build
from numjaz.engine.bundling import bundle
from numjaz.engine.passes import rewritten
from numjaz.engine.runtime.forms import Form, Value
from numjaz.engine.runtime.layout import Single
from numjaz.engine.runtime.reference import Reference
from numjaz.errors import NumjazError
from numjaz.layers import Array, Input
from numjaz.model import Model
from numjaz.nodes import output_shapes, source_of

MODULES = (
    "errors.py",
    "records.py",
    "contract.py",
    "planning.py",
    "engine/runtime/layout.py",
    "engine/runtime/forms.py",
    "engine/runtime/activations.py",
    "engine/runtime/products.py",
    "engine/runtime/pools.py",
    "engine/runtime/recurrence.py",
    "engine/runtime/recurrence_single.py",
    "engine/runtime/sections.py",
    "engine/runtime/program.py",
    "engine/runtime/runner.py",
    "signal/buffer.py",
    "signal/recording.py",
    "signal/features.py",
    "signal/segments.py",
    "signal/windows.py",
    "engine/runtime/listening.py",
    "engine/runtime/alone.py",
)
"""What a file is made of, each after what it imports."""
WIDTH = 119  # characters of a line of numbers


def export(model: Model, path: str | Path, window: int | None = None) -> None:
    """Write a network as one Python file, whole or not at all.

    Parameters
    ----------
    model : Model
        With one input and one output; every layer in a form that the engine has.
    path : str or Path
        With the ending ``.py``.
    window : int, optional
        Samples a window; the contract's, or 256.

    Raises
    ------
    NumjazError
        Naming the node that has no fast form; for another ending; for more inputs or outputs.
    """
    if Path(path).suffix != ".py":
        raise NumjazError(f"{path}: the name of an exported file ends in .py")
    text = exported(model, window)
    with whole(path) as beside:
        beside.write_text(text, encoding="utf-8")


def exported(model: Model, window: int | None = None) -> str:
    """The text of that file."""
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise NumjazError("an exported file holds a network of one input and one output")
    length = _length(model, window)
    built = build(rewritten(model), length, Single(np.float32))
    for form in built.forms:
        if isinstance(form, Reference) or callable(getattr(form, "activation", None)):
            raise NumjazError(
                f"node {form.name!r} runs as it is stated, and an exported file holds fast forms alone; "
                "save the network as .npz, which NumPy runs with numjaz"
            )
    writer = _Writer(np.dtype(np.float32))
    recipe = writer.recipe(built)
    case = writer.case(model, length)
    kinds = {type(form).__name__ for form in built.forms} | ({"Side"} if "Side(" in recipe else set())
    head, code = bundle(MODULES, {"Alone", "Case", "command", "Contract", "Value", *kinds})
    (node,), k = [n for n in model.nodes if n.name == source_of(model.outputs[0])[0]], source_of(model.outputs[0])[1]
    shape = output_shapes(model.nodes, length)[node.name][k]
    about, names = _about(model, length), model.classes or ()
    contract = repr(replace(model.contract, window=length)) if model.contract else "None"
    return FILE.format(
        about=about,
        version=__version__,
        head=head,
        code=code,
        recipe=recipe,
        numbers=writer.numbers(),
        contract=contract,
        classes="\n".join(packed("CLASSES = (", [repr(name) + "," * (len(names) == 1) for name in names], ")")),
        shape=shape,
        case=case,
        given=next(iter(built.inputs.values())).name,
        made=next(iter(built.outputs.values())).name,
    )


def _length(model: Model, window: int | None) -> int:
    """Samples a window, of a network that takes one sequence."""
    layer = next(node.layer for node in model.nodes if node.name == model.inputs[0])
    if not isinstance(layer, Input) or len(layer.axes) != 1:
        raise NumjazError("an exported file holds a network that takes windows (N, T, F)")
    fixed = model.fixed_window
    if window is not None and (window < 1 or fixed not in (None, window)):
        raise NumjazError(f"a window cannot be {window} samples" + (f": the network takes {fixed}" if fixed else ""))
    return window or model.window


def _about(model: Model, window: int) -> str:
    """The card: what the network is, what it takes, where its weights are from."""
    features = {n.name: n.layer for n in model.nodes if isinstance(n.layer, Input)}[model.inputs[0]].features
    lines = [str(model.provenance.get("title", "A network")), ""]
    lines.append(f"Takes windows (N, {window}, {features}), gives (N, {len(model.classes or ()) or '…'}).")
    if model.contract:
        c = model.contract
        lines.append(
            f"{', '.join(c.features)} at {c.rate_hz:g} Hz, a window every {c.hop} samples"
            + (f"; {c.placement}" if c.placement else "")
            + ("" if c.gravity else "; without gravity")
        )
    for key in ("trained_by", "data", "judged"):
        if key in model.provenance:
            value = model.provenance[key]
            lines.append(f"{key}: {value if isinstance(value, str) else json.dumps(value)}")
    lines = ["".join(c if c.isprintable() else " " for c in line) for line in lines]
    text = "\n".join("\n".join(textwrap.wrap(line, 110)) if line else "" for line in lines)
    return text.replace("\\", "\\\\").replace('"""', "'''")


class _Writer:
    """Forms as expressions, and their numbers as one text."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype
        self._held: list[bytes] = []
        self._count = 0

    def recipe(self, built: Built) -> str:
        """``V`` with the values, ``FORMS`` with the forms."""
        taken = (v for form in built.forms for v in (*form.reads, *form.makes))
        values = {v.name: v for v in (*built.inputs.values(), *taken)}
        lines = ["V = {", *(f"    {name!r}: {self._made(value)}," for name, value in values.items()), "}", "FORMS = ["]
        for form in built.forms:
            lines += packed(f"    {type(form).__name__}(", self._given(form), "),")
        return "\n".join([*lines, "]"])

    def _made(self, value: Any) -> str:
        return f"{type(value).__name__}({', '.join(self._given(value))})"

    def _given(self, value: Any) -> list[str]:
        """What makes an object again, without what it would have anyway."""
        given = []
        for k, field in enumerate(fields(value)):
            held = getattr(value, field.name)
            if (
                field.default is not MISSING
                and held is not None
                and not isinstance(held, np.ndarray)
                and held == field.default
            ):
                continue
            if field.default is None and held is None:
                continue
            text = self._expression(held)
            given.append(text if k < 3 and isinstance(value, (Form, Value)) else f"{field.name}={text}")
        return given

    def _expression(self, value: Any) -> str:
        if isinstance(value, np.ndarray):
            return self.array(value)
        if isinstance(value, Value):
            return f"V[{value.name!r}]"
        if isinstance(value, (list, tuple)):
            return f"[{', '.join(map(self._expression, value))}]"
        if is_dataclass(value):
            return self._made(value)
        if isinstance(value, float) and not math.isfinite(value):
            return f"float({str(value)!r})"
        return repr(value)

    def array(self, value: Array) -> str:
        """An array's place among the numbers."""
        held = value.astype(self.dtype)
        self._held.append(held.astype("<f4").tobytes())
        at, self._count = self._count, self._count + held.size
        return f"numbers({at}, {', '.join(map(str, held.shape))})"

    def case(self, model: Model, window: int) -> str:
        """The golden case, or one of random windows: the inputs, and what the reference makes of them in float64."""
        golden = model.golden
        if golden is not None and isinstance(golden.x, np.ndarray) and golden.x.shape[1] == window:
            x = golden.x[:4].astype(np.float32)
        else:
            layer = {n.name: n.layer for n in model.nodes}[model.inputs[0]]
            x = np.random.default_rng(0).normal(size=(2, window, layer.features)).astype(np.float32)  # type: ignore[attr-defined]
        y = model.reference({model.inputs[0]: x.astype(np.float64)})[model.outputs[0]]
        return f"Case({self.array(x)}, {self.array(y)})"

    def numbers(self) -> str:
        """All arrays as float32, little-endian: their first bytes, their second, …, compressed, in base64."""
        whole = np.frombuffer(b"".join(self._held), np.uint8).reshape(-1, 4)
        text = base64.b64encode(zlib.compress(whole.T.tobytes(), 9)).decode()
        return "\n".join(text[k : k + WIDTH] for k in range(0, len(text), WIDTH))


def packed(head: str, items: Sequence[str], end: str) -> list[str]:
    """Items with commas between them, as many a line as fit."""
    lines = [head]
    for k, item in enumerate(items):
        text = item + (", " if k < len(items) - 1 else "")
        if len(lines[-1]) + len(text) > WIDTH and lines[-1] != head:
            lines[-1] = lines[-1].rstrip()
            lines.append(" " * 8)
        lines[-1] += text
    return [*lines[:-1], lines[-1] + end]


FILE = '''"""{about}

One file that needs NumPy alone, written by numjaz {version} (MIT licence) from its own engine.

    python FILE --self-test          how far the test case is off here, and how long a window takes
    python FILE recording.csv        ax, ay, az a line, at --rate; - reads standard input
    import FILE; FILE.predict(x), FILE.stream(rate_hz=50.0).push(samples)
"""

from __future__ import annotations

{head}
from binascii import a2b_base64
from zlib import decompress

{code}


# ---------- the network


def numbers(at: int, *shape: int) -> Array:
    """Some of `NUMBERS`."""
    return NUMBERS[at : at + int(np.prod(shape))].reshape(shape)


NUMBERS = np.frombuffer(decompress(a2b_base64("""
{numbers}
""")), np.uint8).reshape(4, -1).T.copy().view("<f4")[:, 0]  # four bytes each, all first ones in front

{recipe}

CONTRACT = {contract}
{classes}

NETWORK = Alone(FORMS, V[{given!r}], V[{made!r}], {shape!r}, CONTRACT, CLASSES, {case})
predict, stream, self_test = NETWORK.predict, NETWORK.stream, NETWORK.self_test

if __name__ == "__main__":
    sys.exit(command(NETWORK, __doc__ or ""))
'''
