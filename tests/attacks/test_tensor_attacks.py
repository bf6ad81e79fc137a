"""Hostile zip archives, torch containers, safetensors and npz files end in one line, at once, in little memory."""

from __future__ import annotations

import os
import sys
import sysconfig
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from child import refused, run
from tensor_attacks import ATTACKS
from tensor_builders import table, tensor, torch_file

import numjaz
from numjaz.formats.tensor_files import open_tensors

pytestmark = pytest.mark.skipif(not hasattr(os, "wait4"), reason="measuring a child's memory needs wait4")
SEEN: list[tuple[str, Any]] | None = None
RUNS = ("os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.startfile", "subprocess.Popen", "pickle.find_class")
TOUCHES = ("open", "os.remove", "os.rename", "os.link", "os.symlink", "os.mkdir", "shutil.rmtree", "socket.connect")


def _listen(event: str, arguments: Any) -> None:
    if SEEN is not None and event in RUNS + TOUCHES:
        SEEN.append((event, arguments[0] if arguments else None))


sys.addaudithook(_listen)  # it stays for good, and listens while SEEN is a list


@pytest.mark.parametrize("name", ATTACKS)
def test_hostile_files(tmp_path: Path, name: str) -> None:
    make, said, suffix = ATTACKS[name]
    path = tmp_path / f"m{suffix}"
    make(path)
    refused(run("info", str(path), "--architecture", "jazbat"), said)
    assert [left.name for left in tmp_path.iterdir()] == [path.name]


def test_the_sound_file_is_read(tmp_path: Path) -> None:
    """What the attacks change is refused for what they changed."""
    torch_file(tmp_path / "m.pt", table(("w", tensor())))
    with open_tensors(tmp_path / "m.pt") as opened:
        np.testing.assert_array_equal(opened.array("w"), np.arange(6).reshape(2, 3))


def test_nothing_is_run_and_nothing_else_is_opened(tmp_path: Path) -> None:
    """In this process, under Python's own audit: every file that is opened is the attack, or a module of Python's."""
    global SEEN
    modules = tuple({str(Path(numjaz.__file__).parent), *sysconfig.get_paths().values()})
    for k, (make, _, suffix) in enumerate(ATTACKS.values()):
        path = tmp_path / f"m{k}{suffix}"
        make(path)
        SEEN = []
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", numjaz.NumjazWarning)
                numjaz.load(path, architecture="jazbat")
        except numjaz.NumjazError as error:
            assert "\n" not in str(error)
        finally:
            seen, SEEN = SEEN, None
        opened = {str(what) for event, what in seen if event == "open" and not isinstance(what, int)}
        assert str(path) in opened
        assert all(name == str(path) or name.startswith(modules) for name in opened), (make, opened)
        assert {event for event, _ in seen} == {"open"}, (make, seen)
        path.unlink()


def test_there_are_at_least_forty() -> None:
    assert len(ATTACKS) >= 40
