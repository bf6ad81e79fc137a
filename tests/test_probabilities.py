"""What probabilities are worth, by counting pairs and windows one by one."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numjaz.learn.metrics import drawn_people, over_people
from numjaz.learn.probabilities import (
    BINS,
    are_probabilities,
    aucs,
    binned,
    expected_calibration_error,
    macro,
    reliability,
    roc,
)


def windows_of(seed: int, count: int, classes: int, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Classes and scores, many of them tied."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, classes, count), rng.integers(0, steps, (count, classes)) / steps


def counted_auc(positive: np.ndarray, score: np.ndarray) -> float:
    pairs = list(product(score[positive], score[~positive]))
    return sum(1.0 if p > n else 0.5 if p == n else 0.0 for p, n in pairs) / len(pairs) if pairs else np.nan


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.integers(1, 25), st.integers(1, 5), st.integers(1, 6))
def test_the_area_is_the_share_of_pairs(seed: int, count: int, classes: int, steps: int) -> None:
    truth, score = windows_of(seed, count, classes, steps)
    counted = [counted_auc(truth == k, score[:, k]) for k in range(classes)]
    np.testing.assert_allclose(aucs(truth, score), counted, rtol=0, atol=1e-12)
    known = [value for value in counted if not np.isnan(value)]
    assert float(macro(aucs(truth, score))) == pytest.approx(np.mean(known) if known else np.nan, nan_ok=True)
    for k in range(classes):
        x, y, _ = roc(truth == k, score[:, k])
        area = ((x[1:] - x[:-1]) * (y[1:] + y[:-1]) / 2).sum()
        np.testing.assert_allclose(area, counted[k], atol=1e-12)


@settings(max_examples=15)
@given(st.integers(0, 10**6), st.integers(2, 5))
def test_the_area_of_drawn_people(seed: int, people: int) -> None:
    """Each drawn person's windows put in as often as they were drawn."""
    truth, score = windows_of(seed, 30, 3, 4)
    person = np.random.default_rng(seed).integers(0, people, 30)
    weights = drawn_people(people, 6, seed)
    drawn = aucs(truth, score, person, weights)
    for w, made in zip(weights, drawn, strict=True):
        rows = np.repeat(np.arange(30), w[person].astype(int))
        alone = [counted_auc(truth[rows] == k, score[rows, k]) for k in range(3)]
        np.testing.assert_allclose(made, alone, rtol=0, atol=1e-12)


def test_calibration_is_counted_bin_by_bin() -> None:
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(3), 300)
    probabilities[:4] = [[1, 0, 0], [1 / 3, 1 / 3, 1 / 3], [0.6, 0.4, 0], [0.4, 0.6, 0]]  # 0.6 = 9/15: a border
    truth, person = rng.integers(0, 3, 300), rng.integers(0, 4, 300)
    bins: dict[int, list[tuple[float, bool]]] = {}
    for p, t in zip(probabilities, truth, strict=True):
        at = next(k for k in range(BINS) if max(p) <= np.linspace(0, 1, BINS + 1)[k + 1])
        bins.setdefault(at, []).append((max(p), bool(np.argmax(p) == t)))
    table = binned(truth, probabilities, person, 4)
    assert table.shape == (4, BINS, 3)
    found = reliability(table.sum(axis=0))
    for k in range(BINS):
        mine = bins.get(k, [])
        assert found.windows[k] == len(mine)
        if mine:
            assert found.confidence[k] == pytest.approx(np.mean([c for c, _ in mine]))
            assert found.accuracy[k] == pytest.approx(np.mean([hit for _, hit in mine]))
        else:
            assert np.isnan([found.confidence[k], found.accuracy[k]]).all()
    ece = sum(len(m) / 300 * abs(np.mean([c for c, _ in m]) - np.mean([hit for _, hit in m])) for m in bins.values())
    value, low, high = over_people(table, expected_calibration_error)
    assert value == pytest.approx(ece, abs=1e-12)
    assert low < high


def test_who_is_as_sure_as_right_has_no_error() -> None:
    sure = np.repeat([[0.75, 0.25]], 4, axis=0)
    table = binned(np.array([0, 0, 0, 1]), sure, np.zeros(4, int), 1)[0]
    assert expected_calibration_error(table) == pytest.approx(0)
    assert expected_calibration_error(binned(np.array([1, 1, 1, 1]), sure, np.zeros(4, int), 1)[0]) == 0.75


def test_what_are_probabilities() -> None:
    assert are_probabilities(np.array([[0.2, 0.8], [1.0, 0.0]], np.float32))
    assert not are_probabilities(np.array([[2.0, -1.0]]))
    assert not are_probabilities(np.array([[0.5, 0.4]]))
    assert not are_probabilities(np.array([[np.nan, 1.0]]))
