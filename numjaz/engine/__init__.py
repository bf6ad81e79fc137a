"""Networks compiled to plans: fused, laid out in one block of memory, fast."""

from numjaz.engine.passes import PASSES
from numjaz.engine.plan import Plan, compile, plan_for
from numjaz.engine.stream import Delay, Stream, Verdict

__all__ = ["PASSES", "Delay", "Plan", "Stream", "Verdict", "compile", "plan_for"]
