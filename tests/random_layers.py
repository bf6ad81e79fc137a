"""Each layer of one input with random options that its input can take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from hypothesis import strategies as st

from numjaz import layers as of
from numjaz.layers import ACTIVATIONS, Input, Layer
from numjaz.layers.noise import KINDS as NOISES

Draw = Callable[[st.SearchStrategy[Any]], Any]

flags = st.booleans()
activations = st.sampled_from(["linear", *(name for name in ACTIVATIONS if name != "linear")])


def number(low: int, high: int) -> st.SearchStrategy[int]:
    return st.integers(low, high)


class Tensor(NamedTuple):
    """An output that a further node may take."""

    source: tuple[str, int]
    shape: tuple[int, ...]
    free: tuple[bool, ...]  # for each axis whether it grows with the input


def narrow(t: Tensor) -> bool:
    return not t.free[-1]


def convolution(draw: Draw, t: Tensor) -> dict[str, Any]:
    size = draw(number(1, 3))
    options = {"kernel_size": size, "activation": draw(activations), "use_bias": draw(flags)}
    options[draw(st.sampled_from(["strides", "dilation"]))] = step = draw(number(1, 3))
    span = (size - 1) * (step if "dilation" in options else 1) + 1
    return options | {"padding": draw(st.sampled_from(["same", "causal"] + ["valid"] * (span <= t.shape[0])))}


def conv(draw: Draw, t: Tensor) -> Layer:
    groups = draw(st.sampled_from([g for g in (1, 2, 3) if t.shape[-1] % g == 0]))
    return of.Conv1D(groups * draw(number(1, 2)), groups=groups, **convolution(draw, t))


def depthwise(draw: Draw, t: Tensor) -> Layer:
    return of.DepthwiseConv1D(depth_multiplier=draw(number(1, 2)), **convolution(draw, t))


def separable(draw: Draw, t: Tensor) -> Layer:
    return of.SeparableConv1D(draw(number(1, 3)), depth_multiplier=draw(number(1, 2)), **convolution(draw, t))


def pooling(kind: type[Layer]) -> Callable[[Draw, Tensor], Layer]:
    def drawn(draw: Draw, t: Tensor) -> Layer:
        size, strides = draw(number(1, 3)), draw(number(0, 4))
        return kind(size, strides, draw(st.sampled_from(["same"] + ["valid"] * (size <= t.shape[0]))))

    return drawn


def recurrent(draw: Draw, kind: type[Layer] | None = None, **fixed: Any) -> Any:
    kind = kind or draw(st.sampled_from([of.GRU, of.LSTM, of.SimpleRNN]))
    ordinary = draw(flags)  # what frameworks have layers for, as often as the rest
    options = {"units": draw(number(1, 3)), "use_bias": draw(flags), "return_sequences": not draw(flags)}
    options |= {"return_state": draw(flags), "go_backwards": draw(flags)}
    if not ordinary:
        options["activation"] = draw(activations)
    if kind is not of.SimpleRNN and not ordinary:
        options["recurrent_activation"] = draw(activations)
    if kind is of.GRU:
        options["reset_after"] = not draw(flags)
    return kind(**(options | fixed))


def bidirectional(draw: Draw, t: Tensor, **fixed: Any) -> Layer:
    ahead = recurrent(draw, **fixed)
    merge = draw(st.sampled_from(["concat", "sum", "mul", "ave", "none"]))
    alike = {"return_sequences": ahead.return_sequences, "return_state": ahead.return_state}
    alike |= {"units": ahead.units} if merge in ("sum", "mul", "ave") else {}
    back = recurrent(draw, **(alike | fixed)) if draw(flags) else ahead
    return of.Bidirectional(ahead, back, merge)


def normalization(draw: Draw, t: Tensor) -> Layer:
    options = {"invert": draw(flags), "epsilon": draw(st.sampled_from([1e-7, 0.1]))}
    axes = [k for k, free in enumerate(t.free, start=1) if not free]
    axes = draw(subset(axes)) if axes else []
    constants = []
    if draw(flags):
        size = t.shape[max(axes) - 1] if axes else 0
        constants = [constant(draw, size), constant(draw, size, low=0.25)]
        axes = axes if axes or draw(flags) else [len(t.shape)]  # one number is said of no axis in particular
    return of.Normalization(signed(draw, t, axes), *constants, **options)


def rescaling(draw: Draw, t: Tensor) -> Layer:
    size = 0 if t.free[-1] else t.shape[-1]
    return of.Rescaling(constant(draw, size), constant(draw, size))


def constant(draw: Draw, size: int, low: float = -2.0) -> float | tuple[float, ...]:
    """One number or, where there are any, one for each of several places."""
    value = st.integers(int(4 * low), 8).map(lambda n: n / 4)
    return tuple(draw(value) for _ in range(size)) if size and draw(flags) else draw(value)


def subset(values: list[int], least: int = 0) -> st.SearchStrategy[list[int]]:
    return st.lists(st.sampled_from(values), min_size=least, max_size=len(values), unique=True)


def reshape(draw: Draw, t: Tensor) -> Layer:
    targets = [(-1,), (-1, t.shape[-1]) if narrow(t) else (-1, 1), (1, -1), (-1, 1, 1)]
    return of.Reshape(draw(st.sampled_from(targets if any(t.free) else [*targets, t.shape[::-1], (*t.shape, 1)])))


def cropping(draw: Draw, t: Tensor) -> Layer:
    before = draw(number(0, min(2, t.shape[0] - 1)))
    return of.Cropping1D(before, draw(number(0, min(2, t.shape[0] - 1 - before))))


def prelu(draw: Draw, t: Tensor) -> Layer:
    shared = [k + 1 for k, free in enumerate(t.free) if free]
    others = [k + 1 for k, free in enumerate(t.free) if not free]
    return of.PReLU((*shared, *(draw(subset(others)) if others else ())))


def relu(draw: Draw, t: Tensor) -> Layer:
    quarters = st.sampled_from([0.0, 0.25, 1.0])
    return of.ReLU(draw(st.sampled_from([None, 1.5, 6])), draw(quarters), draw(quarters)) if draw(flags) else of.ReLU()


def softmax(draw: Draw, t: Tensor) -> Layer:
    return of.Softmax(signed(draw, t, draw(subset(list(range(len(t.shape), 0, -1)), least=1))))


EPSILONS = st.sampled_from([1e-3, 1e-5, 0.1])


def signed(draw: Draw, t: Tensor, axes: list[int]) -> tuple[int, ...]:
    """Axes counted from the first or from the last, the batch being axis 0."""
    return tuple(axis - len(t.shape) - 1 if draw(flags) else axis for axis in axes)


def batch_normalization(draw: Draw, t: Tensor) -> Layer:
    axes = [k for k, free in enumerate(t.free, start=1) if not free]
    (axis,) = signed(draw, t, [draw(st.sampled_from(axes[::-1]))])
    return of.BatchNormalization(draw(EPSILONS), scale=draw(flags), center=draw(flags), axis=axis)


def layer_normalization(draw: Draw, t: Tensor) -> Layer:
    axes = draw(subset(list(range(len(t.shape), 0, -1)), least=1))
    arrays = not any(t.free[axis - 1] for axis in axes)
    return of.LayerNormalization(draw(EPSILONS), arrays and draw(flags), arrays and draw(flags), signed(draw, t, axes))


def activation(draw: Draw, t: Tensor) -> Layer:
    halved = ["glu"] * (narrow(t) and t.shape[-1] % 2 == 0)
    return of.Activation(draw(st.sampled_from(["linear", *halved, *(n for n in ACTIVATIONS if n != "linear")])))


def distributed(draw: Draw, t: Tensor) -> Layer:
    inner = Tensor(t.source, t.shape[1:], t.free[1:])
    kinds = [kind for kind, one in ALONE.items() if len(inner.shape) in one.ranks and kind is not Input]
    kind = draw(st.sampled_from([kind for kind in kinds if narrow(inner) or not ALONE[kind].narrow]))
    return of.TimeDistributed(ALONE[kind].drawn(draw, inner))


class Alone(NamedTuple):
    """A layer of one input: what it can take, and how it is drawn for an input."""

    drawn: Callable[[Draw, Tensor], Layer]
    ranks: tuple[int, ...] = (1, 2, 3)
    narrow: bool = False  # whether the last axis must be a fixed number of channels


ALONE: dict[type[Layer], Alone] = {
    of.Activation: Alone(activation),
    of.Dense: Alone(lambda draw, t: of.Dense(draw(number(1, 3)), draw(activations), draw(flags)), narrow=True),
    of.ReLU: Alone(relu),
    of.ELU: Alone(lambda draw, t: of.ELU(draw(st.sampled_from([1.0, 0.5, 2.0])))),
    of.PReLU: Alone(prelu),
    of.Softmax: Alone(softmax),
    of.Dropout: Alone(lambda draw, t: of.Dropout(draw(st.sampled_from([0.5, 0.0])), draw(st.sampled_from(NOISES)))),
    of.BatchNormalization: Alone(batch_normalization, narrow=True),
    of.LayerNormalization: Alone(layer_normalization),
    of.Normalization: Alone(normalization),
    of.Rescaling: Alone(rescaling),
    of.Flatten: Alone(lambda draw, t: of.Flatten()),
    of.Reshape: Alone(reshape),
    of.Permute: Alone(lambda draw, t: of.Permute(tuple(draw(st.permutations(range(1, len(t.shape) + 1)))))),
    of.RepeatVector: Alone(lambda draw, t: of.RepeatVector(draw(number(1, 3))), (1,)),
    of.ZeroPadding1D: Alone(lambda draw, t: of.ZeroPadding1D(draw(number(0, 2)), draw(number(0, 2))), (2,)),
    of.Cropping1D: Alone(cropping, (2,)),
    of.UpSampling1D: Alone(lambda draw, t: of.UpSampling1D(draw(number(1, 3))), (2,)),
    of.Conv1D: Alone(conv, (2,), narrow=True),
    of.DepthwiseConv1D: Alone(depthwise, (2,), narrow=True),
    of.SeparableConv1D: Alone(separable, (2,), narrow=True),
    of.MaxPooling1D: Alone(pooling(of.MaxPooling1D), (2,)),
    of.AveragePooling1D: Alone(pooling(of.AveragePooling1D), (2,)),
    of.GlobalMaxPooling1D: Alone(lambda draw, t: of.GlobalMaxPooling1D(draw(flags)), (2,)),
    of.GlobalAveragePooling1D: Alone(lambda draw, t: of.GlobalAveragePooling1D(draw(flags)), (2,)),
    of.GRU: Alone(lambda draw, t: recurrent(draw, of.GRU), (2,), narrow=True),
    of.LSTM: Alone(lambda draw, t: recurrent(draw, of.LSTM), (2,), narrow=True),
    of.SimpleRNN: Alone(lambda draw, t: recurrent(draw, of.SimpleRNN), (2,), narrow=True),
    of.Bidirectional: Alone(bidirectional, (2,), narrow=True),
    of.TimeDistributed: Alone(distributed, (2, 3)),
}
