"""Networks on which counting tools are compared: recurrent, residual, depthwise-separable, attention."""

from __future__ import annotations

import random
from collections.abc import Callable

import numjaz
from numjaz import Node
from numjaz.architectures.initial import initial_parameters
from numjaz.layers import (
    ELU,
    GRU,
    LSTM,
    Activation,
    Add,
    Average,
    AveragePooling1D,
    BatchNormalization,
    Bidirectional,
    Conv1D,
    Dense,
    DepthwiseConv1D,
    Dropout,
    GlobalAveragePooling1D,
    GlobalMaxPooling1D,
    Input,
    Layer,
    LayerNormalization,
    MaxPooling1D,
    MultiHeadAttention,
    Multiply,
    PReLU,
    ReLU,
    SeparableConv1D,
    SimpleRNN,
    Softmax,
)
from numjaz.nodes import parameter_table


def model(nodes: list[Node]) -> numjaz.Model:
    return numjaz.Model(nodes, initial_parameters(parameter_table(nodes), 0))


def node(name: str, layer: Layer, *inputs: str) -> Node:
    return Node(name, layer, tuple((source, 0) for source in inputs))


def chain(*layers: Layer) -> numjaz.Model:
    nodes = [node("n0", layers[0])]
    for k, layer in enumerate(layers[1:], start=1):
        nodes.append(node(f"n{k}", layer, f"n{k - 1}"))
    return model(nodes)


def separable() -> numjaz.Model:
    return chain(
        *(Input(6), Conv1D(16, 5, "same", "relu", strides=2), BatchNormalization(), DepthwiseConv1D(3, 2, "same")),
        *(BatchNormalization(scale=False, center=False), ReLU(), SeparableConv1D(24, 5, activation="relu")),
        *(MaxPooling1D(2), AveragePooling1D(2), Dropout(0.3), GlobalAveragePooling1D(), Dense(6, "softmax")),
    )


def residual() -> numjaz.Model:
    nodes, x = [node("input", Input(3)), node("stem", Conv1D(16, 7, "same", "relu"), "input")], "stem"
    for k in range(2):
        nodes += [
            node(f"a{k}", Conv1D(16, 3, use_bias=False), x),
            node(f"norm{k}", BatchNormalization(), f"a{k}"),
            node(f"relu{k}", Activation("relu"), f"norm{k}"),
            node(f"b{k}", Conv1D(16, 3, "causal", dilation=2), f"relu{k}"),
            node(f"sum{k}", Add(), x, f"b{k}"),
            node(f"out{k}", Activation("relu"), f"sum{k}"),
        ]
        x = f"out{k}"
    nodes += [node("pool", GlobalAveragePooling1D(), x), node("classes", Dense(6), "pool")]
    return model([*nodes, node("softmax", Softmax(), "classes")])


def attention() -> numjaz.Model:
    return model(
        [
            node("input", Input(3)),
            node("embed", Dense(32), "input"),
            node("norm", LayerNormalization(epsilon=1e-5), "embed"),
            node("attention", MultiHeadAttention(4, 8), "norm", "norm"),
            node("sum", Add(), "attention", "embed"),
            node("wide", Dense(48, "gelu"), "sum"),
            node("back", Dense(32, use_bias=False), "wide"),
            node("pool", GlobalAveragePooling1D(), "back"),
            node("classes", Dense(6, "softmax"), "pool"),
        ]
    )


def activations() -> numjaz.Model:
    """Activations as modules and within layers, merges of other kinds, groups."""
    return model(
        [
            node("input", Input(4)),
            node("a", Conv1D(8, 3, "valid", "elu", groups=2), "input"),
            node("b", Conv1D(8, 3, "valid", "leaky_relu"), "input"),
            node("product", Multiply(), "a", "b", "a"),
            node("mean", Average(), "product", "b"),
            node("elu", ELU(0.5), "mean"),
            node("prelu", PReLU((1,)), "elu"),
            node("gelu", Activation("gelu"), "prelu"),
            node("leaky", Activation("leaky_relu"), "gelu"),
            node("six", Activation("relu6"), "leaky"),
            node("swish", Activation("silu"), "six"),
            node("tanh", Activation("tanh"), "swish"),
            node("softmax", Activation("softmax"), "tanh"),
            node("dense", Dense(5, "relu6"), "softmax"),
            node("both", Bidirectional(LSTM(4), LSTM(4)), "dense"),
            node("norm", LayerNormalization(), "both"),
            node("pool", GlobalMaxPooling1D(), "norm"),
        ]
    )


