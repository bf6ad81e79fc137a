"""What a network computes and holds, counted without running it."""

from numjaz.audit.inventory import Count, Row, count
from numjaz.audit.memory import DEFINITIONS, Memory, Step, memory, scratch

__all__ = ["DEFINITIONS", "Count", "Memory", "Row", "Step", "count", "memory", "scratch"]
