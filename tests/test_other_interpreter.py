"""What `numjaz check --with` does when the other interpreter is not what it should be, or is interrupted.

The framework is a file named torch.py in the current folder, so that no framework is needed.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import numjaz
from numjaz.cli import main
from numjaz.frameworks.interpreter import START
from numjaz.frameworks.serve import dtype_there

pytestmark = pytest.mark.skipif(os.name != "posix", reason="interpreters are made as shell scripts")
Capture = pytest.CaptureFixture[str]
CHECK = ["check", "model.npz", "--with", "torch"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a small network, from which the command is called."""
    numjaz.jazbat(units=4, modules=1).save(tmp_path / "model.npz")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    return tmp_path


def script(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def refused(arguments: list[str], capsys: Capture) -> str:
    """The one line that the command ends with."""
    assert main([*CHECK, *arguments]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("true", "is no Python that runs numjaz; it said: nothing"),
        ("echo 'what is -c?' >&2; exit 2", "is no Python that runs numjaz; it said: what is -c?"),
        ("kill -9 $$", "was ended by SIGKILL"),
    ],
)
def test_what_is_no_python(body: str, said: str, folder: Path, capsys: Capture) -> None:
    error = refused(["--python", script(folder / "python", body)], capsys)
    assert said in error
    assert str(folder / "python") in error


def test_what_cannot_be_run(folder: Path, capsys: Capture) -> None:
    assert "nowhere: cannot be run (No such file or directory)" in refused(["--python", "./nowhere"], capsys)
    assert "model.npz: cannot be run (Permission denied)" in refused(["--python", "./model.npz"], capsys)


@pytest.mark.parametrize(
    ("before", "said"),
    [
        ("import sys; sys.version_info = (3, 8, 10)", "numjaz needs Python 3.11 or later, and this is 3.8\n"),
        (
            "import sys; sys.modules['numpy'] = None",
            f"numjaz needs NumPy there: {sys.executable} -m pip install numpy\n",
        ),
    ],
)
def test_an_old_or_a_bare_python_says_what_it_needs(before: str, said: str) -> None:
    ended = subprocess.run([sys.executable, "-c", before + START, "", ""], capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (1, said)


def test_a_missing_framework_is_named_with_what_installs_it(folder: Path, capsys: Capture) -> None:
    (folder / "torch.py").write_text("import nothing_of_that_name", encoding="utf-8")
    assert refused([], capsys).endswith(
        f"cannot be imported (No module named 'nothing_of_that_name'): {sys.executable} -m pip install torch\n"
    )


def test_nothing_beside_numjaz_is_lent(folder: Path, capsys: Capture) -> None:
    """What is installed for this interpreter is not for another one."""
    (folder / "torch.py").write_text("import json, sys\nraise ImportError(json.dumps(sys.path))", encoding="utf-8")
    (folder / "numjaz").mkdir()  # a folder of that name in the current one is not numjaz
    (folder / "numjaz" / "__init__.py").write_text("raise ImportError('not this one')", encoding="utf-8")
    error = refused([], capsys)
    places = json.loads(error[error.index("[") : error.index("]") + 1])
    own = str(Path(numjaz.__file__).parents[1])
    bare = json.loads(
        subprocess.run(
            [sys.executable, "-c", "import json, sys; print(json.dumps(sys.path))"], capture_output=True
        ).stdout
    )
    assert [place for place in places if place not in bare] == [str(folder)]
    assert own in bare or own not in places


def test_on_a_terminal_it_says_what_is_waited_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    (folder / "torch.py").write_text("raise ImportError('none')", encoding="utf-8")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert main(CHECK) == 2
    first, *_, last = capsys.readouterr().err.split("\r\033[K")
    assert first == ""
    assert last.startswith("numjaz: torch in ")
    assert main([*CHECK, "--python", "python-of-mine"]) == 2
    assert "\r\033[Ktorch is started in python-of-mine …\r\033[Knumjaz: " in capsys.readouterr().err


def running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not (stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupt_ends_both_and_leaves_nothing(folder: Path, how: signal.Signals) -> None:
    """The signal goes to this side alone, and between the two stands a shell."""
    (folder / "torch.py").write_text(
        "import os, time\nopen('began', 'w').write(str(os.getpid()))\nos.rename('began', 'pid')\ntime.sleep(60)",
        encoding="utf-8",
    )
    between = script(folder / "python", f'"{sys.executable}" "$@"\nexit 0')
    temporary = folder / "temporary"
    temporary.mkdir()
    command = [sys.executable, "-m", "numjaz", *CHECK, "--python", between]
    env = {**os.environ, "TMPDIR": str(temporary), "PYTHONPATH": str(Path(numjaz.__file__).parents[1])}
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as started:
        try:
            until = time.monotonic() + 60
            while not (folder / "pid").exists() and time.monotonic() < until:
                time.sleep(0.05)
            pid = int((folder / "pid").read_text())
            assert running(pid)
            started.send_signal(how)
            out, error = started.communicate(timeout=30)
        finally:
            started.kill()
    until = time.monotonic() + 30
    while running(pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert not running(pid)
    if how == signal.SIGINT:
        assert (started.returncode, out, error) == (130, "", "numjaz: interrupted\n")
        assert list(temporary.iterdir()) == []


def test_the_dtype_of_a_network_there() -> None:
    model = numjaz.jazbat(units=4, modules=1)
    double = model.replace({name: array.astype("float64") for name, array in model.parameters.items()})
    half = model.replace({name: array.astype("float16") for name, array in model.parameters.items()})
    assert [str(dtype_there(each)) for each in (model, double, half)] == ["float32", "float64", "float32"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--with", "caffe"], "framework 'caffe' is not one of keras, torch, onnxruntime"),
        (["--with", "keras", "--factory", "mine:net"], "a factory makes a torch module, and keras takes none"),
        (["other.npz", "--with", "torch"], "--with takes the place of OTHER"),
    ],
)
def test_what_does_not_go_together(arguments: list[str], said: str, capsys: Capture) -> None:
    assert main(["check", "model.npz", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert said in error
