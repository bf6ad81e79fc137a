"""Every layer alone over a grid of its options, typed in Keras. Imports nothing of numjaz.

A case is a name, the inputs' shapes, and a function of them to the outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any, NamedTuple

import keras
from keras import layers

KERAS_2 = keras.__version__.startswith("2.")
SEQUENCE = (11, 4)


class Case(NamedTuple):
    name: str
    shapes: tuple[tuple[int | None, ...], ...]
    build: Callable[..., Any]


def grid(**options: tuple[Any, ...]) -> Iterator[dict[str, Any]]:
    """Every combination of the options' values."""
    for values in product(*options.values()):
        yield dict(zip(options, values, strict=True))


def one(kind: Any, options: dict[str, Any], shape: tuple[int | None, ...] = SEQUENCE, tag: str = "") -> Case:
    """A layer called on one input."""
    shown = ",".join(f"{name}={value}" for name, value in options.items())
    return Case(f"{kind.__name__}({shown}){tag}", (shape,), lambda x: kind(**options)(x))


def several(kind: Any, options: dict[str, Any], *shapes: tuple[int | None, ...]) -> Case:
    """A layer called on a list of inputs."""
    shown = ",".join(f"{name}={value}" for name, value in options.items())
    return Case(f"{kind.__name__}({shown}){shapes}", shapes, lambda *x: kind(**options)(list(x)))


def activations() -> Iterator[Case]:
    names = "elu exponential gelu hard_sigmoid linear mish relu selu sigmoid softmax softplus softsign swish tanh"
    newer = (
        "celu glu hard_shrink hard_silu hard_swish hard_tanh leaky_relu log_sigmoid log_softmax relu6 silu soft_shrink "
        "sparse_plus sparse_sigmoid sparsemax squareplus tanh_shrink"
    )
    known = [name for name in (names + " " + newer).split() if hasattr(keras.activations, name)]
    for name in known:
        if name != "glu":  # which Keras's own layer does not know to halve the axis
            yield one(layers.Activation, {"activation": name})
            yield one(layers.Dense, {"units": 3, "activation": name})
        if name not in ("glu", "softmax", "log_softmax", "sparsemax"):
            yield one(layers.GRU, {"units": 3, "activation": name, "recurrent_activation": "sigmoid"})
            yield one(layers.LSTM, {"units": 3, "activation": "tanh", "recurrent_activation": name})
    slope = "alpha" if KERAS_2 else "negative_slope"
    for value in (0.0, 0.25, 0.5):
        yield one(layers.LeakyReLU, {slope: value})
    for options in grid(max_value=(None, 1.0), negative_slope=(0.0, 0.25), threshold=(0.0, 0.5)):
        yield one(layers.ReLU, options)
    for alpha in (0.25, 1.0, 2.0):
        yield one(layers.ELU, {"alpha": alpha})
    for shared in (None, [1], [2], [1, 2]):
        yield one(layers.PReLU, {"shared_axes": shared})
    yield one(layers.PReLU, {}, (5,))
    for axis in (-1, 1, 2, -2, [1, 2]):
        yield one(layers.Softmax, {"axis": axis})


def convolutions() -> Iterator[Case]:
    for options in grid(kernel_size=(1, 2, 3, 5), padding=("same", "valid", "causal"), strides=(1, 2, 3)):
        yield one(layers.Conv1D, {"filters": 6, **options})
    for options in grid(kernel_size=(2, 3), padding=("same", "valid", "causal"), dilation_rate=(2, 3)):
        yield one(layers.Conv1D, {"filters": 3, "use_bias": False, "activation": "relu", **options})
    for options in grid(groups=(2, 4), padding=("same", "valid"), strides=(1, 2)):
        yield one(layers.Conv1D, {"filters": 8, "kernel_size": 3, **options})
    for time in (7, 8, 9, 10):  # where the zeros of `same` stand depends on the length
        yield one(
            layers.Conv1D, {"filters": 2, "kernel_size": 4, "padding": "same", "strides": 3}, (time, 2), f"[{time}]"
        )
    for options in grid(kernel_size=(1, 3, 4), padding=("same", "valid"), strides=(1, 2), depth_multiplier=(1, 2)):
        yield one(layers.DepthwiseConv1D, options)
        yield one(layers.SeparableConv1D, {"filters": 5, **options})
    for options in grid(padding=("same", "valid"), dilation_rate=(2, 3), use_bias=(True, False)):
        yield one(layers.DepthwiseConv1D, {"kernel_size": 3, "activation": "tanh", **options})
        yield one(layers.SeparableConv1D, {"filters": 3, "kernel_size": 3, "activation": "tanh", **options})
    if KERAS_2:
        for dilation in (1, 2):
            yield one(
                layers.SeparableConv1D, {"filters": 3, "kernel_size": 3, "padding": "causal", "dilation_rate": dilation}
            )


