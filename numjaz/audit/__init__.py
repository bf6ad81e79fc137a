"""What a network computes and holds, counted without running it."""

from numjaz.audit.inventory import Count, Row, count

__all__ = ["Count", "Row", "count"]
