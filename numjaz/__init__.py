"""Neural networks for wearable sensors, run, counted and checked in plain NumPy."""

from numjaz import frameworks
from numjaz.architectures import jazbat
from numjaz.audit import count, memory
from numjaz.compare import compare
from numjaz.contract import Contract
from numjaz.engine import Plan, compile
from numjaz.errors import NumjazError, NumjazWarning
from numjaz.formats import load, register
from numjaz.model import Golden, Model
from numjaz.nodes import Node
from numjaz.signal import Batch, Recording, read_recording, simulate_gait, windows

__version__ = "0.1.0"

__all__ = [
    "Batch",
    "Contract",
    "Golden",
    "Model",
    "Node",
    "NumjazError",
    "NumjazWarning",
    "Plan",
    "Recording",
    "__version__",
    "compare",
    "compile",
    "count",
    "frameworks",
    "jazbat",
    "load",
    "memory",
    "read_recording",
    "register",
    "simulate_gait",
    "windows",
]
