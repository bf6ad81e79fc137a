"""What a network expects of the recording that is put before it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from numjaz.errors import NumjazError

GRAVITY = 9.81  # m/s², the value the paper subtracts

MAGNITUDES = {
    "minus_g": "|a| - g",
    "root_minus_g": "sqrt(|a|^2 - g)",
    "plain": "|a|",
}
"""The three readings of the paper's equation (1), by name.

``minus_g`` is the published one. ``root_minus_g`` is how some text versions print it: it mixes
units and has no real value where |a| < 3.13 m/s². ``plain`` is the norm alone.
"""

CHANNELS = {
    1: ("magnitude",),
    3: ("ax", "ay", "az"),
    6: ("ax", "ay", "az", "wx", "wy", "wz"),
}
"""Channel names by number of features: accelerations in m/s², then angular rates in rad/s."""


@dataclass(frozen=True, kw_only=True)
class Contract:
    """The input that a network was trained on, and so the input that it needs.

    Parameters
    ----------
    features : tuple of str
        Channel names in order, one of the values of ``CHANNELS``.
    rate_hz : float
        Samples a second.
    window, hop : int
        Samples in a window, and samples from one window's start to the next one's.
    gravity : bool
        Whether the acceleration includes gravity, as an accelerometer measures it.
    magnitude : str or None
        One of ``MAGNITUDES`` where the only feature is the magnitude, else None.
    placement : str
        Where the sensor sat, in words.
    mean, std : tuple of float, or None
        Per-feature normalisation ``(x - mean) / std``; None where there is none.

    Examples
    --------
    >>> Contract(features=("magnitude",), rate_hz=20.0, magnitude="minus_g").window
    256
    """

    features: tuple[str, ...]
    rate_hz: float
    window: int = 256
    hop: int = 32
    gravity: bool = True
    magnitude: str | None = None
    placement: str = ""
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if self.features not in CHANNELS.values():
            known = " or ".join(",".join(names) for names in CHANNELS.values())
            raise NumjazError(f"contract: features {','.join(self.features)} are not {known}")
        if not _is_number(self.rate_hz) or not 1e-3 <= self.rate_hz <= 1e6:
            raise NumjazError(f"contract: rate_hz must be a number from 0.001 to 10^6, not {self.rate_hz!r:.60}")
        for name in ("window", "hop"):
            value = getattr(self, name)
            if type(value) is not int or not 1 <= value <= 10**7:
                raise NumjazError(f"contract: {name} must be a whole number of samples, 1 to 10^7, not {value!r:.60}")
        if type(self.gravity) is not bool:
            raise NumjazError(f"contract: gravity must be true or false, not {self.gravity!r}")
        if (self.features == CHANNELS[1]) != (self.magnitude in MAGNITUDES):
            raise NumjazError(
                f"contract: magnitude={self.magnitude!r} does not go with features {','.join(self.features)}; "
                f"the feature 'magnitude' takes one of {', '.join(MAGNITUDES)}, other features take None"
            )
        if not isinstance(self.placement, str) or not self.placement.isprintable():
            raise NumjazError(f"contract: placement must be text, not {self.placement!r:.60}")
        if (self.mean is None) != (self.std is None):
            raise NumjazError("contract: mean and std come together or not at all")
        for name in ("mean", "std"):
            values = getattr(self, name)
            if values is not None and (
                not isinstance(values, tuple)
                or len(values) != len(self.features)
                or not all(_is_number(v) and (name == "mean" or v > 0) for v in values)
            ):
                raise NumjazError(
                    f"contract: {name} must hold {len(self.features)} finite numbers (std above 0), not {values!r}"
                )

    @property
    def units(self) -> tuple[str, ...]:
        """The unit of each feature: ``m/s^2`` or ``rad/s``."""
        return tuple("rad/s" if name.startswith("w") else "m/s^2" for name in self.features)

    def to_dict(self) -> dict[str, Any]:
        """The contract as plain values that JSON can hold, units spelled out."""
        return {**asdict(self), "units": list(self.units)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Contract:
        """The inverse of ``to_dict``; an unknown key or a wrong type raises `NumjazError`."""
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(values) - known - {"units"})
        if unknown:
            raise NumjazError(f"contract: unknown entry {unknown[0]!r}; known are {', '.join(sorted(known))}")
        given: dict[str, Any] = {
            key: tuple(v) if isinstance(v, list) else v for key, v in values.items() if key != "units"
        }
        if not isinstance(given.get("features"), tuple) or "rate_hz" not in given:
            raise NumjazError("contract: needs 'features' (a list of channel names) and 'rate_hz'")
        contract = cls(**given)
        if values.get("units", list(contract.units)) != list(contract.units):
            raise NumjazError(
                f"contract: units {values['units']} are not {list(contract.units)}; "
                f"numjaz keeps SI units at every border"
            )
        return contract


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and abs(value) < 1e300  # type: ignore[arg-type]  # false for not-a-number
