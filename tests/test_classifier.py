"""The classifier by scikit-learn's contract, where there is no scikit-learn; beside it: tests/live/test_sklearn_estimator.py."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import numjaz
from numjaz import JazbatClassifier, NumjazError
from numjaz.learn.augmentation import Augmentation
from numjaz.learn.classifier import InputError, NotFittedError
from numjaz.learn.recipe import Recipe
from numjaz.learn.training import fit

SMALL: dict[str, Any] = {"units": 6, "modules": 1, "epochs": 3}


def swings(count: int = 60, features: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Windows that swing little or much, and which."""
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=count)
    return rng.normal(size=(count, 20, features)) * (0.2 + 2 * y[:, None, None]), y


def bits(classifier: JazbatClassifier) -> bytes:
    return b"".join(array.tobytes() for array in classifier.model_.parameters.values())


X, Y = swings()


def test_the_constructor_stores_and_nothing_else() -> None:
    augmentation, state = Augmentation(jitter=0.1), np.random.default_rng(0)
    given = {"reduction": 6, "epochs": "many", "augmentation": augmentation, "random_state": state}
    classifier = JazbatClassifier(**given)
    params = classifier.get_params()
    assert vars(classifier) == params
    assert all(params[name] is value for name, value in given.items())
    assert params["batch"] == JazbatClassifier().batch
    assert classifier.set_params(epochs=4, batch=8) is classifier
    assert (classifier.epochs, classifier.get_params()["batch"]) == (4, 8)
    assert repr(JazbatClassifier(epochs=4, weights="balanced")) == "JazbatClassifier(epochs=4, weights='balanced')"
    with pytest.raises(ValueError, match="Invalid parameter 'lr' for estimator JazbatClassifier"):
        classifier.set_params(batch=9, lr=1)
    assert classifier.batch == 8


def test_it_is_numjazs_own_training() -> None:
    """The same bits; but for the statistics of batch normalization, which are NumPy's of what comes into it."""
    classifier = JazbatClassifier(**SMALL, reduction=5, batch=16, learning_rate=0.01, random_state=3).fit(X, Y)
    recipe = Recipe(epochs=3, batch=16, learning_rate=0.01, schedule="cosine", seed=3)
    network = numjaz.jazbat(1, ["0", "1"], reduction=5, units=6, modules=1, seed=3)
    model, history = fit(network, X, Y, recipe)
    assert classifier.history_.epochs == history.epochs
    assert classifier.model_.classes == ("0", "1")
    for name, array in classifier.model_.parameters.items():
        if not name.startswith("norm/moving"):
            assert array.tobytes() == model.parameters[name].tobytes(), name
    into = model.activations(X.astype(np.float32).astype(np.float64))["bigru"]
    for name, found in (("mean", into.mean(axis=(0, 1))), ("variance", into.var(axis=(0, 1)))):
        np.testing.assert_allclose(classifier.model_.parameters[f"norm/moving_{name}"], found, rtol=1e-4, atol=1e-5)


def test_statistics_are_of_windows_as_they_are_drawn() -> None:
    """Where classes are trained on equally often, what is common in the data is not common in its statistics."""
    keep = np.concatenate((np.flatnonzero(Y == 0), np.flatnonzero(Y == 1)[:2]))
    x, y = X[keep], Y[keep]
    classifier = JazbatClassifier(**SMALL, sampling="class", random_state=0).fit(x, y)
    into = classifier.model_.activations(x.astype(np.float32).astype(np.float64))["bigru"]
    halves = np.mean([into[y == k].mean(axis=(0, 1)) for k in (0, 1)], axis=0)
    np.testing.assert_allclose(classifier.model_.parameters["norm/moving_mean"], halves, atol=0.02)


def test_few_steps_are_enough_to_judge() -> None:
    """As moving averages, statistics would not have arrived after so few."""
    classifier = JazbatClassifier(epochs=5, batch=16, random_state=0).fit(X[:40], Y[:40])
    assert classifier.score(X[40:], Y[40:]) > 0.9


@pytest.mark.parametrize(
    "names", [[0, 1], [7, -3], ["still", "shaken"], [True, False], [2.0, 1.0]], ids=lambda names: str(names[0])
)
def test_labels_come_back_as_they_were(names: list[Any]) -> None:
    y = np.array(names)[Y]
    classifier = JazbatClassifier(**SMALL, random_state=0).fit(X, y)
    assert classifier.classes_.tolist() == sorted(names)
    assert classifier.classes_.dtype == classifier.predict(X).dtype == y.dtype
    p = classifier.predict_proba(X)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    np.testing.assert_array_equal(classifier.predict(X), classifier.classes_[p.argmax(axis=1)])
    assert classifier.score(X, y.tolist()) == np.mean(classifier.predict(X) == y)


def test_two_axes_are_one_feature() -> None:
    two, three = (JazbatClassifier(**SMALL, random_state=0).fit(x, Y) for x in (X[..., 0], X))
    assert bits(two) == bits(three)
    assert two.n_features_in_ == three.n_features_in_ == 20
    np.testing.assert_array_equal(two.predict_proba(X), three.predict_proba(X[..., 0]))
    assert (two.predict_proba(X).dtype, two.predict_proba(X.astype(np.float32)).dtype) == (np.float64, np.float32)
    axes = JazbatClassifier(**SMALL, random_state=0).fit(*swings(features=3))
    assert axes.predict(swings(7, 3)[0].tolist()).shape == (7,)
    with pytest.raises(NumjazError, match=r"axis 2 \(features\) is 1"):
        axes.predict(X)


