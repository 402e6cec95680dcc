"""Residual networks for 32x32 images, for one member."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

HE_NORMAL = nn.initializers.variance_scaling(2.0, "fan_out", "normal")


class ResNet(nn.Module):
    """Residual network (He et al. 2016, arXiv 1512.03385) with the CIFAR stem: one 3x3 convolution, no pooling.

    Convolutions have no bias; where a block changes the shape its shortcut is a 1x1 convolution. Input `[b, h, w, 3]`,
    output logits `[b, num_classes]`, float32.

    Attributes:
      blocks: residual blocks in each stage; every stage but the first halves the images.
      widths: channels in each stage.
      stem_stride: 2 halves the images at the first convolution: a quarter of the work.
      num_classes: c.
      dropout_rate: between the two convolutions of each block.
      dtype: of the computation; parameters and batch statistics are float32.
    """

    blocks: Sequence[int] = (2, 2, 2, 2)
    widths: Sequence[int] = (64, 128, 256, 512)
    stem_stride: int = 1
    num_classes: int = 10
    dropout_rate: float = 0.0
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        check_images(self, x)
        conv, norm, drop = make_layers(self.dtype, self.dropout_rate, train)
        x = nn.relu(norm()(conv(self.widths[0], (3, 3), strides=self.stem_stride)(x.astype(self.dtype))))
        for stage, (blocks, width) in enumerate(zip(self.blocks, self.widths, strict=True)):
            for block in range(blocks):
                stride = 2 if stage > 0 and block == 0 else 1
                y = nn.relu(norm()(conv(width, (3, 3), strides=stride, padding=1)(x)))
                y = norm()(conv(width, (3, 3))(drop()(y)))
                if x.shape != y.shape:
                    x = norm()(conv(width, (1, 1), strides=stride)(x))
                x = nn.relu(x + y)
        return nn.Dense(self.num_classes, dtype=self.dtype)(mean_of_places(x)).astype(jnp.float32)


ResNet18 = partial(ResNet, blocks=(2, 2, 2, 2), widths=(64, 128, 256, 512))
"""ResNet-18 with the CIFAR stem: 11,173,962 parameters for 10 classes."""


def cifar_resnet(depth: int, width: int = 16, **fields: Any) -> ResNet:
    """ResNet-8, 20, 32, 44, 56, ...: three stages of `width`, 2 and 4 times `width` channels, for 32x32 images.

    The CIFAR networks of He et al. 2016, but for shortcuts, which are 1x1 convolutions where the shape changes (theirs
    pad with zeros, which saves 2,752 parameters of 272,474 in ResNet-20 together with their normalisation).

    Raises:
      ValueError: a depth that is not 6 n + 2 with n >= 1.
    """
    blocks, rest = divmod(depth - 2, 6)
    if blocks < 1 or rest:
        raise ValueError(f"depth must be 6 n + 2 with n >= 1 (8, 14, 20, 32, ...); got {depth}")
    return ResNet(blocks=(blocks,) * 3, widths=(width, 2 * width, 4 * width), **fields)


def make_layers(dtype: Any, dropout_rate: float, train: bool) -> tuple[Any, Any, Any]:
    """Convolution, normalisation and dropout, as residual networks use them."""
    return (
        partial(nn.Conv, use_bias=False, dtype=dtype, kernel_init=HE_NORMAL),
        partial(nn.BatchNorm, use_running_average=not train, momentum=0.9, epsilon=1e-5, dtype=dtype),
        partial(nn.Dropout, dropout_rate, deterministic=not train),
    )


def mean_of_places(x: jax.Array) -> jax.Array:
    """Global average pooling: images `[b, h, w, channels]` to `[b, channels]`."""
    # XLA on CPU (jax 0.12.0) fuses the mean with the last block, and in bfloat16 the fused program returns NaN.
    return jax.lax.optimization_barrier(x).mean((1, 2))


def check_images(model: nn.Module, x: jax.Array) -> None:
    """Raises ValueError unless `x` is `[b, h, w, channels]` with h, w >= 8."""
    if x.ndim != 4 or min(x.shape[1:3]) < 8:
        raise ValueError(f"{type(model).__name__} needs images [b, h, w, channels] with h, w >= 8; got shape {x.shape}")
