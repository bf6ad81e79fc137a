"""What a network computes and holds, counted without running it."""

from numjaz.audit.conventions import CONVENTIONS, differences
from numjaz.audit.forms import FORMS
from numjaz.audit.inventory import Count, Row, count
from numjaz.audit.memory import DEFINITIONS, Memory, Step, memory, scratch

__all__ = [
    "CONVENTIONS",
    "DEFINITIONS",
    "FORMS",
    "Count",
    "Memory",
    "Row",
    "Step",
    "count",
    "differences",
    "memory",
    "scratch",
]