def recurrent() -> Iterator[Case]:
    flags = {"return_sequences": (True, False), "go_backwards": (False, True), "use_bias": (True, False)}
    for options in grid(**flags):
        yield one(layers.SimpleRNN, {"units": 3, **options})
        yield one(layers.LSTM, {"units": 3, **options})
        for after in (True, False):
            yield one(layers.GRU, {"units": 3, "reset_after": after, **options})
    for kind in (layers.SimpleRNN, layers.GRU, layers.LSTM):
        states = 2 if kind is layers.LSTM else 1
        yield one(kind, {"units": 3, "dropout": 0.2, "recurrent_dropout": 0.1, "unroll": True})
        yield one(kind, {"units": 3}, (None, 4), "[free]")
        for sequences in (True, False):
            yield one(kind, {"units": 3, "return_state": True, "return_sequences": sequences})
            yield Case(
                f"{kind.__name__} with a state to begin with, sequences {sequences}",
                (SEQUENCE, *((3,),) * states),
                lambda x, *s, kind=kind, sequences=sequences: kind(3, return_sequences=sequences)(
                    x, initial_state=list(s) if len(s) > 1 else s[0]
                ),
            )
        for merge, sequences, state in product(("concat", "sum", "mul", "ave", None), (True, False), (True, False)):
            yield Case(
                f"Bidirectional({kind.__name__},{merge},sequences={sequences},state={state})",
                (SEQUENCE,),
                lambda x, kind=kind, merge=merge, sequences=sequences, state=state: layers.Bidirectional(
                    kind(3, return_sequences=sequences, return_state=state), merge_mode=merge
                )(x),
            )
    other = layers.GRU(5, go_backwards=True, return_sequences=True, reset_after=False, activation="relu")
    yield Case(
        "Bidirectional with a backward layer of its own",
        (SEQUENCE,),
        lambda x: layers.Bidirectional(
            layers.LSTM(3, return_sequences=True), backward_layer=other.__class__.from_config(other.get_config())
        )(x),
    )
    yield Case(
        "Bidirectional the other way round",
        (SEQUENCE,),
        lambda x: layers.Bidirectional(
            layers.GRU(3, go_backwards=True, return_sequences=True), backward_layer=layers.GRU(3, return_sequences=True)
        )(x),
    )
    yield Case(
        "Bidirectional with states to begin with",
        (SEQUENCE, *((3,),) * 4),
        lambda x, *s: layers.Bidirectional(layers.LSTM(3, return_sequences=True))(x, initial_state=list(s)),
    )


def wrapped() -> Iterator[Case]:
    for inner in (
        lambda: layers.Dense(3, activation="tanh"),
        lambda: layers.Conv1D(3, 3, padding="same"),
        lambda: layers.MaxPooling1D(2),
        lambda: layers.LSTM(3),
        lambda: layers.GRU(3, return_sequences=True),
        lambda: layers.Bidirectional(layers.GRU(3)),
        lambda: layers.BatchNormalization(),
        lambda: layers.Flatten(),
        lambda: layers.Dropout(0.5),
        lambda: layers.GlobalAveragePooling1D(),
        lambda: layers.TimeDistributed(layers.Dense(2)),
    ):
        name = type(inner()).__name__
        yield Case(f"TimeDistributed({name})", ((3, 8, 4),), lambda x, inner=inner: layers.TimeDistributed(inner())(x))
    yield Case("TimeDistributed(Dense) over steps", (SEQUENCE,), lambda x: layers.TimeDistributed(layers.Dense(3))(x))

    def model(x: Any) -> Any:
        inner = keras.Sequential(
            [
                layers.Input((8, 4)),
                layers.Conv1D(3, 3, activation="relu"),
                layers.BatchNormalization(),
                layers.Flatten(),
            ]
        )
        return layers.GRU(4)(layers.TimeDistributed(inner)(x))

    yield Case("TimeDistributed(Sequential)", ((3, 8, 4),), model)


