"""Six people's recordings in CSV, and the commands that train called on them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import numjaz
from numjaz.cli import main

PEOPLE = ("ann", "bob", "cleo", "dan", "eve", "fay")
FILES = [f"{who}.csv" for who in PEOPLE]
TINY = ["--architecture", "jazbat:units=4,width=8,narrow=4,modules=1", "--window", "32", "--hop", "16"]
QUICK = [*TINY, "--epochs", "2", "--batch", "32", "--learning-rate", "0.01"]
SHORT = ["--epochs", "1", "--batch", "64"]
Capture = pytest.CaptureFixture[str]


def written(path: Path, seed: int, who: str = "") -> None:
    """Somebody, at twelve seconds of each of three activities; a column of subjects where there is a name."""
    rng = np.random.default_rng(seed)
    gain, phase, lines = rng.normal(1, 0.15), rng.uniform(0, 6), []
    for number, (activity, hz, swing) in enumerate(
        (("walking", 1.9, 3.0), ("jogging", 2.7, 9.0), ("sitting", 0.3, 0.1))
    ):
        for k in range(240):
            up = 9.81 + gain * swing * np.sin(2 * np.pi * hz * k / 20 + phase) + rng.normal(0, 0.4)
            lines.append(f"{number * 12 + k / 20:.2f},0.1,{rng.normal(0, 0.4):.4f},{up:.4f},{who},{activity}")
    table = "time,ax,ay,az,subject,activity\n" + "\n".join(lines) + "\n"
    path.write_text(table if who else re.sub(r",[^,]*(,[^,]*\n)", r"\1", table))


def recorded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to be in, with everybody's recording."""
    monkeypatch.chdir(folder)
    for seed, who in enumerate(PEOPLE):
        written(folder / f"{who}.csv", seed, who)
    return folder


def ended(capsys: Capture, *argv: str) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main(list(argv))
    return code, *capsys.readouterr()


def told(capsys: Capture, *argv: str) -> Any:
    code, out, err = ended(capsys, *argv, "--json")
    assert code == 0, err
    return json.loads(out)


def arrays(path: str) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in numjaz.load(path).parameters.items()}


def refused(capsys: Capture, *argv: str) -> str:
    code, out, err = ended(capsys, *argv)
    *notes, last = err.splitlines()
    assert (code, out) == (2, ""), err
    assert all(line.startswith("note: ") for line in notes)
    assert re.match(r"numjaz: \S", last)
    return last
