"""What ``numjaz --version`` prints: everything on which the last digits of a result may depend."""

from __future__ import annotations

import platform
from pathlib import Path

import numpy as np

import numjaz


def version_text() -> str:
    """numjaz, NumPy, BLAS, CPU, a line each."""
    return "\n".join((f"numjaz {numjaz.__version__}", f"NumPy {np.__version__}", f"BLAS {_blas()}", f"CPU {_cpu()}"))


def _blas() -> str:
    try:
        config = np.show_config(mode="dicts")
    except TypeError:  # before NumPy 1.25 it can only print
        return "unknown"
    blas = config["Build Dependencies"]["blas"] if isinstance(config, dict) else {}
    return f"{blas.get('name', 'unknown')} {blas.get('version', '')}".strip()


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.lower().startswith(("model name", "hardware"))]
    return (names or [platform.processor() or platform.machine()])[0]