def normalizations() -> Iterator[Case]:
    for options in grid(scale=(True, False), center=(True, False), epsilon=(1e-3, 1e-5)):
        yield one(layers.BatchNormalization, options)
        yield one(layers.LayerNormalization, options)
    for axis in (1, 2, -1, -2):
        yield one(layers.BatchNormalization, {"axis": axis})
        yield one(layers.LayerNormalization, {"axis": axis})
    yield one(layers.BatchNormalization, {}, (5,), "[vector]")
    yield one(layers.LayerNormalization, {}, (5,), "[vector]")
    yield one(layers.LayerNormalization, {"axis": [1, 2]})
    yield one(layers.Normalization, {})
    yield one(layers.Normalization, {"axis": None})
    yield one(layers.Normalization, {"axis": 1})
    yield one(layers.Normalization, {"axis": [1, 2]})
    yield one(layers.Normalization, {}, (5,), "[vector]")
    yield one(layers.Normalization, {"mean": 2.0, "variance": 4.0, "axis": None})
    many = {"mean": [1.0, 2.0, 3.0, 4.0], "variance": [4.0, 2.0, 1.0, 0.5]}
    yield one(layers.Normalization, many)
    yield one(layers.Normalization, {**many, "axis": [1, 2]})
    yield one(layers.Normalization, {**many, "axis": 1}, (4, 4), "[as many steps as channels]")
    yield one(layers.Normalization, {"mean": [2.0], "variance": [4.0]})
    if not KERAS_2 or keras.__version__ >= "2.13":
        yield one(layers.Normalization, {"invert": True})
    yield one(layers.Rescaling, {"scale": 0.5})
    yield one(layers.Rescaling, {"scale": 0.5, "offset": -1.0})
    yield one(layers.Rescaling, {"scale": [0.5, 1.0, 2.0, 3.0], "offset": [0.0, 1.0, 2.0, 3.0]})


def poolings() -> Iterator[Case]:
    for kind in (layers.MaxPooling1D, layers.AveragePooling1D):
        for options in grid(pool_size=(1, 2, 3), strides=(None, 1, 2, 4), padding=("valid", "same")):
            yield one(kind, options)
    for kind in (layers.GlobalMaxPooling1D, layers.GlobalAveragePooling1D):
        for keepdims in (False, True):
            yield one(kind, {"keepdims": keepdims})


def merges() -> Iterator[Case]:
    same, narrow, vector = (7, 4), (7, 1), (4,)
    for kind in (layers.Add, layers.Multiply, layers.Average, layers.Maximum, layers.Minimum):
        yield several(kind, {}, same, same)
        yield several(kind, {}, same, same, same)
        yield several(kind, {}, same, narrow)
        yield several(kind, {}, vector, same)
    yield several(layers.Subtract, {}, same, same)
    yield several(layers.Subtract, {}, same, (1, 4))
    yield several(layers.Concatenate, {}, same, (7, 2), same)
    for axis in (1, -2):
        yield several(layers.Concatenate, {"axis": axis}, same, (3, 4))
    yield several(layers.Concatenate, {"axis": 2}, same, (7, 2))
    yield several(layers.Concatenate, {}, (4,), (3,))


