"""Live against the installed Keras, 2.15 or 3: every node, every option of the grid, the shipped networks."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

import numjaz

keras = pytest.importorskip("keras")

from keras_oracle import GRID, compute_in, every_output, network  # noqa: E402

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # the frameworks' own
]
TRAINED = sorted((Path(__file__).parents[1] / "fixtures" / "trained").glob("*-activity.keras"))
KERAS_2 = keras.__version__.startswith("2.")


def agree(made: dict[str, np.ndarray], expected: dict[str, np.ndarray], atol: float) -> None:
    assert set(expected) <= set(made)
    for name, values in expected.items():
        np.testing.assert_allclose(made[name], values, rtol=0, atol=atol, err_msg=name)


@pytest.mark.parametrize("options", GRID, ids=lambda o: "-".join(map(str, o.values())))
def test_every_node_in_float64(options: dict[str, object], tmp_path: Path) -> None:
    model = network(7, **options)
    model.save(tmp_path / "m.keras")
    x = np.random.default_rng(8).standard_normal((3, 256, int(str(options["features"]))))
    agree(numjaz.load(tmp_path / "m.keras").activations(x), every_output(model, x), 1e-12)


@pytest.mark.parametrize("options", GRID, ids=lambda o: "-".join(map(str, o.values())))
def test_probabilities_in_float32(options: dict[str, object], tmp_path: Path) -> None:
    """With the initial weights, as every training begins."""
    compute_in("float32")
    keras.utils.set_random_seed(3)
    from keras_jazbat import jazbat

    model = jazbat(**options)
    model.save(tmp_path / "m.keras")
    x = np.random.default_rng(8).standard_normal((64, 256, int(str(options["features"])))).astype(np.float32)
    made = numjaz.load(tmp_path / "m.keras").predict(x)
    assert made.dtype == np.float32
    np.testing.assert_allclose(made, model.predict(x, verbose=0), rtol=0, atol=2e-6)


@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("container", ["keras", "h5", "weights.h5"])
def test_containers(tmp_path: Path, swap: bool, container: str) -> None:
    model = network(9, features=1, swap_branches=swap, named=False)
    path = tmp_path / f"m.{container}"
    if container == "weights.h5":
        model.save(tmp_path / "m.keras")
        model.save_weights(path)
        with warnings.catch_warnings(record=True, action="always") as said:
            read = numjaz.load(path, architecture=tmp_path / "m.keras")
        assert bool(said) == KERAS_2  # Keras 3 writes the layers' names
    else:
        model.save(path)
        read = numjaz.load(path)
    x = np.random.default_rng(8).standard_normal((2, 64, 1))
    agree(read.activations(x), every_output(model, x), 1e-12)


@pytest.mark.parametrize("padding", ["same", "valid", "causal"])
@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 5])
def test_convolutions_and_single_layers(tmp_path: Path, kernel: int, padding: str) -> None:
    """A Sequential model, a bare GRU in both of its outputs, activations as layers of their own."""
    compute_in("float64")
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((20, 2)),
            layers.Conv1D(3, kernel, padding=padding, use_bias=kernel % 2 == 0, activation="tanh"),
            layers.GRU(4, return_sequences=True, use_bias=kernel > 2, reset_after=padding != "valid"),
            layers.BatchNormalization(scale=kernel != 3, center=kernel != 4, epsilon=0.01),
            layers.Activation("sigmoid"),
            layers.ReLU(),
            layers.Bidirectional(layers.GRU(3, return_sequences=kernel == 5)),
            layers.Dense(3),
            layers.Softmax(),
        ]
    )
    rng = np.random.default_rng(kernel)
    model.set_weights([np.abs(rng.normal(0, 0.5, w.shape)) + 0.1 for w in model.get_weights()])
    x = rng.standard_normal((2, 20, 2))
    for container in ("keras", "h5"):
        model.save(tmp_path / f"m.{container}")
        agree(numjaz.load(tmp_path / f"m.{container}").activations(x), every_output(model, x), 1e-12)


@pytest.mark.parametrize("container", ["keras", "h5", "legacy"])
@pytest.mark.parametrize("frozen", ["forward_layer", "backward_layer"])
def test_a_half_frozen_bidirectional(tmp_path: Path, container: str, frozen: str) -> None:
    """The legacy file keeps frozen arrays behind the others: their places tell nothing."""
    compute_in("float64")
    inputs = keras.layers.Input((None, 2), name="input")
    both = keras.layers.Bidirectional(keras.layers.GRU(3, return_sequences=True), name="both")
    model = keras.Model(inputs, keras.layers.Dense(2, name="last")(both(inputs)))
    getattr(both, frozen).trainable = False
    x = np.random.default_rng(0).standard_normal((2, 9, 2))
    if container == "legacy":
        if not KERAS_2:
            pytest.skip("Keras 3 writes no legacy weights")
        model.save(tmp_path / "m.keras")
        model.save_weights(tmp_path / "w.h5", save_format="h5")
        read = numjaz.load(tmp_path / "w.h5", architecture=tmp_path / "m.keras")
    else:
        model.save(tmp_path / f"m.{container}")
        read = numjaz.load(tmp_path / f"m.{container}")
    agree(read.activations(x), every_output(model, x), 1e-12)


@pytest.mark.skipif(KERAS_2, reason="Keras 2 cannot write two layers of one name into a legacy file")
@pytest.mark.parametrize("first", [0, 1])
def test_models_in_models_that_use_a_name_again(tmp_path: Path, first: int) -> None:
    compute_in("float64")
    deep = keras.Sequential([keras.layers.Dense(3, name="d")], name="b")
    parts = [keras.layers.Dense(3, name="d", activation="tanh"), deep]
    middle = keras.Sequential(parts[::-1] if first else parts, name="a")
    model = keras.Sequential([middle, keras.layers.Dense(2, name="e")])
    x = np.random.default_rng(0).standard_normal((2, 5, 3))
    expected = np.asarray(model(x))
    model.save(tmp_path / "m.h5")
    np.testing.assert_allclose(numjaz.load(tmp_path / "m.h5").predict(x), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("container", ["keras", "h5"])
@pytest.mark.parametrize("behind", ["Softmax", "Activation"])
def test_the_mask_of_a_causal_attentions_scores(tmp_path: Path, behind: str, container: str) -> None:
    """Keras hands it on, and a Softmax leaves out what is masked: read as if there were none, that would be silent."""
    inputs = keras.layers.Input((6, 2))
    attention = keras.layers.MultiHeadAttention(1, 2, name="attention")
    y, scores = attention(inputs, inputs, use_causal_mask=True, return_attention_scores=True)
    layer = keras.layers.Softmax(name="last") if behind == "Softmax" else keras.layers.Activation("tanh", name="last")
    keras.Model(inputs, [y, layer(scores)]).save(tmp_path / f"m.{container}")
    with pytest.raises(numjaz.NumjazError, match="'last' takes the scores of a causal attention"):
        numjaz.load(tmp_path / f"m.{container}")
    keras.Model(inputs, [y, scores]).save(tmp_path / f"n.{container}")
    assert len(numjaz.load(tmp_path / f"n.{container}").outputs) == 2


def test_a_class_that_is_not_kerass_is_refused(tmp_path: Path) -> None:
    """In an archive; a legacy file names classes without their module, so nobody can tell."""

    class Add(keras.layers.Add):  # type: ignore[misc]
        def _merge_function(self, inputs: list[object]) -> object:
            return inputs[0] - inputs[1]  # type: ignore[operator]

    compute_in("float64")
    inputs = keras.layers.Input((None, 2), name="input")
    dense = [keras.layers.Dense(2, name=name)(inputs) for name in "ab"]
    model = keras.Model(inputs, Add(name="sum")(dense))
    model.save(tmp_path / "m.keras")
    with pytest.raises(numjaz.NumjazError, match=r"'sum' is a class Add of .*, not Keras's own"):
        numjaz.load(tmp_path / "m.keras")


def test_layers_of_awkward_names(tmp_path: Path) -> None:
    """A layer named as another's group, and one named as the root of the other kind of file."""
    compute_in("float64")
    slash = "m/conv" if KERAS_2 else "m_conv"
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((None, 2)),
            layers.Conv1D(3, 1, name="m"),
            layers.Conv1D(2, 2, name=slash),
            layers.Dense(2, name="layers"),
        ]
    )
    x = np.random.default_rng(0).standard_normal((2, 9, 2))
    for container in ("keras", "h5"):
        model.save(tmp_path / f"m.{container}")
        agree(numjaz.load(tmp_path / f"m.{container}").activations(x), every_output(model, x), 1e-12)


