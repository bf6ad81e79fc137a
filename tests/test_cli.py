"""The command: what it prints, how it ends."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import numjaz
from numjaz.cli import main
from numjaz.learn.pages import WORDS
from numjaz.signal.wisdm import ACTIVITIES

CLASSES = tuple(ACTIVITIES.values())
SHORT = numjaz.Contract(features=("magnitude",), rate_hz=20.0, magnitude="minus_g", window=64, hop=32)
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Two people's simulated walks and jogs as WISDM text."""
    lines = []
    for seed, who in enumerate((1, 2)):
        from numjaz.signal import Report

        for piece in numjaz.simulate_gait([("walking", 30.0), ("jogging", 20.0)], seed=seed).pieces(Report()):
            letter = {"walking": "A", "jogging": "B"}[str(piece.activity)]
            lines += [
                f"{who},{letter},{t},{x:.5f},{y:.5f},{z:.5f};"
                for t, (x, y, z) in zip(piece.time_ns, piece.values, strict=True)
            ]
    path = tmp_path / "two people.txt"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def model(tmp_path: Path) -> str:
    path = tmp_path / "m.h5"
    numjaz.jazbat(1, CLASSES, contract=SHORT).save(path)
    return str(path)


def ended(argv: list[str], capsys: Capture) -> tuple[int, str, str]:
    code = main(argv)
    out, err = capsys.readouterr()
    return code, out, err


