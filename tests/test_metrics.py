"""Figures by hand; against scikit-learn they are tested where it is installed (tests/live)."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numjaz import NumjazError
from numjaz.learn.metrics import (
    FIGURES,
    accuracy,
    confusion,
    drawn_people,
    f1,
    macro_f1,
    over_people,
    paired,
    precision,
    recall,
)

M = np.array([[3, 1, 0], [2, 4, 0], [0, 0, 0]])


def people_of(seed: int, people: int, classes: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 9, (people, classes, classes))


def test_figures_by_hand() -> None:
    true, predicted = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1, 1]), np.array([0, 0, 0, 1, 0, 0, 1, 1, 1, 1])
    for dtype in (np.int32, np.int64):  # one of them is not what NumPy counts with
        made = confusion(true.astype(dtype), predicted.astype(dtype), 3)
        np.testing.assert_array_equal(made, M)
        assert made.dtype == np.int64
    assert accuracy(M) == pytest.approx(0.7)
    np.testing.assert_allclose(recall(M), [3 / 4, 4 / 6, np.nan])
    np.testing.assert_allclose(precision(M), [3 / 5, 4 / 5, np.nan])
    np.testing.assert_allclose(f1(M), [6 / 9, 8 / 11, np.nan])
    assert macro_f1(M) == pytest.approx((6 / 9 + 8 / 11) / 2)  # the third class occurs nowhere


def test_which_classes_an_average_is_of() -> None:
    """The third class is said and never true: it counts in the macro figures, not in the others."""
    m = M.copy()
    m[0, 2] = 4  # class 0: 3 of 8 found
    hand = {
        "balanced_accuracy": (3 / 8 + 4 / 6) / 2,
        "macro_recall": (3 / 8 + 4 / 6 + 0) / 3,
        "macro_precision": (3 / 5 + 4 / 5 + 0) / 3,
        "macro_f1": (6 / 13 + 8 / 11 + 0) / 3,
        "weighted_recall": 7 / 14,
        "weighted_precision": (8 * 3 / 5 + 6 * 4 / 5) / 14,
        "weighted_f1": (8 * 6 / 13 + 6 * 8 / 11) / 14,
        "accuracy": 7 / 14,
    }
    assert set(hand) == set(FIGURES)
    for name, value in hand.items():
        assert FIGURES[name](m) == pytest.approx(value), name


def test_matrices_of_any_leading_shape() -> None:
    many = people_of(1, 24, 4).reshape(2, 3, 4, 4, 4)
    for name, figure in FIGURES.items():
        one_by_one = [float(figure(m)) for m in many.reshape(24, 4, 4)]
        np.testing.assert_array_equal(figure(many).reshape(24), one_by_one, name)
        np.testing.assert_array_equal(figure(many.astype(float)), figure(many))
    for of_class in (precision, recall, f1):
        assert of_class(many).shape == (2, 3, 4, 4)


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


def test_a_drawn_person_brings_every_window() -> None:
    """The drawn tables, by concatenating the drawn people's matrices one by one."""
    people, weights = people_of(2, 5), drawn_people(5, 40, seed=3)
    assert (weights.sum(axis=1) == 5).all()
    drawn = [macro_f1(sum(m for p, m in enumerate(people) for _ in range(int(w[p])))) for w in weights]
    assert over_people(people, macro_f1, draws=40, seed=3)[1:] == pytest.approx(np.percentile(drawn, (2.5, 97.5)))


@settings(max_examples=15)
@given(st.integers(0, 10**6), st.integers(1, 7), st.sampled_from(sorted(FIGURES)))
def test_p_is_that_of_all_exchanges(seed: int, people: int, name: str) -> None:
    """Each person's two matrices exchanged or not, all 2^people ways, in loops."""
    a, b = people_of(seed, people), people_of(seed + 1, people)
    figure = FIGURES[name]

    def difference(exchanged: tuple[bool, ...]) -> float:
        first = sum(b[p] if e else a[p] for p, e in enumerate(exchanged))
        second = sum(a[p] if e else b[p] for p, e in enumerate(exchanged))
        return float(figure(first) - figure(second))

    seen = difference((False,) * people)
    as_large = [abs(difference(e)) >= abs(seen) - 1e-12 for e in product((False, True), repeat=people)]
    found = paired(a, b, figure)
    assert found.value == seen
    assert found.p == pytest.approx(np.mean(as_large))


@pytest.mark.parametrize("people", [8, 40])
def test_p_is_scipys(people: int) -> None:
    """Exact with few people, drawn with many (within four standard errors of the draws)."""
    stats = pytest.importorskip("scipy.stats")
    a, b = people_of(5, people), people_of(6, people)
    a = a + np.eye(3, dtype=int) * 2
    both = np.concatenate((a, b))

    def statistic(rows: np.ndarray, others: np.ndarray) -> float:
        return float(macro_f1(both[rows.astype(int)].sum(axis=0)) - macro_f1(both[others.astype(int)].sum(axis=0)))

    sides = (np.arange(people), np.arange(people) + people)
    theirs = stats.permutation_test(sides, statistic, permutation_type="samples", n_resamples=10_000, random_state=1)
    found = paired(a, b, macro_f1)
    assert found.value == pytest.approx(theirs.statistic)
    assert found.p == pytest.approx(theirs.pvalue, abs=1e-12 if people == 8 else 4 * np.sqrt(0.5 / 10_000))
    assert found.low < found.value < found.high
    assert found == paired(a, b, macro_f1)


def test_people_are_drawn_in_pairs() -> None:
    """b is a, each time one window worse: however people differ from each other, the difference does not."""
    a = np.stack([np.array([[k, 10 - k], [0, 10]]) for k in range(1, 10)])
    b = a.copy()
    b[:, 0] += (-1, 1)
    value, low, high, p = paired(a, b, accuracy)
    assert (value, low, high) == pytest.approx((0.05, 0.05, 0.05))
    assert p == 2 / 2**9
    many = np.concatenate([a] * 3)
    assert paired(many, np.concatenate([b] * 3), accuracy).p == 1 / 10_001  # none of the drawn: the observed one alone
    assert np.isnan(paired(a[:1], b[:1], accuracy).low)
    with pytest.raises(NumjazError, match="same people and classes"):
        paired(a, b[1:], accuracy)
