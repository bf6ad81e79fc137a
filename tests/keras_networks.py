"""The networks of the matrix, typed in Keras: run in Keras 2.12 to 2.15 and in Keras 3. Imports nothing of numjaz."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers
from keras_oracle import compute_in, jazbat

KERAS_2 = keras.__version__.startswith("2.")


def jazbat_net() -> keras.Model:
    """The reference network, small; each Add's inputs the other way round, Keras's own names."""
    return jazbat(3, 5, reduction=6, units=5, modules=2, swap_branches=True, named=False)


def sequential_lstm() -> keras.Model:
    """Two LSTMs over raw axes, dropout between: the tutorial network of activity recognition."""
    return keras.Sequential(
        [
            layers.Input((20, 3)),
            layers.LSTM(6, return_sequences=True),
            layers.Dropout(0.3),
            layers.LSTM(5),
            layers.Dense(7, activation="relu"),
            layers.BatchNormalization(),
            layers.Dense(4, activation="softmax"),
        ]
    )


def cnn_bigru() -> keras.Model:
    """Two convolutions of other lengths side by side, max-pooled, a bidirectional GRU, attention by softmax over time."""
    x = inputs = layers.Input((24, 3))
    short = layers.Conv1D(4, 3, padding="same", activation="relu")(x)
    long = layers.Conv1D(4, 7, padding="same", activation="relu")(x)
    x = layers.Concatenate()([layers.MaxPooling1D(2)(short), layers.MaxPooling1D(2)(long)])
    x = layers.Bidirectional(layers.GRU(5, return_sequences=True))(layers.LayerNormalization()(x))
    weights = layers.Softmax(axis=1)(layers.Dense(1)(x))
    x = layers.Multiply()([x, weights])
    x = layers.Concatenate()([layers.GlobalAveragePooling1D()(x), layers.GlobalMaxPooling1D()(x)])
    return keras.Model(inputs, layers.Dense(4, activation="softmax")(x))


class Residual(layers.Layer):
    """A block of somebody's own: its layers are attributes."""

    def __init__(self, filters: int, **options: object) -> None:
        super().__init__(**options)
        self.br1 = layers.Conv1D(filters, 3, padding="same", activation="relu")
        self.br2 = layers.Conv1D(filters, 1, activation="relu")
        self.add = layers.Add()

    def parts(self, x: object) -> dict[str, object]:
        """What each part gives."""
        br1, br2 = self.br1(x), self.br2(x)
        return {"br1": br1, "br2": br2, "add": self.add([br1, br2])}

    def call(self, x: object) -> object:
        return self.parts(x)["add"]


