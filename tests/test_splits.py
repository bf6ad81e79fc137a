"""Splits and their leaks, beside a comparison of every window with every other."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numjaz import NumjazError
from numjaz.learn.about import About
from numjaz.learn.leaks import LEAKS, leaks, refuse_leaks
from numjaz.learn.splits import Fold, at_random, by_person, by_recording, by_time, held_out

NOBODY = np.empty(0, np.intp)


def regular(people: int = 4, recordings: int = 2, windows: int = 10, hop_s: float = 6.4) -> About:
    """Everybody's recordings of overlapping windows of 12.75 s; a person's clock begins anew in each."""
    person, recording, at = (
        axis.reshape(-1)
        for axis in np.meshgrid(np.arange(people), np.arange(recordings), np.arange(windows), indexing="ij")
    )
    names = np.array([f"p{k}" for k in range(people)])[person]
    return About(names, np.array(["a", "b", "c"])[recording], at * hop_s, at * hop_s + 12.75, recording)


def scattered(seed: int, count: int) -> About:
    """Windows of any length anywhere, in no order."""
    rng = np.random.default_rng(seed)
    start = rng.integers(0, 20, count).astype(float)
    who, where = rng.choice(["ann", "bob", "cleo"], count), rng.choice(["x", "y"], count)
    return About(who, where, start, start + rng.integers(0, 5, count), rng.integers(0, 3, count))


def share(about: About, i: int, j: int) -> bool:
    same = about.person[i] == about.person[j] and about.recording[i] == about.recording[j]
    return bool(same and about.start_s[i] <= about.end_s[j] and about.start_s[j] <= about.end_s[i])


def whole(folds: list[Fold], about: About) -> None:
    """Each window is in one of a fold's three parts; all folds together test each window once."""
    for fold in folds:
        np.testing.assert_array_equal(np.sort(np.concatenate(fold[:3])), np.arange(len(about)))
    np.testing.assert_array_equal(np.sort(np.concatenate([fold.test for fold in folds])), np.arange(len(about)))


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.integers(0, 40))
def test_sharing_is_that_of_all_pairs(seed: int, count: int) -> None:
    about, rng = scattered(seed, count), np.random.default_rng(seed)
    rows, others = np.split(rng.permutation(count), [count // 3])
    counted = [any(share(about, i, j) for j in others) for i in rows]
    assert about.sharing(rows, others).tolist() == counted


@settings(max_examples=30)
@given(st.integers(0, 10**6))
def test_leaks_are_those_of_all_pairs(seed: int) -> None:
    about, rng = scattered(seed, 24), np.random.default_rng(seed)
    train, test, beside, _ = np.split(rng.permutation(24), [8, 14, 18])
    statistics = np.concatenate((beside, train[:4]))
    found = {leak.name: leak for leak in leaks(Fold(train, test, NOBODY), about, statistics)}
    known = {
        "shared-samples": [i for i in test if any(share(about, i, j) for j in train)],
        "shared-people": [i for i in test if about.person[i] in about.person[train]],
        "test-statistics": [i for i in test if any(share(about, i, j) for j in beside)],
    }
    assert set(found) == {name for name, rows in known.items() if rows}
    for name, leak in found.items():
        assert (leak.windows, leak.people) == (len(known[name]), len({about.person[i] for i in known[name]}))


def test_by_person() -> None:
    about = regular()
    for folds in (by_person(about), by_person(about, 3, seed=5)):
        whole(folds, about)
        for fold in folds:
            assert not leaks(fold, about)
    assert [set(about.person[fold.test]) for fold in by_person(about)] == [{f"p{k}"} for k in range(4)]
    assert sorted(len(set(about.person[fold.test])) for fold in by_person(about, 3)) == [1, 1, 2]
    drawn = {tuple(by_person(about, 2, seed)[0].test.tolist()) for seed in range(20)}
    assert len(drawn) > 3
    np.testing.assert_array_equal(by_person(about, 2, 7)[1].test, by_person(about, 2, 7)[1].test)


@pytest.mark.parametrize(("folds", "said"), [(1, "4 people in 1 fold"), (5, "4 people in 5 fold")])
def test_folds_that_cannot_be(folds: int, said: str) -> None:
    with pytest.raises(NumjazError, match=said):
        by_person(regular(), folds)


def test_held_out() -> None:
    about = regular()
    (fold,) = held_out(about, ["p1", "p3"])
    assert set(about.person[fold.test]) == {"p1", "p3"}
    assert set(about.person[fold.train]) == {"p0", "p2"}
    assert not leaks(fold, about)
    for people, said in ((["p9"], "'p9'"), ([], "nobody to test"), (["p0", "p1", "p2", "p3"], "nobody to train")):
        with pytest.raises(NumjazError, match=said):
            held_out(about, people)


def test_by_recording() -> None:
    about = regular()
    folds = by_recording(about, 4, seed=1)
    whole(folds, about)
    for fold in folds:
        sessions = [{*zip(about.person[rows], about.recording[rows], strict=True)} for rows in (fold.train, fold.test)]
        assert not sessions[0] & sessions[1]
        assert {leak.name for leak in leaks(fold, about)} <= {"shared-people"}
        assert refuse_leaks(fold, about) == []  # one person in both is what it asks
    assert len(by_recording(about)) == 8


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.sampled_from([0.2, 0.5, 0.8]))
def test_by_time_nothing_is_shared(seed: int, part: float) -> None:
    about = scattered(seed, 30)
    labels = np.random.default_rng(seed).integers(0, 3, 30)
    (fold,) = by_time(about, part, labels)
    np.testing.assert_array_equal(np.sort(np.concatenate(fold[:3])), np.arange(30))
    assert not any(share(about, i, j) for i in fold.test for j in fold.train)
    assert all(any(share(about, i, j) for j in fold.test) for i in fold.left_out)  # and no more is left out
    for i in fold.train:
        for j in fold.test:
            if (about.person[i], about.recording[i], labels[i]) == (about.person[j], about.recording[j], labels[j]):
                assert about.start_s[i] <= about.start_s[j]


def test_by_time_has_every_class_on_both_sides() -> None:
    about = regular(windows=40)
    labels = np.tile(np.repeat(["sit", "walk", "run", "sleep"], 10), 8)
    (fold,) = by_time(about, 0.3, labels)
    for who in ("p0", "p1", "p2", "p3"):
        for rows in (fold.train, fold.test):
            assert set(labels[rows][about.person[rows] == who]) == {"sit", "walk", "run", "sleep"}
    assert len(fold.test) == 0.3 * len(about)
    assert 0 < len(fold.left_out) < len(about) / 5
    assert refuse_leaks(fold, about) == []
    for wrong in (0, 1, -0.5):
        with pytest.raises(NumjazError, match="between 0 and 1"):
            by_time(about, wrong, labels)
    with pytest.raises(NumjazError, match="labels have shape"):
        by_time(about, 0.5, labels[1:])


def test_at_random_is_refused_by_every_name() -> None:
    about = regular()
    folds = at_random(about, 5, seed=2)
    whole(folds, about)
    with pytest.raises(NumjazError) as refused:
        refuse_leaks(folds[0], about)
    text = str(refused.value)
    for said in ("of 16 test windows", "of 4 people", "trained on", "'shared-samples'", "'shared-people'"):
        assert said in text, text
    with pytest.raises(NumjazError, match=r"allow 'shared-people'$"):
        refuse_leaks(folds[0], about, ["shared-samples"])
    names = [leak.name for leak in refuse_leaks(folds[0], about, ["shared-samples", "shared-people"])]
    assert names == ["shared-samples", "shared-people"]
    with pytest.raises(NumjazError, match="no leak is called 'samples'"):
        refuse_leaks(folds[0], about, ["samples"])


def test_a_window_that_touches_shares_nothing() -> None:
    """The last sample of one and the first of the next are two samples; one sample is enough."""
    who = np.array(["ann", "ann"])
    fold = Fold(np.array([0]), np.array([1]), NOBODY, ("shared-people",))
    apart = About(who, who, np.array([0.0, 12.8]), np.array([12.75, 25.55]), np.zeros(2))
    refuse_leaks(fold, apart)
    touching = About(who, who, np.array([0.0, 12.75]), np.array([12.75, 25.5]), np.zeros(2))
    with pytest.raises(NumjazError, match=r"1 of 1 test windows, of 1 person, hold samples that were trained on"):
        refuse_leaks(fold, touching)


def test_shared_people_alone() -> None:
    """The same person in two recordings: no sample is shared, and the test is still not on other people."""
    about = About(np.array(["ann", "ann", "bob"]), np.array(["x", "y", "y"]), np.zeros(3), np.ones(3), np.zeros(3))
    fold = Fold(np.array([0]), np.array([1, 2]), NOBODY)
    assert [(leak.name, leak.windows, leak.people) for leak in leaks(fold, about)] == [("shared-people", 1, 1)]
    with pytest.raises(NumjazError, match="1 of 2 test windows, of 1 person, are of people who were trained on"):
        refuse_leaks(fold, about)


def test_normalisation_fitted_on_the_test() -> None:
    about = regular()
    (fold,) = held_out(about, ["p0"])
    assert not leaks(fold, about, fold.train)
    everything = np.arange(len(about))
    with pytest.raises(NumjazError, match=r"20 of 20 test windows.*normalisation was fitted on.*'test-statistics'"):
        refuse_leaks(fold, about, statistics_rows=everything)
    assert [leak.name for leak in refuse_leaks(fold, about, ["test-statistics"], everything)] == ["test-statistics"]
    assert set(LEAKS) == {"shared-samples", "shared-people", "test-statistics"}


def test_a_hundred_thousand_windows() -> None:
    about = regular(people=100, recordings=1, windows=1000, hop_s=1.6)
    began = time.perf_counter()
    (fold,) = by_time(about, 0.3, np.zeros(len(about)))
    for each in (at_random(about)[0], by_person(about, 5)[0], fold):
        leaks(each, about, each.train)
    assert time.perf_counter() - began < 20  # some 0.5 s; all pairs would take hours


def test_windows_that_cannot_be() -> None:
    names = np.array(["a", "b"])
    with pytest.raises(NumjazError, match="window 1 is from 2 to 1 s"):
        About(names, names, np.array([0.0, 2.0]), np.array([1.0, 1.0]), np.zeros(2))
    with pytest.raises(NumjazError, match="window 0 is from nan"):
        About(names, names, np.array([np.nan, 2.0]), np.array([1.0, 3.0]), np.zeros(2))
    with pytest.raises(NumjazError, match=r"recording has shape \(1,\); there are 2 windows"):
        About(names, names[:1], np.zeros(2), np.zeros(2), np.zeros(2))


def test_taken_and_joined() -> None:
    about = regular(2)
    assert len(about.take(np.array([3, 1]))) == 2
    assert about.take(np.array([3, 1])).start_s.tolist() == about.start_s[[3, 1]].tolist()
    joined = About.joined([about, regular(1, 1)])
    assert (len(joined), joined.person[-1], joined.stretch.dtype) == (50, "p0", np.int64)
