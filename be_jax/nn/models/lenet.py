"""LeNet, for one member."""

from collections.abc import Sequence

import flax.linen as nn
import jax


class LeNet(nn.Module):
    """LeNet-5 (LeCun et al. 1998) with ReLU, max pooling and, by default, batch normalisation after each convolution.

    Input `[b, h, w, channels]` with h, w >= 16, output logits `[b, num_classes]`.

    Attributes:
      features: channels of the two convolutions.
      widths: of the two hidden dense layers.
    """

    features: Sequence[int] = (6, 16)
    widths: Sequence[int] = (120, 84)
    num_classes: int = 10
    norm: bool = True
    dropout_rate: float = 0.0

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        if x.ndim != 4 or min(x.shape[1:3]) < 16:
            raise ValueError(f"LeNet needs images [b, h, w, channels] with h, w >= 16; got x of shape {x.shape}")
        for features in self.features:
            x = nn.Conv(features, (5, 5), padding="VALID", use_bias=not self.norm)(x)
            if self.norm:
                x = nn.BatchNorm(use_running_average=not train, momentum=0.9)(x)
            x = nn.max_pool(nn.relu(x), (2, 2), strides=(2, 2))
        x = x.reshape(x.shape[0], -1)
        for width in self.widths:
            x = nn.relu(nn.Dense(width)(x))
            x = nn.Dropout(self.dropout_rate)(x, deterministic=not train)
        return nn.Dense(self.num_classes)(x)
