"""How fast a network runs: on this device, and beside other engines in one run."""

from numjaz.bench.device import Device, measure
from numjaz.bench.rivals import Figure, Measured, benchmark

__all__ = ["Device", "Figure", "Measured", "benchmark", "measure"]
