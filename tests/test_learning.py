"""`numjaz train`: what it writes, what that reproduces, and what the commands that train refuse."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import signal
from pathlib import Path
from typing import Any

import pytest
from trained_people import FILES, PEOPLE, QUICK, SHORT, TINY, Capture, arrays, ended, recorded, refused, told, written

import numjaz
from numjaz.cli import learning


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return recorded(tmp_path, monkeypatch)


def test_train_writes_network_record_and_card(capsys: Capture) -> None:
    options = [
        "--apart",
        "eve,fay",
        "--validation",
        "dan",
        "--patience",
        "2",
        "--title",
        "Three\nways",
        "--licence",
        "mine",
    ]
    said = told(capsys, "train", *FILES, *QUICK, "--out", "net.h5", *options)
    model, record, card = numjaz.load("net.h5"), json.loads(Path("net.json").read_text()), Path("net.md").read_text()
    assert record == {key: value for key, value in said.items() if key not in ("path", "judged")}
    assert record["people"] == {"trained": ["ann", "bob", "cleo"], "validation": ["dan"], "apart": ["eve", "fay"]}
    assert record["windows"] == 6 * 3 * ((240 - 32) // 16 + 1)
    assert model.classes == ("jogging", "sitting", "walking") == tuple(record["classes"])
    assert model.contract is not None
    assert (model.contract.window, model.contract.hop, model.contract.magnitude) == (32, 16, "minus_g")
    assert model.provenance["people_trained_on"] == ["ann", "bob", "cleo"]
    assert model.provenance["judged"]["accuracy"] == said["judged"]["accuracy"]
    assert len(record["epochs"]) == 2
    assert record["epochs"][0].keys() >= {"loss", "accuracy", "validation_loss", "validation_accuracy"}
    assert not Path("net.h5.checkpoint.npz").exists()
    for line in (
        "Three ways.",
        "Licence: mine.",
        "Watched while training: 1 person, dan.",
        "Command: `numjaz train ann",
    ):
        assert line in card
    assert "nan" not in card
    assert card.count("**") % 2 == 0
    # The card's figures are those of the command that it states.
    command = re.search("Reproduce: `numjaz (.*)`", card)
    assert command is not None
    assert command[1] == "score eve.csv fay.csv -m net.h5"
    assert told(capsys, *shlex.split(command[1])) | {"people_trained_on": None} == said["judged"] | {
        "people_trained_on": None
    }
    assert f"**accuracy {said['judged']['accuracy']:.3f} [" in card


def test_names_that_look_like_options_and_what_is_joined(folder: Path, capsys: Capture) -> None:
    for who in PEOPLE[:3]:
        (folder / f"{who}.csv").rename(folder / f"-{who}.csv")
    Path("-turns.csv").write_text("time,wx,wy,wz\n" + "".join(f"{k / 20:.2f},0.1,0.2,0.3\n" for k in range(720)))
    files = [f"./-{who}.csv" for who in PEOPLE[:3]]
    options = ["--features", "6", *QUICK, "--gyro", "./-turns.csv", "--apart", "cleo"]
    told(capsys, "train", *files, *options, "--out", "./-net.h5")
    record, card = json.loads(Path("-net.json").read_text()), Path("-net.md").read_text()
    digest = hashlib.sha256(Path("-turns.csv").read_bytes()).hexdigest()
    assert record["beside"] == {"-turns.csv": digest}
    assert f"- Beside it: `-turns.csv`, SHA-256 `{digest}`." in card
    code, out, err = ended(capsys, "train", *files, "--gyro", "./-turns.csv", "--replay", "./-net.json")
    assert (code, out) == (0, "the same bits\n"), err
    command = re.search("Reproduce: `numjaz (.*)`", card)
    assert command is not None
    assert told(capsys, *shlex.split(command[1]))["people"] == 1


def test_a_card_of_one_person_and_of_recordings_of_one_name(folder: Path, capsys: Capture) -> None:
    """Nobody is named, and all files are called alike: their folders are their names, wherever they lie."""
    for seed, who in enumerate(("ann", "bob", "c d")):
        (folder / "in" / who).mkdir(parents=True)
        written(folder / "in" / who / "r.csv", seed)
    files = [str(folder / "in" / who / "r.csv") for who in ("ann", "bob", "c d")]
    code, out, _ = ended(capsys, "train", *files, *QUICK, "--gap", "0.5", "--out", "net.h5", "--apart", "c d/r.csv")
    assert code == 0
    assert "of 42 windows of 1 person. One person gives no interval." in out
    card, record = Path("net.md").read_text(), json.loads(Path("net.json").read_text())
    assert list(record["recordings"]) == ["ann/r.csv", "bob/r.csv", "c d/r.csv"]
    assert "On 1 person not trained on: **accuracy 0." in card
    assert "Reproduce: `numjaz score 'c d/r.csv' -m net.h5 --gap 0.5`" in card
    assert str(folder) not in card + json.dumps(record)
    assert not re.search(r"nan\b", card)
    os.chdir(folder / "in" / "ann")
    moved = ["r.csv", "../bob/r.csv", "../c d/r.csv"]
    assert ended(capsys, "train", *moved[::-1], "--replay", "../../net.json")[:2] == (0, "the same bits\n")


def test_several_people_in_a_recording_and_the_rest_of_the_options(folder: Path, capsys: Capture) -> None:
    rows = [Path(name).read_text().splitlines(keepends=True) for name in FILES]
    Path("abc.csv").write_text("".join(rows[0] + rows[1][1:] + rows[2][1:]))
    Path("de.csv").write_text("".join(rows[3] + rows[4][1:]))
    options = ["--people", "ann,bob,dan,eve", "--classes", "sitting,walking", "--sampled", "10", "--features", "3"]
    recipe = [
        "--rotation-degrees",
        "20",
        "--jitter",
        "0.1",
        "--sampling",
        "both",
        "--schedule",
        "cosine",
        "--form",
        "torch",
    ]
    said = told(
        capsys, "train", "abc.csv", "de.csv", *QUICK, *options, *recipe, "--out", "net.h5", "--apart", "bob,eve"
    )
    assert said["people"]["trained"] == ["ann", "dan"]
    assert said["recipe"]["augmentation"] == {"jitter": 0.1, "scaling": 0, "rotation_degrees": 20, "dropped": 0}
    assert (said["recipe"]["sampling"], said["recipe"]["form"]) == ("both", "torch")
    assert numjaz.load("net.h5").classes == ("sitting", "walking")
    command = re.search("Reproduce: `numjaz (.*)`", Path("net.md").read_text())
    assert command is not None
    again = told(capsys, *shlex.split(command[1]))
    assert (again["confusion"], again["per_person"]) == (said["judged"]["confusion"], said["judged"]["per_person"])
    assert "no subject zed in any" in refused(
        capsys, "score", "abc.csv", "de.csv", "-m", "net.h5", "--people", "ann,zed"
    )


def test_so_many_people_for_validation_are_drawn_by_the_seed(capsys: Capture) -> None:
    found = [
        told(capsys, "train", *FILES, *TINY, *SHORT, "--out", "net.h5", "--validation", "2", "--seed", str(seed))[
            "people"
        ]
        for seed in (0, 0, 1, 2)
    ]
    assert found[0] == found[1]
    assert len({tuple(each["validation"]) for each in found}) > 1
    assert all(sorted(each["validation"] + each["trained"]) == list(PEOPLE) for each in found)


def test_an_interrupt_says_how_to_go_on_and_resuming_gives_the_same_bits(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["train", *FILES[:4], *QUICK, "--validation", "dan", "--patience", "2", "--jitter", "0.1"]
    assert ended(capsys, *command, "--out", "whole.h5")[0] == 0
    shower = learning.shower

    def interrupting() -> Any:
        show = shower()

        def tell(progress: Any) -> None:
            show(progress)
            if (progress.epoch, progress.step) == (2, 1):
                os.kill(os.getpid(), signal.SIGINT)

        return tell

    with monkeypatch.context() as patched:
        patched.setattr(learning, "shower", interrupting)
        code, out, err = ended(capsys, *command, "--out", "net.h5")
    last = "numjaz: interrupted: the same command with --resume goes on from net.h5.checkpoint.npz"
    assert (code, out, err.splitlines()[-1]) == (130, "", last)
    assert not Path("net.h5").exists()
    kept = Path("ann.csv").read_text()
    Path("ann.csv").write_text(kept.replace(",0.1,", ",0.2,", 1))
    assert "another training: data was" in refused(capsys, *command, "--out", "net.h5", "--resume")
    Path("ann.csv").write_text(kept)
    code, _, err = ended(capsys, *command, "--out", "net.h5", "--resume")
    assert code == 0
    assert "epoch 1/2" not in err
    assert arrays("net.h5") == arrays("whole.h5")
    records = [json.loads(Path(name).read_text()) for name in ("net.json", "whole.json")]
    for record in records:
        record["command"] = [word.replace("whole", "net") for word in record["command"]]
        record["seconds"] = 0
    assert records[0] == records[1]
    assert not Path("net.h5.checkpoint.npz").exists()
    assert "so the training begins" in ended(capsys, *command, "--out", "net.h5", "--resume")[2]


def test_a_record_is_done_again(capsys: Capture) -> None:
    ended(capsys, "train", *FILES[:3], *QUICK, "--out", "net.h5", "--apart", "bob")
    assert ended(capsys, "train", *FILES[:3], "--replay", "net.json")[:2] == (0, "the same bits\n")
    assert told(capsys, "train", *FILES[2::-1], "--replay", "net.json", "--out", "again.h5")["same"] is True
    assert arrays("again.h5") == arrays("net.h5")
    record = json.loads(Path("net.json").read_text())
    Path("other.json").write_text(json.dumps(record | {"weights_sha256": "0" * 64}))
    assert ended(capsys, "train", *FILES[:3], "--replay", "other.json")[:2] == (1, "other bits than the record's\n")
    others = ["train", "ann.csv", "bob.csv", "fay.csv"]
    assert "needs cleo.csv of SHA-256" in refused(capsys, *others, "--replay", "net.json")
    assert "knows nothing of it" in refused(capsys, *others, "cleo.csv", "--replay", "net.json")
    assert "--epochs goes with" in refused(capsys, "train", *FILES[:3], "--replay", "net.json", "--epochs", "3")
    assert "net.json is what is read" in refused(capsys, "train", *FILES[:3], "--replay", "net.json", "--out", "net.h5")
    for change in (
        {"format": "numjaz training 2"},
        {"command": []},
        {"command": 3},
        {"command": ["train"]},
        {"command": ["train", "x", "--help"]},
        {"command": ["train", "x", "--lr", "3"]},
        {"command": ["transfer", *record["command"][1:]]},
        {"recordings": []},
        {"recordings": {"ann.csv": 3}},
        {"windows_sha256": "0" * 64},
        {"weights_sha256": None},
    ):
        Path("bad.json").write_text(json.dumps(record | change))
        refused(capsys, "train", *FILES[:3], "--replay", "bad.json")
    for text in ("", "[]", "{", "null"):
        Path("bad.json").write_text(text)
        refused(capsys, "train", *FILES[:3], "--replay", "bad.json")


BAD = """
--apart zed | no window of a person 'zed'
--apart ann,bob,cleo | leaves nobody
--apart , | --apart
--classes walking,flying | no window of 'flying' is left to train on
--classes walking | two at least
--classes walking,walking | each once
--classes flying | no window of an activity
--out net.npz | ends in .h5
--out nowhere/net.h5 | no folder nowhere
--out= | --out OUT.h5
--out folder.h5 | not a regular file
--out /proc/net.h5 | cannot be written
--out in.h5 --gyro in.h5 | in.h5 is what is read
--patience 2 | validation
--validation 3 | left to train on
--validation 0 | left to train on
--validation -1 | '-1'
--validation= | --validation
--validation ann --apart ann | 'ann'
--hop 0 | hop
--window 0 | window
--window 999999 | too long, or 'no window'
--sampled nan | rate_hz
--epochs 0 | epochs
--epochs 1.5 | --epochs
--batch 0 | batch
--learning-rate nan | learning_rate
--learning-rate inf | learning_rate
--clip-norm inf | clip_norm
--clip-norm 0 | clip_norm
--warmup -1 | warmup
--seed -1 | seed
--seed 99999999999 | seed
--patience 0 --validation 1 | patience
--jitter nan | jitter
--dropped 1 | dropped
--rotation-degrees 9 | three axes
--features 6 | --gyro
--features 3 --magnitude plain | --magnitude goes with --features 1
--gap nan | gap
--rate nan | rate
--units g | |a|
--people zed | zed
--architecture resnet | jazbat
--architecture jazbat:units=0 | units
--architecture jazbat:seed=1 | seed is stated
--architecture jazbat:wide=1 | wide
--architecture= | jazbat
--judge x | splits
--judge= | splits
--judge person:1 | 2 folds
--judge person:x | no number
--judge time:nan | share
--judge person: | no number
--replay none.json | --architecture
--optimizer lion | lion
"""


@pytest.mark.parametrize("case", BAD.strip().splitlines())
def test_what_cannot_be_is_one_line_and_two(case: str, folder: Path, capsys: Capture) -> None:
    (folder / "folder.h5").mkdir()
    (folder / "in.h5").write_bytes(b"")
    options, _, message = (part.strip() for part in case.partition(" | "))
    given = shlex.split(options)
    out = [] if "--out" in options else ["--out", "net.h5"]
    said = refused(capsys, "train", *FILES[:3], *TINY, *SHORT, *out, *given)
    assert any(part.strip(" '") in said for part in message.split(", or ")), said
    assert not (folder / "net.h5").exists()


def test_recordings_that_are_none(folder: Path, capsys: Capture) -> None:
    command = ["train", *TINY, *SHORT, "--out", "net.h5"]
    (folder / "copy.csv").write_bytes((folder / "ann.csv").read_bytes())
    for files in (["none.csv"], ["."], ["-"], ["ann.csv", "./ann.csv"], ["ann.csv", "copy.csv"], ["net.h5"]):
        refused(capsys, *command[:1], *files, *command[1:])
    assert "goes with --out" in refused(capsys, "train", *FILES[:3], *TINY, "--judge", "person", "--resume")
    assert "second person" in refused(capsys, "train", "ann.csv", *TINY, *SHORT, "--judge", "random")


def test_every_network_can_be_trained(capsys: Capture) -> None:
    from numjaz.architectures import BUILDERS

    for name in set(BUILDERS) - {"jazbat"}:
        assert told(
            capsys, "train", *FILES[:2], *SHORT, "--architecture", f"{name}:units=4", "--window", "32", "--out", "n.h5"
        )
