"""A model but for its arrays, as plain values: what numjaz writes into its own files and into others'."""

from __future__ import annotations

import json
import math
from binascii import a2b_base64, b2a_base64
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from numjaz.contract import Contract
from numjaz.doors.text import parse_json
from numjaz.errors import NumjazError
from numjaz.formats.numbers import MAX_NOTE
from numjaz.layers import (
    Array,
    Bidirectional,
    Input,
    MultiHeadAttention,
    Recurrent,
    innermost,
    layer_from_config,
)
from numjaz.model import Golden, Model
from numjaz.nodes import LENGTHS, Node, output_shapes, owned_parameters

MAX_GOLDEN = 1 << 20  # bytes of a golden case's input, and of its output
MADE_GOLDEN = 1 << 17  # of one that numjaz makes
MAX_NUMBERS, MAX_PRODUCTS, MAX_STEPS = 4_000_000, 500_000_000, 20_000  # that running a test case may take


class Description(NamedTuple):
    """What a file says of a model."""

    nodes: list[Node]
    outputs: list[str]
    classes: list[str] | None
    contract: Contract | None
    provenance: dict[str, Any]

    def model(self, arrays: Mapping[str, Array], x: list[Array], y: list[Array]) -> Model:
        """The network of these arrays; its test case has an array for each input and each output."""
        inputs = tuple(node.name for node in self.nodes if isinstance(node.layer, Input))
        return Model(
            self.nodes,
            arrays,
            outputs=self.outputs,
            classes=self.classes,
            contract=self.contract,
            provenance=self.provenance,
            golden=Golden(_joined(x, inputs), _joined(y, tuple(self.outputs))),
        )


def describe(model: Model) -> dict[str, Any]:
    """All of a model but its arrays, as plain values."""
    return {
        "nodes": [
            {
                "name": node.name,
                "layer": node.layer.config(),
                "inputs": [list(source) for source in node.inputs],
                "owner": node.owner,
            }
            for node in model.nodes
        ],
        "outputs": list(model.outputs),
        "classes": list(model.classes) if model.classes is not None else None,
        "contract": model.contract.to_dict() if model.contract is not None else None,
        "provenance": dict(model.provenance),
    }


def described(values: Any) -> Description:
    """The inverse of `describe`; `NumjazError` names the entry that is wrong."""
    contract = _entry(values, "contract", dict, None)
    return Description(
        [_node(entry) for entry in _entry(values, "nodes", list)],
        _texts(values, "outputs"),
        _texts(values, "classes") if values.get("classes") is not None else None,
        Contract.from_dict(contract) if contract is not None else None,
        _entry(values, "provenance", dict),
    )


