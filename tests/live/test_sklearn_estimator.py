"""JazbatClassifier beside scikit-learn: its own checks of an estimator, and what it does with estimators."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from numjaz import JazbatClassifier

sklearn = pytest.importorskip("sklearn")
selection = pytest.importorskip("sklearn.model_selection")
preprocessing = pytest.importorskip("sklearn.preprocessing")
checks = pytest.importorskip("sklearn.utils.estimator_checks")
for name in ("base", "exceptions", "metrics", "pipeline"):
    pytest.importorskip(f"sklearn.{name}")

SMALL: dict[str, Any] = {"units": 6, "modules": 1, "epochs": 4, "random_state": 0}


def swings(count: int = 90) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Windows that swing slowly or fast, far from zero; which; and whose."""
    rng = np.random.default_rng(0)
    y, t = rng.integers(2, size=count), np.arange(24)
    x = np.sin((0.3 + 0.9 * y[:, None]) * t + rng.uniform(0, 6, (count, 1))) + rng.normal(scale=0.2, size=(count, 24))
    return x, np.array(["slow", "fast"])[y], np.arange(count) % 6


X, Y, WHOSE = swings()


with warnings.catch_warnings():
    warnings.filterwarnings("ignore", "Estimator JazbatClassifier does not inherit")  # as scikit-learn may be missing
    every_check = checks.parametrize_with_checks([JazbatClassifier()])


@every_check
def test_every_check_of_an_estimator(estimator: JazbatClassifier, check: Callable[[Any], None]) -> None:
    """No failure is expected; checks for which something is not installed, pandas say, skip themselves."""
    check(estimator)


def test_it_is_a_classifier_and_clones() -> None:
    classifier = JazbatClassifier(**SMALL).fit(X, Y)
    assert sklearn.base.is_classifier(classifier)
    other = sklearn.base.clone(classifier)
    assert other.get_params() == classifier.get_params()
    with pytest.raises(sklearn.exceptions.NotFittedError):
        other.predict(X)
    np.testing.assert_array_equal(other.fit(X, Y).predict_proba(X), classifier.predict_proba(X))
    assert classifier.score(X, Y) == sklearn.metrics.accuracy_score(Y, classifier.predict(X))


def test_a_search_over_people() -> None:
    """The scores are those of a loop over the folds; a parameter that learns nothing is not the best."""
    folds = selection.GroupKFold(3)
    grid = {"learning_rate": [1e-7, 1e-2], "reduction": np.array([4, 8])}
    search = selection.GridSearchCV(JazbatClassifier(**SMALL), grid, cv=folds).fit(X, Y, groups=WHOSE)
    assert search.best_params_["learning_rate"] == 1e-2
    assert search.best_score_ > 0.8
    by_hand = [
        JazbatClassifier(**{**SMALL, **search.best_params_}).fit(X[train], Y[train]).score(X[test], Y[test])
        for train, test in folds.split(X, Y, WHOSE)
    ]
    found = [search.cv_results_[f"split{k}_test_score"][search.best_index_] for k in range(3)]
    assert found == by_hand
    assert search.predict(X[:3]).shape == (3,)


def test_people_reach_the_training_where_metadata_is_routed() -> None:
    with sklearn.config_context(enable_metadata_routing=True):
        estimator = JazbatClassifier(**{**SMALL, "epochs": 1}, sampling="person")
        search = selection.GridSearchCV(estimator, {"reduction": [4]}, cv=selection.GroupKFold(2), error_score="raise")
        search.fit(X, Y, groups=WHOSE)
    assert search.best_estimator_.model_.provenance["people_trained_on"] == list("012345")


def test_in_a_pipeline() -> None:
    """Scaled by what was fitted on each fold's own windows, as by hand."""
    line = sklearn.pipeline.make_pipeline(preprocessing.StandardScaler(), JazbatClassifier(**SMALL))
    scores = selection.cross_val_score(line, X * 100 + 5000, Y, groups=WHOSE, cv=selection.GroupKFold(3))
    by_hand = []
    for train, test in selection.GroupKFold(3).split(X, Y, WHOSE):
        scaler = preprocessing.StandardScaler().fit(X[train] * 100 + 5000)
        a, b = (scaler.transform(X[rows] * 100 + 5000) for rows in (train, test))
        by_hand.append(JazbatClassifier(**SMALL).fit(a, Y[train]).score(b, Y[test]))
    assert scores.tolist() == by_hand
    line.fit(X, Y, jazbatclassifier__groups=WHOSE)
    assert line[-1].model_.provenance["people_trained_on"] == list("012345")
    assert line.set_params(jazbatclassifier__epochs=2).get_params()["jazbatclassifier__epochs"] == 2


def test_windows_of_several_features() -> None:
    x = np.stack([X, -X, X**2], axis=2)
    p = selection.cross_val_predict(
        JazbatClassifier(**SMALL), x, Y, groups=WHOSE, cv=selection.GroupKFold(2), method="predict_proba"
    )
    assert p.shape == (90, 2)
    np.testing.assert_allclose(p.sum(axis=1), 1)
