"""A vision transformer for small images, for one member."""

import flax.linen as nn
import jax
import jax.numpy as jnp


class ViT(nn.Module):
    """Vision transformer (Dosovitskiy et al. 2021, arXiv 2010.11929), pre-normalised, tokens averaged.

    Input `[b, h, w, channels]` with sides that `patch` divides, output logits `[b, num_classes]`. The defaults, for
    28 x 28 or 32 x 32 images, have about 200,000 parameters.

    Attributes:
      patch: side of the square patches, each of which becomes a token.
      width: features of a token.
      depth: blocks of attention and MLP.
      heads: of attention; they divide `width`.
      mlp_width: hidden units of each MLP.
      num_classes: c.
      dropout_rate: of attention's and the MLP's outputs.
    """

    patch: int = 4
    width: int = 64
    depth: int = 4
    heads: int = 4
    mlp_width: int = 128
    num_classes: int = 10
    dropout_rate: float = 0.0

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        if x.ndim != 4 or x.shape[1] % self.patch or x.shape[2] % self.patch:
            raise ValueError(f"ViT needs images [b, h, w, ch] with h, w divisible by {self.patch}; got shape {x.shape}")
        side = (self.patch, self.patch)
        x = nn.Conv(self.width, side, strides=side, padding="VALID", name="patches")(x)
        x = x.reshape(x.shape[0], -1, self.width)
        x = x + nn.Embed(x.shape[1], self.width, name="positions")(jnp.arange(x.shape[1]))[None]
        for _ in range(self.depth):
            y = nn.LayerNorm()(x)
            y = nn.MultiHeadDotProductAttention(self.heads)(y, y)
            x = x + nn.Dropout(self.dropout_rate, deterministic=not train)(y)
            y = nn.Dense(self.width)(nn.gelu(nn.Dense(self.mlp_width)(nn.LayerNorm()(x))))
            x = x + nn.Dropout(self.dropout_rate, deterministic=not train)(y)
        return nn.Dense(self.num_classes, name="head")(nn.LayerNorm()(x).mean(1))
