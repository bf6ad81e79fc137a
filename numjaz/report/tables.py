"""Tables as plain text, Markdown and LaTeX."""

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
    lines = [[printable(cell).replace("|", "\\|").replace("<", "&lt;") for cell in line] for line in (header, *rows)]
    return "\n".join(
        ["| " + " | ".join(line) + " |" for line in lines[:1]]
        + ["|" + "---|" * len(header)]
        + ["| " + " | ".join(line) + " |" for line in lines[1:]]
    )


def latex(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    r"""The same as a LaTeX table in booktabs' style.

    Examples
    --------
    >>> print(latex(["class", "share"], [["walking", "5 %"]]))
    \begin{tabular}{ll}
    \toprule
    class & share \\
    \midrule
    walking & 5 \% \\
    \bottomrule
    \end{tabular}
    """
    lines = [" & ".join(_escaped(printable(cell)) for cell in line) + r" \\" for line in (header, *rows)]
    top = [rf"\begin{{tabular}}{{{'l' * len(header)}}}", r"\toprule", lines[0], r"\midrule"]
    return "\n".join([*top, *lines[1:], r"\bottomrule", r"\end{tabular}"])


def _escaped(text: str) -> str:
    special = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    special |= {"<": "$<$", ">": "$>$", "|": r"\textbar{}", "≈": r"$\approx$", "×": r"$\times$", "·": r"$\cdot$"}
    special |= {"≤": r"$\leq$", "≥": r"$\geq$", "–": "--", "—": "---", "…": r"\ldots{}"}
    special |= {raised: f"$^{n}$" for n, raised in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")}
    return "".join(special.get(c, f"\\{c}" if c in "&%$#_{}" else c) for c in text)


def shortened(text: str, most: int, tail: int = 0) -> str:
    """A text of at most so many characters, its last ``tail`` ones kept.

    Examples
    --------
    >>> shortened("encoder/block/convolution_17", 16, 4)
    'encoder/blo…n_17'
    """
    return text if len(text) <= most else text[: most - tail - 1] + "…" + text[len(text) - tail :]
