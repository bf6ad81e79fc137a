"""Where a fault is planted, and a network with it. Imports nothing of numjaz."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from steps import Network, Step


class Planted(NamedTuple):
    """A network with a fault.

    Attributes
    ----------
    family : str
        Of which kind the fault is.
    variant : str
        Which of them.
    node : str
        The first layer whose output is wrong though what it reads is right.
    expected : tuple of str
        Regular expressions; a cause in which one is found is right.
    network : Network
        All steps, the faulty ones among them.
    touched : frozenset of str
        What of the layer is changed: two faults of the same are no pair.
    """

    family: str
    variant: str
    node: str
    expected: tuple[str, ...]
    network: Network
    touched: frozenset[str]


@dataclass(frozen=True)
class Place:
    """A layer in its network, and the same network with other weights: of another epoch."""

    network: Network
    step: Step
    other: Network

    def fault(
        self, family: str, variant: str, expected: str | tuple[str, ...], touched: str, *steps: Step
    ) -> Planted | None:
        """The network with these steps in the place of those of their names."""
        network = {**self.network, **{step.name: step for step in steps}}
        told = (expected,) if isinstance(expected, str) else expected
        return Planted(family, variant, self.step.name, told, network, frozenset(touched.split()))

    @property
    def readers(self) -> list[Step]:
        """The layers that read this one."""
        return [step for step in self.network.values() if self.step.name in step.inputs]

    @property
    def source(self) -> Step:
        """The layer that this one reads first."""
        return self.network[self.step.inputs[0]]

    @property
    def alone_at_input(self) -> bool:
        """Whether it is the only reader of the network's input."""
        first = self.source
        return first.kind == "InputLayer" and sum(first.name in s.inputs for s in self.network.values()) == 1


Family = Callable[[Place], Iterator[Planted]]


def then(ops: tuple[Any, ...], op: Any) -> tuple[Any, ...]:
    """What is done, and then this."""
    return (*ops, op)


def before(step: Step, op: Any) -> Step:
    """The step, its first input changed by this."""
    return replace(step, before=then(step.before, op))


def after(step: Step, op: Any) -> Step:
    """The step, its output changed by this."""
    return replace(step, after=then(step.after, op))


def leaves(step: Step, side: str = "") -> dict[str, np.ndarray]:
    """A step's arrays, or those of one direction, by the last part of their names."""
    return {name.removeprefix(side): array for name, array in step.weights.items() if name.startswith(side)}
