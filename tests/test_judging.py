"""Judgements: what is put together of them, against scikit-learn's definitions counted by hand, and protocols."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass

import numpy as np
import pytest

import numjaz
from numjaz import NumjazError, NumjazWarning
from numjaz.learn.about import About
from numjaz.learn.judging import OF_PROBABILITIES, Judged, evaluate, judged, judgement, predicted
from numjaz.learn.metrics import FIGURES, drawn_people, over_people
from numjaz.learn.probabilities import aucs, macro
from numjaz.learn.protocols import cross_validated, leaky
from numjaz.learn.splits import at_random, by_person, by_time

CLASSES = ("calm", "tense", "glad")


@dataclass(frozen=True)
class Nearest:
    """Says the class of the window met most alike: a classifier that only remembers."""

    classes: tuple[str, ...] | None = ("calm", "tense")
    met: np.ndarray | None = None
    truth: np.ndarray | None = None

    def predict(self, x: np.ndarray) -> np.ndarray:
        assert self.met is not None
        distance = np.abs(x[:, None] - self.met[None]).sum(axis=(2, 3))
        return np.eye(2, dtype=np.float32)[self.truth[distance.argmin(axis=1)]]


class Drawn:
    """Windows that are made where they are asked for, and remember which were."""

    def __init__(self, x: np.ndarray) -> None:
        self.x, self.shape, self.asked = x, x.shape, []

    def take(self, rows: np.ndarray) -> np.ndarray:
        self.asked.append(rows)
        return self.x[rows]


def said(seed: int = 0, count: int = 200, people: int = 6) -> Judged:
    rng = np.random.default_rng(seed)
    who = rng.choice([f"p{k}" for k in range(people)], count)
    return judgement(rng.dirichlet(np.ones(3), count), rng.integers(0, 3, count), who, CLASSES)


def recognisable(people: int = 12, windows: int = 30) -> tuple[np.ndarray, np.ndarray, About]:
    """A level of its own for each recording, and a label drawn for it: nothing can be learnt for anybody else."""
    rng = np.random.default_rng(0)
    person = np.repeat(np.arange(people), windows)
    at = np.tile(np.arange(windows), people)
    level, label = rng.permutation(people) - people / 2 + 0.25, rng.permutation(np.arange(people) % 2)
    x = (level[person, None, None] + rng.normal(0, 0.1, (len(person), 4, 1))).astype(np.float32)
    names = np.array([f"p{k:02d}" for k in range(people)])[person]
    return x, label[person], About(names, names, at * 1.6, at * 1.6 + 12.75, person)


def remembering(x: np.ndarray, labels: np.ndarray, asked: list[np.ndarray] | None = None):
    def train(model: Nearest, rows: np.ndarray, number: int) -> Nearest:
        if asked is not None:
            assert number == len(asked)
            asked.append(rows)
        return Nearest(model.classes, x[rows], labels[rows])

    return train


def test_every_figure_is_of_all_windows() -> None:
    j = said()
    guess = j.probabilities.argmax(axis=1)
    counted = np.zeros((3, 3), int)
    for t, g in zip(j.truth, guess, strict=True):
        counted[t, g] += 1
    np.testing.assert_array_equal(j.confusion, counted)
    for p, name in enumerate(j.people):
        assert j.per_person[name]["windows"] == j.matrices[p].sum() == (j.person == p).sum()
        assert j.per_person[name]["accuracy"] == pytest.approx((guess == j.truth)[j.person == p].mean())
    for name, figure in FIGURES.items():
        assert j.figure(name) == over_people(j.matrices, figure)
    low, high = np.percentile(
        [float(macro(aucs(j.truth, j.probabilities, j.person, w[None]))[0]) for w in drawn_people(6)[:400]], (2.5, 97.5)
    )
    value = j.figure("auc")
    assert value.value == pytest.approx(np.mean(aucs(j.truth, j.probabilities)))
    assert (value.low, value.high) == (pytest.approx(low, abs=0.01), pytest.approx(high, abs=0.01))
    assert 0 < j.figure("ece").low < j.figure("ece").value
    with pytest.raises(NumjazError, match="no figure is called 'f2'; there are accuracy"):
        j.figure("f2")


def test_the_dict_is_plain_and_has_the_public_keys() -> None:
    made = said().to_dict()
    assert json.loads(json.dumps(made)) == made
    assert {"accuracy", "macro_f1", "windows", "people", "confusion", "per_person", "recall", "classes"} <= set(made)
    for name in (*FIGURES, *OF_PROBABILITIES):
        low, high = made[f"{name}_interval"]
        assert low <= made[name] <= high or name == "ece"  # whose resampled values lie higher: a distance adds up
    assert (made["windows"], made["people"], len(made["per_person"])) == (200, 6, 6)
    assert made["recall"]["tense"]["value"] == said().recalls[1].value


def test_what_is_not_known_is_no_number() -> None:
    """One person; one class; outputs that are no probabilities."""
    j = judgement(np.array([[3.0, -1.0], [0.5, 0.7]]), np.array([0, 0]), ["ann", "ann"], ("calm", "tense"))
    assert j.figure("accuracy").value == 0.5
    assert np.isnan([*j.figure("accuracy")[1:], *j.figure("ece"), *j.figure("auc"), j.recalls[1].value]).all()
    for rows, message in ((0, "no window to judge"), (1, "1 windows, 1 labels and 0 people")):
        with pytest.raises(NumjazError, match=message):
            judgement(np.ones((rows, 2)), np.zeros(rows), [], ("calm", "tense"))


def test_two_judgements_are_compared_person_by_person() -> None:
    a, b = said(0), said(0)
    order = np.random.default_rng(1).permutation(200)  # people are met in another order
    b = judgement(b.probabilities[order], b.truth[order], np.array(b.people)[b.person[order]], CLASSES)
    assert a.people != b.people
    assert a.beside(b, "macro_f1") == (0, 0, 0, 1)
    better = judgement(np.eye(3)[a.truth], a.truth, np.array(a.people)[a.person], CLASSES)
    value, low, _, p = better.beside(a, "accuracy")
    assert value == pytest.approx(1 - a.figure("accuracy").value)
    assert (low > 0, p) == (True, 2 / 2**6)
    with pytest.raises(NumjazError, match="same people"):
        a.beside(said(0, people=5), "accuracy")
    with pytest.raises(NumjazError, match="'auc'"):
        a.beside(b, "auc")


class TestEvaluate:
    """numjaz.evaluate."""

    x = np.random.default_rng(0).normal(size=(300, 32, 1)).astype(np.float32)
    model = numjaz.jazbat(features=1, classes=CLASSES)
    labels = np.random.default_rng(1).integers(0, 3, 300)

    def test_names_and_numbers(self) -> None:
        names = np.array(CLASSES)[self.labels]
        groups = np.arange(300) % 7
        found = [
            numjaz.evaluate(self.model, x, labels, groups)
            for x in (self.x, Drawn(self.x), self.x.astype(np.float64))
            for labels in (self.labels, names, names.tolist())
        ]
        for j in found:
            assert j.to_dict() == found[0].to_dict()
        said = self.model.predict(self.x)
        np.testing.assert_allclose(found[0].probabilities, said, atol=1e-6)
        assert found[0].figure("accuracy").value == np.mean(said.argmax(axis=1) == self.labels)
        assert found[0].people == tuple("0123456")

    def test_without_groups_all_are_one_persons(self) -> None:
        j = evaluate(self.model, self.x[:9], self.labels[:9])
        assert j.people == ("everybody",)
        assert np.isnan(j.figure("accuracy").low)

    def test_some_rows(self) -> None:
        who = np.array(["ann", "bob", "cleo"])[np.arange(300) % 3]
        about = About(who, who, np.zeros(300), np.ones(300), np.zeros(300))
        rows, read = np.array([7, 299, 4]), Drawn(self.x)
        j = judged(self.model, read, self.labels, about, rows)
        np.testing.assert_array_equal(np.concatenate(read.asked), rows)
        np.testing.assert_array_equal(j.truth, self.labels[rows])
        assert j.people == ("bob", "cleo")

    @pytest.mark.parametrize(
        ("labels", "groups", "said"),
        [
            (["calm", "sad"], None, "label 'sad' of window 1: the classes are calm, tense, glad"),
            ([0, 3], None, "label 3 of window 1: there are classes 0 to 2"),
            ([0.0, 1.0], None, "label 0.0 of window 0"),
            ([[1, 0, 0], [0, 1, 0]], None, r"labels have shape \(2, 3\)"),
            ([0], None, r"labels have shape \(1,\) for 2 windows"),
            ([0, 1], ["ann"], r"groups have shape \(1,\) for 2 windows"),
        ],
    )
    def test_what_cannot_be(self, labels: list[object], groups: list[str] | None, said: str) -> None:
        with pytest.raises(NumjazError, match=said):
            evaluate(self.model, self.x[:2], labels, groups)

    def test_no_windows_and_other_outputs(self) -> None:
        with pytest.raises(NumjazError, match="none of them 0"):
            evaluate(self.model, self.x[:0], [])
        steps = self.model.derive(outputs=("module3",), classes=None)
        with pytest.raises(NumjazError, match="one output with a number for each class"):
            predicted(steps, self.x, np.arange(2))


def test_cross_validated_trains_a_model_a_fold() -> None:
    x, labels, about = recognisable()
    asked: list[np.ndarray] = []
    folds = by_person(about, 4, seed=1)
    j = cross_validated(remembering(x, labels, asked), Nearest(), x, labels, about, folds)
    assert len(asked) == 4
    for fold, rows in zip(folds, asked, strict=True):
        np.testing.assert_array_equal(rows, fold.train)
    assert (len(j), len(j.people), j.classes) == (len(x), 12, ("calm", "tense"))
    counted = 0
    for fold in folds:
        for i in fold.test:
            counted += labels[fold.train[np.abs(x[fold.train] - x[i]).sum(axis=(1, 2)).argmin()]] == labels[i]
    assert j.figure("accuracy").value == counted / len(x)


def test_a_class_that_a_fold_has_nothing_of_is_told() -> None:
    x, labels, about = recognisable()
    labels = np.where(about.person == about.person[0], 1, 0)  # a class of one person's
    with pytest.warns(NumjazWarning, match="1 of 4 folds judge a class of which they have no window to train on"):
        cross_validated(remembering(x, labels), Nearest(), x, labels, about, by_person(about, 4))


def test_leaks_are_refused_before_anything_is_trained() -> None:
    x, labels, about = recognisable()
    asked: list[np.ndarray] = []
    train = remembering(x, labels, asked)
    with pytest.raises(NumjazError, match="shared-samples"):
        cross_validated(train, Nearest(), x, labels, about, at_random(about))
    with pytest.raises(NumjazError, match="test-statistics"):
        cross_validated(train, Nearest(), x, labels, about, by_person(about), statistics_rows=np.arange(len(x)))
    with pytest.raises(NumjazError, match="no fold"):
        cross_validated(train, Nearest(), x, labels, about, [])
    with pytest.raises(NumjazError, match="classes by number, not <U5"):
        cross_validated(train, Nearest(), x, np.array(["calm", "tense"])[labels], about, by_person(about))
    assert asked == []
    by_name = ("shared-samples", "shared-people")
    with pytest.warns(
        NumjazWarning, match="as was asked for: .* hold samples that were trained on; .* of people"
    ) as told:
        cross_validated(train, Nearest(), x, labels, about, at_random(about), allow=by_name)
    assert len(told) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cross_validated(remembering(x, labels), Nearest(), x, labels, about, by_time(about, 0.3, labels))


def test_the_leak_is_said_in_words() -> None:
    """Labels are drawn for each recording: the random split claims all, other people are a matter of chance."""
    x, labels, about = recognisable(people=40)
    asked: list[np.ndarray] = []
    found = leaky(remembering(x, labels, asked), Nearest(), x, labels, about, seed=3)
    assert len(asked) == 1  # one model, judged twice
    random, honest = found.random.figure("accuracy").value, found.honest.figure("accuracy").value
    assert random > 0.97
    assert 0.25 <= honest <= 0.75
    assert not set(found.random.people) & set(found.honest.people)
    assert set(about.person[asked[0]]) == set(found.random.people)
    assert {leak.name for leak in found.leaks} == {"shared-samples", "shared-people"}
    text = found.words()
    assert text.startswith(f"accuracy {random:.2f} on windows drawn at random (")
    assert text.endswith(
        f"{honest:.2f} on 8 other people, by the same network: {random - honest:.2f} of it is the leak"
    )
    assert f"of {len(found.random)} test windows, of 32 people, hold samples that were trained on" in text


def test_chance_is_what_all_other_people_give() -> None:
    """Over forty people, each judged by the others: half, within what forty labels may be off."""
    x, labels, about = recognisable(people=40)
    honest = cross_validated(remembering(x, labels), Nearest(), x, labels, about, by_person(about, 5))
    value, low, high = honest.figure("accuracy")
    assert low < 0.5 < high
    assert 0.25 < value < 0.75


def test_the_people_kept_apart_may_be_named() -> None:
    x, labels, about = recognisable()
    found = leaky(remembering(x, labels), Nearest(), x, labels, about, apart=["p03"], seed=0)
    assert found.honest.people == ("p03",)
    assert len(found.random.people) == 11
    assert "on 1 other person" in found.words()


def test_no_leak_where_labels_are_true() -> None:
    """The sign of the level is the label, of everybody: both figures are alike, and no leak is claimed."""
    x, _, about = recognisable()
    labels = (x.mean(axis=(1, 2)) > 0).astype(int)
    found = leaky(remembering(x, labels), Nearest(), x, labels, about, seed=1)
    assert found.random.figure("accuracy").value == 1
    if found.honest.figure("accuracy").value == 1:
        assert found.words().endswith("the leak gave nothing")


def test_what_cannot_be_judged_is_said() -> None:
    said, truth, people = np.full((4, 2), 0.5), np.array([0, 1, 0, 1]), ["ann", "ann", "bob", "bob"]
    with pytest.raises(NumjazError, match="window 2 is no number"):
        judgement(np.where(np.arange(4)[:, None] == 2, np.nan, said), truth, people, ("a", "b"))
    with pytest.raises(NumjazError, match=r"shape \(4, 3\); there are 2 classes"):
        judgement(np.full((4, 3), 1 / 3), truth, people, ("a", "b"))
    one, other = judgement(said, truth, people, ("a", "b")), judgement(said, truth[::-1] * 0, people, ("a", "b"))
    with pytest.raises(NumjazError, match="the same windows"):
        one.beside(other, "accuracy")
