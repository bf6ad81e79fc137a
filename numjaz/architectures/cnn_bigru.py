"""CNN-BiGRU: Imran et al., IEEE Sensors Journal 24(2), 2023, as far as its text describes it."""

from __future__ import annotations

from numjaz.architectures.initial import initial_parameters
from numjaz.errors import NumjazError
from numjaz.layers import (
    GRU,
    Add,
    BatchNormalization,
    Bidirectional,
    Concatenate,
    Conv1D,
    Dense,
    Dropout,
    Input,
    Layer,
    MaxPooling1D,
)
from numjaz.model import Model
from numjaz.nodes import MAX_NODES, Node, parameter_table


def cnn_bigru(
    features: int = 1,
    classes: int = 6,
    *,
    modules: int = 2,
    units: int = 128,
    reset_after: bool = True,
    activation: str = "relu",
    shared: bool = False,
    seed: int | None = 0,
) -> Model:
    """The ancestor of Jazbat-Net: residual modules of many kernels, then a bidirectional GRU.

    Parameters
    ----------
    features, classes : int
        Of the input, and of the output.
    modules : int
        Residual modules one behind the other.
    units : int
        GRU units in each direction.
    reset_after : bool
        The GRU's form.
    activation : str
        Of every convolution.
    shared : bool
        Whether, in the last module, the branch of 3 begins with the plain 1x1 convolution's output and has none
        of its own. The text says nothing of it; the paper's parameters are those of a network with one 1x1
        convolution from 64 channels to 10 less.
    seed : int or None
        Of the weights; None leaves them zero, where nothing but counts is wanted.

    Examples
    --------
    >>> cnn_bigru(features=1, classes=6).summary().splitlines()[-1]
    '355,466 parameters, 354,698 of them trainable'
    """
    if type(modules) is not int or modules < 1:
        raise NumjazError(f"cnn_bigru: modules must be a whole number, 1 or more, not {modules!r:.60}")
    if modules > MAX_NODES:  # said before they are made
        raise NumjazError(f"cnn_bigru: {modules:,} modules; at most {MAX_NODES:,} nodes make a network")
    nodes: list[Node] = []

    def add(name: str, layer: Layer, *inputs: str) -> str:
        nodes.append(Node(name, layer, tuple((source, 0) for source in inputs)))
        return name

    def conv(name: str, filters: int, kernel: int, source: str) -> str:
        return add(name, Conv1D(filters, kernel, activation=activation), source)

    x = start = add("input", Input(features))
    for m in range(1, modules + 1):
        at = f"module{m}"
        branches = [conv(f"{at}_branch1", 10, 1, x)]
        for k in (3, 5, 7, 9):
            own = not (shared and m == modules and k == 3)
            reduced = conv(f"{at}_branch{k}_reduce", 10, 1, x) if own else branches[0]
            branches.append(conv(f"{at}_branch{k}", 10, k, reduced))
        branches.append(conv(f"{at}_pool_reduce", 10, 1, add(f"{at}_pool", MaxPooling1D(3, 1, "same"), x)))
        merged = conv(f"{at}_merge", 64, 1, add(f"{at}_join", Concatenate(), *branches))
        x = add(f"{at}_sum", Add(), merged, conv(f"{at}_shortcut", 64, 1, x))
        x = add(at, BatchNormalization(), add(f"{at}_dropout", Dropout(0.25), x))
    x = add("join", Concatenate(), x, conv("skip", 64, 1, start))
    gru = GRU(units, reset_after=reset_after, return_sequences=False)
    x = add("norm", BatchNormalization(), add("bigru", Bidirectional(gru, gru), x))
    x = add("dense", Dense(512, activation=activation), add("dropout1", Dropout(0.25), x))
    add("classes", Dense(classes, activation="softmax"), add("dropout2", Dropout(0.25), x))
    return Model(nodes, initial_parameters(parameter_table(nodes), seed))