def random_layer(rng: random.Random, kind: type[Layer], width: int) -> Layer:
    """A layer of a kind with options that torch's modules have too."""
    bias = rng.random() < 0.7
    names = ["linear", "relu", "elu", "gelu", "tanh", "silu", "leaky_relu", "relu6", "softmax"]
    walk = {"kernel_size": rng.randint(1, 5), "strides": rng.randint(1, 2), "use_bias": bias}
    walk |= {"activation": rng.choice(names), "padding": rng.choice(["same", "valid", "causal"])}
    pool = {"pool_size": rng.randint(1, 3), "strides": rng.randint(0, 2)}
    cell = rng.choice([GRU, LSTM, SimpleRNN])(rng.randint(1, 6), use_bias=bias)
    affine = rng.random() < 0.7
    heads = 2 if width % 2 == 0 else 1
    options: dict[type[Layer], dict[str, object]] = {
        Dense: {"units": rng.randint(1, 8), "activation": rng.choice(names), "use_bias": bias},
        Conv1D: {**walk, **rng.choice([{"filters": rng.randint(1, 8)}, {"filters": 2 * width, "groups": width}])},
        DepthwiseConv1D: {**walk, "depth_multiplier": rng.randint(1, 2)},
        SeparableConv1D: {**walk, "filters": rng.randint(1, 8), "depth_multiplier": rng.randint(1, 2)},
        **{each: {"units": rng.randint(1, 6), "use_bias": bias, "go_backwards": not bias} for each in CELLS},
        Bidirectional: {"forward_layer": cell, "backward_layer": cell},
        BatchNormalization: {"scale": affine, "center": affine},
        LayerNormalization: {"center": bias},
        MaxPooling1D: {**pool, "padding": rng.choice(["same", "valid"])},
        AveragePooling1D: pool,
        PReLU: {"shared_axes": (1,)},
        ELU: {"alpha": rng.choice([1.0, 0.5])},
        Activation: {"activation": rng.choice([*names, "selu", "sigmoid"])},
        Dropout: {"rate": 0.2},
        MultiHeadAttention: {"heads": heads, "key_dim": width // heads},
    }
    return kind(**options.get(kind, {}))


CELLS = (GRU, LSTM, SimpleRNN)
ANYWHERE = (Dense, Activation, ELU, Softmax, Dropout)
ALONG_TIME = (
    *(Conv1D, DepthwiseConv1D, SeparableConv1D, *CELLS, Bidirectional, BatchNormalization, LayerNormalization),
    *(MaxPooling1D, AveragePooling1D, PReLU, MultiHeadAttention, GlobalAveragePooling1D, GlobalMaxPooling1D),
)


def random_network(seed: int) -> numjaz.Model:
    """A chain of layers; the first has weights, as tools ask for."""
    rng = random.Random(seed)
    shape: tuple[int, ...] = (64, rng.randint(1, 6))
    nodes = [node("n0", Input(shape[-1]))]
    for k in range(1, rng.randint(4, 10)):
        kinds = [Conv1D] if k == 1 else [*ANYWHERE, *ALONG_TIME] if len(shape) == 2 else ANYWHERE
        layer = random_layer(rng, rng.choice(kinds), shape[-1])
        if isinstance(layer, MultiHeadAttention) and layer.heads % 2:
            continue
        inputs = (nodes[-1].name,) * (2 if isinstance(layer, MultiHeadAttention) else 1)
        (made, *_) = layer.output_shapes((shape,) * len(inputs))
        if len(made) == 1 or made[0] >= 8:
            nodes.append(node(f"n{k}", layer, *inputs))
            shape = made
    return model(nodes)


NETWORKS: dict[str, Callable[[], numjaz.Model]] = {
    "jazbat 1D": lambda: numjaz.jazbat(features=1, classes=6, reduction=6),
    "jazbat 3D": lambda: numjaz.jazbat(features=3, classes=6, reduction=6),
    "jazbat 6D": lambda: numjaz.jazbat(features=6, classes=6, reduction=18),
    "lstm": lambda: chain(
        Input(3), LSTM(16), LSTM(8, return_sequences=False, use_bias=False), Dense(32, "relu"), Dense(6, "softmax")
    ),
    "gru": lambda: chain(Input(6), GRU(24, return_sequences=False), Dense(6)),
    "two-layer gru": lambda: chain(Input(3), GRU(16), GRU(12), GlobalMaxPooling1D(), Dense(5, "softmax", False)),
    "rnn": lambda: chain(Input(3), SimpleRNN(16), SimpleRNN(12, use_bias=False), GlobalAveragePooling1D(), Dense(5)),
    "separable": separable,
    "residual": residual,
    "attention": attention,
    "activations": activations,
}