def test_run_prints_a_line_a_window(recording: Path, model: str, capsys: Capture) -> None:
    code, out, _ = ended(["run", str(recording), "-m", model], capsys)
    assert code == 0
    windows = 2 * ((600 - 64) // 32 + 1 + (400 - 64) // 32 + 1)
    rows = [line.split() for line in out.splitlines() if line[:10].strip().replace(".", "").isdigit()]
    assert len(rows) == windows
    assert f"{windows} windows" in out
    assert "2 changes of activity" in out or "changes of activity" in out
    assert all(len(line) <= 100 for line in out.splitlines()[3:])


def test_json_lines_are_what_predict_says(recording: Path, model: str, capsys: Capture) -> None:
    code, out, err = ended(["run", str(recording), "-m", model, "--json"], capsys)
    assert code == 0
    assert all(line.startswith("note: ") for line in err.splitlines())
    objects = [json.loads(line) for line in out.splitlines()]
    network = numjaz.load(model)
    assert network.contract is not None
    found = list(numjaz.windows(numjaz.read_recording(recording), network.contract))
    assert len(objects) == len(found)
    for said, window in zip(objects, found, strict=True):
        p = network.predict(window.x[None].astype(np.float32))[0]
        assert {"source", "start_s", "end_s", "class", "probability", "probabilities"} <= set(said)
        assert said["class"] == CLASSES[p.argmax()]
        assert said["probability"] == pytest.approx(p.max(), abs=2e-6)
        assert list(said["probabilities"]) == list(CLASSES)
        assert (said["start_s"], said["end_s"]) == (window.start_s, window.end_s)
        assert (said["source"], said["recorded"], said["subject"]) == (str(recording), window.activity, window.subject)


def test_csv_and_hop(recording: Path, model: str, capsys: Capture) -> None:
    code, out, _ = ended(["run", str(recording), "-m", model, "--csv", "--hop", "64"], capsys)
    rows = list(csv.DictReader(io.StringIO(out)))
    assert code == 0
    assert len(rows) == 2 * (600 // 64 + 400 // 64)
    assert all(abs(sum(float(row[name]) for name in CLASSES) - 1) < 0.001 for row in rows)


def test_spans_cover_the_windows(recording: Path, model: str, capsys: Capture) -> None:
    windows = [
        json.loads(line) for line in ended(["run", str(recording), "-m", model, "--json"], capsys)[1].splitlines()
    ]
    spans = [
        json.loads(line)
        for line in ended(["run", str(recording), "-m", model, "--json", "--spans"], capsys)[1].splitlines()
    ]
    assert sum(span["windows"] for span in spans) == len(windows)
    assert len(spans) < len(windows)
    k = 0
    for span in spans:
        mine = windows[k : k + span["windows"]]
        assert {(w["class"], w["recorded"], w["subject"]) for w in mine} == {
            (span["class"], span["recorded"], span["subject"])
        }
        assert (span["start_s"], span["end_s"]) == (mine[0]["start_s"], mine[-1]["end_s"])
        assert span["probability"] == pytest.approx(np.mean([w["probability"] for w in mine]), abs=1e-5)
        k += len(mine)


def test_the_summary_is_the_windows_counted(recording: Path, model: str, capsys: Capture) -> None:
    windows = [
        json.loads(line) for line in ended(["run", str(recording), "-m", model, "--json"], capsys)[1].splitlines()
    ]
    rows = [
        json.loads(line)
        for line in ended(["run", str(recording), "-m", model, "--json", "--summary"], capsys)[1].splitlines()
    ]
    assert [row["activity"] for row in rows] == ["walking", "jogging"]
    for row in rows:
        mine = [w["class"] for w in windows if w["recorded"] == row["activity"]]
        assert row["windows"] == len(mine)
        assert row["share_right"] == pytest.approx(np.mean([c == row["activity"] for c in mine]))
        assert mine.count(row["majority"]) == max(map(mine.count, mine))


def test_without_a_recording_it_says_that_it_simulates(model: str, capsys: Capture) -> None:
    code, out, _ = ended(["run", "-m", model], capsys)
    assert code == 0
    assert "simulated" in out
    assert "nobody was recorded" in out
    assert "recorded activity" in out


def test_score_is_its_confusion_matrix(recording: Path, model: str, capsys: Capture) -> None:
    code, out, _ = ended(["score", str(recording), "-m", model, "--json"], capsys)
    assert code == 0
    figures = json.loads(out)
    windows = [
        json.loads(line) for line in ended(["run", str(recording), "-m", model, "--json"], capsys)[1].splitlines()
    ]
    matrix = np.zeros((18, 18), int)
    for w in windows:
        matrix[CLASSES.index(w["recorded"]), CLASSES.index(w["class"])] += 1
    assert figures["confusion"] == matrix.tolist()
    assert figures["windows"] == len(windows) == matrix.sum()
    assert figures["accuracy"] == pytest.approx(np.trace(matrix) / matrix.sum())
    assert figures["people"] == 2
    assert list(figures["per_person"]) == ["1", "2"]
    assert len(figures["accuracy_interval"]) == 2
    low, high = figures["accuracy_interval"]
    assert low <= figures["accuracy"] <= high
    code, out, _ = ended(["score", str(recording), "-m", model], capsys)
    assert code == 0
    assert all(len(line) <= 100 for line in out.splitlines())


def test_score_has_every_figure_in_every_form(recording: Path, model: str, tmp_path: Path, capsys: Capture) -> None:
    page = tmp_path / "a.html"
    figures = json.loads(ended(["score", str(recording), "-m", model, "--json", "--html", str(page)], capsys)[1])
    code, out, _ = ended(["score", str(recording), "-m", model], capsys)
    html = page.read_text()
    for key, words in WORDS.items():
        low, high = figures[f"{key}_interval"]
        shown = f"{words} +{figures[key]:.3f}  \\[{low:.3f}, {high:.3f}\\]"
        assert re.search(shown, out), shown
        assert f'>{words}</th><td class="right">{figures[key]:.3f}</td><td>{low:.3f} to {high:.3f}<' in html
    assert "mean of the 2 of 18 classes that occur" in " ".join(out.split())
    assert figures["people_trained_on"] == []
    assert "trained on" not in out
    code, _, err = ended(["score", str(recording), "-m", model, "--html", str(tmp_path / "a.txt")], capsys)
    assert (code, "ends in .html" in err) == (2, True)


def test_score_says_whom_the_network_was_trained_on(recording: Path, tmp_path: Path, capsys: Capture) -> None:
    path, page = str(tmp_path / "m.h5"), tmp_path / "a.html"
    numjaz.jazbat(1, CLASSES, contract=SHORT).derive(provenance={"people_trained_on": ["2", "3"]}).save(path)
    code, out, _ = ended(["score", str(recording), "-m", path, "--html", str(page)], capsys)
    said = "trained on 1 of these 2 people, by their names: 2; what it gives for them is not what it gives for others"
    assert code == 0
    assert said in " ".join(out.split())
    assert said in page.read_text()
    _, out, err = ended(["score", str(recording), "-m", path, "--json"], capsys)
    assert json.loads(out)["people_trained_on"] == ["2"]
    assert f"note: {said}\n" in err
    _, out, _ = ended(["score", str(recording), "-m", path, "--people", "1"], capsys)
    assert "trained on" not in out


def test_one_person_has_no_interval(recording: Path, model: str, capsys: Capture) -> None:
    figures = json.loads(ended(["score", str(recording), "-m", model, "--json", "--people", "2"], capsys)[1])
    assert figures["accuracy_interval"] == [None, None]
    assert figures["people"] == 1


def test_exit_codes(recording: Path, model: str, capsys: Capture) -> None:
    assert ended(["score", str(recording), "-m", model, "--at-least", "0"], capsys)[0] == 0
    code, out, err = ended(["score", str(recording), "-m", model, "--at-least", "1.1"], capsys)
    assert code == 1
    assert "is below 1.1" in err
    assert out


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ([], "required: COMMAND; see numjaz --help"),
        (["fly"], "invalid choice"),
        (["run", "--hop", "x"], "invalid int"),
        (["run", "nothing.csv"], "nothing.csv: No such file"),
        (["run", "-m", "nothing"], "nothing: No such file"),
        (["run", "{recording}", "-m", "{model}", "--hop", "0"], "hop"),
        (["run", "{recording}", "-m", "{model}", "--people", "3"], "no subject 3"),
        (["run", "{recording}", "-m", "{model}", "--gap", "-1"], "gap"),
        (["run", "{recording}", "-m", "{model}", "--units", "g"], "median |a|"),
        (["run", "{recording}", "-m", "{model}", "--gravity", "{recording}", "--rate", "-3"], "rate_hz"),
        (["run", "{recording}", "-m", "{model}", "--columns", "time"], "ROLE=NAME"),
        (["run", "{model}", "-m", "{model}"], "activity_names"),
        (["score", "{model}", "-m", "{recording}"], "neither HDF5, nor a Keras, torch, NumPy"),
        (["info", "nothing.h5"], "No such file"),
    ],
)
def test_what_cannot_be_is_one_line_and_two(
    argv: list[str], said: str, recording: Path, model: str, capsys: Capture
) -> None:
    code, _, err = ended([word.format(recording=recording, model=model) for word in argv], capsys)
    assert code == 2
    errors = [line for line in err.splitlines() if not line.startswith("note: ")]
    assert len(errors) == 1
    assert errors[0].startswith("numjaz: ")
    assert said in errors[0]


