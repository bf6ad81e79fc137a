"""What the package promises of itself: what it imports, who knows whom, what its docs say."""

from __future__ import annotations

import ast
import configparser
import json
import subprocess
import sys
from pathlib import Path

import pytest

import numjaz

ROOT = Path(numjaz.__file__).parent
ROOMS = {  # room -> the rooms it may know; everybody may know errors, records and contract
    "doors": set(),
    "layers": set(),
    "report": set(),
    "formula": set(),
    "planning": set(),
    "inputs": {"layers"},
    "nodes": {"layers"},
    "model": {
        "inputs",
        "nodes",
        "layers",
        "report",
        "formats",
        "engine",
        "learn",
    },  # the last four through its lazy doors alone
    "architectures": {"model", "nodes", "layers"},
    "formats": {"model", "nodes", "layers", "architectures", "doors"},
    "audit": {"model", "nodes", "layers", "formula", "planning", "report", "doors"},
    "compare": {"model", "nodes", "layers", "formats", "doors", "report"},
    "signal": {"doors"},
    "engine": {"model", "inputs", "nodes", "layers", "planning", "report", "signal", "doors"},
    "learn": {"model", "nodes", "layers", "architectures", "engine", "signal", "doors", "formats", "report", "plot"},
    "bench": {"model", "nodes", "layers", "engine", "frameworks"},
    "frameworks": {"model", "nodes", "layers", "formats", "compare", "engine"},
    "plot": {"audit", "doors", "report"},
    "cli": {
        "bench",
        "compare",
        "engine",
        "frameworks",
        "doors",
        "model",
        "layers",
        "architectures",
        "formats",
        "signal",
        "learn",
        "audit",
        "formula",
        "report",
        "nodes",
        "plot",
    },
    "contract": set(),
    "errors": set(),
    "records": set(),
}


def python(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT.parent
    ).stdout


def test_importing_numjaz_loads_numpy_alone() -> None:
    loaded = json.loads(
        python("import sys, json, numjaz; print(json.dumps(sorted({m.split('.')[0] for m in sys.modules})))")
    )
    installed = set(loaded) - set(sys.stdlib_module_names)
    assert {name for name in installed if not name.startswith(("_", "sitecustomize"))} <= {
        "numjaz",
        "numpy",
        "cython_runtime",
    }


def test_a_network_runs_with_numpy_alone() -> None:
    """No h5py, no scipy: building and running loads neither."""
    code = "import sys, numjaz, numpy as np; numjaz.jazbat().predict(np.zeros((1, 8, 1))); print('h5py' in sys.modules or 'scipy' in sys.modules)"
    assert python(code).strip() == "False"


def room(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    """The rooms of numjaz that a file imports, at its top or inside a function."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
        found |= {name.split(".")[1] for name in names if name.startswith("numjaz.")}
    return found


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_arrows_between_rooms_run_one_way(path: Path) -> None:
    if path.parent == ROOT and path.stem in ("__init__", "__main__"):
        return
    allowed = ROOMS[room(path)] | {room(path), "errors", "records", "contract"}
    assert imports(path) <= allowed


def test_only_the_command_line_prints() -> None:
    for path in ROOT.rglob("*.py"):
        calls = [n for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.Call)]
        printing = [n for n in calls if isinstance(n.func, ast.Name) and n.func.id == "print"]
        assert not printing or room(path) == "cli", path


def test_nothing_runs_code_from_files() -> None:
    forbidden = {"eval", "exec", "compile", "__import__"}
    for path in ROOT.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        called = {n.func.id for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
        assert not called & forbidden, path
        assert not {"pickle", "marshal", "importlib"} & {
            name.split(".")[0]
            for n in ast.walk(tree)
            if isinstance(n, ast.Import)
            for name in [a.name for a in n.names]
        }, path


def test_public_names_are_documented() -> None:
    for name in numjaz.__all__:
        if name != "__version__":
            assert getattr(numjaz, name).__doc__, name


def test_every_room_is_in_the_wheel() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT.parent / "setup.cfg", encoding="utf-8")
    rooms = {".".join(path.parent.relative_to(ROOT.parent).parts) for path in ROOT.rglob("__init__.py")}
    assert set(setup["options"]["packages"].split()) == rooms | {"numjaz.weights"}


def test_the_version_is_one() -> None:
    changelog = (ROOT.parent / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## {numjaz.__version__}" in changelog
    assert f"version: {numjaz.__version__}" in (ROOT.parent / "CITATION.cff").read_text(encoding="utf-8")
