"""The builders: one file a family of networks, each reading like its paper."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from numjaz.architectures.cnn_bigru import cnn_bigru
from numjaz.architectures.jazbat import jazbat
from numjaz.errors import NumjazError
from numjaz.model import Model

BUILDERS: dict[str, Callable[..., Model]] = {"jazbat": jazbat, "cnn_bigru": cnn_bigru}
"""The builders by the names that ``architecture=`` takes."""

__all__ = ["BUILDERS", "build", "cnn_bigru", "jazbat"]


def build(name: str, options: Mapping[str, Any]) -> Model:
    """A builder's network; `NumjazError` names an option that it has not."""
    try:
        return BUILDERS[name](**options)
    except TypeError as error:
        options_of = ", ".join(inspect.signature(BUILDERS[name]).parameters)
        raise NumjazError(f"architecture {name}: {error}; its options are {options_of}") from None
