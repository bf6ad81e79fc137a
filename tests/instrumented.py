"""An array that counts what is computed with it. It knows arrays and no layer.

Arrays that carry a name (a layer's weights) keep it in their views; a product with one is counted under
its name, and what is added from one that is called ``bias`` is a bias.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, ClassVar

import numpy as np

UFUNCS = {
    "add": "additions",
    "subtract": "additions",
    "multiply": "multiplications",
    "divide": "divisions",
    "maximum": "comparisons",
    "minimum": "comparisons",
    "greater": "comparisons",
    "greater_equal": "comparisons",
    "less": "comparisons",
    "less_equal": "comparisons",
    "negative": "signs",
    "absolute": "signs",
    "sign": "signs",
    "exp": "exponentials",
    "expm1": "exponentials",
    "log": "logarithms",
    "log1p": "logarithms",
    "sqrt": "roots",
    "tanh": "tangents",
    "erf": "errors",
}
MOVING = {
    "concatenate",
    "sliding_window_view",
    "where",
    "repeat",
    "pad",
    "copyto",
    "empty_like",
    "moveaxis",
    "zeros_like",
    "argsort",
}


class Counted(np.ndarray):
    """An array whose operations are counted in `tally`."""

    tally: ClassVar[Counter[str]] = Counter()
    name = ""

    def __array_finalize__(self, made_from: Any) -> None:
        self.name = getattr(made_from, "name", "")

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = None, **options: Any) -> Any:
        plain = [bare(x) for x in inputs]
        if out is not None:
            options["out"] = tuple(bare(x) for x in out)
        made = getattr(ufunc, method)(*plain, **options)
        names = [x.name for x in inputs if isinstance(x, Counted) and x.name]
        if ufunc is np.matmul:
            self.tally[f"macs {names[0] if names else ''}"] += made.size * plain[0].shape[-1]
        elif method == "reduce":
            self.tally[UFUNCS[ufunc.__name__]] += plain[0].size - made.size
        elif names and ufunc is np.add and names[0].rpartition("/")[2] == "bias":
            self.tally["biases"] += made.size
        else:
            assert method == "__call__", (ufunc, method)
            self.tally[UFUNCS[ufunc.__name__]] += made.size
        return counted(made) if isinstance(made, (np.ndarray, np.generic)) else made

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        name = function.__name__
        plain = [bare(x) for x in args]
        made = function(*plain, **{key: bare(value) for key, value in options.items()})
        if name == "einsum":
            sizes = {
                letter: n
                for term, x in zip(args[0].split("->")[0].split(","), plain[1:], strict=True)
                for letter, n in zip(term, x.shape, strict=True)
            }
            names = [x.name for x in args[1:] if isinstance(x, Counted) and x.name]
            self.tally[f"macs {names[0] if names else ''}"] += int(np.prod(list(sizes.values())))
        elif name == "clip":
            self.tally["comparisons"] += 2 * made.size
        elif name == "sort":
            self.tally["sorted"] += made.size
        elif name == "cumsum":
            axis = options.get("axis", -1)
            self.tally["additions"] += made.size - made.size // made.shape[axis]
        else:
            assert name in MOVING, name
        return counted(made) if isinstance(made, np.ndarray) else made


def bare(x: Any) -> Any:
    """The same without counting; lists and tuples of arrays too."""
    if isinstance(x, (list, tuple)):
        return type(x)(bare(item) for item in x)
    return x.view(np.ndarray) if isinstance(x, Counted) else x


def counted(x: Any, name: str = "") -> Counted:
    """An array that counts, a weight's by its name."""
    made = np.asarray(bare(x)).view(Counted)
    made.name = name
    return made
