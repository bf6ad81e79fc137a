"""How tests write a small recording, and read one as its pieces and the report."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import numjaz
from numjaz.signal import Piece, Report

N = 40
T_NS = 90_426_708_196_641 + np.arange(N) * 50_000_000
XYZ = np.random.default_rng(0).standard_normal((N, 3)) + [0, 0, 9.81]


def read(path: Path, **options: object) -> tuple[list[Piece], Report]:
    report = Report()
    pieces = list(numjaz.read_recording(path, **options).pieces(report))  # type: ignore[arg-type]
    return pieces, report


def samples(pieces: list[Piece]) -> tuple[np.ndarray, np.ndarray]:
    return np.concatenate([p.time_ns for p in pieces]), np.concatenate([p.values for p in pieces])


def written(tmp_path: Path, text: str | bytes, name: str = "r.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def table(header: str, rows: object, sep: str = ",", end: str = "\n") -> str:
    return header + end + end.join(sep.join(map(str, row)) for row in rows) + end  # type: ignore[attr-defined]


def regular(n: int = 600, rate_hz: float = 20.0) -> list[tuple[float, ...]]:
    return [(k / rate_hz, 0.1 * (k % 7), 0.0, 9.81) for k in range(n)]
