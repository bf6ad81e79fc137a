"""A corpus as it is written: recordings, and what is known of each. Imports nothing of numjaz."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Case:
    """A recording of the wrong side, and what a comparison with the right one is to say.

    Attributes
    ----------
    id : str
        Of this case alone.
    kind : str
        ``single``, ``pair``, ``agree`` or ``outside``.
    network, weights, model, run, runner, dtype : str
        What ran, the two files, and who ran it in what.
    batch : int
        Windows.
    nodes : list of str
        Where the first fault is; any of them is right.
    families, variants : list of str
        Of each fault.
    expected : list of list of str
        For each fault regular expressions; a cause in which one is found is right.
    same_node : bool
        Whether both faults of a pair are in one node.
    relative : float or None
        How much the node's output is another, in float64, of its largest number.
    tiny : bool
        Whether that is less than float32 could show.
    notes : list of str
        What else is to be known.
    """

    id: str
    kind: str
    network: str
    weights: str
    model: str
    run: str
    runner: str
    dtype: str
    batch: int
    nodes: list[str] = field(default_factory=list)
    families: list[str] = field(default_factory=list)
    variants: list[str] = field(default_factory=list)
    expected: list[list[str]] = field(default_factory=list)
    same_node: bool = False
    relative: float | None = None
    tiny: bool = False
    notes: list[str] = field(default_factory=list)


class Corpus:
    """A folder that cases are written to."""

    def __init__(self, folder: Path, part: str) -> None:
        self.folder, self.part = folder, part
        self.cases: list[Case] = []
        (folder / "runs").mkdir(parents=True, exist_ok=True)

    def name(self, kind: str) -> tuple[str, str]:
        """The next case's id, and the file of its recording."""
        name = f"{self.part}-{kind}-{len(self.cases):04d}"
        return name, f"runs/{name}.npz"

    def keep(self, case: Case, given: str, x: np.ndarray, outputs: Mapping[str, np.ndarray]) -> None:
        """Write a recording, and keep what is known of it."""
        arrays = {f"input/{given}": x, **{f"output/{name}": array for name, array in outputs.items()}}
        np.savez(self.folder / case.run, **arrays)
        self.cases.append(case)

    def save(self) -> None:
        """Write what is known of all."""
        path = self.folder / f"cases-{self.part}.json"
        path.write_text(json.dumps([asdict(case) for case in self.cases], indent=1) + "\n")


def read_cases(folder: Path) -> list[dict[str, object]]:
    """Of every part."""
    return [case for path in sorted(folder.glob("cases*.json")) for case in json.loads(path.read_text())]


def relative(right: np.ndarray, wrong: np.ndarray) -> float:
    """The largest difference, of the largest number; infinite where the shapes are not the same."""
    if right.shape != wrong.shape or not np.isfinite(wrong).all():
        return float("inf")
    right, wrong = right.astype(np.float64), wrong.astype(np.float64)
    return float(np.abs(right - wrong).max() / max(np.abs(right).max(), 1e-30))
