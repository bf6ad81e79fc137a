"""Figures by hand; against scikit-learn they are tested where it is installed (tests/live)."""

from __future__ import annotations

import numpy as np
import pytest

from numjaz.learn.metrics import accuracy, confusion, macro_f1, over_people, recall

M = np.array([[3, 1, 0], [2, 4, 0], [0, 0, 0]])


def test_figures_by_hand() -> None:
    true, predicted = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1, 1]), np.array([0, 0, 0, 1, 0, 0, 1, 1, 1, 1])
    for dtype in (np.int32, np.int64):  # one of them is not what NumPy counts with
        made = confusion(true.astype(dtype), predicted.astype(dtype), 3)
        np.testing.assert_array_equal(made, M)
        assert made.dtype == np.int64
    assert accuracy(M) == pytest.approx(0.7)
    np.testing.assert_allclose(recall(M), [3 / 4, 4 / 6, np.nan])
    assert macro_f1(M) == pytest.approx((6 / 9 + 8 / 11) / 2)  # the third class occurs nowhere


def test_the_interval_is_over_people_not_windows() -> None:
    """Ten people who are all right or all wrong: the interval is that of ten draws, however many windows."""
    right, wrong = np.diag([1000, 1000]), np.array([[0, 1000], [1000, 0]])
    people = np.stack([right] * 5 + [wrong] * 5)
    value, low, high = over_people(people, accuracy)
    assert (value, low, high) == (0.5, pytest.approx(0.2, abs=0.001), pytest.approx(0.8, abs=0.001))
    same = over_people(np.stack([right] * 10), accuracy)
    assert same == (1.0, 1.0, 1.0)
    assert np.isnan(over_people(people[:1], accuracy).low)
    assert over_people(people, accuracy) == over_people(people, accuracy)
