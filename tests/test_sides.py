"""`numjaz.compare` and `numjaz.frameworks.record` as everybody calls them: any kind of side, in any order."""

from __future__ import annotations

import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import numjaz
from numjaz import NumjazError
from numjaz.cli import main
from numjaz.compare.divergence import excite
from numjaz.compare.runs import run_model, write_run

RIGHT = numjaz.jazbat(features=3, classes=6, units=4, modules=1)
WRONG = RIGHT.replace({"reduction/bias": RIGHT.parameters["reduction/bias"] + 0.02})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One network and one with a fault; each as a file and as a recording."""
    path = tmp_path_factory.mktemp("sides")
    for name, model in (("right", RIGHT), ("wrong", WRONG)):
        model.save(path / f"{name}.npz")
        model.save(path / f"{name}.h5")
        write_run(run_model(model, excite(RIGHT)), path / f"{name}-run.npz")
    return path


def sides(name: str, model: numjaz.Model, folder: Path) -> dict[str, Any]:
    path = folder / f"{name}.npz"
    run = folder / f"{name}-run.npz"
    recorded = run_model(model, excite(RIGHT))
    return {"model": model, "path": path, "text": str(path), "run": recorded, "recording": run, "its text": str(run)}


KINDS = ("model", "path", "text", "run", "recording", "its text")
NETWORKS = KINDS[:3]


@pytest.mark.parametrize(("left", "right"), [pair for pair in product(KINDS, KINDS) if set(pair) & set(NETWORKS)])
def test_a_side_is_of_any_kind(left: str, right: str, folder: Path) -> None:
    a = sides("right", RIGHT, folder)[left]
    assert numjaz.compare(a, sides("right", RIGHT, folder)[right]).agree
    found = numjaz.compare(a, sides("wrong", WRONG, folder)[right])
    assert (found.agree, found.node) == (False, "reduction")


def test_the_inputs_may_be_given() -> None:
    x = np.random.default_rng(0).normal(size=(2, 30, 3)).astype(np.float32)
    assert numjaz.compare(RIGHT, WRONG, x).node == numjaz.compare(RIGHT, WRONG, {"input": x}).node == "reduction"
    with pytest.raises(NumjazError, match="the other: holds no windows"):
        numjaz.compare(RIGHT, WRONG, np.zeros((0, 30, 3), np.float32))


@pytest.mark.parametrize(
    ("a", "b", "x", "said"),
    [
        ("right-run.npz", "wrong-run.npz", None, "right-run.npz and .*wrong-run.npz are both recordings; one side"),
        ("right-run.npz", "right.npz", np.zeros((1, 30, 3)), "a recording has its own inputs"),
        ("right.npz", "nothing.npz", None, "nothing.npz"),
    ],
)
def test_what_cannot_be_compared(a: str, b: str, x: Any, said: str, folder: Path) -> None:
    with pytest.raises(NumjazError, match=said):
        numjaz.compare(folder / a, folder / b, x)


def test_what_is_no_side() -> None:
    with pytest.raises(NumjazError, match=r"not dict; numjaz\.frameworks\.record makes a Run"):
        numjaz.compare(RIGHT, {})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "code",
    [
        "import numjaz",
        "import numjaz.compare.runs, numjaz",
        "from numjaz.compare.divergence import excite; import numjaz",
        "from numjaz.compare import runs; import numjaz",
        "import numjaz.frameworks.recording, numjaz",
        "import numjaz.cli, numjaz",
    ],
)
def test_the_names_are_functions_whatever_was_imported_first(code: str) -> None:
    asked = (
        f"{code}; from numjaz.compare.runs import Run; from numjaz.frameworks import record; "
        "print(type(numjaz.compare).__name__, type(numjaz.frameworks.record).__name__, record is numjaz.frameworks.record)"
    )
    ended = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, timeout=60)
    assert ended.stdout.split() == ["function", "function", "True"], ended.stderr


def test_importing_numjaz_does_not_load_what_compares() -> None:
    code = "import sys, numjaz; print([m for m in sys.modules if m.startswith('numjaz.compare.')])"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert ended.stdout.strip() == "[]"


def test_the_command_takes_a_recording_on_either_side(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    for arguments, code in (
        (["right.npz", "right-run.npz"], 0),
        (["right-run.npz", "right.npz"], 0),
        (["wrong-run.npz", "right.h5"], 1),
        (["right.h5", "wrong-run.npz"], 1),
    ):
        assert main(["check", *arguments]) == code, arguments
    capsys.readouterr()
    for arguments, said in (
        (["right-run.npz", "wrong-run.npz"], "are both recordings"),
        (["right-run.npz", "right.npz", "--input", "x.npy"], "--input: right-run.npz is a recording"),
        (["right-run.npz"], "a recorded run, not a network; name the network"),
        (["right-run.npz", "--with", "torch"], "a recorded run, not a network; name the network"),
    ):
        assert main(["check", *arguments]) == 2, arguments
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert said in error


def test_options_of_a_weights_only_file_go_for_the_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez("weights.npz", **{name.replace("/", "."): array for name, array in RIGHT.parameters.items()})
    write_run(run_model(RIGHT, excite(RIGHT)), "run.npz")
    named = ["--architecture", "jazbat:features=3,classes=6,units=4,modules=1"]
    for order in (["run.npz", "weights.npz"], ["weights.npz", "run.npz"]):
        assert main(["check", *order, *named]) == 0
        assert "the two agree" in capsys.readouterr().out
