"""`numjaz check` in a fresh interpreter in which no framework can be imported, as on a machine that has none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FRAMEWORKS = ("keras", "tf_keras", "tensorflow", "torch", "jax", "onnx", "onnxruntime")
CODE = """
import sys
blocked = sys.argv.pop(1).split(",")
sys.modules.update(dict.fromkeys(blocked))  # each import of one is an ImportError
from numjaz.cli import main
code = main(sys.argv[1:])
assert not [name for name in blocked if sys.modules[name] is not None]
sys.exit(code)
"""


def checked(folder: Path, *arguments: str) -> tuple[int, str]:
    """The exit code of `numjaz check` with these arguments in a folder, and what it said and printed."""
    command = [sys.executable, "-c", CODE, ",".join(FRAMEWORKS), "check", *arguments]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    return ended.returncode, ended.stderr + ended.stdout
