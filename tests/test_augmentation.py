"""Augmentation against SciPy's rotations and the distributions that it names."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.transform import Rotation

import numjaz
from numjaz.learn.augmentation import Augmentation, rotations

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def windows(n: int = 6, t: int = 40, features: int = 6, dtype: type = np.float64, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 5, (n, t, features)).astype(dtype)


def test_matrices_are_scipys_of_the_same_axes_and_angles() -> None:
    ours = rotations(50, 70.0, np.random.default_rng(4))
    rng = np.random.default_rng(4)  # the same draws: axes, then angles
    axis = rng.standard_normal((50, 3))
    angle = rng.uniform(0, np.deg2rad(70.0), 50)
    scipys = Rotation.from_rotvec(axis / np.linalg.norm(axis, axis=1, keepdims=True) * angle[:, None])
    np.testing.assert_allclose(ours, scipys.as_matrix(), atol=1e-12)


def test_angles_and_axes_are_uniform() -> None:
    turn = Rotation.from_matrix(rotations(20_000, 40.0, np.random.default_rng(0))).as_rotvec()
    angle = np.linalg.norm(turn, axis=1)
    assert stats.kstest(np.rad2deg(angle) / 40, "uniform").pvalue > 0.001
    for component in (turn / angle[:, None]).T:  # on a sphere each component is uniform (Archimedes)
        assert stats.kstest(component, stats.uniform(-1, 2).cdf).pvalue > 0.001


@DTYPES
def test_acceleration_and_rate_turn_together(dtype: type) -> None:
    x = windows(dtype=dtype)
    turned = Augmentation(rotation_degrees=180.0).apply(x, np.random.default_rng(7))
    assert turned.dtype == dtype
    for window, made in zip(x, turned, strict=True):
        pairs = [(window[:, :3], made[:, :3]), (window[:, 3:], made[:, 3:])]
        found = [Rotation.align_vectors(b, a) for a, b in pairs]  # least squares: the turn from a to b
        tolerance = 1e-5 if dtype is np.float32 else 1e-7
        assert max(residual for _, residual in found) < 1e3 * tolerance
        assert (found[0][0] * found[1][0].inv()).magnitude() < 10 * tolerance
        for a, b in pairs:
            np.testing.assert_allclose(np.linalg.norm(b, axis=1), np.linalg.norm(a, axis=1), rtol=tolerance)
    assert np.abs(turned - x).max() > 1
    assert len({tuple(np.round(made[0] - window[0], 3)) for window, made in zip(x, turned, strict=True)}) == 6


def test_three_axes_turn_as_the_first_of_six() -> None:
    x = windows()
    six = Augmentation(rotation_degrees=50.0).apply(x, np.random.default_rng(1))
    three = Augmentation(rotation_degrees=50.0).apply(x[:, :, :3], np.random.default_rng(1))
    np.testing.assert_allclose(three, six[:, :, :3], atol=1e-12)


@pytest.mark.parametrize("features", [1, 2, 4])
def test_what_has_no_axes_is_not_turned(features: int) -> None:
    with pytest.raises(numjaz.NumjazError, match=f"rotation_degrees needs the three axes.* {features} feature"):
        Augmentation(rotation_degrees=5.0).apply(windows(features=features), np.random.default_rng(0))
    Augmentation(jitter=1.0, scaling=0.1, dropped=0.1).apply(windows(features=features), np.random.default_rng(0))


@DTYPES
def test_jitter_is_normal_with_its_standard_deviation(dtype: type) -> None:
    x = windows(200, 200, 3, dtype)
    noise = (Augmentation(jitter=0.3).apply(x, np.random.default_rng(0)) - x).astype(np.float64) / 0.3
    assert stats.kstest(noise.ravel(), "norm").pvalue > 0.001
    n = noise.size  # 99.9 % intervals of a normal sample's mean and variance
    assert abs(noise.mean()) < 3.3 / np.sqrt(n)
    low, high = stats.chi2.ppf([0.0005, 0.9995], n - 1) / (n - 1)
    assert low < noise.var(ddof=1) < high
    assert abs(np.corrcoef(noise[:, 1:].ravel(), noise[:, :-1].ravel())[0, 1]) < 4 / np.sqrt(n)


@DTYPES
def test_scaling_is_one_factor_a_window(dtype: type) -> None:
    x = windows(4000, 5, 6, dtype)
    factors = (Augmentation(scaling=0.2).apply(x, np.random.default_rng(0)) / x).astype(np.float64)
    np.testing.assert_allclose(factors, np.broadcast_to(factors[:, :1, :1], x.shape), rtol=1e-5)
    assert stats.kstest((factors[:, 0, 0] - 1) / 0.2, "norm").pvalue > 0.001


def held(window: np.ndarray, made: np.ndarray) -> list[bool]:
    """Which samples were lost, walking sample by sample; a sample is its place."""
    lost, last = [], 0
    for t in range(len(window)):
        gone = made[t, 0] != window[t, 0]
        last = last if gone else t
        assert (made[t] == window[last]).all()
        lost.append(bool(gone))
    return lost


@DTYPES
def test_a_lost_sample_is_the_last_that_was_kept(dtype: type) -> None:
    x = windows(800, 60, 3, dtype)
    made = Augmentation(dropped=0.3).apply(x, np.random.default_rng(0))
    lost = np.array([held(*pair) for pair in zip(x, made, strict=True)])
    assert not lost[:, 0].any()
    share = stats.binomtest(int(lost[:, 1:].sum()), lost[:, 1:].size, 0.3)
    assert share.pvalue > 0.001
    both = stats.binomtest(int((lost[:, 1:-1] & lost[:, 2:]).sum()), lost[:, 2:].size, 0.09)
    assert both.pvalue > 0.001  # each by itself


def test_a_lost_sample_holds_its_noise_too() -> None:
    x = np.zeros((50, 60, 3))
    made = Augmentation(jitter=1.0, dropped=0.5).apply(x, np.random.default_rng(0))
    same = (made[:, 1:] == made[:, :-1]).all(axis=2).mean()
    assert 0.45 < same < 0.55


@DTYPES
@given(st.integers(0, 2**32), st.booleans())
def test_nothing_changes_no_bit_and_the_seed_says_all(dtype: type, seed: int, order: bool) -> None:
    x = windows(2, 7, 3, dtype, seed)
    x[0, 0, 0] = -0.0
    x = np.asfortranarray(x) if order else x
    before = x.tobytes()
    same = Augmentation().apply(x, np.random.default_rng(seed))
    assert same.tobytes() == before
    assert not np.shares_memory(same, x)
    rng, untouched = np.random.default_rng(seed), np.random.default_rng(seed)
    Augmentation().apply(x, rng)
    assert rng.random() == untouched.random()
    some = Augmentation(jitter=0.1, scaling=0.2, rotation_degrees=20.0, dropped=0.1)
    one, other = (some.apply(x, np.random.default_rng(seed)) for _ in range(2))
    assert one.tobytes() == other.tobytes()
    assert one.dtype == dtype
    assert some.apply(x, np.random.default_rng(seed + 1)).tobytes() != one.tobytes()
    assert x.tobytes() == before


def test_a_record_holds_it() -> None:
    some = Augmentation(jitter=1, dropped=0.25)
    assert some.plain() == {"jitter": 1.0, "scaling": 0.0, "rotation_degrees": 0.0, "dropped": 0.25}
    assert Augmentation.from_plain(some.plain()) == some
    assert Augmentation.from_plain({}) == Augmentation()
    with pytest.raises(numjaz.NumjazError, match="unknown entry 'noise'; known are jitter"):
        Augmentation.from_plain({"noise": 1.0})


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"jitter": -0.1}, "jitter must be a number from 0 to 1e.30, not -0.1"),
        ({"jitter": float("nan")}, "jitter .*not nan"),
        ({"scaling": 1.5}, "scaling must be a number from 0 to 1, not 1.5"),
        ({"rotation_degrees": 181.0}, "rotation_degrees must be a number from 0 to 180"),
        ({"dropped": 1.0}, "dropped must be a number from 0 to 0.999, not 1.0"),
        ({"dropped": "0.1"}, "dropped .*not '0.1'"),
        ({"dropped": True}, "dropped .*not True"),
    ],
)
def test_what_is_no_augmentation_is_refused(values: dict[str, object], said: str) -> None:
    with pytest.raises(numjaz.NumjazError, match=said):
        Augmentation.from_plain(values)
