"""Windows: to train on, and to run both sides on. Imports nothing of numjaz."""

from __future__ import annotations

import numpy as np

LENGTH = 32  # samples, where a network takes any number
SCALES = (0.3, 1.0, 3.0)


def noise(rng: np.random.Generator, batch: int, time: int, features: int) -> np.ndarray:
    """Normal windows of three sizes in turn."""
    scales = np.resize(SCALES, batch)[:, None, None]
    return (scales * rng.normal(size=(batch, time, features))).astype(np.float32)


def sensor(rng: np.random.Generator, batch: int, time: int, features: int) -> np.ndarray:
    """Smooth windows, as of a sensor worn: two sines a channel about an offset, and a little noise."""
    t = np.arange(time)[None, :, None] / time
    size = (batch, 1, features)
    smooth = sum(
        rng.uniform(0.2, 1.5, size) * np.sin(2 * np.pi * (rng.uniform(low, 3 * low, size) * t + rng.uniform(size=size)))
        for low in (0.5, 2.0)
    )
    return (rng.normal(0, 1, size) + smooth + 0.05 * rng.normal(size=(batch, time, features))).astype(np.float32)


def frequencies(
    rng: np.random.Generator, batch: int, time: int, features: int, classes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Windows of one frequency each, and which."""
    y = rng.integers(0, classes, batch)
    t = np.arange(time)[None, :, None]
    rate = (0.03 + 0.07 * y)[:, None, None]
    phase = rng.uniform(0, 2 * np.pi, (batch, 1, features))
    x = rng.uniform(0.5, 2, (batch, 1, features)) * np.sin(2 * np.pi * rate * t + phase)
    return (x + 0.3 * rng.normal(size=x.shape)).astype(np.float32), y.astype(np.int32)
