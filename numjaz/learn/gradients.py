"""Whether a layer's derivatives are those of what it computes: one line for whoever states a layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from numjaz.errors import NumjazError
from numjaz.layers import Array, Layer, Parameter, Shape

STEPS = (1e-5, 1e-6, 1e-7)
"""Of the differences: where a corner lies within one, a smaller one passes it by."""
DIRECTIONS = 3
"""In which each array is moved."""
LEAST = 1e-3
"""Of the sum of what a loss adds up: a gradient below it is judged as if it were that large."""

Loss = Callable[[Mapping[str, Array]], float]


def check_grads(
    layer: Layer,
    shapes: tuple[Shape, ...],
    *,
    params: Mapping[str, Array] | None = None,
    inputs: Sequence[Array] | None = None,
    training: bool = False,
    seed: int = 0,
    batch: int = 2,
    tolerance: float = 1e-6,
) -> None:
    """Hold a layer's `backward` to central differences of its `forward`, in float64.

    The loss is a random linear function of the outputs: of all of them and, where there are several, of
    each alone. Every input and every array is moved in random directions.

    Parameters
    ----------
    layer : Layer
        Any, of numjaz or of one's own.
    shapes : tuple of shapes
        Its inputs' without the batch axis: ``((256, 3),)``.
    params : mapping of str to array, optional
        Its arrays; random ones where not given.
    inputs : sequence of array, optional
        As many as there are shapes; ``batch`` random windows of each where not given.
    training : bool
        Whether `forward` is asked in training; random numbers are the same on both sides.
    seed : int
        Of everything drawn.
    batch : int
        Random windows.
    tolerance : float
        How far the two may lie apart, as a share of the gradient's norm.

    Raises
    ------
    NumjazError
        Naming the input or the array whose derivative is off, missing or of another shape, and by how much.

    Examples
    --------
    >>> from numjaz.layers import GRU
    >>> check_grads(GRU(4, return_state=True), ((10, 3),))
    """
    if not isinstance(layer, Layer) or type(batch) is not int or batch < 1:
        raise NumjazError(
            f"check_grads: takes a layer and a batch of 1 or more windows, not {layer!r:.60} and {batch!r:.60}"
        )
    rng, name = np.random.default_rng(seed), type(layer).__name__
    table = layer.parameters(shapes)
    own = {n: _drawn(p, rng) for n, p in table.items()} if params is None else params
    inputs = [rng.standard_normal((batch, *shape)) for shape in shapes] if inputs is None else inputs
    windows = np.shape(inputs[0])[:1] if len(inputs) else ()
    stated = {f"array {n}": p.shape for n, p in table.items()}
    stated |= {f"input {k}": (*windows, *shape) for k, shape in enumerate(shapes)}
    arrays = _arrays(
        name, {f"array {n}": a for n, a in own.items()} | {f"input {k}": x for k, x in enumerate(inputs)}, stated
    )
    moved = [key for key in arrays if key.startswith("input ") or table[key.removeprefix("array ")].trainable]

    def made(arrays: Mapping[str, Array]) -> tuple[tuple[Array, ...], object]:
        given = {n: arrays[f"array {n}"] for n in own}
        read = tuple(arrays[f"input {k}"] for k in range(len(shapes)))
        return layer.forward(given, read, training=training, rng=np.random.default_rng(seed))[:2]

    outputs, saved = made(arrays)
    for d_outputs in _losses(outputs, rng):
        before = {**arrays, **{f"derivative {k}": d for k, d in enumerate(d_outputs) if d is not None}}
        kept = {key: array.copy() for key, array in before.items()}
        gradients = layer.backward({n: arrays[f"array {n}"] for n in own}, saved, d_outputs)
        for key, array in kept.items():
            if not np.array_equal(before[key], array):
                raise NumjazError(f"{name}: backward writes over {key}, which others read")
        found = {f"array {n}": d for n, d in gradients.d_params.items()}
        found |= {f"input {k}": d for k, d in enumerate(gradients.d_inputs) if d is not None}
        if set(found) != set(moved):
            wrong = sorted(set(found) ^ set(moved))[0]
            raise NumjazError(f"{name}: backward gives {'no' if wrong in moved else 'a'} derivative by {wrong}")

        def loss(arrays: Mapping[str, Array], d_outputs: tuple[Array | None, ...] = d_outputs) -> float:
            pairs = zip(made(arrays)[0], d_outputs, strict=True)
            return float(sum((y * d).sum() for y, d in pairs if d is not None))

        parts = zip(outputs, d_outputs, strict=True)
        least = LEAST * float(sum(np.abs(y * d).sum() for y, d in parts if d is not None))
        for key in moved:
            if found[key].shape != arrays[key].shape:
                raise NumjazError(f"{name}: the derivative by {key} is {found[key].shape}, not {arrays[key].shape}")
            off = max(_off(loss, arrays, key, found[key], least, rng) for _ in range(DIRECTIONS))
            if not off <= tolerance:
                raise NumjazError(f"{name}: the derivative by {key} is off by {off:.1g} of its norm")


def _arrays(name: str, given: Mapping[str, Array], stated: Mapping[str, Shape]) -> dict[str, Array]:
    """What is given, in float64, where it is what the layer states."""
    if set(given) != set(stated):
        wrong = sorted(set(given) ^ set(stated))[0]
        raise NumjazError(f"{name}: {wrong} is {'missing' if wrong in stated else 'not one of the layer'}")
    arrays = {key: np.asarray(array) for key, array in given.items()}
    for key, array in arrays.items():
        if array.shape != tuple(stated[key]) or array.dtype.kind not in "fiu":
            raise NumjazError(
                f"{name}: {key} is {array.dtype} {array.shape}; numbers {tuple(stated[key])} are asked for"
            )
    return {key: array.astype(float, copy=False) for key, array in arrays.items()}


def _drawn(parameter: Parameter, rng: np.random.Generator) -> Array:
    """A random array: around 1 where it begins there or must not be negative, else around 0."""
    if parameter.initial == "ones" or parameter.minimum == 0:
        return rng.uniform(0.5, 1.5, parameter.shape)
    array: Array = rng.standard_normal(parameter.shape) / max(int(np.prod(parameter.shape[:-1])), 1) ** 0.5
    return array


def _losses(outputs: tuple[Array, ...], rng: np.random.Generator) -> Iterator[tuple[Array | None, ...]]:
    """The derivatives of losses by the outputs: of all, and of each alone where there are several."""
    weights = tuple(rng.standard_normal(y.shape) for y in outputs)
    yield weights
    for k in range(len(outputs)) if len(outputs) > 1 else ():
        yield tuple(d if at == k else None for at, d in enumerate(weights))


def _off(
    loss: Loss, arrays: Mapping[str, Array], key: str, gradient: Array, least: float, rng: np.random.Generator
) -> float:
    """How far a gradient lies from the differences in one random direction, as a share of its norm."""
    direction = rng.standard_normal(gradient.shape)
    stated, nearest = float((gradient * direction).sum()), np.inf
    norm = max(float(np.linalg.norm(gradient)), least, 1e-30)
    for step in STEPS:
        ahead, behind = (loss({**arrays, key: arrays[key] + by * direction}) for by in (step, -step))
        nearest = min(nearest, abs((ahead - behind) / (2 * step) - stated) / norm)
    return nearest
