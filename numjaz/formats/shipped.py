"""The networks that come with numjaz."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).parent.parent


def shipped_models() -> dict[str, Path]:
    """The shipped networks' files by name."""
    installed = PACKAGE / "weights"  # the package numjaz.weights; in a checkout it lies beside numjaz
    folder = installed if installed.is_dir() else PACKAGE.parent / "weights"
    return {path.stem: path for path in sorted(folder.glob("*.h5"))}


def shipped_path(name: str) -> Path | None:
    """The file of a shipped network, or None."""
    return shipped_models().get(name)
