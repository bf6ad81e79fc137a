"""What every layer is: an immutable statement of shapes, parameters and equations."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from numjaz.errors import NumjazError
from numjaz.layers.operations import Operations
from numjaz.records import Frozen, frozen

Array = NDArray[Any]
Shape = tuple[Any, ...]  # without the batch axis: (T, C) or (C,); T is whatever number was passed
Parameters = Mapping[str, Array]
Arrays = tuple[Array, ...]
if TYPE_CHECKING:
    Rng = np.random.Generator | None
else:
    Rng = Any  # NumPy opens its random numbers when they are named, which takes as long as all layers


class Parameter(NamedTuple):
    """One array of a layer: its shape, whether training moves it, how it begins, and how low it may go."""

    shape: tuple[int, ...]
    trainable: bool = True
    initial: str = "glorot_uniform"  # or orthogonal, zeros, ones
    minimum: float = -math.inf


class Forward(NamedTuple):
    """What a forward pass gives: outputs, what the backward pass needs, and new running statistics."""

    outputs: Arrays
    saved: Any = None
    new_buffers: Mapping[str, Array] = {}


class Backward(NamedTuple):
    """What a backward pass gives: the loss's derivatives by the inputs, and by the arrays that training moves."""

    d_inputs: tuple[Array | None, ...]
    d_params: Mapping[str, Array] = {}


@frozen
class Layer(Frozen):
    """Base of all layers; a subclass is a frozen dataclass whose fields are the layer's options.

    Shapes are without the batch axis, channels last: (T, C). Nothing here may branch on T.
    """

    OVERWRITES: ClassVar[bool] = False

    def output_shapes(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        """Shapes of the outputs for inputs of these shapes; here, those of the only input."""
        return (one(shapes, self),)

    def parameters(self, shapes: tuple[Shape, ...]) -> dict[str, Parameter]:
        """The layer's arrays by name, for inputs of these shapes."""
        return {}

    def forward(self, params: Parameters, inputs: Arrays, *, training: bool = False, rng: Rng = None) -> Forward:
        """The equations, in the dtype of the inputs.

        ``saved`` refers to inputs and outputs, and in training to what was drawn or measured: it costs no memory.
        """
        raise NotImplementedError

    def backward(self, params: Parameters, saved: Any, d_outputs: tuple[Array | None, ...]) -> Backward:
        """The derivatives of a loss, for its derivatives by the outputs: those of the equations, transposed.

        ``saved`` is what `forward` with the same arrays gave, in training or not. None stands for an
        output that the loss does not depend on. Where a function has a corner, the slope is torch's.
        """
        raise NumjazError(f"{type(self).__name__}: states no backward pass, which training needs")

    def operations(self, shapes: tuple[Shape, ...], batch: Any = 1) -> Operations:
        """What `forward` computes for so many windows of these shapes; here nothing, the values only move."""
        return Operations()

    def scratch(self, shapes: tuple[Shape, ...]) -> dict[str, Any]:
        """Numbers that an implementation may want to hold beside inputs and outputs, by what they are."""
        return {}

    @property
    def in_place(self) -> bool:
        """Whether a row of the output needs no more than the same row of an input: it may be written over it."""
        return self.OVERWRITES

    @property
    def reach(self) -> tuple[int | None, int | None]:
        """Samples back and ahead that an output depends on; None is all there are.

        Counted from the sample that the output at t stands over: t itself, or t times the strides.
        """
        return (0, 0)

    def __str__(self) -> str:
        """The class and the options that differ from their defaults: ``Conv1D(10, 5, relu)``."""
        shown = []
        for option in fields(self):
            value = getattr(self, option.name)
            if value == option.default:
                continue
            if isinstance(value, bool):
                shown.append(option.name if value else f"{option.name}=False")
            else:
                shown.append(type(value).__name__ if isinstance(value, Layer) else str(value))
        return type(self).__name__ + (f"({', '.join(shown)})" if shown else "")

    def config(self) -> dict[str, Any]:
        """The layer as plain values: its class and its options."""
        options = {field.name: getattr(self, field.name) for field in fields(self)}
        plain = {name: value.config() if isinstance(value, Layer) else value for name, value in options.items()}
        return {"class": type(self).__name__, **plain}


def one(shapes: tuple[Any, ...], layer: object) -> Any:
    """The only input of a layer that takes one."""
    if len(shapes) != 1:
        raise NumjazError(f"{type(layer).__name__} takes 1 input, not {len(shapes)}")
    return shapes[0]


def only(d_outputs: tuple[Array | None, ...]) -> Array:
    """The derivatives by the only output of a layer that has one."""
    (d,) = d_outputs
    assert d is not None  # a layer whose outputs matter to nobody is not asked
    return d


def summed_to(d: Array, shape: tuple[int, ...]) -> Array:
    """The derivatives by an array of this shape that was broadcast to meet d: sums over where it was repeated."""
    d = d.sum(axis=tuple(range(d.ndim - len(shape))))
    made: Array = d.sum(axis=tuple(at for at, n in enumerate(shape) if n < d.shape[at]), keepdims=True)
    return made


def sequence(shapes: tuple[Shape, ...], layer: object) -> tuple[Any, int]:
    """The only input of a layer that takes one sequence, as (T, C)."""
    shape = one(shapes, layer)
    if len(shape) != 2:
        raise NumjazError(f"{type(layer).__name__} takes a sequence (time, channels), not {shape}")
    return shape[0], shape[1]


def under(params: Parameters, prefix: str) -> Parameters:
    """The parameters whose names begin with ``prefix/``, without it."""
    return {name[len(prefix) + 1 :]: array for name, array in params.items() if name.startswith(prefix + "/")}


def check_count(layer: object, *names: str, low: int = 1) -> None:
    """Raise unless the options of these names are whole numbers, ``low`` or more."""
    for name in names:
        value = getattr(layer, name)
        if type(value) is not int or not low <= value <= 2**31:
            raise NumjazError(
                f"{type(layer).__name__}: {name} must be a whole number, {low} or more, not {value!r:.60}"
            )


def check_number(layer: object, *names: str, low: float = -math.inf, high: float = math.inf) -> None:
    """Raise unless the options of these names are finite numbers from ``low`` to ``high``."""
    for name in names:
        value = getattr(layer, name)
        if type(value) not in (int, float) or not low <= value <= high or not -1e300 < value < 1e300:
            raise NumjazError(
                f"{type(layer).__name__}: {name} must be a number from {low:g} to {high:g}, not {value!r:.60}"
            )


def check_whole(layer: object, name: str, low: int, high: int = 2**31) -> None:
    """Raise unless the option is a tuple of whole numbers from ``low`` to ``high``."""
    values = getattr(layer, name)
    if not isinstance(values, tuple) or not all(type(v) is int and low <= v <= high for v in values):
        raise NumjazError(
            f"{type(layer).__name__}: {name} must be whole numbers from {low} to {high}, not {values!r:.60}"
        )


def check_flag(layer: object, *names: str) -> None:
    """Raise unless the options of these names are True or False."""
    for name in names:
        check_choice(layer, name, (True, False))


def check_choice(layer: object, name: str, choices: tuple[Any, ...]) -> None:
    """Raise unless the option is one of the choices, and of their type."""
    value = getattr(layer, name)
    if not any(type(value) is type(choice) and value == choice for choice in choices):
        raise NumjazError(
            f"{type(layer).__name__}: {name} must be one of {', '.join(map(repr, choices))}, not {value!r:.60}"
        )
