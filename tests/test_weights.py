"""The shipped networks: that record, card and network say the same; and networks that Keras itself trained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import numjaz
from numjaz.formats.shipped import shipped_models
from numjaz.learn.record import weights_sha256

SHIPPED = shipped_models()
NAMES = (
    "jazbat-phone-1d-activity",
    "jazbat-phone-3d-activity",
    "jazbat-watch-1d-activity",
    "jazbat-watch-3d-activity",
    "jazbat-watch-6d-activity",
)
TRAINED_BY_KERAS = sorted((Path(__file__).parent / "fixtures" / "trained").glob("*.keras"))


def record_of(name: str) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(SHIPPED[name].with_suffix(".json").read_text(encoding="utf-8"))
    return record


def test_what_is_shipped() -> None:
    assert tuple(SHIPPED) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_network_is_its_builders(name: str) -> None:
    shipped = numjaz.load(name)
    assert shipped.contract is not None
    builder = numjaz.jazbat(len(shipped.contract.features), shipped.classes)
    assert [(n.name, n.layer) for n in builder.nodes] == [(n.name, n.layer) for n in shipped.nodes]


@pytest.mark.parametrize("name", NAMES)
def test_the_record_is_of_the_network(name: str) -> None:
    model, record = numjaz.load(name), record_of(name)
    assert record["weights_sha256"] == weights_sha256(model)
    assert list(model.classes or ()) == record["classes"]
    assert model.provenance["trained_by"] == f"numjaz {record['versions']['numjaz']}"
    assert model.provenance["people_trained_on"] == record["people"]["trained"]
    trained, apart = (32, 8) if "6d" in name else (36, 9)  # there are recordings of
    assert len(record["people"]["trained"]) == trained
    assert len(record["people"]["apart"]) == apart
    assert not set(record["people"]["apart"]) & set(record["people"]["trained"])
    assert model.provenance["judged"]["people"] == apart


@pytest.mark.parametrize("name", NAMES)
def test_the_card_is_of_the_record(name: str) -> None:
    card = SHIPPED[name].with_suffix(".md").read_text(encoding="utf-8")
    model, record = numjaz.load(name), record_of(name)
    assert f"accuracy {model.provenance['judged']['accuracy']:.3f} [" in card
    for said in (
        record["weights_sha256"],
        *record["recordings"].values(),
        ", ".join(record["people"]["trained"]),
        f"seed {record['recipe']['seed']}",
        "Trainer: numjaz ",
        "CC BY 4.0",
        "doi:10.1109/ACCESS.2019.2940729",
        "Not a medical device",
    ):
        assert said in card
    for word in record["classes"]:
        assert f"| {word} |" in card


def test_the_contracts() -> None:
    for name in NAMES:
        model = numjaz.load(name)
        assert model.contract is not None
        assert len(model.classes or ()) == (18 if "watch" in name else 6)
        assert f"{len(model.contract.features)}d" in name
        assert (model.contract.rate_hz, model.contract.window, model.contract.gravity) == (20.0, 256, True)


@pytest.mark.parametrize("path", TRAINED_BY_KERAS, ids=lambda path: path.stem)
def test_networks_that_keras_trained(path: Path) -> None:
    """What Keras gave for a window is beside its file."""
    assert len(TRAINED_BY_KERAS) == 3
    with np.load(path.with_suffix(".npz")) as given:
        np.testing.assert_allclose(numjaz.load(path).predict(given["x"]), given["y"], rtol=0, atol=2e-6)
