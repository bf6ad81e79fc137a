"""The commands of docs/training.md are run as they stand there, and print what stands below them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"^```(python|sh|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks() -> list[tuple[str, str]]:
    page = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    return [(kind, text) for kind, text in BLOCK.findall(page) if not text.startswith(">>>")]


def told(text: str) -> str:
    """What is the same on every machine: words and counts, without what is trained, timed or wrapped."""
    text = re.sub(r"[+-]?\d\.\d+", "#", text)
    text = re.sub(r"\d+ epochs? in \d+ s, the weights of epoch \d+", "epochs", text)
    text = re.sub(r": (# of it is the leak|the leak gave nothing)", "", " ".join(text.split()))
    return text


def test_the_page_is_what_it_prints(tmp_path: Path) -> None:
    found = blocks()
    assert [kind for kind, _ in found] == ["python", *["sh", "text"] * 9]
    (tmp_path / "people.py").write_text(found[0][1])
    here = tmp_path / "bin"
    here.mkdir()
    for name, command in (("numjaz", "-m numjaz"), ("python", "")):
        (here / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {command} "$@"\n')
        (here / name).chmod(0o755)
    given = {**os.environ, "PATH": f"{here}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    outputs = {}
    for (_, command), (_, expected) in zip(found[1::2], found[2::2], strict=True):
        run = subprocess.run(
            ["bash", "-ec", command], cwd=tmp_path, env=given, capture_output=True, text=True, timeout=170
        )
        assert run.returncode == 0, run.stderr
        assert told(run.stdout) == told(expected), command
        outputs[command.split("--")[-1].strip()] = run.stdout
    # What the page says in words of the figures.
    random, honest = map(float, re.findall(r"(\d\.\d\d)\s+on", outputs["judge random"]))
    assert random > honest
    before, after = (
        float(re.search(rf"^{name} +(\S+)", outputs["out hal.h5"], re.MULTILINE)[1]) for name in ("before", "after")
    )  # type: ignore[index]
    assert after > before
