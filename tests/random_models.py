"""Small random networks of every layer and option, and inputs for them, for what must hold of any network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import HealthCheck, assume
from hypothesis import strategies as st
from random_layers import ALONE, Draw, Tensor, flags, narrow, number, recurrent

import numjaz
from numjaz import Model, Node, NumjazError
from numjaz import layers as of
from numjaz.layers import LAYERS, Input, Layer, Parameter
from numjaz.nodes import WINDOW, output_shapes, owned_parameters, parameter_table

KINDS = tuple(kind for kind in LAYERS.values() if kind.__module__.startswith("numjaz.layers"))
LARGEST = 1e3  # an activation beyond it says more about rounding than about numjaz
TIME = 12  # the length that networks of free length are thought out at

PATIENT = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
"""What networks may be: costly to draw, and now and then beyond `LARGEST`."""


class Drawn(Model):
    """A network that shows itself where an example is printed."""

    def __repr__(self) -> str:
        return f"\n{self.summary()}\noutputs {', '.join(self.outputs)}\n"


class Draft:
    """A network while it is drawn; every node that stays has arrays and shapes that are possible."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self.nodes: list[Node] = []
        self.free = draw(flags)
        self.time = TIME if self.free else draw(st.sampled_from([6, 5, 4, 9, 2, 1]))

    def tensors(self) -> list[Tensor]:
        """The outputs there are, the latest first."""
        here, longer = (output_shapes(self.nodes, time) for time in (self.time, WINDOW))
        return [
            Tensor((name, k), shape, tuple(a != b for a, b in zip(shape, longer[name][k], strict=True)))
            for name, shapes in reversed(here.items())
            for k, shape in enumerate(shapes)
        ]

    def add(self, layer: Layer, *inputs: Tensor, owner: str = "") -> bool:
        """Whether the node could be added; if not, the draft is as it was."""
        part = self.draw(st.sampled_from(["", "", "part/", "a.b/"]))
        name = f"{part}{type(layer).__name__.lower()}{len(self.nodes)}"
        node = Node(name, layer, tuple(t.source for t in inputs), owner)
        nodes = [*self.nodes, node]
        try:
            owned_parameters(nodes)
            sizes = [
                n
                for time in {self.time, WINDOW if self.free else self.time}
                for shapes in output_shapes(nodes, time).values()
                for shape in shapes
                for n in shape
            ]
        except NumjazError:
            return False
        if min(sizes) < 1 or max(sizes) > 20 * WINDOW:
            return False
        self.nodes = nodes
        return True

    def pick(self, *ranks: int, fits: Callable[[Tensor], bool] = lambda t: True) -> Tensor:
        """One of the outputs with so many axes; an input of the network where there is none."""
        fitting = [t for t in self.tensors() if len(t.shape) in ranks and fits(t)]
        if not fitting:
            self.input(self.draw(st.sampled_from(ranks)))
            fitting = self.tensors()[:1]
        return self.draw(st.sampled_from(fitting))

    def input(self, rank: int, features: int | None = None) -> None:
        axes = (2,) * (rank - 2) + ((None if self.free else self.time),) * (rank > 1)
        assert self.add(Input(features or self.draw(st.sampled_from([2, 1, 3, 4])), axes))


def alone(draft: Draft, kind: type[Layer]) -> bool:
    one = ALONE[kind]
    t = draft.pick(*one.ranks, fits=narrow if one.narrow else lambda t: True)
    return draft.add(one.drawn(draft.draw, t), t)


def with_states(draft: Draft, kind: type[Layer]) -> bool:
    """A recurrent layer whose first state is another's output, or an input."""
    draw = draft.draw
    x = draft.pick(2, fits=narrow)
    vectors = [draft.pick(1, fits=narrow)]
    units = vectors[0].shape[0]
    if kind is of.Bidirectional:
        ahead = recurrent(draw, units=units)
        alike = {"return_sequences": ahead.return_sequences, "return_state": ahead.return_state, "units": units}
        back = recurrent(draw, type(ahead), **alike) if draw(flags) else ahead
        layer: Layer = of.Bidirectional(ahead, back, draw(st.sampled_from(["concat", "sum", "mul", "ave", "none"])))
        count = 2 * ahead.STATES
    else:
        layer = recurrent(draw, kind, units=units)
        count = layer.STATES  # type: ignore[attr-defined]
    fitting = [t for t in draft.tensors() if t.shape == vectors[0].shape and narrow(t)]
    while len(vectors) < count:
        vectors.append(draw(st.sampled_from(fitting)))
    return draft.add(layer, x, *vectors)


