"""Networks rebuilt in other frameworks, to be held beside and to be trained further.

The only room that imports a framework, each in a module of its own: `numjaz.frameworks.torch` and
`numjaz.frameworks.keras`.
"""
