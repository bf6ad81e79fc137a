"""Read what the writers wrote and compare: ``python tests/matrix/report.py FOLDER [FOLDER …]``.

Every file is loaded by numjaz, without a framework; every node is held against the framework's own output in the
``.npz`` beside the file, as far as it has a name there: in Keras all have. The tables in ``docs/weight-files.md`` are written anew; the exit code
is 1 where a difference is over its bound, or a file is refused.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from textwrap import wrap
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parent.parent))
sys.path.insert(0, str(Path(__file__).parent.parent.parent))

import numpy as np
from numjaz_networks import Difference, architecture, difference, names

import numjaz

PAGE = Path(__file__).parent.parent.parent / "docs" / "weight-files.md"
MARKS = ("<!-- matrix: tests/matrix/report.py writes what follows -->", "<!-- matrix: end -->")
BOUNDS = {"float64": 1e-12, "float32": 1e-5}
NETWORKS = {  # by the names of the files
    "jazbat": "Jazbat-Net",
    "sequential-lstm": "LSTM",
    "cnn-bigru": "CNN-BiGRU",
    "subclassed": "subclassed",
    "nested": "nested",
    "separable": "separable",
}
CONTAINERS = {
    "keras": "`.keras`",
    "weights.h5": "`.weights.h5`",
    "h5": "`.h5`, whole model",
    "legacy-weights.h5": "`.h5`, weights",
    "pt": "`.pt`, state dict",
    "checkpoint.pt": "`.pt`, checkpoint",
    "safetensors": "`.safetensors`",
}
REASONS = {  # what frameworks say, in words
    "requires the model to be a Functional": "Keras 2 writes no subclassed model whole into HDF5; its weights it does.",
    "name already exists": "Keras 3.0 fails to write a legacy `.h5` in which two arrays would have one name, as every "
    "bidirectional layer's, subclassed block's or nested model's have there; it was mended later.",
}


SAID = (
    "Jazbat-Net's `.safetensors` was read with `names=` for the first shortcut, whose shape is a merge's: the order of "
    "definition is lost there."
)


class Cell(NamedTuple):
    """The difference that a file's nodes have, or why it has none: the framework wrote no file, numjaz read none."""

    difference: Difference | None
    reason: str = ""


def read(path: Path) -> Cell:
    """One file, read with the architecture that belongs to it and run on the input beside it."""
    try:
        model = numjaz.load(path, architecture(path), names=names(path))
    except numjaz.NumjazError as error:
        reason = f"numjaz: {str(error).replace(f'{path.parent}/', '')}"
        return Cell(Difference(float("inf"), "the file"), reason)
    return Cell(difference(model, path))


def rows(folder: Path) -> Iterator[tuple[str, str, dict[str, Cell]]]:
    """Container, dtype and cells by network, of one writer."""
    refusals = folder / "refused.json"
    refused = json.loads(refusals.read_text()) if refusals.exists() else {}
    for container in CONTAINERS:
        for dtype in BOUNDS:
            cells = {}
            for name in NETWORKS:
                path = folder / f"{name}-{dtype}.{container}"
                if path.name in refused:
                    cells[name] = Cell(None, refused[path.name])
                elif path.exists():
                    cells[name] = read(path)
            if cells:
                yield container, dtype, cells


MISSING = Cell(Difference(float("inf"), "a file that nobody wrote"), "nobody wrote the file")


def label(versions: dict[str, str]) -> str:
    """What a writer is called in the table."""
    if "torch" in versions:
        return f"torch {versions['torch']}"
    if versions["keras"].startswith("2."):
        return f"TensorFlow {versions['tensorflow']}"
    return f"Keras {versions['keras']}"


def order(versions: dict[str, str]) -> tuple[bool, list[int]]:
    """A key that puts Keras before torch, and older ones first."""
    return "torch" in versions, [int(part) for part in versions.get("torch", versions.get("keras", "")).split(".")]


