"""What a forward pass does, in exact numbers or formulas, kind by kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from numjaz.records import Frozen, frozen

Count = Any  # an int, or a formula in whatever symbols the shapes hold
ELEMENTARY = (
    "biases",  # additions of a layer's bias
    "additions",  # other additions, and subtractions
    "multiplications",
    "divisions",
    "comparisons",  # maxima, minima, bounds
    "signs",  # -x, |x|, the sign of x
    "exponentials",  # exp, exp(x) - 1
    "logarithms",  # log, log(1 + x)
    "roots",
    "tangents",  # hyperbolic
    "errors",  # the error function
    "sorted",  # numbers put in order
)


@frozen
class Operations(Frozen):
    """What is computed: multiply-accumulates by matrix, activations by kind, all else by its kind.

    A product of two tensors that are no weights is called by what it makes, ``scores``. What an
    activation computes within is counted among ``elementary`` as well.

    Examples
    --------
    >>> dense = Operations({"kernel": 60}, elementary={"biases": 6})
    >>> (dense + 2 * dense).macs
    {'kernel': 180}
    """

    macs: Mapping[str, Count] = field(default_factory=dict)
    activations: Mapping[str, Count] = field(default_factory=dict)
    elementary: Mapping[str, Count] = field(default_factory=dict)

    def __add__(self, other: Operations) -> Operations:
        return Operations(
            _added(self.macs, other.macs),
            _added(self.activations, other.activations),
            _added(self.elementary, other.elementary),
        )

    def __rmul__(self, times: Count) -> Operations:
        return Operations(*({kind: times * n for kind, n in held.items()} for held in self._tables()))

    def under(self, prefix: str) -> Operations:
        """The same with the matrices called ``prefix/…``, as a layer within a layer calls them."""
        return Operations({f"{prefix}/{name}": n for name, n in self.macs.items()}, self.activations, self.elementary)

    @property
    def total_macs(self) -> Count:
        """Multiply-accumulates of all matrix products."""
        return sum(self.macs.values())

    def _tables(self) -> tuple[Mapping[str, Count], ...]:
        return self.macs, self.activations, self.elementary


def elementary(**counts: Count) -> Operations:
    """Operations that are no matrix products, by the kinds of `ELEMENTARY`."""
    assert set(counts) <= set(ELEMENTARY)
    return Operations(elementary=counts)


def biases(used: bool, numbers: Count) -> Operations:
    """A bias added to so many numbers, where a layer has one."""
    return elementary(biases=numbers) if used else Operations()


def _added(a: Mapping[str, Count], b: Mapping[str, Count]) -> dict[str, Count]:
    return {kind: a.get(kind, 0) + b.get(kind, 0) for kind in {**a, **b}}
