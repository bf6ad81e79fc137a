"""How one output in a run stands to the same output in another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from numjaz.compare.isolated import DEVIATIONS
from numjaz.layers import Array

EMPTY = 0.1  # of the largest number: bounds as wide say nothing
TIMES = 100.0  # the likely error, which no rounding reaches
PARTS = 32  # of the time, in which differences are told apart


@dataclass(frozen=True)
class NodeDifference:
    """How a node's output in one run stands to the other's.

    Attributes
    ----------
    name : str
        The output of a node: ``node``, or ``node[1]``.
    max_abs : float
        The largest difference between the two runs; infinite where the shapes are not the same.
    isolated : float
        The largest difference between what was recorded and what this node makes of the recorded inputs.
    bound : float
        How large that may be by rounding, at most.
    expected : float
        How large it is likely to be by rounding.
    relative : float
        The largest difference between the two runs, over the largest number of the output.
    ulp : float
        The same in units in the last place of that number, in the dtype that was recorded.
    share : float
        The share of numbers that differ at all in that dtype.
    ratio : float
        Isolated difference over bound, number by number, where it is largest; above 1 no rounding explains it.
    inherited : bool
        Whether the runs differ here, by more than this node's own rounding, because its inputs do.
    where : tuple of int
        Window, time and channel, there.
    suspects : tuple of str
        The nodes that it may lie in: this one, and those before it that nobody recorded.
    over_time : tuple of float
        The largest difference between the runs in each part of the time, as a share of the largest number; one for an
        output without time.
    """

    name: str
    max_abs: float
    isolated: float
    bound: float
    expected: float
    relative: float
    ulp: float
    share: float
    ratio: float
    inherited: bool
    where: tuple[int, ...]
    suspects: tuple[str, ...]
    over_time: tuple[float, ...]

    @property
    def fault(self) -> bool:
        """Whether rounding cannot be all."""
        return not self.ratio <= 1

    @property
    def of_another_shape(self) -> bool:
        """Whether the other run's output has another shape than what this side makes of the same inputs."""
        return self.fault and not self.over_time

    @property
    def verdict(self) -> str:
        """The difference in words: ``a fault``, ``inherited`` or ``rounding``."""
        return "a fault" if self.fault else "inherited" if self.inherited else "rounding"


def unlike(name: str, suspects: tuple[str, ...], inherited: bool = False) -> NodeDifference:
    """An output of another shape than this side's; ``inherited`` where its inputs are, too."""
    ratio = 0.0 if inherited else np.inf
    return NodeDifference(name, *(np.inf,) * 3, 0.0, np.inf, np.inf, 1.0, ratio, inherited, (), suspects, ())


def difference(
    name: str, own: Array, there: Array, value: Array, typical: Array, suspects: tuple[str, ...], came: bool
) -> NodeDifference:
    """What the two runs make, and what this side makes of the other's inputs: values, bounds, likely errors.

    ``came`` says whether the inputs differ already.
    """
    if there.shape != value.shape:
        return unlike(name, suspects)
    isolated = np.abs(there.astype(np.float64) - value.real)
    bound = value.imag
    if len(suspects) == 1:  # what nobody recorded before it may have gone further than is likely
        bound = _telling(bound, float(np.abs(value.real).max(initial=0)), typical)
    with np.errstate(all="ignore"):
        ratio: Any = np.where(isolated == 0, 0.0, isolated / bound)
    ratio = np.where(np.isnan(ratio) | ~np.isfinite(there), np.inf, ratio)
    if not ratio.size:
        return NodeDifference(name, *(0.0,) * 8, False, (), suspects, ())
    where = np.unravel_index(int(np.argmax(ratio)), ratio.shape)
    worst = float(ratio[where])
    if own.shape == there.shape:
        apart = np.abs(there.astype(np.float64) - own.astype(np.float64))
        differ = own.astype(there.dtype) != there
    else:  # the inputs had another shape
        apart, differ = np.full(there.shape, np.inf), np.ones(there.shape)
    most, largest = float(apart.max()), float(np.abs(own).max())
    with np.errstate(all="ignore"):
        place = float(np.spacing(there.dtype.type(largest)))
    return NodeDifference(
        name,
        most,
        float(isolated.max()),
        float(bound.max()),
        DEVIATIONS * float(typical.imag.max(initial=0.0)),
        most / largest if largest else np.inf if most else 0.0,
        most / place,
        float(differ.mean()),
        worst,
        bool(came and worst <= 1 and (apart > bound).any()),
        tuple(int(k) for k in where),
        suspects,
        _over_time(apart, own),
    )


def _telling(bound: Array, largest: float, typical: Array) -> Array:
    """The bound; where it is as wide as the numbers themselves, so many times the likely error in its place."""
    likely = DEVIATIONS * float(typical.imag.max(initial=0.0))
    if not np.isfinite(likely):
        return bound
    return np.where(bound > EMPTY * largest, np.minimum(bound, TIMES * likely), bound)


def _over_time(apart: Array, own: Array) -> tuple[float, ...]:
    largest = float(np.abs(own).max()) or 1.0
    if apart.ndim != 3:
        return (float(apart.max()) / largest,)
    parts = np.array_split(apart, min(PARTS, apart.shape[1]), axis=1)
    return tuple(float(part.max()) / largest for part in parts)
