"""Neural networks for wearable sensors, run, counted, checked and trained in plain NumPy."""

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numjaz import frameworks
    from numjaz.architectures.jazbat import jazbat
    from numjaz.audit import count
    from numjaz.audit.memory import memory
    from numjaz.compare import compare
    from numjaz.contract import Contract
    from numjaz.engine import Plan, compile
    from numjaz.engine.stream import Stream
    from numjaz.errors import NumjazError, NumjazWarning
    from numjaz.formats import load
    from numjaz.formats.registry import register
    from numjaz.learn.classifier import JazbatClassifier
    from numjaz.learn.judging import evaluate
    from numjaz.model import Golden, Model
    from numjaz.nodes import Node
    from numjaz.signal import Batch, Recording, read_recording, simulate_gait, windows

__version__ = "0.1.0"

_ROOMS = {
    "architectures": ("jazbat",),
    "audit": ("count", "memory"),
    "compare": ("compare",),
    "contract": ("Contract",),
    "engine": ("Plan", "compile"),
    "engine.stream": ("Stream",),
    "errors": ("NumjazError", "NumjazWarning"),
    "formats": ("load",),
    "formats.registry": ("register",),
    "learn.classifier": ("JazbatClassifier",),
    "learn.judging": ("evaluate",),
    "model": ("Golden", "Model"),
    "nodes": ("Node",),
    "signal": ("Batch", "Recording", "read_recording", "simulate_gait", "windows"),
}
"""Where the public names are from: a room is opened when the first of its names is asked for."""

_OPEN = ("engine", "formats", "frameworks", "layers", "learn", "planning", "plot", "report", "signal")
"""Rooms that may be named without an import of their own."""

__all__ = [
    "Batch",
    "Contract",
    "Golden",
    "JazbatClassifier",
    "Model",
    "Node",
    "NumjazError",
    "NumjazWarning",
    "Plan",
    "Recording",
    "Stream",
    "__version__",
    "compare",
    "compile",
    "count",
    "evaluate",
    "frameworks",
    "jazbat",
    "load",
    "memory",
    "read_recording",
    "register",
    "simulate_gait",
    "windows",
]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _OPEN:
        return import_module(f"numjaz.{name}")
    for room, names in _ROOMS.items():
        if name in names:
            value = globals()[name] = getattr(import_module(f"numjaz.{room}"), name)
            return value
    raise AttributeError(f"module 'numjaz' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _Numjaz(ModuleType):
    """Keeps the name `compare` for the function, where an import of the package of that name would take it."""

    def __setattr__(self, name: str, value: Any) -> None:
        function = name == "compare" and isinstance(value, ModuleType)
        super().__setattr__(name, value.compare if function else value)


sys.modules[__name__].__class__ = _Numjaz