def test_a_short_recording_says_how_short(model: str, tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "short.csv"
    path.write_text("time_s,x,y,z\n" + "".join(f"{k / 20},0,0,9.8\n" for k in range(40)))
    code, _, err = ended(["run", str(path), "-m", model], capsys)
    assert code == 2
    assert "the longest uninterrupted stretch is 1.9 s, a window is 3.1 s" in err


def test_info_and_models(model: str, capsys: Capture) -> None:
    code, out, _ = ended(["info", model], capsys)
    assert code == 0
    assert "module3_shortcut" in out
    assert "29,440 parameters, 29,312 of them trainable" in out
    assert "minus_g" in out
    assert all(len(line) <= 100 for line in out.splitlines() if not line.startswith("classes"))
    described = json.loads(ended(["info", model, "--json"], capsys)[1])
    assert described["contract"]["window"] == 64
    assert described["golden_error"] <= 1e-12
    code, out, _ = ended(["models"], capsys)
    assert code == 0
    assert all(len(line) <= 100 for line in out.splitlines())


def test_a_spoilt_golden_case_ends_with_one(model: str, capsys: Capture) -> None:
    import h5py

    with h5py.File(model, "r+") as file:
        file["golden/y"][...] = file["golden/y"][...][:, ::-1]
    assert ended(["info", model], capsys)[0] == 1


def test_a_framework_file_needs_a_contract(recording: Path, capsys: Capture) -> None:
    (fixture,) = Path(__file__).parent.glob("fixtures/keras-3*/plain.keras")
    code, _, err = ended(["run", str(recording), "-m", str(fixture)], capsys)
    assert code == 2
    assert "--like MODEL" in err


def test_like_gives_contract_and_classes(recording: Path, tmp_path: Path, capsys: Capture) -> None:
    (fixture,) = Path(__file__).parent.glob("fixtures/keras-3*/plain.keras")
    like = tmp_path / "like.h5"
    numjaz.jazbat(1, [f"class {k}" for k in range(6)], contract=SHORT).save(like)
    code, out, _ = ended(["run", str(recording), "-m", str(fixture), "--like", str(like), "--json"], capsys)
    assert code == 0
    assert json.loads(out.splitlines()[0])["class"].startswith("class ")


def command(*argv: str, **options: object) -> subprocess.CompletedProcess[bytes]:
    root = str(Path(numjaz.__file__).parent.parent)
    environment = {**os.environ, "PYTHONPATH": root, **options.pop("env", {})}  # type: ignore[dict-item]
    return subprocess.run(
        [sys.executable, "-m", "numjaz", *argv], env=environment, capture_output=True, timeout=60, **options
    )  # type: ignore[call-overload, no-any-return]


def test_head_ends_it_silently(recording: Path, model: str) -> None:
    root = str(Path(numjaz.__file__).parent.parent)
    numjaz_run = (
        f"'{sys.executable}' -m numjaz run '{recording}' '{recording}' '{recording}' -m '{model}' --hop 1 --csv"
    )
    ended = subprocess.run(
        f"({numjaz_run}; echo code $? >&2) | head -1",
        shell=True,
        capture_output=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": root},
    )
    assert ended.stdout.count(b"\n") == 1
    assert [line for line in ended.stderr.splitlines() if not line.startswith(b"note")] == [b"code 0"]


def test_standard_input_and_a_plain_locale(recording: Path, model: str) -> None:
    made = command(
        "run", "-", "-m", model, "--json", input=recording.read_bytes(), env={"LC_ALL": "C", "PYTHONUTF8": "0"}
    )
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout.splitlines()[0])["source"] == "standard input"


