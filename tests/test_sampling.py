"""The order of an epoch: counts by brute force, and on what it depends."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import numjaz
from numjaz.learn.sampling import SAMPLINGS, order

windows = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(["ann", "bob", "eve"])), min_size=1, max_size=60)


def within_one(counts: Counter[object], of: set[object]) -> bool:
    shares = [counts[each] for each in of]
    return max(shares) - min(shares) <= 1


@settings(max_examples=200, deadline=None)
@given(windows, st.sampled_from(SAMPLINGS), st.integers(0, 2**64), st.integers(0, 1000))
def test_shares_are_equal_to_within_one(cells: list[tuple[str, str]], sampling: str, seed: int, epoch: int) -> None:
    labels, groups = (np.array(column) for column in zip(*cells, strict=True))
    rows = order(labels, groups, sampling=sampling, seed=seed, epoch=epoch)
    assert rows.dtype == np.intp
    assert len(rows) == len(cells)
    drawn = [cells[k] for k in rows]
    if sampling == "each":
        assert sorted(rows.tolist()) == list(range(len(cells)))
    if sampling in ("class", "both"):
        assert within_one(Counter(label for label, _ in drawn), {label for label, _ in cells})
    if sampling == "person":
        assert within_one(Counter(who for _, who in drawn), {who for _, who in cells})
    if sampling == "both":
        for label in {label for label, _ in cells}:
            assert within_one(Counter(who for a, who in drawn if a == label), {who for a, who in cells if a == label})
    key = {
        "each": lambda cell: 0,
        "class": lambda cell: cell[0],
        "person": lambda cell: cell[1],
        "both": lambda cell: cell,
    }
    share = key[sampling]
    times = Counter(rows.tolist())
    for wanted in {share(cell) for cell in cells}:  # within a share no window is drawn twice before each was once
        assert within_one(times, {k for k, cell in enumerate(cells) if share(cell) == wanted})


def test_every_window_that_may_be_drawn_is_as_likely_as_its_like() -> None:
    """10,000 epochs of five windows of one class and one of another: binomial counts, by their standard error."""
    labels = np.array([0, 0, 0, 0, 0, 1])
    epochs = 10_000
    drawn = np.zeros(6)
    first = np.zeros(6)
    for epoch in range(epochs):
        rows = order(labels, labels, sampling="class", seed=1, epoch=epoch)
        drawn += np.bincount(rows, minlength=6)
        first[rows[0]] += 1
    assert drawn[5] == 3 * epochs
    assert (np.abs(drawn[:5] / epochs - 3 / 5) < 4 * np.sqrt(0.6 * 0.4 / epochs)).all()
    assert abs(first[5] / epochs - 1 / 2) < 4 * np.sqrt(0.25 / epochs)  # the classes are mixed, not one after the other


def test_whose_turn_the_one_more_is_is_drawn() -> None:
    labels = np.array([0, 0, 0, 1])  # 4 windows of 3 classes never divide
    labels = np.concatenate((labels, [2, 2, 2]))
    most = Counter(
        int(np.bincount(labels[order(labels, labels, sampling="class", seed=3, epoch=k)]).argmax()) for k in range(600)
    )
    assert min(most.values()) > 600 / 3 - 4 * np.sqrt(600 * 2 / 9)
    assert set(most) == {0, 1, 2}


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_the_seed_and_the_epoch_say_all(sampling: str) -> None:
    labels, groups = np.arange(300) % 7, np.arange(300) % 4

    def drawn(seed: int, epoch: int) -> tuple[int, ...]:
        return tuple(order(labels, groups, sampling=sampling, seed=seed, epoch=epoch).tolist())

    first = drawn(5, 1)
    np.random.default_rng(5).random(10)  # others may draw from the same seed
    assert drawn(5, 1) == first
    assert len({first, drawn(5, 0), drawn(5, 2), drawn(6, 1), drawn(1, 5)}) == 5


def test_the_first_epoch_is_not_what_others_draw_from_the_seed() -> None:
    numbers = np.arange(100)
    rows = order(numbers, numbers, sampling="each", seed=9, epoch=0)
    others = np.random.default_rng(9)
    for _ in range(3):  # however often it shuffles
        numbers = others.permutation(numbers)
        assert (rows == numbers).mean() < 0.2


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(numjaz.NumjazError, match="'classes' is none of each, class, person, both"):
        order(np.zeros(3), np.zeros(3), sampling="classes", seed=0, epoch=0)
    with pytest.raises(numjaz.NumjazError, match="0 labels and 0 people"):
        order(np.zeros(0), np.zeros(0), sampling="each", seed=0, epoch=0)
    with pytest.raises(numjaz.NumjazError, match="3 labels and 2 people"):
        order(np.zeros(3), np.zeros(2), sampling="each", seed=0, epoch=0)
