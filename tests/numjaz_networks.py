"""The networks of the matrix as numjaz has them, for files that hold weights alone, and how such files are judged."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

import numjaz
from numjaz.architectures.initial import initial_parameters
from numjaz.layers import (
    GRU,
    LSTM,
    Add,
    AveragePooling1D,
    BatchNormalization,
    Bidirectional,
    Concatenate,
    Conv1D,
    Dense,
    DepthwiseConv1D,
    Dropout,
    Flatten,
    GlobalAveragePooling1D,
    GlobalMaxPooling1D,
    Input,
    Layer,
    LayerNormalization,
    MaxPooling1D,
    Multiply,
    Permute,
    ReLU,
    SeparableConv1D,
    Softmax,
    Subtract,
    ZeroPadding1D,
)
from numjaz.nodes import Node, parameter_table

TORCH_EPSILON = 1e-5


def node(name: str, layer: Layer, *inputs: str, owner: str = "") -> Node:
    return Node(name, layer, tuple((source, 0) for source in inputs), owner)


def chain(source: str, layers: dict[str, Layer]) -> list[Node]:
    """Layers one behind the other."""
    return [node(name, layer, at) for (name, layer), at in zip(layers.items(), [source, *layers], strict=False)]


def model(nodes: Iterable[Node]) -> numjaz.Model:
    nodes = tuple(nodes)
    return numjaz.Model(nodes, initial_parameters(parameter_table(nodes), 0))


def norm() -> Layer:
    return BatchNormalization(TORCH_EPSILON)


def jazbat() -> numjaz.Model:
    return numjaz.jazbat(3, 5, reduction=6, units=5, modules=2, epsilon=TORCH_EPSILON)


def sequential_lstm() -> numjaz.Model:
    layers = {
        "lstm": LSTM(6),
        "dropout": Dropout(0.3),
        "lstm_1": LSTM(5, return_sequences=False),
        "dense": Dense(7),
        "relu": ReLU(),
        "norm": norm(),
        "classes": Dense(4, activation="softmax"),
    }
    return model([node("input", Input(3)), *chain("input", layers)])


def cnn_bigru() -> numjaz.Model:
    return model(
        [
            node("input", Input(3)),
            node("conv1d", Conv1D(4, 3, activation="relu"), "input"),
            node("conv1d_1", Conv1D(4, 7, activation="relu"), "input"),
            node("both", Concatenate(), "conv1d", "conv1d_1"),
            node("pool", MaxPooling1D(2), "both"),
            node("layer_normalization", LayerNormalization(epsilon=TORCH_EPSILON), "pool"),
            node("bidirectional", Bidirectional(GRU(5), GRU(5)), "layer_normalization"),
            node("dense", Dense(1), "bidirectional"),
            node("softmax", Softmax((1,)), "dense"),
            node("weighed", Multiply(), "bidirectional", "softmax"),
            node("mean", GlobalAveragePooling1D(), "weighed"),
            node("largest", GlobalMaxPooling1D(), "weighed"),
            node("facts", Concatenate(), "mean", "largest"),
            node("dense_1", Dense(4, activation="softmax"), "facts"),
        ]
    )


def blocks() -> numjaz.Model:
    nodes = [node("input", Input(3)), node("rnn", Bidirectional(LSTM(4), LSTM(4)), "input")]
    for k in range(3):
        x, at = nodes[-1].name, f"mods{k}"
        nodes += [
            node(f"{at}/br1", Conv1D(8, 3, activation="relu"), x),
            node(f"{at}/br2", Conv1D(8, 1, activation="relu"), x),
            node(f"{at}/add", Add(), f"{at}/br1", f"{at}/br2"),
        ]
    head = {"pool": GlobalAveragePooling1D(), "head": Dense(4, activation="softmax")}
    return model([*nodes, *chain(nodes[-1].name, head)])


def nested() -> numjaz.Model:
    def trunk(call: str, x: str) -> list[Node]:
        return [
            node(f"{call}/conv", Conv1D(4, 3, padding="valid", activation="relu"), x, owner="trunk/conv"),
            node(f"{call}/norm", norm(), f"{call}/conv", owner="trunk/norm"),
            node(f"{call}/gru", GRU(5, return_sequences=False), f"{call}/norm", owner="trunk/gru"),
        ]

    return model(
        [
            node("left", Input(2, (16,))),
            node("right", Input(2, (16,))),
            *trunk("trunk", "left"),
            *trunk("trunk:1", "right"),
            node("head/difference", Subtract(), "trunk/gru", "trunk:1/gru"),
            node("head/dense", Dense(3, activation="tanh"), "head/difference"),
            node("same", Dense(2, activation="softmax"), "head/dense"),
        ]
    )


def separable() -> numjaz.Model:
    """Where torch pads a stride's both ends alike, the zeros are a layer; `Permute` flattens in torch's order."""
    layers = {
        "depthwise": DepthwiseConv1D(5, padding="same", use_bias=False),
        "norm": norm(),
        "relu6": ReLU(max_value=6.0),
        "conv": Conv1D(8, 1, use_bias=False),
        "norm_1": norm(),
        "leaky": ReLU(negative_slope=0.25),
        "zeros": ZeroPadding1D(2, 2),
        "depthwise_1": DepthwiseConv1D(5, strides=2, padding="valid", use_bias=False),
        "norm_2": norm(),
        "relu6_1": ReLU(max_value=6.0),
        "conv_1": Conv1D(12, 1, use_bias=False),
        "norm_3": norm(),
        "leaky_1": ReLU(negative_slope=0.25),
        "separable": SeparableConv1D(6, 3, padding="same", dilation=2, activation="elu"),
        "pool": AveragePooling1D(4),
        "turned": Permute((2, 1)),
        "flat": Flatten(),
        "classes": Dense(4, activation="softmax"),
    }
    return model([node("input", Input(3, (32,))), *chain("input", layers)])


KERAS: dict[str, Callable[[], numjaz.Model]] = {"subclassed": blocks}
TORCH: dict[str, Callable[[], numjaz.Model]] = {
    "jazbat": jazbat,
    "sequential-lstm": sequential_lstm,
    "cnn-bigru": cnn_bigru,
    "subclassed": blocks,
    "nested": nested,
    "separable": separable,
}


class Difference(NamedTuple):
    """The largest difference of any node, relative to the node's largest value; which node; of how many."""

    relative: float
    node: str
    nodes: int = 0


