"""What a small device is: little memory, nothing to write to, no home, numbers near zero."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import numjaz
from numjaz.engine.exporting import export

ROOT = Path(numjaz.__file__).parent.parent
NAME = "jazbat-watch-1d-activity"
MIB = 64  # of memory that a process may have had; NumPy alone has 25

# What no program on such a device may do: write, or look for a home.
GUARD = """
import os, sys
def guard(event, args):
    if event == "open" and (args[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        raise OSError(30, "Read-only file system", args[0])
    if event in ("os.mkdir", "os.rename", "os.remove", "tempfile.mkstemp", "tempfile.mkdtemp", "os.link", "os.symlink"):
        raise OSError(30, "Read-only file system")
sys.addaudithook(guard)
"""
PEAK = """
import numpy as np
if sys.platform == "linux":
    print(next(int(line.split()[1]) / 2**10 for line in open("/proc/self/status") if line.startswith("VmHWM")))
else:
    print(0)
"""
if "NUMJAZ_EMULATED" in os.environ:  # the peak is of the emulator as well: what is held at the end, without it
    PEAK = f"import runpy\nrunpy.run_path({str(Path(__file__).parent / 'arm' / 'resident.py')!r})\n"
LISTENS = """
samples = np.random.default_rng(0).normal(size=(3000, 3)) + [0, 0, 9.81]
verdicts = [v for k in range(0, 3000, 40) for v in stream.push(samples[k : k + 40])]
assert len(verdicts) > 20 and all(v.label for v in verdicts)
"""


def run(code: str, *folders: Path) -> str:
    """What a process prints that has nothing but the way to its modules."""
    environment = {"PYTHONPATH": ":".join(map(str, folders)), "OPENBLAS_NUM_THREADS": "1"}
    ended = subprocess.run(
        [sys.executable, "-B", "-c", GUARD + "import numpy as np\n" + code + PEAK],
        env=environment,
        capture_output=True,
        text=True,
        cwd="/",
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.parametrize("suffix", [".npz", ".h5"])
def test_a_model_and_its_stream(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"network{suffix}"
    numjaz.load(NAME).save(path)
    said = run(f"import numjaz\nstream = numjaz.Stream(numjaz.load({str(path)!r}), rate_hz=50.0)\n{LISTENS}", ROOT)
    assert float(said.split()[-1]) <= MIB


def test_an_exported_file(tmp_path: Path) -> None:
    export(numjaz.load(NAME), tmp_path / "network.py")
    said = run(
        f"import network\nassert network.self_test()[0] < 10\nstream = network.stream(rate_hz=50.0)\n{LISTENS}",
        tmp_path,
    )
    assert float(said.split()[-1]) <= MIB


def test_the_guard_guards() -> None:
    with pytest.raises(AssertionError, match="Read-only file system"):
        run("open('/tmp/numjaz-must-not-be-written', 'w')\n")


@pytest.mark.parametrize("batch", [1, 16])
@pytest.mark.parametrize("scale", [1e-20, 1e-38, 1e-42, 0.0])
def test_numbers_near_zero(batch: int, scale: float) -> None:
    """Inputs below the smallest normal number, and weights whose products are."""
    model = numjaz.load(NAME)
    x = (np.random.default_rng(0).normal(size=(3, 256, 1)) * scale).astype(np.float32)
    tiny = model.replace(
        {name: array * np.float32(1e-20) for name, array in model.parameters.items() if "/kernel" in name}
    )
    for network in (model, tiny):
        expected = network.reference({network.inputs[0]: x.astype(np.float64)})[network.outputs[0]]
        made = numjaz.compile(network, batch).predict(x)
        np.testing.assert_allclose(made, expected, rtol=0, atol=1e-6)
