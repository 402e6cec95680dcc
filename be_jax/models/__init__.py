"""Models for one member. None has an ensemble axis: `be_jax.ensemble` adds it."""

from be_jax.models.lenet import LeNet
from be_jax.models.mlp import MLP

__all__ = ["MLP", "LeNet"]