class Subclassed(keras.Model):
    """A model of somebody's own: blocks in a list, all alike, and no configuration in its files."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = layers.Bidirectional(layers.LSTM(4, return_sequences=True))
        self.mods = [Residual(8), Residual(8), Residual(8)]
        self.pool = layers.GlobalAveragePooling1D()
        self.head = layers.Dense(4, activation="softmax")

    def call(self, x: object) -> object:
        x = self.rnn(x)
        for block in self.mods:
            x = block(x)
        return self.head(self.pool(x))

    def parts(self, x: object) -> dict[str, object]:
        """What each part gives."""
        made = {"rnn": self.rnn(x)}
        x = made["rnn"]
        for k, block in enumerate(self.mods):
            made |= {f"mods{k}/{name}": value for name, value in block.parts(x).items()}
            x = block(x)
        made["pool"] = self.pool(x)
        return made | {"head": self.head(made["pool"])}


def subclassed() -> keras.Model:
    """A subclassed model, built."""
    model = Subclassed()
    model(np.zeros((1, 20, 3)))
    return model


def nested() -> keras.Model:
    """A functional model of models: a Sequential trunk called twice, and a functional head with two inputs."""
    trunk = keras.Sequential(
        [layers.Input((16, 2)), layers.Conv1D(4, 3, activation="relu"), layers.BatchNormalization(), layers.GRU(5)],
        name="trunk",
    )
    a, b = layers.Input((5,)), layers.Input((5,))
    head = keras.Model([a, b], layers.Dense(3, activation="tanh")(layers.Subtract()([a, b])), name="head")
    left, right = layers.Input((16, 2), name="left"), layers.Input((16, 2), name="right")
    joined = head([trunk(left), trunk(right)])
    return keras.Model([left, right], layers.Dense(2, activation="softmax", name="same")(joined))


def separable() -> keras.Model:
    """A depthwise-separable network, as small devices like them."""
    x = inputs = layers.Input((32, 3))
    for filters, strides in ((8, 1), (12, 2)):
        x = layers.DepthwiseConv1D(5, padding="same", strides=strides, use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        x = layers.ReLU(max_value=6.0)(x)
        x = layers.Conv1D(filters, 1, use_bias=False)(x)
        x = layers.BatchNormalization(scale=False)(x)
        x = layers.LeakyReLU(0.25)(x)  # a slope that float32 holds: TensorFlow takes it in no other dtype
    x = layers.SeparableConv1D(6, 3, padding="same", dilation_rate=2, activation="elu")(x)
    x = layers.Flatten()(layers.AveragePooling1D(4)(x))
    return keras.Model(inputs, layers.Dense(4, activation="softmax")(x))


NETWORKS = {
    "jazbat": jazbat_net,
    "sequential-lstm": sequential_lstm,
    "cnn-bigru": cnn_bigru,
    "subclassed": subclassed,
    "nested": nested,
    "separable": separable,
}


def randomised(model: keras.Model, seed: int) -> keras.Model:
    """The same model with random weights, variances positive."""
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        if "int" in str(variable.dtype):  # a seed's state, or how many batches a Normalization saw
            continue
        name = getattr(variable, "path", variable.name)
        values = rng.normal(0, 0.3, tuple(variable.shape))
        variable.assign(np.abs(values) + 0.5 if "variance" in name else values)
    return model


def network(name: str, dtype: str, seed: int = 0) -> keras.Model:
    """One of `NETWORKS`, computing in this dtype, with random weights."""
    compute_in(dtype)
    return randomised(NETWORKS[name](), seed)


def sample(model: keras.Model, dtype: str, seed: int = 1, windows: int = 2) -> list[np.ndarray]:
    """A random array for each of the model's inputs; 20 samples of 3 where the model does not say."""
    rng = np.random.default_rng(seed)
    inputs = getattr(model, "inputs", None)
    shapes = [tuple(i.shape)[1:] for i in inputs] if inputs else [(20, 3)]
    return [rng.standard_normal((windows, *(24 if n is None else n for n in shape))).astype(dtype) for shape in shapes]


def named_outputs(model: keras.Model, x: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Every layer's output for a batch, by the name that numjaz gives the layer.

    The second call of a layer is ``conv1d:1``; the layers of a model within begin with that one's name.
    """
    if isinstance(model, Subclassed):
        return {name: np.asarray(value) for name, value in model.parts(x[0]).items()}
    graph = getattr(model, "_functional", None) or model  # what Keras 3 makes of a Sequential
    calls = [
        (layer, layer.name + (f":{k}" if k else ""), node)
        for layer in model.layers
        if not isinstance(layer, layers.InputLayer)
        for k, node in enumerate(_calls(graph, layer))
    ]
    tensors = [tensor for _, _, node in calls for tensor in (*_inputs(node), *_outputs(node))]
    values = iter(keras.Model(graph.inputs, tensors)(x if len(x) > 1 else x[0], training=False))
    found: dict[str, np.ndarray] = {}
    for layer, name, node in calls:
        given, (made,) = [[np.asarray(next(values)) for _ in side] for side in (_inputs(node), _outputs(node))]
        if isinstance(layer, keras.Model):
            found |= {f"{name}/{inner}": value for inner, value in named_outputs(layer, given).items()}
        else:
            found[name] = made
    return found


def _calls(graph: keras.Model, layer: layers.Layer) -> list[object]:
    """The layer's calls that are part of this model, in the order in which they were typed."""
    within = {id(node) for nodes in graph._nodes_by_depth.values() for node in nodes}
    return [node for node in layer._inbound_nodes if id(node) in within]


def _inputs(node: object) -> list[object]:
    return list(node.keras_inputs if KERAS_2 else node.input_tensors)


def _outputs(node: object) -> list[object]:
    made = node.outputs if KERAS_2 else node.output_tensors
    return list(made) if isinstance(made, (list, tuple)) else [made]
