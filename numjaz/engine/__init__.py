"""Networks compiled to plans: fused, laid out in one block of memory, fast."""

from numjaz.engine.passes import PASSES
from numjaz.engine.plan import Plan, compile, plan_for
from numjaz.engine.runtime.listening import Delay, Verdict
from numjaz.engine.stream import Stream

__all__ = ["PASSES", "Delay", "Plan", "Stream", "Verdict", "compile", "plan_for"]
