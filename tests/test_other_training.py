"""Judging a way of training, transfer, personalise, and score of what they made."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from trained_people import FILES, PEOPLE, QUICK, SHORT, TINY, Capture, arrays, ended, recorded, refused, told, written

import numjaz


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return recorded(tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("split", "windows", "people"),
    [("person:2", 126, 3), ("recording", 126, 3), ("time:0.4", None, 3), ("person", 126, 3)],
)
def test_judging_a_way_of_training(split: str, windows: int | None, people: int, capsys: Capture) -> None:
    said = told(capsys, "train", *FILES[:3], *TINY, *SHORT, "--judge", split, "--sampling", "class")["protocol"]
    found = said["jazbat"]
    assert (said["split"], found["people"]) == (split, people)
    assert found["windows"] == windows or (windows is None and 0 < found["windows"] < 63)
    assert np.sum(found["confusion"]) == found["windows"]
    assert not list(Path().glob("*.h5"))


def test_judging_leaves_people_apart_out_and_watches_people_of_each_fold(capsys: Capture) -> None:
    options = ["--apart", "fay", "--judge", "person:2", "--validation", "1", "--patience", "1"]
    said = told(capsys, "train", *FILES, *TINY, *SHORT, *options, "--out", "net.h5")
    assert said["people"]["apart"] == ["fay"] == list(said["judged"]["per_person"])
    assert sorted(said["protocol"]["jazbat"]["per_person"]) == list(PEOPLE[:5])
    refused(capsys, "train", *FILES, *TINY, "--judge", "person", "--validation", "ann")


def test_the_random_split_shows_both_figures(capsys: Capture) -> None:
    code, out, _ = ended(capsys, "train", *FILES, *QUICK, "--judge", "random", "--apart", "eve,fay")
    assert code == 0
    assert all(len(line) <= 100 for line in out.splitlines())
    out = " ".join(out.split())
    assert "random windows" in out
    assert "other people" in out
    assert re.search(r"accuracy 0\.\d\d on windows drawn at random \(.* hold samples that were trained on", out)
    assert "on 2 other people, by the same network" in out
    found = told(capsys, "train", *FILES, *QUICK, "--judge", "random", "--apart", "eve,fay")["protocol"]["jazbat"]
    assert set(found["honest"]["per_person"]) == {"eve", "fay"}
    assert not set(found["honest"]["per_person"]) & set(found["random"]["per_person"])
    assert found["words"] in out
    refused(capsys, "train", *FILES, *QUICK, "--judge", "random", "--validation", "1")


def test_transfer(capsys: Capture) -> None:
    ended(capsys, "train", *FILES[:3], *QUICK, "--out", "source.h5")
    transfer = ["transfer", "source.h5", *FILES[2:5], "--classes", "sitting,walking", *SHORT, "--out", "net.h5"]
    said = told(capsys, *transfer, "--freeze", "body,norm", "--apart", "eve")
    source, model = numjaz.load("source.h5"), numjaz.load("net.h5")
    assert model.classes == ("sitting", "walking")
    for name, array in source.parameters.items():
        assert name.startswith("classes/") or model.parameters[name].tobytes() == array.tobytes(), name
    assert model.provenance["people_trained_on"] == ["ann", "bob", "cleo", "dan"]
    assert model.provenance["pretrained"]["trained_by"] == f"numjaz {numjaz.__version__}"
    assert said["command"][:2] == ["transfer", "source.h5"]
    code, out, err = ended(capsys, *transfer, "--judge", "person")
    assert code == 0
    assert "source.h5 was trained on 1 person of these, by name: cleo" in err
    assert re.search(
        r"accuracy, from source less from nothing: [+-]\d\.\d{3} \[.*\], p = \d\.\d{3}, person by person", out
    )
    kept = arrays("source.h5").items() & arrays("net.h5").items()
    assert not any(name.startswith("bigru/") for name, _ in kept)
    judged = ["--judge", "person:2", "--batch", "16"]
    frozen, free = (told(capsys, *transfer, *judged, *more)["protocol"] for more in (["--freeze", "body"], []))
    assert frozen["source_trained_on"] == ["cleo"]
    assert "the source was trained on 1 person of these: for them its figures are not honest" in out
    ended(capsys, *transfer, "--apart", "cleo")
    assert "On 1 person kept apart, 1 of whom the source was trained on" in Path("net.md").read_text(encoding="utf-8")
    assert frozen["from nothing"] == free["from nothing"]  # where there is nothing to keep
    assert frozen["from source"] != free["from source"]
    assert "is what is read" in refused(capsys, *transfer[:-1], "source.h5")
    for freeze in ("nosuch", "*", ""):
        refused(capsys, *transfer, "--freeze", freeze)
    for other in ("nosuch.h5", "ann.csv", "jazbat", "", "."):
        refused(capsys, "transfer", other, *transfer[2:])


@pytest.mark.parametrize("what", ["head", "all", "statistics"])
def test_personalise(what: str, capsys: Capture) -> None:
    ended(capsys, "train", *FILES[:3], *QUICK, "--out", "net.h5")
    command = ["personalise", "eve.csv", "-m", "net.h5", "--what", what, "--epochs", "3", "--learning-rate", "0.01"]
    said = told(capsys, *command, "--out", "eve.h5")
    assert (said["person"], said["what"]) == ("eve", what)
    assert 42 - sum(said["windows"].values()) == 0
    assert said["windows"]["judged"] == 21
    before, after = arrays("net.h5"), arrays("eve.h5")
    moved = {name for name in before if before[name] != after[name]}
    heads = {name for name in before if name.startswith("classes/")}
    statistics = {name for name in before if "moving" in name}
    assert moved == {"head": heads, "statistics": statistics}.get(what, moved)
    assert moved >= heads or what == "statistics"
    assert "eve" in numjaz.load("eve.h5").provenance["people_trained_on"]  # statistics are learned from too
    refused(capsys, "personalise", "eve.csv", "fay.csv", "-m", "net.h5")
    refused(capsys, *command, "--out", "net.h5")
    for option in (["--validation", "1"], ["--patience", "1"], ["--resume"], ["--share", "nan"], ["--share", "1"]):
        refused(capsys, *command, *option)
    if what == "head":
        assert "eve was among the people" in ended(capsys, "personalise", "eve.csv", "-m", "eve.h5", *SHORT)[2]


def test_score_says_who_was_trained_on(capsys: Capture) -> None:
    ended(capsys, "train", *FILES[:3], *QUICK, "--out", "net.h5")
    assert told(capsys, "score", "cleo.csv", "dan.csv", "-m", "net.h5")["people_trained_on"] == ["cleo"]
    assert (
        "trained on 1 of these 2 people, by their names: cleo" in ended(capsys, "score", *FILES[2:4], "-m", "net.h5")[1]
    )


def test_score_takes_a_recording_once_and_names_people_as_training_does(folder: Path, capsys: Capture) -> None:
    ended(capsys, "train", *FILES[:3], *QUICK, "--out", "net.h5")
    assert "named twice" in refused(capsys, "score", "ann.csv", "./ann.csv", "-m", "net.h5")
    written(folder / "gus.csv", 6)
    assert list(told(capsys, "score", str(folder / "gus.csv"), "-m", "net.h5")["per_person"]) == ["gus.csv"]