def test_version_names_what_matters() -> None:
    made = command("--version")
    assert made.returncode == 0
    lines = made.stdout.decode().splitlines()
    assert [line.split()[0] for line in lines] == ["numjaz", "NumPy", "BLAS", "CPU"]
    assert lines[0] == f"numjaz {numjaz.__version__}"


def test_text_of_a_file_cannot_steer_the_terminal(tmp_path: Path, model: str, capsys: Capture) -> None:
    path = tmp_path / "r.csv"
    path.write_text("time_s,x,y,z,activity\n" + "".join(f"{k / 20},0,0,9.8,\x1b[31mred\n" for k in range(100)))
    code, out, err = ended(["run", str(path), "-m", model], capsys)
    assert code == 0
    assert "\x1b" not in out + err
    assert "?[31mred" in out


@pytest.mark.parametrize("hop", ["16", "64", "100"])
def test_spans_follow_the_hop_that_was_asked_for(recording: Path, model: str, hop: str, capsys: Capture) -> None:
    argv = ["run", str(recording), "-m", model, "--json", "--hop", hop]
    windows = [json.loads(line) for line in ended(argv, capsys)[1].splitlines()]
    spans = [json.loads(line) for line in ended([*argv, "--spans"], capsys)[1].splitlines()]
    runs = 1 + sum(
        (a["class"], a["recorded"], a["subject"]) != (b["class"], b["recorded"], b["subject"])
        for a, b in pairwise(windows)
    )
    assert len(spans) == runs


def test_the_summary_as_csv(recording: Path, model: str, capsys: Capture) -> None:
    code, out, _ = ended(["run", str(recording), "-m", model, "--summary", "--csv"], capsys)
    assert code == 0
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["activity"] for row in rows] == ["walking", "jogging"]
    assert all(0 <= float(row["share_right"]) <= 1 for row in rows)


@pytest.mark.parametrize(
    "option", ["--gyro=x", "--people=5", "--rate=20", "--units=g", "--columns=ax=b", "--time-unit=s"]
)
def test_options_for_a_recording_need_one(option: str, model: str, capsys: Capture) -> None:
    code, _, err = ended(["run", "-m", model, option], capsys)
    assert code == 2
    assert "goes with a recording" in err


def test_weights_only_files_run_with_their_architecture(recording: Path, tmp_path: Path, capsys: Capture) -> None:
    (weights,) = Path(__file__).parent.glob("fixtures/keras-2*/plain.weights.h5")
    like = tmp_path / "like.h5"
    numjaz.jazbat(1, 6, contract=SHORT).save(like)
    named = "jazbat:units=6,modules=2,reduction=6,reset_after=true"
    code, _, err = ended(
        ["run", str(recording), "-m", str(weights), "--architecture", named, "--like", str(like), "--json"], capsys
    )
    assert code == 0
    assert "assumed to stand" in err
    assert ended(["info", str(weights), "--architecture", named], capsys)[0] == 0
    assert ended(["info", str(weights), "--architecture", "jazbat:units=7"], capsys)[0] == 2


def test_closed_streams(recording: Path, model: str) -> None:
    root = str(Path(numjaz.__file__).parent.parent)
    numjaz_run = f"'{sys.executable}' -m numjaz run"
    for line, code in (
        (f"{numjaz_run} '{recording}' -m '{model}' >&-", 0),
        (f"{numjaz_run} - -m '{model}' <&-", 2),
        (f"{numjaz_run} nothing 2>&-", 2),
    ):
        made = subprocess.run(line, shell=True, capture_output=True, timeout=60, env={**os.environ, "PYTHONPATH": root})
        assert made.returncode == code, (line, made.stderr)
        assert made.stdout == b""
        assert b"Traceback" not in made.stderr


def test_json_is_json_in_any_encoding(recording: Path, model: str, tmp_path: Path) -> None:
    path = tmp_path / "é.txt"
    path.write_bytes(recording.read_bytes())
    made = command("run", str(path), "-m", model, "--json", env={"PYTHONIOENCODING": "ascii"})
    assert json.loads(made.stdout.splitlines()[0])["source"] == str(path)


@pytest.mark.parametrize("option", ["--gap=inf", "--gap=1e300", "--hop=100000000000000000000", "--at-least=nan"])
def test_numbers_beyond_sense(option: str, recording: Path, model: str, capsys: Capture) -> None:
    code, _, err = ended(["score", str(recording), "-m", model, option], capsys)
    assert code == 2
    assert len([line for line in err.splitlines() if line.startswith("numjaz: ")]) == 1
