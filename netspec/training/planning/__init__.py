"""What a training is going to do: how far back it goes, what it computes once and keeps, and how much memory it takes."""

from netspec.training.planning.plan import plan_training

__all__ = ["plan_training"]
