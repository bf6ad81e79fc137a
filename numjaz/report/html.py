"""Pages that are one file: no script, nothing fetched; to be read on a phone, by ear and on paper."""

from __future__ import annotations

import html
from collections.abc import Collection, Iterable, Sequence

from numjaz.errors import printable


class Markup(str):
    """Text that is HTML already; any other text is escaped."""

    __slots__ = ()


STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #57606a; --paper: #ffffff; --line: #d0d7de; --fill: #2f6f9f;
  --good: #1a6b34; --bad: #b3261e; --fair: #7a5200; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #a3adb8; --paper: #12161b; --line: #3d444d;
  --fill: #6cb0e0; --good: #6fd08c; --bad: #ff9a91; --fair: #e6b450; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 75rem; color: var(--ink); background: var(--paper);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: break-word; }
h1 { font-size: 1.5rem; line-height: 1.25; } h2 { font-size: 1.2rem; margin-top: 2.5rem; }
a { color: var(--fill); text-decoration: underline; }
.scroll { overflow-x: auto; margin: 1rem 0; }
a:focus-visible, .scroll:focus-visible { outline: 3px solid var(--fill); outline-offset: 2px; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem; }
caption { text-align: left; color: var(--soft); padding-bottom: .5rem; }
th, td { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid var(--line); }
thead th { border-bottom: 2px solid var(--ink); vertical-align: bottom; }
tbody th { font-weight: normal; }
.right { text-align: right; }
@media (max-width: 40rem) { table { font-size: .8rem; } th, td { padding-right: .5rem; } }
.bar { display: block; height: .4rem; min-width: 6rem; }
.bar > span { display: block; height: 100%; background: var(--fill); print-color-adjust: exact;
  -webkit-print-color-adjust: exact; }
.bar > span[class] { background: currentcolor; }
.shade { display: inline-block; width: .55rem; height: 1.1rem; print-color-adjust: exact;
  -webkit-print-color-adjust: exact; background: color-mix(in srgb, var(--bad) var(--share), transparent); }
.good { color: var(--good); } .bad { color: var(--bad); } .fair { color: var(--fair); } .soft { color: var(--soft); }
@media print { :root { --ink: #000; --soft: #333; --paper: #fff; --line: #999; --fill: #2f6f9f; --good: #0f4d22;
  --bad: #8c1d18; --fair: #5c3d00; } body { max-width: none; font-size: 9pt; } .scroll { overflow: visible; }
  table { font-size: 7.5pt; } tr { break-inside: avoid; } h2 { break-after: avoid; } }
"""


def page(title: str, *content: str) -> str:
    """A whole page in English; its policy forbids it to load or to run anything.

    Examples
    --------
    >>> "<h1>Claims &amp; counts</h1>" in page("Claims & counts", paragraph("None."))
    True
    """
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n<link rel="icon" href="data:,">',
            f"<title>{_text(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{_text(title)}</h1>",
            *content,
            "</main>\n</body>\n</html>\n",
        ]
    )


def section(heading: str, *content: str) -> Markup:
    """A heading of the second order, and what stands under it."""
    return Markup("\n".join([f"<section>\n<h2>{_text(heading)}</h2>", *content, "</section>"]))


def paragraph(*parts: str) -> Markup:
    """A paragraph of text and markup."""
    return Markup(f"<p>{''.join(map(_text, parts))}</p>")


def listing(items: Iterable[str]) -> Markup:
    """A list of text or markup."""
    return Markup("\n".join(["<ul>", *(f"<li>{_text(item)}</li>" for item in items), "</ul>"]))


def lines(parts: Iterable[str]) -> Markup:
    """Text or markup, line under line."""
    return Markup("<br>".join(map(_text, parts)))


def breakable(text: str, after: str) -> Markup:
    """Text that may go on in the next line after each of these characters."""
    return Markup(_text(text).replace(after, f"{after}<wbr>"))


def link(address: str, text: str) -> Markup:
    """A link to another page, which is fetched only where somebody follows it."""
    return Markup(f'<a href="{_text(address)}">{_text(text)}</a>')


def marked(text: str, kind: str) -> Markup:
    """Text in a colour that only repeats what it says: ``good``, ``fair``, ``bad`` or ``soft``."""
    return Markup(f'<span class="{kind}">{_text(text)}</span>')


def bar(text: str, share: float, kind: str = "") -> Markup:
    """A number and, under it, a bar as long as its share of the largest, in the colour of a kind of `marked`.

    Examples
    --------
    >>> bar("640", 0.5)
    '640<span class="bar"><span style="width:50.0%"></span></span>'
    """
    coloured = f' class="{kind}"' if kind else ""
    return Markup(f'{_text(text)}<span class="bar"><span{coloured} style="width:{100 * share:.1f}%"></span></span>')


def shade(text: str, share: float) -> Markup:
    """A cell of a heat map: its text, on a ground the darker the larger its share.

    Examples
    --------
    >>> shade("", 0.5)
    '<span class="shade" style="--share:50%"></span>'
    """
    return Markup(f'<span class="shade" style="--share:{100 * share:.0f}%">{_text(text)}</span>')


def html_table(
    caption: str, header: Sequence[str], rows: Sequence[Sequence[str]], *, right: Collection[int] = ()
) -> Markup:
    """A table whose first column names its rows; where it is too wide it scrolls, by keyboard as well.

    Examples
    --------
    >>> print(html_table("Counted", ["class", "windows"], [["walking", "105"]], right=(1,)))
    <div class="scroll" tabindex="0" role="group" aria-label="Counted">
    <table>
    <caption>Counted</caption>
    <thead><tr><th scope="col">class</th><th scope="col" class="right">windows</th></tr></thead>
    <tbody>
    <tr><th scope="row">walking</th><td class="right">105</td></tr>
    </tbody>
    </table>
    </div>
    """
    if any(len(row) != len(header) for row in rows):
        raise ValueError("a row of another length than the header")
    lines = [f'<div class="scroll" tabindex="0" role="group" aria-label="{_text(caption)}">\n<table>']
    lines += [f"<caption>{_text(caption)}</caption>"]
    lines += ["<thead>" + _row(header, right, 'th scope="col"', 'th scope="col"') + "</thead>\n<tbody>"]
    lines += [_row(row, right, 'th scope="row"', "td") for row in rows]
    return Markup("\n".join([*lines, "</tbody>\n</table>\n</div>"]))


def _row(cells: Sequence[str], right: Collection[int], first: str, other: str) -> str:
    made = ""
    for c, cell in enumerate(cells):
        tag = other if c else first
        name = tag.partition(" ")[0]
        aligned = ' class="right"' if c in right else ""
        made += f"<{tag}{aligned}>{_text(cell)}</{name}>"
    return f"<tr>{made}</tr>"


def _text(text: str) -> str:
    return str(text) if isinstance(text, Markup) else html.escape(printable(text))
