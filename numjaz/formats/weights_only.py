"""A file that holds weights and no network: what is asked of the user, and what is said of the answer."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

from numjaz.errors import NumjazError, NumjazWarning
from numjaz.layers import Array
from numjaz.model import Model


def no_architecture(path: str, held: str = "") -> NumjazError:
    """The error that asks for a network; ``held`` is what the file has instead."""
    return NumjazError(
        f"{path}: holds weights and no architecture; name one: architecture='jazbat' "
        f"(a builder, with its options), a model file's path, or a Model{'; ' * bool(held)}{held}"
    )


def with_weights(architecture: Model, arrays: Mapping[str, Array], path: str) -> Model:
    """The given network with the file's arrays."""
    return architecture.derive(
        parameters=arrays, golden=None, provenance={"file": path, "architecture": "given, not in the file"}
    )


def say(text: str) -> None:
    """Warn of what was assumed; the warning points at the caller of `numjaz.load`, more or less."""
    warnings.warn(text, NumjazWarning, stacklevel=5)
