"""Jazbat-Net: Imran et al., IEEE Internet of Things Journal 2026, doi:10.1109/JIOT.2026.3666469."""

from __future__ import annotations

from collections.abc import Sequence

from numjaz.architectures.initial import initial_parameters
from numjaz.contract import Contract
from numjaz.errors import NumjazError
from numjaz.layers import (
    GRU,
    Add,
    BatchNormalization,
    Bidirectional,
    Conv1D,
    Dense,
    GlobalAveragePooling1D,
    Input,
    Layer,
)
from numjaz.model import Model
from numjaz.nodes import MAX_NODES, Node, parameter_table


def jazbat(
    features: int = 1,
    classes: int | Sequence[str] = 6,
    *,
    reduction: int = 18,
    units: int = 32,
    modules: int = 3,
    kernels: Sequence[int] = (5, 3),
    narrow: int = 10,
    width: int = 64,
    activation: str = "relu",
    reset_after: bool = True,
    epsilon: float = 1e-3,
    seed: int | None = 0,
    contract: Contract | None = None,
) -> Model:
    """Jazbat-Net with seeded float32 weights.

    A bidirectional GRU, batch normalization, residual modules of two-branch convolutions, a
    reduction convolution, the mean over time, softmax.

    Parameters
    ----------
    features : int
        1 (magnitude of the acceleration), 3 (its axes) or 6 (and the gyroscope's).
    classes : int or sequence of str
        How many classes, or their names.
    reduction : int
        R, kernels of the reduction convolution. The paper's text says 18, its tables count 6.
    units : int
        GRU units in each direction.
    modules : int
        Residual modules.
    kernels, narrow, width : sequence of int, int, int
        Length of each branch's second convolution, filters inside a branch, filters of the module.
    activation : str
        Of every convolution: ``relu``, as the authors' released code has it, or ``linear``, as the
        equations are printed.
    reset_after : bool
        The GRU's form. The paper's 6,720 GRU parameters need True (two biases a gate).
    epsilon : float
        Of the batch normalization.
    seed : int or None
        Of the weights; None leaves them zero, where nothing but counts is wanted.
    contract : Contract, optional
        What the network expects of a recording.

    Examples
    --------
    >>> jazbat(reduction=6).summary().splitlines()[-1]
    '28,360 parameters, 28,232 of them trainable'
    """
    count = classes if isinstance(classes, int) else len(classes)
    if isinstance(classes, str) or not isinstance(kernels, Sequence) or not kernels:
        raise NumjazError("jazbat: classes is a number or a list of names, kernels a list of one or more lengths")
    for name, value, least in (("modules", modules, 0), ("seed", 0 if seed is None else seed, 0)):
        if type(value) is not int or value < least:
            raise NumjazError(f"jazbat: {name} must be a whole number, {least} or more, not {value!r}")
    if modules > MAX_NODES:  # said before they are made
        raise NumjazError(f"jazbat: {modules:,} modules; at most {MAX_NODES:,} nodes make a network")
    nodes: list[Node] = []

    def add(name: str, layer: Layer, *inputs: str) -> str:
        nodes.append(Node(name, layer, tuple((source, 0) for source in inputs)))
        return name

    def conv(name: str, filters: int, kernel: int, source: str) -> str:
        return add(name, Conv1D(filters, kernel, activation=activation), source)

    x = add("input", Input(features))
    gru = GRU(units, reset_after=reset_after)
    x = add("bigru", Bidirectional(gru, gru), x)
    x = add("norm", BatchNormalization(epsilon), x)
    for m in range(1, modules + 1):
        at = f"module{m}"
        branches = [conv(f"{at}_branch{k}", narrow, k, conv(f"{at}_branch{k}_reduce", narrow, 1, x)) for k in kernels]
        total = add(f"{at}_sum", Add(), *branches) if len(branches) > 1 else branches[0]
        x = add(at, Add(), conv(f"{at}_merge", width, 1, total), conv(f"{at}_shortcut", width, 1, x))
    x = conv("reduction", reduction, 1, x)
    x = add("pool", GlobalAveragePooling1D(), x)
    add("classes", Dense(count, activation="softmax"), x)

    table = parameter_table(nodes)
    names = None if isinstance(classes, int) else tuple(classes)
    return Model(nodes, initial_parameters(table, seed), classes=names, contract=contract)
