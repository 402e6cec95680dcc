"""Wide residual networks, for one member."""

from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from be_jax.nn.models.resnet import check_images, make_layers, mean_of_places


class WideResNet(nn.Module):
    """Wide residual network (Zagoruyko and Komodakis 2016, arXiv 1605.07146): pre-activation blocks, three stages.

    Input `[b, h, w, 3]`, output logits `[b, num_classes]`, float32.

    Attributes:
      depth: 6 n + 4, with n blocks in each stage.
      width: stages have 16, 32 and 64 times `width` channels.
      num_classes: c.
      dropout_rate: between the two convolutions of each block.
      dtype: of the computation; parameters and batch statistics are float32.
    """

    depth: int = 28
    width: int = 10
    num_classes: int = 10
    dropout_rate: float = 0.0
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        check_images(self, x)
        blocks, rest = divmod(self.depth - 4, 6)
        if blocks < 1 or rest:
            raise ValueError(f"depth must be 6 n + 4 with n >= 1 (10, 16, 22, 28, ...); got {self.depth}")
        conv, norm, drop = make_layers(self.dtype, self.dropout_rate, train)
        x = conv(16, (3, 3))(x.astype(self.dtype))
        for stage in range(3):
            for block in range(blocks):
                width, stride = 16 * 2**stage * self.width, 2 if stage > 0 and block == 0 else 1
                activated = nn.relu(norm()(x))
                y = nn.relu(norm()(conv(width, (3, 3), strides=stride, padding=1)(activated)))
                y = conv(width, (3, 3))(drop()(y))
                x = y + (x if x.shape == y.shape else conv(width, (1, 1), strides=stride)(activated))
        x = mean_of_places(nn.relu(norm()(x)))
        return nn.Dense(self.num_classes, dtype=self.dtype)(x).astype(jnp.float32)


WideResNet28x10 = partial(WideResNet, depth=28, width=10)
"""WRN-28-10: 36.5 million parameters for 10 classes."""
