"""Real Keras beside numjaz, by the recorder: rounding alone is found to be that, and a fault where it is."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest
from counting_networks import NETWORKS, random_network
from without_frameworks import checked

import numjaz
from numjaz import NumjazError
from numjaz.compare.divergence import excite
from numjaz.formats.shipped import shipped_models

keras = pytest.importorskip("keras")
from numjaz.frameworks import record  # noqa: E402
from numjaz.frameworks.keras import keras_model  # noqa: E402

SHIPPED = shipped_models()
pytestmark = pytest.mark.filterwarnings("ignore")  # Keras's own


def agreed(model: numjaz.Model, window: int | None = None, seed: int = 0) -> None:
    x = excite(model, window, seed)
    found = numjaz.compare(model, record(keras_model(model), next(iter(x.values()))))
    assert found.agree, [each for each in found.nodes if each.fault]
    assert len(found.nodes) == len(model.nodes) - 1


@pytest.mark.parametrize("network", NETWORKS)
def test_networks_of_all_kinds(network: str) -> None:
    agreed(NETWORKS[network](), 64)


@pytest.mark.parametrize("name", SHIPPED)
def test_trained_networks(name: str) -> None:
    agreed(numjaz.load(name))


def test_random_networks() -> None:
    seen = 0
    for seed in range(200 if os.environ.get("NUMJAZ_GRID") else 30):
        model = random_network(seed)
        try:
            keras_model(model)
        except NumjazError:  # Keras has no such layer
            continue
        agreed(model, 64, seed)
        seen += 1
    assert seen > 20


@pytest.mark.parametrize(
    ("layer", "fault"),
    [
        ("norm", lambda layer: layer.__setattr__("epsilon", 1e-5)),
        ("bigru", lambda layer: layer.set_weights([1.001 * a for a in layer.get_weights()])),
        ("module1_branch5", lambda layer: layer.set_weights([layer.get_weights()[0][::-1], layer.get_weights()[1]])),
        ("classes", lambda layer: layer.set_weights([a[..., ::-1] for a in layer.get_weights()])),
    ],
)
def test_a_fault_is_found_where_it_is(layer: str, fault: Any) -> None:
    model = numjaz.load("jazbat-watch-1d-activity")
    twin = keras_model(model)
    fault(twin.get_layer(layer))
    found = numjaz.compare(model, record(twin, next(iter(excite(model).values()))))
    assert (found.agree, found.node) == (False, layer)


def test_in_the_middle_of_training(tmp_path: Any) -> None:
    model = numjaz.jazbat(features=3, classes=6, reduction=6, units=8, modules=1)
    twin = keras_model(model)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(32, 40, 3)).astype(np.float32), rng.integers(6, size=32)
    twin.compile("adam", "sparse_categorical_crossentropy")
    twin.fit(x, y, epochs=1, verbose=0)
    before = [array.copy() for array in twin.get_weights()]
    record(twin, x[:4], tmp_path / "run.npz")
    assert all(np.array_equal(a, b) for a, b in zip(twin.get_weights(), before, strict=True))
    twin.save(tmp_path / "then.keras")
    twin.fit(x, y, epochs=1, verbose=0)
    twin.save(tmp_path / "later.keras")
    code, text = checked(tmp_path, "then.keras", "run.npz")
    assert (code, text.splitlines()[-1]) == (0, "the two agree: rounding explains every difference"), text
    code, text = checked(tmp_path, "later.keras", "run.npz")
    assert code == 1, text
    assert "the two part in bigru: " in text  # another epoch's weights
