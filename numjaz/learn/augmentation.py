"""What a training may do to its windows so that a network does not learn one device's ways by heart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from numjaz.errors import NumjazError

Kind = TypeVar("Kind", np.float32, np.float64)
LIMITS = {"jitter": 1e30, "scaling": 1.0, "rotation_degrees": 180.0, "dropped": 0.999}


def plain(value: Any) -> Any:
    """A number of NumPy's, as a search over parameters draws, as Python's; anything else as it is."""
    return value.item() if isinstance(value, np.generic) else value


def plain_fields(made: Any) -> None:
    """Make the fields of a frozen dataclass `plain`."""
    for each in fields(made):
        object.__setattr__(made, each.name, plain(getattr(made, each.name)))


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Random changes of windows, in this order; 0 leaves one out, and all are left out where nothing is given.

    Parameters
    ----------
    rotation_degrees : float
        The device sits turned: about an axis in any direction by an angle from 0 to this, one for a
        window. Acceleration and angular rate turn together. Needs three axes of each.
    scaling : float
        The sensor's gain: a window's values times one factor around 1 with this standard deviation.
    jitter : float
        The sensor's noise: to each value a normal one with this standard deviation, in the features' unit.
    dropped : float
        Samples that are lost, as a share: each, but a window's first, is the last that was not lost.

    Raises
    ------
    NumjazError
        Where one is no number from 0 to its limit; the message names both.

    Examples
    --------
    >>> x = np.tile([0.0, 0.0, 9.81], (4, 256, 1))
    >>> turned = Augmentation(rotation_degrees=30.0).apply(x, np.random.default_rng(0))
    >>> np.allclose(np.linalg.norm(turned, axis=2), 9.81)
    True
    """

    jitter: float = 0.0
    scaling: float = 0.0
    rotation_degrees: float = 0.0
    dropped: float = 0.0

    def __post_init__(self) -> None:
        plain_fields(self)
        for name, limit in LIMITS.items():
            value = getattr(self, name)
            if type(value) not in (int, float) or not 0 <= value <= limit:
                raise NumjazError(f"augmentation: {name} must be a number from 0 to {limit:g}, not {value!r:.60}")
            object.__setattr__(self, name, float(value))

    def check(self, features: int) -> None:
        """Raise `NumjazError` where windows of so many features cannot be changed like this."""
        if self.rotation_degrees and features not in (3, 6):
            raise NumjazError(
                f"augmentation: rotation_degrees needs the three axes, and windows have {features} feature(s); "
                f"a magnitude is the same however the device is turned"
            )

    def apply(self, x: NDArray[Kind], rng: np.random.Generator) -> NDArray[Kind]:
        """Changed windows.

        Parameters
        ----------
        x : array (N, T, F) of float32 or float64
            Stays as it is. Not normalised where it is to be turned: axes with units of their own do not mix.
        rng : numpy.random.Generator
            Used by nobody else, so that nothing else that is drawn depends on what is chosen here.

        Returns
        -------
        array (N, T, F) of x's dtype
        """
        self.check(x.shape[2])
        out = x.copy()
        if self.rotation_degrees:
            turns = rotations(len(x), self.rotation_degrees, rng).astype(x.dtype)
            out = (out.reshape(len(x), -1, 3) @ turns.transpose(0, 2, 1)).reshape(x.shape)  # (N, T F/3, 3)
        if self.scaling:
            out *= rng.normal(1.0, self.scaling, (len(x), 1, 1)).astype(x.dtype)
        if self.jitter:
            out += rng.standard_normal(x.shape, x.dtype) * x.dtype.type(self.jitter)
        if self.dropped:
            kept = rng.random(x.shape[:2]) >= self.dropped  # (N, T)
            last = np.maximum.accumulate(np.where(kept, np.arange(x.shape[1]), 0), axis=1)  # the first stays
            out = out[np.arange(len(x))[:, None], last]
        return out

    def plain(self) -> dict[str, float]:
        """The fields by name, as a record of a run holds them."""
        return asdict(self)

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Augmentation:
        """The inverse of ``plain``; an unknown name raises `NumjazError`."""
        unknown = sorted(set(values) - {each.name for each in fields(cls)})
        if unknown:
            raise NumjazError(f"augmentation: unknown entry {unknown[0]!r}; known are {', '.join(LIMITS)}")
        return cls(**values)


def rotations(count: int, degrees: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Rotation matrices (count, 3, 3): axes uniform over the sphere, angles uniform from 0 to ``degrees``.

    Rodrigues' formula: R = I + sin(angle) K + (1 - cos(angle)) K², where K v is axis × v.
    """
    axis = rng.standard_normal((count, 3))
    axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    angle = np.deg2rad(rng.uniform(0.0, degrees, (count, 1, 1)))
    cross = np.cross(axis[:, None, :], np.eye(3)).transpose(0, 2, 1)  # columns: axis × each unit vector
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * (cross @ cross)
