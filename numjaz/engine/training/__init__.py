"""Networks compiled for training: forward and backward, many windows side by side, on memory that stays."""

from numjaz.engine.training.plan import TrainingPlan

__all__ = ["TrainingPlan"]
