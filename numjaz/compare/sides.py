"""Two sides of whatever kind, compared: networks, recordings, and the files that hold them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from numjaz.compare.runs import Run, is_run, read_run
from numjaz.errors import NumjazError
from numjaz.formats import load
from numjaz.layers import Array
from numjaz.model import Model

if TYPE_CHECKING:
    from numjaz.compare.divergence import Comparison


def compare(
    a: Model | Run | str | Path, b: Model | Run | str | Path, x: Array | Mapping[str, Array] | None = None
) -> Comparison:
    """Find the first node at which two runs of a network part by more than rounding, and why.

    Parameters
    ----------
    a, b : Model, Run or path
        At least one is a network: a `Model`, a model file, or the name of a shipped network. The other may be a
        recording: what `numjaz.frameworks.record` gave, or the ``.npz`` that it wrote. Each node of the network
        (of ``a``, where both are) is run again on what the other side's nodes gave to it.
    x : array (N, T, F), or a dict by input node, optional
        The inputs of two networks; without it, windows that excite every unit are made. A recording has its own.

    Returns
    -------
    Comparison
        ``agree``, ``node`` (the first at which rounding is not all), ``cause``, ``fix``, and ``nodes`` one by one.

    Raises
    ------
    NumjazError
        Where both are recordings, a file is not readable, or the two have nothing in common.

    Examples
    --------
    >>> import numjaz
    >>> right = numjaz.jazbat(units=4, modules=1)
    >>> wrong = right.replace({"module1_merge/bias": right.parameters["module1_merge/bias"] + 0.01})
    >>> found = numjaz.compare(right, wrong)
    >>> found.agree, found.node
    (False, 'module1_merge')
    """
    from numjaz.compare import divergence  # here: `import numjaz` stays quick

    first, second = opened(a), opened(b)
    if isinstance(first, Model):
        return divergence.compare(first, second, x)
    if isinstance(second, Model):
        return divergence.compare(second, first, x)
    raise NumjazError(f"{first.name} and {second.name} are both recordings; one side must be a network")


def opened(side: Model | Run | str | Path) -> Model | Run:
    """What a path holds: a recording, or a network."""
    if isinstance(side, (Model, Run)):
        return side
    if not isinstance(side, (str, Path)):
        raise NumjazError(
            f"compare takes a Model, a Run or a path, not {type(side).__name__}; "
            "numjaz.frameworks.record makes a Run of a Keras or torch model"
        )
    return read_run(side) if is_run(side) else load(side)
