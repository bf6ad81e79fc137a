"""Whether weights mean the same in two places, where they part, and why.

The package's name is the function's too: `numjaz.compare(a, b)` is the function, and the modules are imported from
here by ``from numjaz.compare.runs import Run``.
"""

import sys
from types import ModuleType
from typing import Any

from numjaz.compare.sides import compare

__all__ = ["compare"]


class _Called(ModuleType):
    """A package that is called: Python lets its name mean the module, once anything in it is imported."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        return compare(*args, **options)


sys.modules[__name__].__class__ = _Called
