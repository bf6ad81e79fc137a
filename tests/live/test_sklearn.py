"""Figures against scikit-learn's."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from numjaz.learn.metrics import FIGURES, confusion, f1, precision, recall
from numjaz.learn.probabilities import BINS, aucs, binned, macro, reliability, roc

metrics = pytest.importorskip("sklearn.metrics")
calibration = pytest.importorskip("sklearn.calibration")
sklearn = pytest.importorskip("sklearn")

CASES = 10_000
CLOSE: dict[str, Any] = {"rtol": 0, "atol": 1e-12, "equal_nan": True}


@pytest.fixture(autouse=True)
def undefined() -> Iterator[None]:
    """scikit-learn warns of whatever is not defined; what it gives there is compared. Its checks take most of its time."""
    quick = sklearn.config_context(assume_finite=True, skip_parameter_validation=True)
    with warnings.catch_warnings(), quick:
        warnings.simplefilter("ignore")
        yield


def case(rng: np.random.Generator) -> tuple[int, np.ndarray]:
    """Classes, and which of them occur: some never, sometimes one alone."""
    classes = int(rng.integers(2, 9))
    return classes, rng.permutation(classes)[: rng.integers(1, classes + 1)]


def test_figures_of_confusion_matrices_are_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    alone, compared = 0, set()
    for _ in range(CASES):
        classes, some = case(rng)
        n = int(rng.integers(1, 60))
        true = rng.choice(some, n)
        predicted = np.where(rng.random(n) < rng.random(), true, rng.choice(case(rng)[1] % classes, n))
        alone += len({*true, *predicted}) == 1
        m = confusion(true, predicted, classes)
        theirs = {
            "accuracy": metrics.accuracy_score(true, predicted),
            "balanced_accuracy": metrics.balanced_accuracy_score(true, predicted),
        }
        average = rng.choice(["macro", "weighted", "each"])  # one a case: scikit-learn takes its time
        if average == "each":
            scores = metrics.precision_recall_fscore_support(
                true, predicted, labels=range(classes), zero_division=np.nan
            )
            for of_class, score in zip((precision, recall, f1), scores, strict=False):
                np.testing.assert_allclose(of_class(m), score, **CLOSE, err_msg=of_class.__name__)
        else:
            scores = metrics.precision_recall_fscore_support(true, predicted, average=average, zero_division=0)
            theirs |= {f"{average}_{name}": s for name, s in zip(("precision", "recall", "f1"), scores, strict=False)}
        for name, value in theirs.items():
            np.testing.assert_allclose(FIGURES[name](m), value, **CLOSE, err_msg=name)
        compared |= set(theirs)
    assert compared == set(FIGURES)
    assert alone > 100


def test_confusion_matrices_are_scikit_learns() -> None:
    rng = np.random.default_rng(1)
    for _ in range(1000):
        true, predicted = rng.integers(0, 5, (2, int(rng.integers(1, 30))))
        np.testing.assert_array_equal(
            confusion(true, predicted, 5), metrics.confusion_matrix(true, predicted, labels=range(5))
        )


def test_curves_and_areas_are_scikit_learns() -> None:
    rng = np.random.default_rng(2)
    tied = absent = whole = 0
    for _ in range(CASES):
        classes, some = case(rng)
        n = int(rng.integers(1, 40))
        true = rng.choice(some, n)
        steps = int(rng.integers(1, 30))
        score = rng.integers(0, steps + 1, (n, classes)) + 1e-3
        score = score / score.sum(axis=1, keepdims=True)
        if rng.random() < 0.5:
            score = score.astype(np.float32)
        found, k = aucs(true, score), int(rng.integers(classes))
        absent += bool(np.isnan(found[k]))
        own, column = true == k, score[:, k]
        np.testing.assert_allclose(found[k], metrics.roc_auc_score(own, column), **CLOSE)
        mine = roc(own, column)
        theirs = metrics.roc_curve(own, column, drop_intermediate=False)
        for a, b in zip(mine, theirs, strict=True):
            np.testing.assert_allclose(a, b, **CLOSE)
        tied += len(mine.threshold) < n + 1
        if classes > 2 and len(set(true)) == classes:
            whole += 1
            theirs = metrics.roc_auc_score(true, score, multi_class="ovr")  # refuses what does not add up to 1
            np.testing.assert_allclose(macro(found), theirs, **CLOSE)
    assert min(tied, absent, whole) > 100


def test_reliability_is_scikit_learns() -> None:
    """The bins of its calibration_curve, of whether the class that was said was right."""
    rng = np.random.default_rng(3)
    for _ in range(1000):
        classes, n = int(rng.integers(2, 6)), int(rng.integers(1, 200))
        p = rng.dirichlet(np.ones(classes), n)
        true = rng.integers(0, classes, n)
        right = p.argmax(axis=1) == true
        table = binned(true, p, np.zeros(n, int), 1)[0]
        shares, sure = calibration.calibration_curve(right, p.max(axis=1), n_bins=BINS, pos_label=True)
        mine = reliability(table)
        some = mine.windows > 0
        np.testing.assert_allclose(mine.accuracy[some], shares, **CLOSE)
        np.testing.assert_allclose(mine.confidence[some], sure, **CLOSE)
