"""A numjaz command in a child process, measured from outside, and what a refusal looks like."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numjaz

MEASURED = Path(__file__).parent / "measured.py"
SECONDS, MEGABYTES = (60.0, 400.0) if "NUMJAZ_EMULATED" in os.environ else (2.0, 100.0)  # with the emulator's own


def run(*command: str) -> dict[str, object]:
    """A numjaz command in a child process, measured."""
    root = str(Path(numjaz.__file__).parent.parent)
    environment = {**os.environ, "PYTHONPATH": root, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    argv = [sys.executable, "-I", "-S", str(MEASURED), sys.executable, "-m", "numjaz", *command]
    ended = subprocess.run(argv, capture_output=True, text=True, env=environment, timeout=60, check=True)
    return json.loads(ended.stdout)


def refused(made: dict[str, object], said: str) -> None:
    assert made["code"] == 2, made
    assert made["out"] == ""
    line = str(made["err"])
    assert line.count("\n") == 1, line
    assert re.search(said, line), line
    assert made["seconds"] < SECONDS, made
    assert made["resident_mb"] < MEGABYTES, made
