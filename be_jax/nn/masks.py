"""Fixed masks over units, one of each member: Masksembles (Durasov et al. 2021, arXiv 2012.08334)."""

import dataclasses
import math

import jax
import jax.numpy as jnp

from be_jax.nn.interception import Call

MASKS = "masks"
"""The collection of a member's fixed masks."""


@dataclasses.dataclass(frozen=True)
class Masks:
    """Masks over the features (last axis) where a model has `nn.Dropout`: as many units in each, at random.

    Of `c` features each member keeps `round(c / (scale (1 - (1 - 1/scale)^m)))`: with that many drawn from `scale`
    times as many, `c` are used by some member. What is kept is scaled up by the share that is not.

    Raises:
      ValueError: `scale` < 1.
    """

    members: int
    scale: float

    def __post_init__(self) -> None:
        if not 1 <= self.scale < math.inf:
            raise ValueError(f"scale must be a finite number >= 1; got {self.scale!r}")

    def kept(self, features: int) -> int:
        """How many of so many features a member keeps."""
        used = 1 - (1 - 1 / self.scale) ** self.members
        return max(1, min(features, round(features / (self.scale * used))))

    def apply(self, call: Call, x: jax.Array) -> jax.Array:
        """`x [..., c]` under this member's mask, in training as at prediction."""
        features = x.shape[-1]
        kept = self.kept(features)

        def draw(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
            return (jax.random.permutation(key, shape[0]) < kept).astype(jnp.float32) * (features / kept)

        mask = call.own(MASKS, "mask", (features,), draw)
        return x * mask.astype(x.dtype).reshape((1,) * (x.ndim - 1) + (-1,))
