"""A numjaz command in a child process, measured from outside, and what a refusal looks like."""

from __future__ import annotations

import functools
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numjaz

MEASURED = Path(__file__).parent / "measured.py"
EMULATED = "NUMJAZ_EMULATED" in os.environ
MEGABYTES = 400.0 if EMULATED else 100.0  # with the emulator's own
HANGS = 600.0 if EMULATED else 60.0  # seconds after which nothing is waited for


def run(*command: str) -> dict[str, object]:
    """A numjaz command in a child process, measured."""
    return measured("-m", "numjaz", *command)


def measured(*arguments: str) -> dict[str, object]:
    """Python with these arguments in a child process: how it ended, the processor's seconds, the memory it held."""
    root = str(Path(numjaz.__file__).parent.parent)
    environment = {**os.environ, "PYTHONPATH": root, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    argv = [sys.executable, "-I", "-S", str(MEASURED), sys.executable, *arguments]
    ended = subprocess.run(argv, capture_output=True, text=True, env=environment, timeout=HANGS, check=True)
    return json.loads(ended.stdout)


@functools.cache
def seconds() -> float:
    """The most that a refusal may take: two seconds, or ten times what this machine needs to import NumPy and h5py.

    A quiet desk computer needs 0.15 s for that, so there the two seconds hold.
    """
    if EMULATED:
        return 60.0
    return max(2.0, 10 * min(float(str(measured("-c", "import numpy, h5py")["seconds"])) for _ in range(3)))


def refused(made: dict[str, object], said: str) -> None:
    assert made["code"] == 2, made
    assert made["out"] == ""
    line = str(made["err"])
    assert line.count("\n") == 1, line
    assert re.search(said, line), line
    assert made["seconds"] < seconds(), made
    assert made["resident_mb"] < MEGABYTES, made
