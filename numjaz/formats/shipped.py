"""The networks that come with numjaz."""

from __future__ import annotations

from importlib import resources
from pathlib import Path


def shipped_models() -> dict[str, Path]:
    """The shipped networks' files by name."""
    folder = Path(str(resources.files("numjaz.weights")))
    return {path.stem: path for path in sorted(folder.glob("*.h5"))}


def shipped_path(name: str) -> Path | None:
    """The file of a shipped network, or None."""
    return shipped_models().get(name)