def merge(draft: Draft, kind: type[Layer]) -> bool:
    draw, first = draft.draw, draft.pick(1, 2, 3)
    width = len(first.shape)

    def meets(t: Tensor) -> bool:
        return len(t.shape) <= width and all(
            n == m or 1 in (n, m) for n, m in zip(t.shape[::-1], first.shape[::-1], strict=False)
        )

    fitting = [t for t in draft.tensors() if meets(t)]
    inputs = [first, *(draw(st.sampled_from(fitting)) for _ in range(1 if kind is of.Subtract else draw(number(1, 2))))]
    return draft.add(kind(), *draw(st.permutations(inputs)))


def distributed_together(draft: Draft) -> bool:
    """A layer of several inputs at every step: a merge, or a recurrent layer and its first state."""
    draw = draft.draw
    if draw(flags):
        x = draft.pick(2, 3)
        fitting = [t for t in draft.tensors() if t.shape == x.shape]
        kind = draw(st.sampled_from([of.Add, of.Multiply, of.Concatenate, of.Maximum]))
        return draft.add(of.TimeDistributed(kind()), x, draw(st.sampled_from(fitting)))
    x, state = draft.pick(3, fits=narrow), draft.pick(2, fits=narrow)
    kind = draw(st.sampled_from([of.GRU, of.SimpleRNN]))
    return draft.add(of.TimeDistributed(recurrent(draw, kind, units=state.shape[-1])), x, state)


def concatenate(draft: Draft, kind: type[Layer]) -> bool:
    draw, first = draft.draw, draft.pick(1, 2, 3)
    axis = draw(number(1, len(first.shape)))

    def fits(t: Tensor) -> bool:
        rest = [shape[: axis - 1] + shape[axis:] for shape in (t.shape, first.shape)]
        return len(t.shape) == len(first.shape) and rest[0] == rest[1]

    fitting = [t for t in draft.tensors() if fits(t)]
    inputs = [first, *(draw(st.sampled_from(fitting)) for _ in range(draw(number(1, 2))))]
    return draft.add(of.Concatenate(axis - len(first.shape) - 1 if draw(flags) else axis), *inputs)


