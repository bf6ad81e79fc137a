"""Each layer alone over a grid of its options, beside the installed Keras: equal, or refused by name.

Every case is read from Keras's files and written back into them. ``NUMJAZ_GRID=1`` runs the whole
grid, otherwise every fifth case.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import numjaz

keras = pytest.importorskip("keras")

from keras_grid import KERAS_2, Case, cases, refused  # noqa: E402
from keras_networks import randomised  # noqa: E402
from keras_oracle import compute_in  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # the frameworks' own, and numjaz's notes on what it converts
compute_in("float64")
CASES = cases()
CHOSEN = CASES if os.environ.get("NUMJAZ_GRID") else CASES[::5]


def built(case: Case, seed: int) -> tuple[Any, list[np.ndarray]]:
    """The case as a Keras model with random weights, and inputs for it."""
    compute_in("float64")
    inputs = [keras.layers.Input(shape) for shape in case.shapes]
    model = randomised(keras.Model(inputs, case.build(*inputs)), seed)
    for layer in model.layers:
        if isinstance(layer, keras.layers.Normalization) and layer.input_mean is None:
            layer.finalize_state()
    rng = np.random.default_rng(seed)
    x = [rng.standard_normal((3, *(9 if n is None else n for n in shape))) for shape in case.shapes]
    return model, x


def outputs(model: Any, x: list[np.ndarray]) -> list[np.ndarray]:
    """What Keras gives."""
    made = model(x if len(x) > 1 else x[0], training=False)
    return [np.asarray(y) for y in (made if isinstance(made, (list, tuple)) else [made])]


def ours(model: numjaz.Model, x: list[np.ndarray]) -> list[np.ndarray]:
    """What numjaz gives."""
    made = model.predict(dict(zip(model.inputs, x, strict=True)))
    return list(made.values()) if isinstance(made, dict) else [made]


def agree(made: list[np.ndarray], expected: list[np.ndarray], bound: float = 1e-12) -> None:
    assert len(made) == len(expected)
    for a, b in zip(made, expected, strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=0, atol=bound * max(1.0, float(np.abs(b).max())))


def bound_of(case: Case) -> float:
    """TensorFlow takes a leaky slope and gelu's square root of 2 in float32, whatever the layer computes in.

    The last two tests here show that the difference is that and nothing else.
    """
    return 3e-8 if "gelu" in case.name or "leaky_relu" in case.name else 1e-12


@pytest.mark.parametrize("case", CHOSEN, ids=lambda case: case.name)
def test_equal_in_every_container(case: Case, tmp_path: Path) -> None:
    model, x = built(case, 5)
    expected, bound = outputs(model, x), bound_of(case)
    model.save(tmp_path / "m.keras")
    model.save(tmp_path / "m.h5")
    model.save_weights(tmp_path / "w.weights.h5")
    read = numjaz.load(tmp_path / "m.keras")
    agree(ours(read, x), expected, bound)
    agree(ours(numjaz.load(tmp_path / "m.h5"), x), expected, bound)
    agree(ours(numjaz.load(tmp_path / "w.weights.h5", architecture=read), x), expected, bound)
    back = tmp_path / ("back.h5" if KERAS_2 else "back.keras")
    read.save(back, "keras2" if KERAS_2 else "keras")
    again = keras.models.load_model(back)
    agree(outputs(again, x), expected, bound)
    returned = numjaz.load(back)
    assert set(returned.parameters) == set(read.parameters)
    for name, array in read.parameters.items():
        np.testing.assert_array_equal(returned.parameters[name], array)
    if not KERAS_2:
        read.save(tmp_path / "back.weights.h5")
        randomised(again, 6).load_weights(tmp_path / "back.weights.h5")
        agree(outputs(again, x), expected, bound)


@pytest.mark.parametrize("case", list(refused()), ids=lambda case: case.name)
def test_refused_by_name(case: Case, tmp_path: Path) -> None:
    model, _ = built(case, 5)
    for container in ("keras", "h5"):
        model.save(tmp_path / f"m.{container}")
        with pytest.raises(numjaz.NumjazError, match="layer '") as error:
            numjaz.load(tmp_path / f"m.{container}")
        assert "\n" not in str(error.value)


def test_a_slope_that_float32_does_not_hold(tmp_path: Path) -> None:
    """TensorFlow takes a leaky slope in float32 whatever the layer computes in; the difference is that, exactly."""
    compute_in("float64")
    x = keras.layers.Input((7, 2))
    model = keras.Model(x, keras.layers.LeakyReLU(0.3)(x))
    model.save(tmp_path / "m.keras")
    values = np.random.default_rng(0).standard_normal((2, 7, 2))
    made, expected = numjaz.load(tmp_path / "m.keras").predict(values), np.asarray(model(values))
    rounding = np.where(values < 0, (0.3 - float(np.float32(0.3))) * values, 0)
    np.testing.assert_allclose(made - expected, rounding, rtol=0, atol=1e-15)


@pytest.mark.parametrize("value", [-2.0, -0.3, 0.4, 1.7])
def test_the_square_root_in_gelu(value: float) -> None:
    import tensorflow as tf
    from scipy.special import erf

    theirs = float(np.asarray(keras.activations.gelu(tf.constant(value, tf.float64))))
    # One TensorFlow divides by the root of 2, another multiplies with the root of a half.
    scaled = (value / float(np.float32(2**0.5)), value * float(np.float32(0.5**0.5)))
    assert min(abs(0.5 * value * (1 + erf(z)) - theirs) for z in scaled) < 1e-15
    assert abs(0.5 * value * (1 + erf(value / 2**0.5)) - numjaz.layers.ACTIVATIONS["gelu"](np.array(value))) < 1e-15


def test_the_scale_of_attention(tmp_path: Path) -> None:
    """Keras 3 rounds 1 / sqrt(key_dim) to float32 too, which matters where it is not a power of 2."""
    compute_in("float64")
    inputs = keras.layers.Input((7, 4))
    model = randomised(keras.Model(inputs, keras.layers.MultiHeadAttention(2, 3, name="a")(inputs, inputs)), 3)
    model.save(tmp_path / "m.keras")
    read = numjaz.load(tmp_path / "m.keras")
    share = 1.0 if KERAS_2 else float(np.float32(1 / 3**0.5)) * 3**0.5
    scaled = read.replace({name: read.parameters[name] * share for name in ("a/query/kernel", "a/query/bias")})
    x = [np.random.default_rng(0).standard_normal((2, 7, 4))]
    agree(ours(scaled, x), outputs(model, x))
    agree(ours(read, x), outputs(model, x), 1e-8)


@pytest.mark.skipif(KERAS_2, reason="Keras 2 keeps x + y as an operation of TensorFlow, which is refused by name")
def test_operations_written_with_signs(tmp_path: Path) -> None:
    compute_in("float64")
    a, b = keras.layers.Input((7, 3)), keras.layers.Input((7, 1))
    c = keras.layers.Conv1D(3, 3, padding="same")(a)
    model = randomised(keras.Model([a, b], keras.ops.maximum((a + c) * b - a, keras.ops.minimum(a, c))), 1)
    model.save(tmp_path / "m.keras")
    x = [np.random.default_rng(0).standard_normal((2, 7, n)) for n in (3, 1)]
    agree(ours(numjaz.load(tmp_path / "m.keras"), x), outputs(model, x))
    vector = keras.layers.Input((3,))
    keras.Model([a, vector], a + vector).save(tmp_path / "v.keras")
    with pytest.raises(numjaz.NumjazError, match="inputs of different axes"):
        numjaz.load(tmp_path / "v.keras")
    keras.Model(a, a * 2.0).save(tmp_path / "c.keras")
    with pytest.raises(numjaz.NumjazError, match=r"layer 'multiply.*': called on 2.0"):
        numjaz.load(tmp_path / "c.keras")


def test_mixed_precision_is_read_and_said(tmp_path: Path) -> None:
    compute_in("float32")
    inputs = keras.layers.Input((7, 3))
    layer = keras.layers.Dense(2, dtype="mixed_float16", name="d")
    keras.Model(inputs, layer(inputs)).save(tmp_path / "m.keras")
    with pytest.warns(numjaz.NumjazWarning, match="layer d: mixed_float16"):
        model = numjaz.load(tmp_path / "m.keras")
    np.testing.assert_array_equal(model.parameters["d/kernel"], np.asarray(layer.kernel))
