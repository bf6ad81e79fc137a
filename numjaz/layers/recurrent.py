"""Recurrent layers. Gate order is Keras's: z (update), r (reset), h (candidate)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from numjaz.errors import NumjazError
from numjaz.layers.activation import ACTIVATIONS, check_activation
from numjaz.layers.base import (
    Array,
    Arrays,
    Forward,
    Layer,
    Parameter,
    Parameters,
    Rng,
    Shape,
    check_choice,
    check_count,
    one,
    sequence,
)


@dataclass(frozen=True)
class GRU(Layer):
    """Gated recurrent unit (Cho et al. 2014), in both of its forms.

    With ``reset_after`` (cuDNN's, torch's and, since TF 2, Keras's form; two biases)::

        z = s(x Wz + bz + h Uz + cz)      r = s(x Wr + br + h Ur + cr)
        n = tanh(x Wh + bh + r (h Uh + ch))
        h' = z h + (1 - z) n

    without it (the paper of 2014; one bias) the reset gate acts before the product::

        n = tanh(x Wh + bh + (r h) Uh)

    ``kernel`` W is (C, 3 units), ``recurrent_kernel`` U (units, 3 units), ``bias`` (2, 3 units) or
    (3 units,). The output is every step's h, (N, T, units), or the last one, (N, units).
    """

    units: int
    activation: str = "tanh"
    recurrent_activation: str = "sigmoid"
    reset_after: bool = True
    use_bias: bool = True
    return_sequences: bool = True

    def __post_init__(self) -> None:
        check_count(self, "units")
        check_activation(self, "activation", "recurrent_activation")
        for name in ("reset_after", "use_bias", "return_sequences"):
            check_choice(self, name, (True, False))

    @property
    def reach(self) -> tuple[int | None, int | None]:
        return (None, 0)

    def output_shapes(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        time, _ = sequence(shapes, self)
        return ((time, self.units),) if self.return_sequences else ((self.units,),)

    def parameters(self, shapes: tuple[Shape, ...]) -> dict[str, Parameter]:
        _, channels = sequence(shapes, self)
        h = self.units
        bias = (2, 3 * h) if self.reset_after else (3 * h,)
        return {
            "kernel": Parameter((channels, 3 * h)),
            "recurrent_kernel": Parameter((h, 3 * h), initial="orthogonal"),
            **({"bias": Parameter(bias, initial="zeros")} if self.use_bias else {}),
        }

    def start(self, batch: int, dtype: np.dtype[np.floating]) -> Array:
        """The state before the first step: zeros (N, units)."""
        return np.zeros((batch, self.units), dtype)

    def step(self, params: Parameters, state: Array, chunk: Array) -> tuple[Array, Array]:
        """Outputs (N, t, units) of a chunk (N, t, C), and the state after it."""
        f, s = ACTIVATIONS[self.activation], ACTIVATIONS[self.recurrent_activation]
        u, h = self.units, state
        recurrent = params["recurrent_kernel"]
        inner = np.zeros(3 * u, chunk.dtype)  # the bias inside the reset gate's product
        x = chunk @ params["kernel"]  # (N, t, C) -> (N, t, 3u)
        if self.use_bias:
            outer, inner = params["bias"] if self.reset_after else (params["bias"], inner)
            x = x + outer
        outputs = np.empty((*chunk.shape[:2], u), chunk.dtype)
        for t in range(chunk.shape[1]):
            if self.reset_after:
                g = h @ recurrent + inner  # (N, u) -> (N, 3u)
                z, r = s(x[:, t, :u] + g[:, :u]), s(x[:, t, u : 2 * u] + g[:, u : 2 * u])
                n = f(x[:, t, 2 * u :] + r * g[:, 2 * u :])
            else:
                g = h @ recurrent[:, : 2 * u]  # (N, u) -> (N, 2u)
                z, r = s(x[:, t, :u] + g[:, :u]), s(x[:, t, u : 2 * u] + g[:, u:])
                n = f(x[:, t, 2 * u :] + (r * h) @ recurrent[:, 2 * u :])
            h = z * h + (1 - z) * n
            outputs[:, t] = h
        return outputs, h

    def forward(self, params: Parameters, inputs: Arrays, *, training: bool = False, rng: Rng = None) -> Forward:
        x = one(inputs, self)
        outputs, last = self.step(params, self.start(x.shape[0], x.dtype), x)
        return Forward((outputs if self.return_sequences else last,))


@dataclass(frozen=True)
class Bidirectional(Layer):
    """Two recurrent layers: one reads forwards, one backwards, and their outputs stand side by side.

    The backward layer's outputs are turned round again, so that both speak of the same moment t:
    (N, T, C) -> (N, T, 2 units). Without sequences it is each layer's own last step.
    """

    forward_layer: GRU
    backward_layer: GRU

    def __post_init__(self) -> None:
        for layer in (self.forward_layer, self.backward_layer):
            if not isinstance(layer, GRU):
                raise NumjazError(f"Bidirectional: takes recurrent layers, not {layer!r}")
        if self.forward_layer.return_sequences != self.backward_layer.return_sequences:
            raise NumjazError("Bidirectional: both layers must agree in return_sequences")

    @property
    def reach(self) -> tuple[int | None, int | None]:
        return (None, None)

    def _both(self) -> Iterator[tuple[str, GRU]]:
        yield "forward", self.forward_layer
        yield "backward", self.backward_layer

    def output_shapes(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        halves = [layer.output_shapes(shapes)[0] for _, layer in self._both()]
        return ((*halves[0][:-1], halves[0][-1] + halves[1][-1]),)

    def parameters(self, shapes: tuple[Shape, ...]) -> dict[str, Parameter]:
        return {
            f"{side}/{name}": parameter
            for side, layer in self._both()
            for name, parameter in layer.parameters(shapes).items()
        }

    def forward(self, params: Parameters, inputs: Arrays, *, training: bool = False, rng: Rng = None) -> Forward:
        x = one(inputs, self)
        ahead = self.forward_layer.forward(_under(params, "forward"), (x,), training=training, rng=rng).outputs[0]
        back = self.backward_layer.forward(
            _under(params, "backward"), (x[:, ::-1],), training=training, rng=rng
        ).outputs[0]
        if self.backward_layer.return_sequences:
            back = back[:, ::-1]
        return Forward((np.concatenate((ahead, back), axis=-1),))


def _under(params: Parameters, prefix: str) -> Mapping[str, Array]:
    """The parameters whose names begin with ``prefix/``, without it."""
    return {name[len(prefix) + 1 :]: array for name, array in params.items() if name.startswith(prefix + "/")}
