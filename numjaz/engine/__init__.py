"""Networks compiled to plans: fused, laid out in one block of memory, fast; streams; exported files."""

from numjaz.engine.passes import PASSES
from numjaz.engine.plan import Plan, compile, plan_for

__all__ = ["PASSES", "Plan", "compile", "plan_for"]
