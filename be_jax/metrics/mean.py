"""A mean kept as (sum, count), so that batches, masks and devices add up to the mean over all examples."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from be_jax.metrics import _check


class Mean(NamedTuple):
    """Sum and count of some values; pairs add, and `jax.lax.psum` of a pair adds over devices.

    The mean of the batch means is not the mean when batches differ in size; `(a + b).value` is.
    """

    sum: jax.Array
    count: jax.Array  # type: ignore[assignment]

    @classmethod
    def of(cls, values: ArrayLike, mask: ArrayLike | None = None) -> "Mean":
        """Sums `values` (any shape, usually [b]) where the boolean `mask` of that shape is True; the rest may be NaN.

        Raises:
          TypeError: if values are complex or mask is not boolean.
          ValueError: if mask and values differ in shape.
        """
        values = _check.real(values, "values")
        mask = _check.mask(mask, values.shape)
        return cls(jnp.sum(jnp.where(mask, values, 0)), jnp.sum(mask, dtype=jnp.int32))

    @property
    def value(self) -> jax.Array:
        """The mean: sum / count, NaN if nothing was counted."""
        return self.sum / self.count

    def __add__(self, other: "Mean") -> "Mean":  # type: ignore[override]
        return Mean(self.sum + other.sum, self.count + other.count)
