"""From recordings to windows: formats, units, gravity, rate, gaps. Knows no network."""

from numjaz.signal.gait import simulate_gait
from numjaz.signal.reading import read_recording
from numjaz.signal.recording import Piece, Recording, Report
from numjaz.signal.windows import Batch, Window, Windows, windows

__all__ = ["Batch", "Piece", "Recording", "Report", "Window", "Windows", "read_recording", "simulate_gait", "windows"]
