"""The one writer of tables and pages: plain text, Markdown, LaTeX, HTML."""

from numjaz.report.html import (
    Markup,
    bar,
    breakable,
    html_table,
    lines,
    link,
    listing,
    marked,
    page,
    paragraph,
    section,
    shade,
)
from numjaz.report.tables import latex, markdown, shortened, table

__all__ = [
    "Markup",
    "bar",
    "breakable",
    "html_table",
    "latex",
    "lines",
    "link",
    "listing",
    "markdown",
    "marked",
    "page",
    "paragraph",
    "section",
    "shade",
    "shortened",
    "table",
]
