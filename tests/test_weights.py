"""The shipped networks: that they are the framework's own, and what their cards say."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pytest

import numjaz
from numjaz.formats.shipped import shipped_models

SHIPPED = shipped_models()
ORIGINALS = Path(__file__).parents[1] / "weights" / "originals"
NAMES = ("jazbat-phone-1d-activity", "jazbat-watch-1d-activity", "jazbat-watch-3d-activity")


def test_what_is_shipped() -> None:
    assert tuple(SHIPPED) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_the_golden_case_is_what_keras_gave(name: str) -> None:
    model = numjaz.load(name)
    assert model.golden is not None
    assert model.golden.y.dtype == np.float32
    np.testing.assert_allclose(model.predict(model.golden.x), model.golden.y, rtol=0, atol=2e-6)


@pytest.mark.parametrize("name", NAMES)
def test_the_weights_are_the_originals(name: str) -> None:
    shipped, original = numjaz.load(name), numjaz.load(ORIGINALS / f"{name}.keras")
    assert shipped.nodes == original.nodes
    for key, array in original.parameters.items():
        np.testing.assert_array_equal(shipped.parameters[key], array)
    builder = numjaz.jazbat(len(shipped.contract.features), shipped.classes)  # type: ignore[union-attr, arg-type]
    assert [(n.name, n.layer) for n in builder.nodes] == [
        (n.name, n.layer) for n in sorted(shipped.nodes, key=lambda n: [b.name for b in builder.nodes].index(n.name))
    ]


@pytest.mark.parametrize("name", NAMES)
def test_cards_name_their_files(name: str) -> None:
    path = SHIPPED[name]
    card = path.with_suffix(".md").read_text(encoding="utf-8")
    for file in (path, ORIGINALS / f"{name}.keras"):
        assert hashlib.sha256(file.read_bytes()).hexdigest() in card
    model, record = numjaz.load(name), json.loads((ORIGINALS / f"{name}.json").read_text())
    assert f"{model.provenance['judged']['accuracy']:.3f}" in card
    apart, trained = record["people_kept_apart"]["people"], record["people_trained_on"]
    assert not set(apart) & set(trained)
    assert model.provenance["people_trained_on"] == trained
    # what Keras itself predicted on the people kept apart, when training ended
    assert abs(model.provenance["judged"]["accuracy"] - record["people_kept_apart"]["accuracy"]) < 2e-4
    assert re.search(r"CC BY 4\.0", card)
    assert "doi:10.1109/ACCESS.2019.2940729" in card
    for word in model.classes or ():
        assert f"| {word} |" in card


def test_the_contracts() -> None:
    watch1, watch3, phone = (numjaz.load(f"jazbat-{k}-activity") for k in ("watch-1d", "watch-3d", "phone-1d"))
    assert len(watch1.classes or ()) == len(watch3.classes or ()) == 18
    assert len(phone.classes or ()) == 6
    assert {m.contract.rate_hz for m in (watch1, watch3, phone) if m.contract} == {20.0}
    assert {m.contract.window for m in (watch1, watch3, phone) if m.contract} == {256}
