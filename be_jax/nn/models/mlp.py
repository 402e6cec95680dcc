"""Multi-layer perceptron, for one member."""

from collections.abc import Sequence

import flax.linen as nn
import jax


class MLP(nn.Module):
    """The study's MNIST network, 784-64-32-16-10 by default: dense layers, ReLU and dropout.

    Input `[b, ...]` (flattened), output logits `[b, num_classes]`.
    """

    features: Sequence[int] = (64, 32, 16)
    num_classes: int = 10
    dropout_rate: float = 0.0

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        x = x.reshape(x.shape[0], -1)
        for features in self.features:
            x = nn.relu(nn.Dense(features)(x))
            x = nn.Dropout(self.dropout_rate)(x, deterministic=not train)
        return nn.Dense(self.num_classes)(x)