@pytest.mark.skipif(KERAS_2, reason="the shipped networks were written by Keras 3, whose archives Keras 2 cannot open")
@pytest.mark.parametrize("path", TRAINED, ids=lambda p: p.stem)
def test_the_trained_networks(path: Path) -> None:
    """On a simulated walk and on noise, in float64 every node; in float32 the probabilities.

    Trained weights give logits of some tens, and Keras's own float32 then leaves its float64 by up to
    2.6e-6. So: within 2e-6 wherever Keras is sure of 1e-6 itself, and nowhere further from float64
    than Keras at its worst.
    """
    trained, contract = numjaz.load(path), numjaz.load(path.stem).contract
    assert contract is not None
    walk = next(numjaz.windows(numjaz.simulate_gait(), contract).batches(64)).x
    x = np.concatenate((walk, 5 * np.random.default_rng(0).standard_normal(walk.shape)))

    compute_in("float32")
    original = keras.models.load_model(path)
    single = x.astype(np.float32)
    ours, theirs, weights = trained.predict(single), original.predict(single, verbose=0), original.get_weights()
    compute_in("float64")
    from keras_jazbat import jazbat

    double = jazbat(len(contract.features), theirs.shape[1])
    double.set_weights([w.astype(np.float64) for w in weights])
    agree(trained.activations(x), every_output(double, x), 1e-12)
    exact = np.asarray(double(single.astype(np.float64), training=False))
    off = np.abs(theirs - exact).max(axis=1)
    sure = off <= 1e-6
    assert sure.mean() > 0.5
    np.testing.assert_allclose(ours[sure], theirs[sure], rtol=0, atol=2e-6)
    assert np.abs(ours - exact).max() <= max(off.max(), 1e-6)
