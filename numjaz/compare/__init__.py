"""Whether weights mean the same in two places, where they part, and why.

The package's name is the function's too: `numjaz.compare` is the function, and the modules are imported from here by
``from numjaz.compare.runs import Run``.
"""

from numjaz.compare.sides import compare

__all__ = ["compare"]