def test_random_state() -> None:
    def trained(state: Any) -> bytes:
        return bits(JazbatClassifier(units=4, modules=0, epochs=1, random_state=state).fit(X, Y))

    assert trained(1) == trained(1) == trained(np.int64(1))
    for kind in (np.random.RandomState, np.random.default_rng):
        state = kind(5)
        first, second = trained(state), trained(state)
        assert first == trained(kind(5))
        assert first != second
    np.random.seed(5)  # noqa: NPY002
    first = trained(None)
    assert first == trained(np.random.RandomState(5))
    assert first != trained(None)
    with pytest.raises(NumjazError, match=r"random_state is a whole number, .* not 'five'"):
        trained("five")


def test_groups_are_people() -> None:
    people = np.array(["ann", "bob", "cleo"])[np.arange(60) % 3]
    classifier = JazbatClassifier(**SMALL, sampling="both", random_state=0)
    with pytest.raises(NumjazError, match="'both' needs groups"):
        classifier.fit(X, Y)
    assert classifier.fit(X, Y, groups=people).model_.provenance["people_trained_on"] == ["ann", "bob", "cleo"]
    with pytest.raises(NumjazError, match="groups have shape"):
        classifier.fit(X, Y, people[:4])


@pytest.mark.parametrize("copied", [lambda c: pickle.loads(pickle.dumps(c)), copy.deepcopy], ids=["pickled", "copied"])
def test_a_copy_says_the_same(copied: Any) -> None:
    classifier = JazbatClassifier(**SMALL, random_state=0).fit(X, Y)
    said = classifier.predict_proba(X)
    other = copied(classifier)
    assert other.get_params() == classifier.get_params()
    assert other.history_ == classifier.history_
    np.testing.assert_array_equal(other.predict_proba(X), said)


def test_what_a_grid_gives_are_numbers() -> None:
    params = {"epochs": np.int64(1), "units": np.int32(4), "learning_rate": np.logspace(-3, -2, 3)[1]}
    assert len(JazbatClassifier(**params, random_state=0).fit(X, Y).history_.epochs) == 1
    with pytest.raises(NumjazError, match="recipe: epochs must be"):
        JazbatClassifier(epochs=0).fit(X, Y)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (X[0, :, 0], Y[:20], r"X has shape \(20,\).*Reshape your data"),
        (X[None], Y[:1], r"X has shape \(1, 60, 20, 1\)"),
        (X[:0], Y[:0], r"0 sample\(s\) \(shape=\(0, 20, 1\)\)"),
        (X[:, :0], Y, r"0 feature\(s\)"),
        (X * 1j, Y, "Complex data not supported"),
        (np.where(np.arange(60)[:, None, None] == 7, np.nan, X), Y, "window 7 of X holds NaN or infinity"),
        (np.full((60, 3), "fast"), Y, "X: could not convert string to float: .*fast"),
        (X, None, "requires y to be passed"),
        (X, Y[:9], "9 labels for 60 windows"),
        (X, np.zeros((60, 2)), r"y has shape \(60, 2\)"),
        (X, Y + 0.5, "Unknown label type: continuous"),
        (X, Y * np.nan, "Unknown label type: continuous"),
        (X, Y * 0, "y holds one class, 0"),
    ],
)
def test_what_is_wrong_is_said(x: Any, y: Any, message: str) -> None:
    with np.errstate(invalid="ignore"), pytest.raises(InputError, match=message):
        JazbatClassifier(**SMALL).fit(x, y)


def test_windows_are_as_they_were_in_fit() -> None:
    classifier = JazbatClassifier(**SMALL)
    for method in (classifier.predict, classifier.predict_proba):
        with pytest.raises(ValueError, match=r"not fitted yet: fit\(X, y\) comes first"):
            method(X)
    classifier.fit(X, Y)
    with pytest.raises(InputError, match="X has 19 features, but JazbatClassifier is expecting 20 features as input"):
        classifier.predict(X[:, 1:])
    with pytest.warns(UserWarning, match="column-vector"):  # scikit-learn's where it is in use, else NumjazWarning
        classifier.fit(X, Y[:, None])


def test_without_scikit_learn() -> None:
    assert issubclass(NotFittedError, (NumjazError, ValueError, AttributeError))
    code = """
import sys
sys.modules["sklearn"] = None  # each import of it is an ImportError
import numpy as np, numjaz
classifier = numjaz.JazbatClassifier(epochs=1, units=4, random_state=0)
try:
    classifier.predict(np.zeros((2, 8)))
except numjaz.learn.classifier.NotFittedError as error:
    print(error)
x, y = np.eye(8), ["a", "b"] * 4
print(classifier.fit(x, y).predict(x).shape, "scipy" in sys.modules, "h5py" in sys.modules)
"""
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert made.split("\n")[0].startswith("this JazbatClassifier is not fitted yet")
    assert made.split("\n")[1] == "(8,) False False"
