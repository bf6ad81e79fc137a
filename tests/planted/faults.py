"""The catalogue: every fault that a layer can have, planted. Imports nothing of numjaz."""

from __future__ import annotations

from collections.abc import Iterator

import array_faults
import layer_faults
import outside
import recurrent_faults
from place import Family, Place, Planted
from steps import Network

KNOWN: tuple[Family, ...] = (*recurrent_faults.FAMILIES, *layer_faults.FAMILIES, *array_faults.FAMILIES)
OUTSIDE: tuple[Family, ...] = outside.FAMILIES


def faults(network: Network, name: str, other: Network, families: tuple[Family, ...] = KNOWN) -> Iterator[Planted]:
    """Every fault of a layer; ``other`` is the network with the weights of another epoch."""
    place = Place(network, network[name], other)
    for family in families:
        if place.step.kind != "InputLayer":
            yield from family(place)
