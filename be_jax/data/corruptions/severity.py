"""What a corruption is, and constants that depend on its severity."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp

MAX_SEVERITY = 5

Corruption = Callable[[jax.Array, jax.Array, jax.Array], jax.Array]
"""One image: ``(key, image [h, w, ch] in [0, 1], severity 1 to 5) -> [h, w, ch]``, not yet clipped to [0, 1]."""


def at_severity(severity: jax.Array, table: Sequence[float]) -> jax.Array:
    """The entry of ``table``, which has one for each severity from 1 to 5; the severity may be traced."""
    return jnp.asarray(table)[severity - 1]