def shapes() -> Iterator[Case]:
    yield one(layers.Flatten, {}, (6, 4))
    yield one(layers.Flatten, {}, (3, 2, 4), "[deep]")
    for target in ((24,), (4, 6), (-1, 3), (2, 3, 4), (2, -1)):
        yield one(layers.Reshape, {"target_shape": target}, (6, 4))
    yield one(layers.Permute, {"dims": (2, 1)}, (6, 4))
    yield one(layers.Permute, {"dims": (3, 1, 2)}, (2, 3, 4))
    yield one(layers.RepeatVector, {"n": 3}, (4,))
    for size in (1, 2, (0, 3), (2, 1)):
        yield one(layers.ZeroPadding1D, {"padding": size})
        yield one(layers.Cropping1D, {"cropping": size})
    for size in (1, 2, 3):
        yield one(layers.UpSampling1D, {"size": size})
    for kind, value in (
        (layers.Dropout, 0.5),
        (layers.SpatialDropout1D, 0.5),
        (layers.GaussianDropout, 0.5),
        (layers.GaussianNoise, 0.5),
        (layers.AlphaDropout, 0.5),
    ):
        yield Case(f"{kind.__name__}({value})", (SEQUENCE,), lambda x, kind=kind, value=value: kind(value)(x))
    yield one(layers.ActivityRegularization, {"l1": 0.1, "l2": 0.1})
    if hasattr(layers, "Identity"):
        yield one(layers.Identity, {})


def attentions() -> Iterator[Case]:
    for options in grid(
        num_heads=(1, 2), key_dim=(4,), value_dim=(None, 5), use_bias=(True, False), output_shape=(None, 6)
    ):
        shown = ",".join(f"{name}={value}" for name, value in options.items())
        yield Case(
            f"MultiHeadAttention({shown})",
            (SEQUENCE,),
            lambda x, options=options: layers.MultiHeadAttention(**options)(x, x),
        )
    yield Case(
        "MultiHeadAttention of three",
        ((5, 4), (7, 3), (7, 2)),
        lambda q, v, k: layers.MultiHeadAttention(2, 4)(q, v, key=k),
    )
    yield Case(
        "MultiHeadAttention by names",
        ((5, 4), (7, 3), (7, 2)),
        lambda q, v, k: layers.MultiHeadAttention(2, 4)(q, key=k, value=v),
    )
    yield Case(
        "MultiHeadAttention, causal",
        (SEQUENCE,),
        lambda x: layers.MultiHeadAttention(2, 4)(x, x, use_causal_mask=True),
    )
    yield Case(
        "MultiHeadAttention with its scores",
        (SEQUENCE,),
        lambda x: layers.MultiHeadAttention(2, 4)(x, x, return_attention_scores=True),
    )


def shared() -> Iterator[Case]:
    def twice(a: Any, b: Any) -> Any:
        layer = layers.Conv1D(3, 3)
        return layers.Concatenate(axis=1)([layer(a), layer(b)])

    yield Case("a layer called twice", ((7, 4), (9, 4)), twice)

    def deep(a: Any, b: Any) -> Any:
        inner = keras.Sequential([layers.Input((5,)), layers.Dense(3)], name="inner")
        i = layers.Input((5,))
        outer = keras.Model(i, layers.Add()([inner(i), layers.Dense(3)(i)]), name="outer")
        return layers.Add()([outer(a), outer(b)])

    yield Case("models in models, called twice", ((5,), (5,)), deep)


def refused() -> Iterator[Case]:
    """What is refused by name."""
    yield one(layers.Masking, {})
    yield Case("Lambda", (SEQUENCE,), lambda x: layers.Lambda(lambda v: v * 2)(x))
    yield Case("Conv2D", ((5, 6, 2),), lambda x: layers.Conv2D(3, 3)(x))
    yield Case(
        "Conv1D of an activation layer", (SEQUENCE,), lambda x: layers.Conv1D(3, 3, activation=layers.LeakyReLU())(x)
    )
    yield Case("Dot", ((5,), (5,)), lambda a, b: layers.Dot(1)([a, b]))


def cases() -> list[Case]:
    """The whole grid."""
    makers = (
        activations,
        convolutions,
        recurrent,
        wrapped,
        normalizations,
        poolings,
        merges,
        shapes,
        attentions,
        shared,
    )
    return [case for maker in makers for case in maker()]
