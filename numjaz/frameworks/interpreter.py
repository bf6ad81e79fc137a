"""Another Python, of whatever version, that runs this numjaz beside a framework."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numjaz

MOST = 300  # characters of what somebody else said
START = """
import sys
if sys.version_info < (3, 11):
    sys.exit("numjaz needs Python 3.11 or later, and this is %d.%d" % sys.version_info[:2])
try:
    import numpy
except ImportError:
    sys.exit("numjaz needs NumPy there: %s -m pip install numpy" % sys.executable)
from importlib.util import module_from_spec, spec_from_file_location
spec = spec_from_file_location("numjaz", sys.argv[1] + "/__init__.py", submodule_search_locations=[sys.argv[1]])
sys.modules["numjaz"] = module_from_spec(spec)
spec.loader.exec_module(sys.modules["numjaz"])
from pkgutil import resolve_name
resolve_name("numjaz.frameworks." + sys.argv[2] + ":main")(sys.argv[3])
"""
"""What the interpreter is given, of whatever version: this numjaz, and nothing of what is installed beside it."""


def command(python: str, module: str, request: Mapping[str, Any]) -> list[str]:
    """What starts ``main`` of a module of this room in an interpreter, with a request."""
    return [python, "-c", START, str(Path(numjaz.__file__).parent), module, json.dumps(request)]


def environment(**more: str) -> dict[str, str]:
    """What this process has, with the current folder's modules, without a GPU: bounds are those of a CPU."""
    known = os.pathsep.join([str(Path.cwd()), *filter(None, [os.environ.get("PYTHONPATH")])])
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}  # starts are timed
    return {**kept, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", "PYTHONPATH": known, **more}


def end_with_input() -> None:
    """End at once when whoever started this has ended, which ends standard input."""

    def wait() -> None:
        os.read(0, 1)  # not sys.stdin, whose lock the interpreter wants when it ends
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def line_of(error: BaseException) -> str:
    """What an exception says, in one line."""
    return " ".join(str(error).split())[:MOST]
