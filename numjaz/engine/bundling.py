"""One file of source from several modules: the definitions that some names need, and nothing else."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGE = Path(__file__).parent.parent


@dataclass(frozen=True)
class Definition:
    """A class, function or constant of a module."""

    module: str
    line: int
    source: str
    needs: frozenset[str]
    hints: frozenset[str]  # names in the annotations of fields, of which a dataclass looks for ClassVar


def bundle(modules: Iterable[str], names: Iterable[str]) -> tuple[str, str]:
    """The imports, and the definitions that the names need, in the modules' order.

    Parameters
    ----------
    modules : iterable of str
        Paths below the package, each after those that it imports: ``engine/runtime/forms.py``.
    names : iterable of str
        What is wanted.

    Raises
    ------
    ValueError
        Where two definitions that are needed have one name.
    """
    known: dict[str, list[Definition]] = {}
    order: list[Definition] = []
    imported: dict[str, str] = {}
    for module in modules:
        text = (PACKAGE / module).read_text(encoding="utf-8")
        for node in ast.parse(text).body:
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                imported.update(_outside(node))
                continue
            defined = list(_names(node))
            if not defined:
                continue
            found = Definition(
                module, node.lineno, _source(text, node), frozenset(_needs(node)), frozenset(_hints(node))
            )
            order.append(found)
            for name in defined:
                known.setdefault(name, []).append(found)
    wanted: set[Definition] = set()
    queue, used = list(names), set[str]()
    while queue:
        name = queue.pop()
        if name in used:
            continue
        used.add(name)
        definitions = known.get(name, [])
        if len(definitions) > 1:
            raise ValueError(f"{name} is defined in {' and in '.join(each.module for each in definitions)}")
        for each in definitions:
            wanted.add(each)
            queue += each.needs
    used |= {name for each in wanted for name in each.hints}
    head = _imports({imported[name] for name in used if name in imported})
    parts, before = [], ""
    for each in order:
        if each in wanted:
            parts += [f"# {'-' * 10} numjaz/{each.module}"] if each.module != before else []
            parts.append(each.source)
            before = each.module
    return head, "\n\n\n".join(parts)


def _imports(lines: Iterable[str]) -> str:
    """One line a package."""
    of: dict[str, list[str]] = {}
    for line in sorted(lines):
        package, _, name = line.removeprefix("from ").partition(" import ")
        of.setdefault(package if name else line, []).append(name)
    return "\n".join(
        package if package.startswith("import ") else f"from {package} import {', '.join(names)}"
        for package, names in of.items()
    )


def _outside(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
    """Names from other packages, and the line that imports each."""
    if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(("numjaz", "__future__")):
        return
    for alias in node.names:
        name = alias.asname or alias.name.partition(".")[0]
        one = ast.Import([alias]) if isinstance(node, ast.Import) else ast.ImportFrom(node.module, [alias], 0)
        yield name, ast.unparse(one)


def _names(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
        yield node.name
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    for target in targets:
        yield from (each.id for each in ast.walk(target) if isinstance(each, ast.Name))


def _needs(node: ast.AST, own: frozenset[str] = frozenset()) -> Iterator[str]:
    """Names that are looked up outside when it is defined or runs; annotations are not."""
    if isinstance(node, (ast.FunctionDef, ast.Lambda)):
        given = node.args
        arguments = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
        own |= {each.arg for each in arguments if each is not None}
        own |= {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.Name):
                if isinstance(child.ctx, ast.Load) and child.id not in own:
                    yield child.id
            elif isinstance(child, ast.AST):
                yield from _needs(child, own)


def _hints(node: ast.AST) -> Iterator[str]:
    for each in ast.walk(node):
        if isinstance(each, ast.AnnAssign):
            yield from (n.id for n in ast.walk(each.annotation) if isinstance(n, ast.Name))


def _source(text: str, node: ast.stmt) -> str:
    """Its lines, decorators too."""
    first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", ()))])
    return "\n".join(text.splitlines()[first - 1 : node.end_lineno])
