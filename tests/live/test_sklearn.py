"""Figures against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest

from numjaz.learn.metrics import accuracy, confusion, macro_f1, recall

metrics = pytest.importorskip("sklearn.metrics")


@pytest.mark.filterwarnings("ignore")
def test_figures_are_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    for _ in range(300):
        classes = int(rng.integers(2, 9))
        n = int(rng.integers(1, 60))
        true, predicted = rng.integers(0, classes, (2, n))  # some classes empty, as truth or as prediction
        m = confusion(true, predicted, classes)
        np.testing.assert_array_equal(m, metrics.confusion_matrix(true, predicted, labels=range(classes)))
        assert accuracy(m) == pytest.approx(metrics.accuracy_score(true, predicted))
        assert macro_f1(m) == pytest.approx(metrics.f1_score(true, predicted, average="macro", zero_division=0))
        theirs = metrics.recall_score(true, predicted, labels=range(classes), average=None, zero_division=np.nan)
        np.testing.assert_allclose(recall(m), theirs)
