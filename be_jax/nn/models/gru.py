"""A recurrent network for sequences, for one member."""

from typing import Any

import flax.linen as nn
import jax


class GRU(nn.Module):
    """Gated recurrent units (Cho et al. 2014, arXiv 1406.1078) and a classifier of the last state.

    Input `[b, time, ...]`, such as images read row by row; what follows time is flattened. Output logits
    `[b, num_classes]`.

    Attributes:
      features: units of each recurrent layer.
      num_classes: c.
      dropout_rate: after each recurrent layer.
    """

    features: tuple[int, ...] = (64,)
    num_classes: int = 10
    dropout_rate: float = 0.0

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        if x.ndim < 3:
            raise ValueError(f"GRU needs sequences [b, time, ...]; got x of shape {x.shape}")
        x = x.reshape(*x.shape[:2], -1)
        for features in self.features:
            states: Any = nn.RNN(nn.GRUCell(features))(x)
            x = nn.Dropout(self.dropout_rate, deterministic=not train)(states)
        return nn.Dense(self.num_classes)(x[:, -1])
