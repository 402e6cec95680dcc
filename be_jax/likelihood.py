"""What a network's outputs say of its targets: a class by logits, or a number by a Gaussian's mean and log-variance."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from be_jax import metrics
from be_jax.metrics import regression


class Likelihood(NamedTuple):
    """How outputs, float32 `[m, b, o]`, are trained and judged. `train` and `metrics` know no other difference.

    Attributes:
      member_nll: `(outputs [m, b, o], targets [m, b]) -> [m, b]`, in nats: what every member minimises.
      ensemble_nll: `(outputs [m, b, o], targets [b]) -> [b]`, in nats, of the mixture: what early stopping watches.
      accuracy: `(outputs [m, b, o], targets [b]) -> [b]`, of the mixture; NaN where nothing is right or wrong.
    """

    member_nll: Callable[[jax.Array, jax.Array], jax.Array]
    ensemble_nll: Callable[[jax.Array, jax.Array], jax.Array]
    accuracy: Callable[[jax.Array, jax.Array], jax.Array]


def gaussian(outputs: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Means and variances `[...]` of outputs `[..., 2]`: mean and logarithm of the variance (Nix and Weigend 1994).

    Raises:
      ValueError: outputs that are not a pair.
    """
    if outputs.shape[-1] != 2:
        raise ValueError(f"a Gaussian head has 2 outputs, mean and log-variance; got {outputs.shape[-1]}")
    return outputs[..., 0], jnp.exp(outputs[..., 1])


def _mixture_of_classes(outputs: jax.Array) -> jax.Array:
    return metrics.mixture(jax.nn.log_softmax(outputs))


def _categorical_member_nll(outputs: jax.Array, labels: jax.Array) -> jax.Array:
    if outputs.ndim != labels.ndim + 1 or outputs.shape[-1] < 2:
        raise ValueError(
            f"classes need logits [m, b, c] of c >= 2 classes; the model's outputs are {list(outputs.shape)}. Of one "
            "logit z, return jnp.stack([jnp.zeros_like(z), z], -1); for real numbers take likelihood.GAUSSIAN"
        )
    return optax.softmax_cross_entropy_with_integer_labels(outputs, labels)


def _gaussian_member_nll(outputs: jax.Array, targets: jax.Array) -> jax.Array:
    if outputs.ndim != targets.ndim + 1 or outputs.shape[-1] != 2:
        raise ValueError(f"a Gaussian head has outputs [m, b, 2], mean and log-variance; got {list(outputs.shape)}")
    mean, log_variance = outputs[..., 0], outputs[..., 1]
    return (jnp.log(2 * jnp.pi) + log_variance + (targets - mean) ** 2 * jnp.exp(-log_variance)) / 2


CATEGORICAL = Likelihood(
    member_nll=_categorical_member_nll,
    ensemble_nll=lambda outputs, labels: metrics.nll(_mixture_of_classes(outputs), labels),
    accuracy=lambda outputs, labels: metrics.accuracy(_mixture_of_classes(outputs), labels),
)
"""Outputs are logits, targets integer classes."""

GAUSSIAN = Likelihood(
    member_nll=_gaussian_member_nll,
    ensemble_nll=lambda outputs, targets: regression.nll(*gaussian(outputs), targets),
    accuracy=lambda outputs, targets: jnp.full_like(targets, jnp.nan),
)
"""Outputs are mean and log-variance, targets real numbers."""
