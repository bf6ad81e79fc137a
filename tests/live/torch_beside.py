"""How tests put arrays into torch and compare what comes out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import settings

torch = pytest.importorskip("torch")

from random_models import PATIENT  # noqa: E402

some = settings(max_examples=settings().max_examples // 4, suppress_health_check=PATIENT)
CLOSE = 1e-12  # of the largest activation


def tensors(x: Any) -> Any:
    return {name: torch.tensor(array) for name, array in x.items()} if isinstance(x, dict) else torch.tensor(x)


def agree(made: dict[str, Any], expected: dict[str, Any]) -> None:
    assert list(made) == list(expected)
    scale = max(float(np.abs(np.asarray(array)).max()) for array in expected.values())
    for name, array in expected.items():
        a, b = np.asarray(made[name]), np.asarray(array)
        assert (a.dtype, a.shape) == (b.dtype, b.shape), name
        np.testing.assert_allclose(a, b, rtol=0, atol=CLOSE * max(scale, 1), err_msg=name)


def noise(*shape: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)
