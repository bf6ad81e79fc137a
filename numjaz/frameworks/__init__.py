"""Networks rebuilt in other frameworks, to be held beside and to be trained further; recordings of what those compute.

The only room that imports a framework, each in a module of its own: `numjaz.frameworks.torch` and
`numjaz.frameworks.keras`. `record` imports none: it is called where one is.
"""

from numjaz.frameworks.recording import record

__all__ = ["record"]
