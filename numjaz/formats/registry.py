"""Layers of somebody's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from numjaz.errors import NumjazError
from numjaz.formats.keras_classes import TRANSLATORS
from numjaz.formats.keras_layers import REGISTERED
from numjaz.layers import Layer, register_layer


def register(
    layer: type[Layer], keras: str | None = None, translate: Callable[[Mapping[str, Any]], Layer] | None = None
) -> type[Layer]:
    """Make a layer of one's own known to `numjaz.load`.

    Parameters
    ----------
    layer : type
        A frozen dataclass derived from `numjaz.layers.Layer`; its fields are its options. Its arrays,
        in the order of `Layer.parameters`, are those that the Keras class creates, in that order.
    keras : str, optional
        The Keras class that it stands for, by the name in the file: ``"Scale"``, ``"Lambda"``.
    translate : callable, optional
        From the Keras layer's configuration to the layer. Where it is not given, the layer's fields
        are taken from the entries of their names.

    Returns
    -------
    type
        The layer, so that this can be used as a decorator.

    Raises
    ------
    NumjazError
        Where the name is one of numjaz's own layers.

    Examples
    --------
    >>> import numjaz
    >>> from numjaz.layers import Forward, Layer, frozen
    >>> @frozen
    ... class Scale(Layer):
    ...     factor: float
    ...     def forward(self, params, inputs, *, training=False, rng=None):
    ...         return Forward((inputs[0] * self.factor,))
    >>> numjaz.register(Scale, keras="Scale")
    <class 'numjaz.formats.registry.Scale'>
    """
    if keras in TRANSLATORS:
        raise NumjazError(f"{keras} is a class of Keras's own, which numjaz reads")
    register_layer(layer)
    if keras is not None:
        known = [field.name for field in fields(layer)]
        REGISTERED[keras] = translate or (
            lambda config: layer(**{name: config[name] for name in known if name in config})
        )
    return layer
