"""The wheel: what is in it, and that it works away from the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_wheel(tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip"]
    subprocess.run([*pip, "wheel", "-q", "--no-deps", "-w", str(tmp_path), str(ROOT)], check=True, timeout=300)
    (wheel,) = tmp_path.glob("numjaz-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "numjaz/py.typed" in names
    assert {Path(n).name for n in names if n.startswith("numjaz/weights/")} == {
        "__init__.py",
        *(path.name for pattern in ("*.h5", "*.json", "*.md") for path in (ROOT / "weights").glob(pattern)),
    }
    assert not [n for n in names if ".keras" in n or n.startswith(("numjaz/weights/training", "tests"))]
    assert wheel.stat().st_size < 1_250_000  # of five networks
    place = tmp_path / "site"
    subprocess.run([*pip, "install", "-q", "--no-deps", "--target", str(place), str(wheel)], check=True, timeout=300)
    environment = {**os.environ, "PYTHONPATH": str(place)}
    ended = subprocess.run(
        [sys.executable, "-m", "numjaz", "run", "--spans"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "walking" in ended.stdout
    where = "import numjaz.weights; print(numjaz.weights.__file__)"
    found = subprocess.run(
        [sys.executable, "-c", where], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert found.stdout.startswith(str(place))