def architecture(path: Path) -> numjaz.Model | Path | None:
    """What the file, named ``network-dtype.container``, needs beside itself."""
    stem, _, container = path.name.partition(".")
    kinds = TORCH if path.parent.name.startswith("torch") else KERAS
    name = stem.rpartition("-")[0]
    if name in kinds:
        return kinds[name]()
    if "weights" not in container:
        return None
    return next(whole for ending in ("keras", "h5") if (whole := path.with_name(f"{stem}.{ending}")).exists())


def names(path: Path) -> dict[str, str] | None:
    """What the user has to say: safetensors has no order, and the first shortcut of Jazbat-Net is shaped like a merge."""
    sorted_by_name = path.suffix == ".safetensors" and path.name.startswith("jazbat")
    return {"module1_shortcut": "blocks.0.skip"} if sorted_by_name else None


def difference(model: numjaz.Model, path: Path) -> Difference:
    """Every node's to what the framework gave for it, which lies beside the file as ``.npz``."""
    with np.load(path.with_name(f"{path.name.partition('.')[0]}.npz")) as held:
        arrays = {key: held[key] for key in held.files}
    x = [array for key, array in arrays.items() if key.startswith("x/")]
    made = model.activations(dict(zip(model.inputs, x, strict=True)))
    expected = {key.removeprefix("node/"): array for key, array in arrays.items() if key.startswith("node/")}
    alone = [node for node in made if node not in {*expected, *model.inputs}]
    if alone and path.parent.name.startswith("keras"):
        return Difference(float("inf"), f"{alone[0]}, which Keras has not")
    made["the output"], expected["the output"] = made[model.outputs[0]], arrays["y"]
    found = [Difference(_largest(made.get(name), values), name) for name, values in expected.items()]
    return max(found)._replace(nodes=len(found) - 1)


def _largest(made: np.ndarray | None, expected: np.ndarray) -> float:
    if made is None or (made.shape, made.dtype) != (expected.shape, expected.dtype):
        return float("inf")
    error = float(np.abs(made - expected).max()) / (float(np.abs(expected).max()) or 1.0)
    return error if np.isfinite(error) else float("inf")