def attention(draft: Draft, kind: type[Layer]) -> bool:
    draw = draft.draw
    query, value = draft.pick(2, fits=narrow), draft.pick(2, fits=narrow)
    inputs = [query, value]
    if draw(flags):
        if draw(flags):
            draft.input(2)
        inputs.append(draft.pick(2, fits=lambda t: narrow(t) and t.shape[0] == value.shape[0]))
    heads = draw(number(1, 2))
    options = {"use_bias": draw(flags), "causal": draw(flags), "scores": draw(flags)}
    if draw(flags) and query.shape[1] % heads == 0:  # the only kind that torch has
        return draft.add(of.MultiHeadAttention(heads, query.shape[1] // heads, **options), *inputs)
    sizes = [draw(number(low, 3)) for low in (1, 0, 0)]
    return draft.add(of.MultiHeadAttention(heads, *sizes, **options), *inputs)


TOGETHER: dict[type[Layer], Callable[[Draft, type[Layer]], bool]] = {
    Input: lambda draft, kind: draft.input(draft.draw(st.sampled_from([2, 1, 3]))) is None,
    of.MultiHeadAttention: attention,
    of.Concatenate: concatenate,
    **dict.fromkeys((of.Add, of.Subtract, of.Multiply, of.Average, of.Maximum, of.Minimum), merge),
}


def again(draft: Draft) -> bool:
    """A node that uses another's layer and arrays, with inputs of the same shapes."""
    nodes = [node for node in draft.nodes if node.inputs]
    if not nodes:
        return False
    node = draft.draw(st.sampled_from(nodes[::-1]))
    there = {t.source: t for t in draft.tensors()}
    inputs = []
    for source in node.inputs:
        same = [t for t in there.values() if (t.shape, t.free) == (there[source].shape, there[source].free)]
        inputs.append(draft.draw(st.sampled_from(same)))
    return draft.add(node.layer, *inputs, owner=node.owner)


def step(draft: Draft, kind: type[Layer]) -> bool:
    """A node of this kind, where the draft lets it be."""
    if kind in TOGETHER:
        return TOGETHER[kind](draft, kind)
    if kind in (of.GRU, of.LSTM, of.SimpleRNN, of.Bidirectional) and draft.draw(flags):
        return with_states(draft, kind)
    if kind is of.TimeDistributed and draft.draw(flags) and distributed_together(draft):
        return True
    return alone(draft, kind)


def arrays(nodes: list[Node], seed: int, dtype: Any) -> dict[str, np.ndarray]:
    """Random ones of moderate size; what must not be negative is not."""
    rng = np.random.default_rng(seed)

    def made(p: Parameter) -> np.ndarray:
        if p.minimum == 0 or p.initial == "ones":
            return rng.uniform(0.5, 1.5, p.shape)
        return rng.uniform(-1, 1, p.shape) / np.sqrt(max(int(np.prod(p.shape[:-1])), 1))

    return {name: made(p).astype(dtype) for name, p in parameter_table(nodes).items()}


@st.composite
def models(draw: Draw, kind: type[Layer] | None = None, dtype: Any = None, steps: int = 5) -> Model:
    """A valid network of up to so many layers and the inputs that they need, a ``kind`` of layer among them.

    Arrays are float32 or float64 where no ``dtype`` is given.
    """
    draft = Draft(draw)
    kinds = [*draw(st.lists(st.sampled_from([*KINDS, None]), max_size=steps - 1 if kind else steps))]
    kinds.insert(draw(number(0, len(kinds))), kind or draw(st.sampled_from(KINDS)))
    for each in kinds:
        done = step(draft, each) if each else again(draft)
        if each is kind and not done:
            assume(False)
    keys = [t.source for t in draft.tensors()]
    outputs = draw(st.lists(st.sampled_from(keys), min_size=1, max_size=3, unique=True))
    dtype = dtype or draw(st.sampled_from([np.float64, np.float32]))
    made = arrays(draft.nodes, draw(st.integers(0, 2**16)), dtype)
    return Drawn(draft.nodes, made, outputs=[numjaz.nodes.output_key(*source) for source in outputs])


@st.composite
def inputs(draw: Draw, model: Model, dtype: Any = np.float64) -> Any:
    """What the network's ``predict`` takes, at a length that leaves samples everywhere."""
    rng, batch = np.random.default_rng(draw(st.integers(0, 2**16))), draw(number(1, 3))
    time = shortest(model) + draw(number(0, 5))
    layers = [(node.name, node.layer) for node in model.nodes if isinstance(node.layer, Input)]
    x = {name: rng.standard_normal((batch, *layer.shape(time))).astype(dtype) for name, layer in layers}
    return x if len(x) > 1 else x[model.inputs[0]]


def shortest(model: Model) -> int:
    """The least length for which every output of the network has samples."""
    for time in range(1, 10 * TIME):
        try:
            if min(min(shape) for shape in model.shapes(time).values()) > 0:
                return time
        except NumjazError:
            continue
    raise AssertionError("no length fits")


@st.composite
def cases(draw: Draw, kind: type[Layer] | None = None, dtype: Any = np.float64) -> tuple[Model, Any]:
    """A network with arrays of this dtype, and an input that it turns into moderate numbers."""
    model = draw(models(kind, dtype))
    x = draw(inputs(model, dtype))
    try:
        with np.errstate(all="ignore"):
            made = model.activations(x).values()
    except NumjazError:  # a length between those that fit
        assume(False)
    assume(all(np.isfinite(array).all() and np.abs(array).max() < LARGEST for array in made))
    return model, x
