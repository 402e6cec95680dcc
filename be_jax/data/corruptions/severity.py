"""Constants that depend on the severity."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

MAX_SEVERITY = 5


def at_severity(severity: jax.Array, table: Sequence[float]) -> jax.Array:
    """The entry of ``table``, which has one for each severity from 1 to 5; the severity may be traced."""
    return jnp.asarray(table)[severity - 1]