def golden_of(model: Model) -> Golden:
    """The model's test case; where it has none, a seeded input and what the network gives for it in float64."""
    if model.golden is not None:
        return model.golden
    layers = {node.name: node.layer for node in model.nodes if isinstance(node.layer, Input)}
    time = model.window
    widest = max(math.prod(layer.shape(1)) for layer in layers.values())
    if 8 * widest > MAX_GOLDEN:
        raise NumjazError(f"a test case of one window takes {8 * widest:,} bytes; at most {MAX_GOLDEN:,} are read")
    most = max(MADE_GOLDEN // (8 * widest * len(layers)), 1)
    time, error = min(time, most), None
    shorter = [time >> k for k in range(time.bit_length())]  # a recurrent layer without bounds may leave the numbers
    longer = [n for n in (420, 2 * time, 840, 4 * time, LENGTHS[0]) if n <= most]  # a kernel is long, a Reshape divides
    with np.errstate(all="ignore"):
        for length in (*shorter, *longer):
            rng = np.random.default_rng(0)
            x = {name: rng.standard_normal((1, *layers[name].shape(length))) for name in model.inputs}
            given = x if len(x) > 1 else x[model.inputs[0]]
            try:
                golden = Golden(given, run_golden(model, given))
            except NumjazError as refused:  # too much work, or a length that does not fit
                error = refused
                continue
            y = by_name(golden.y, model.outputs).values()
            if all(np.isfinite(array).all() for array in y) and sum(array.nbytes for array in y) <= MADE_GOLDEN:
                return golden
    raise error or NumjazError("no small finite output for a random input: no test case can be made")


def golden_error(model: Model) -> dict[str, float] | None:
    """The largest difference of each output to the model's test case; None where it has none.

    Raises
    ------
    NumjazError
        Where running it would take more than a small device has: a file chooses its test case.
    """
    if model.golden is None:
        return None
    made = by_name(run_golden(model, model.golden.x), model.outputs)
    expected = by_name(model.golden.y, model.outputs)
    return {
        name: float(np.abs(made[name] - y).max()) if made[name].shape == y.shape else float("inf")
        for name, y in expected.items()
    }


def run_golden(model: Model, x: Array | Mapping[str, Array]) -> Any:
    """What the network gives for a test case, where that is little work."""
    given = by_name(x, model.inputs)
    windows = max(len(array) for array in given.values()) if given else 0
    free = [array.shape[k + 1] for n, array in given.items() for k in _free_axes(model, n) if k + 1 < array.ndim]
    shapes = output_shapes(model.nodes, max(free, default=1))
    owned = owned_parameters(model.nodes)
    numbers = products = steps = 0
    for node in model.nodes:
        sizes = [math.prod(shape) for shape in shapes[node.name]]
        inputs = [shapes[source][k] for source, k in node.inputs]
        longest = max([math.prod(shape[:-1]) for shape in (*shapes[node.name], *inputs)], default=1)
        numbers += windows * sum(sizes)
        products += windows * longest * sum(math.prod(p.shape) for p in owned[node.owner].values())
        layer = innermost(node.layer)
        if isinstance(layer, (Recurrent, Bidirectional)):
            steps += longest
        if isinstance(layer, MultiHeadAttention):
            numbers += windows * layer.heads * inputs[0][0] * inputs[1][0]
    for what, count, most in (
        ("numbers", numbers, MAX_NUMBERS),
        ("products", products, MAX_PRODUCTS),
        ("steps", steps, MAX_STEPS),
    ):
        if count > most:
            raise NumjazError(f"the test case would take {count:,} {what}; at most {most:,} are computed for one")
    return model.predict(x)


def _free_axes(model: Model, name: str) -> list[int]:
    (layer,) = (node.layer for node in model.nodes if node.name == name)
    return [k for k, size in enumerate(layer.axes) if size is None] if isinstance(layer, Input) else []


def by_name(arrays: Array | Mapping[str, Array], names: tuple[str, ...]) -> dict[str, Array]:
    """The arrays of a test case by the names of inputs or outputs."""
    if not isinstance(arrays, Mapping):
        arrays = {names[0]: arrays}
    if set(arrays) != set(names):
        raise NumjazError(f"the golden case has {', '.join(map(str, arrays))}, the network {', '.join(names)}")
    return {name: np.asarray(arrays[name]) for name in names}


def _joined(arrays: list[Array], names: tuple[str, ...]) -> Array | dict[str, Array]:
    """The inverse of `by_name`: one array where there is one."""
    if len(arrays) != len(names):
        raise NumjazError(f"the golden case has {len(arrays)} arrays for {', '.join(names)}")
    return arrays[0] if len(names) == 1 else dict(zip(names, arrays, strict=True))


def note_of(model: Model) -> str:
    """A text that travels in others' files: the description and the test case, as JSON."""
    golden = golden_of(model)
    case = {
        key: [_packed(array) for array in by_name(arrays, names).values()]
        for key, arrays, names in (("x", golden.x, model.inputs), ("y", golden.y, model.outputs))
    }
    note = json.dumps({"numjaz": 1, **describe(model), "golden": case}, ensure_ascii=True)
    if len(note) > MAX_NOTE:
        raise NumjazError(f"description and test case take {len(note):,} bytes; there is room for {MAX_NOTE:,}")
    return note


class Note(NamedTuple):
    """What `note_of` put in a file."""

    description: Description
    x: list[Array]
    y: list[Array]

    def model(self, arrays: Mapping[str, Array]) -> Model:
        """The model of these arrays, with its test case."""
        return self.description.model(arrays, self.x, self.y)


def note_in(text: str, where: str) -> Note:
    """The inverse of `note_of`; `NumjazError` names the entry that is wrong."""
    values = parse_json(text, where)
    try:
        if not isinstance(values, dict) or values.get("numjaz") != 1:
            raise NumjazError("not a note of numjaz's, version 1")
        golden = _entry(values, "golden", dict)
        x, y = ([_unpacked(held) for held in _entry(golden, key, list)] for key in ("x", "y"))
        return Note(described(values), x, y)
    except NumjazError as error:
        raise NumjazError(f"{where}: {error}") from None


def _packed(array: Array) -> dict[str, Any]:
    plain = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return {
        "dtype": plain.dtype.str,
        "shape": list(plain.shape),
        "data": b2a_base64(plain.tobytes(), newline=False).decode(),
    }


def _unpacked(held: Any) -> Array:
    dtype, shape = _entry(held, "dtype", str), _entry(held, "shape", list)
    if dtype not in ("<f4", "<f8") or not all(type(n) is int and 0 <= n <= MAX_GOLDEN for n in shape):
        raise NumjazError(f"the golden case holds {dtype!r:.20} {shape!r:.60}")
    try:
        data = a2b_base64(_entry(held, "data", str), strict_mode=True)
    except ValueError:
        raise NumjazError("the golden case is not readable as base64") from None
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if len(data) != size or size > MAX_GOLDEN:
        raise NumjazError(f"the golden case declares {size:,} bytes and holds {len(data):,}")
    return np.frombuffer(data, dtype).reshape(shape)


def _node(entry: Any) -> Node:
    inputs = _entry(entry, "inputs", list)
    if not all(isinstance(i, list) and len(i) == 2 and isinstance(i[0], str) and type(i[1]) is int for i in inputs):
        raise NumjazError("a node's inputs are not (node, output) pairs")
    name = _entry(entry, "name", str)
    if name.startswith("/") or ".." in name.split("/"):
        raise NumjazError(f"a node cannot be named {name!r:.60}")
    return Node(
        name,
        layer_from_config(_entry(entry, "layer", dict)),
        tuple((i[0], i[1]) for i in inputs),
        _entry(entry, "owner", str),
    )


def _entry(values: Any, key: str, kind: type, *default: Any) -> Any:
    value = values.get(key, *default) if isinstance(values, dict) else None
    if default and value is None:
        return default[0]
    if not isinstance(value, kind):
        raise NumjazError(f"entry {key!r} must be a {kind.__name__}, not {value!r:.60}")
    return value


def _texts(values: Any, key: str) -> list[str]:
    texts: list[str] = _entry(values, key, list)
    for text in texts:
        if not isinstance(text, str):
            raise NumjazError(f"entry {key!r} must hold text, not {text!r:.60}")
    return texts