def report(writers: dict[Path, dict[str, str]]) -> tuple[str, list[str]]:
    """The tables, and what is wrong."""
    notes: dict[str, str] = {}
    broken: list[str] = []
    tables: dict[str, list[list[str]]] = {dtype: [] for dtype in BOUNDS}
    counts: dict[tuple[str, str], int] = {}
    for folder, versions in writers.items():
        for container, dtype, cells in rows(folder):
            shown = []
            for name in NETWORKS:
                found, reason = cells.get(name, MISSING)
                if reason:
                    words = next((text for said, text in REASONS.items() if said in reason), reason)
                    shown.append(f"({notes.setdefault(words, chr(ord('a') + len(notes)))})")
                elif found is not None:
                    shown.append(f"{found.relative:.0e}")
                    counts["torch" if "torch" in versions else "Keras", name] = found.nodes
                if found is not None and not found.relative <= BOUNDS[dtype]:
                    what = f"{found.relative:.1e} at {found.node}{reason and ', ' + reason}"
                    broken.append(f"{label(versions)}, {container}, {dtype}, {name}: {what}")
            tables[dtype].append([label(versions), CONTAINERS[container], *shown])
    lines = []
    for dtype, table in tables.items():
        lines += [f"{dtype}, where {BOUNDS[dtype]:.0e} is the bound:", "", *markdown(table), ""]
    for words, letter in notes.items():
        lines += wrap(f"- ({letter}) {words}", 120, subsequent_indent="  ")
    return "\n".join([*heading(writers, counts), *lines]).rstrip(), broken


def heading(writers: dict[Path, dict[str, str]], counts: dict[tuple[str, str], int]) -> list[str]:
    """What stands above the tables."""
    lines = ["`bash tests/matrix/run.sh` made this with", ""]
    for versions in writers.values():
        lines.append(f"- {', '.join(f'{what} {version}' for what, version in versions.items())}")
    lines.append(f"- numjaz {numjaz.__version__}, python {platform.python_version()}, numpy {np.__version__}")
    for framework in dict.fromkeys(framework for framework, _ in counts):
        nodes = [f"{NETWORKS[name]} {counts[framework, name]}" for name in NETWORKS if (framework, name) in counts]
        lines += ["", *wrap(f"Nodes compared with {framework}'s, besides the output: {', '.join(nodes)}.", 120)]
    return [*lines, "", *wrap(SAID, 120), ""]


def markdown(table: list[list[str]]) -> list[str]:
    """A table, its columns aligned for those who read the text."""
    head = ["writer", "file", *NETWORKS.values()]
    widths = [max(len(row[k]) for row in [head, *table]) for k in range(len(head))]
    rule = ["-" * widths[0], "-" * widths[1], *("-" * (width - 1) + ":" for width in widths[2:])]
    blank = [[("" if k and table[k - 1][0] == row[0] else row[0]), *row[1:]] for k, row in enumerate(table)]
    sides = [str.ljust, str.ljust] + [str.rjust] * len(NETWORKS)
    lines = []
    for row in [head, rule, *blank]:
        lines.append(" | ".join(side(text, width) for side, text, width in zip(sides, row, widths, strict=True)))
    return [f"| {line} |" for line in lines]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path, help="what the writers were given")
    found = [path for folder in parser.parse_args().folders for path in folder.glob("*/VERSIONS")]
    said = {path.parent: dict(line.split() for line in path.read_text().splitlines()) for path in found}
    text, broken = report({folder: said[folder] for folder in sorted(said, key=lambda folder: order(said[folder]))})
    before, _, rest = PAGE.read_text().partition(MARKS[0])
    _, _, behind = rest.partition(MARKS[1])
    PAGE.write_text(f"{before}{MARKS[0]}\n\n{text}\n\n{MARKS[1]}{behind}")
    print(text)
    for line in broken:
        print(f"OVER THE BOUND: {line}")
    return 1 if broken or not said else 0


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(main())
