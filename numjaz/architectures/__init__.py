"""The builders: one file a family of networks, each reading like its paper."""

from __future__ import annotations

from collections.abc import Callable

from numjaz.architectures.jazbat import jazbat
from numjaz.model import Model

BUILDERS: dict[str, Callable[..., Model]] = {"jazbat": jazbat}
"""The builders by the names that ``architecture=`` takes."""

__all__ = ["BUILDERS", "jazbat"]
