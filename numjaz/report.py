"""Plain tables."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from numjaz.errors import printable


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, right: Collection[int] = ()) -> str:
    """Columns side by side, two spaces apart; the columns numbered in ``right`` are set to the right.

    Examples
    --------
    >>> print(table(["class", "windows"], [["walking", "105"], ["jogging", "9"]], right=(1,)))
    class    windows
    walking      105
    jogging        9
    """
    cells = [[printable(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[c]) for row in cells) for c in range(len(header))]
    lines = []
    for row in cells:
        line = "  ".join(
            f"{cell:>{width}}" if c in right else f"{cell:<{width}}"
            for c, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append(line.rstrip())
    return "\n".join(lines)


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The same as a Markdown table.

    Examples
    --------
    >>> print(markdown(["class", "windows"], [["walking", "105"]]))
    | class | windows |
    |---|---|
    | walking | 105 |
    """
    lines = [header, *rows]
    return "\n".join(
        ["| " + " | ".join(line) + " |" for line in lines[:1]]
        + ["|" + "---|" * len(header)]
        + ["| " + " | ".join(line) + " |" for line in lines[1:]]
    )
