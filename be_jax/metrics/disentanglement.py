"""Whether aleatoric uncertainty follows noise in the labels, epistemic the lack of data, and neither the other's cause.

After de Jong et al. 2024 (arXiv 2408.12175): networks are trained under rising label noise, and again on shrinking
training sets; what each cause did to the task is read off the test error.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from be_jax.metrics import _check


class DisentanglementError(NamedTuple):
    """Four deviations in [0, 2] from what a perfect split shows, and their mean `error`; smaller is better.

    aleatoric_follows_noise, epistemic_follows_size: 1 - correlation. epistemic_ignores_noise, aleatoric_ignores_size:
    |correlation|.
    """

    error: jax.Array
    aleatoric_follows_noise: jax.Array
    epistemic_ignores_noise: jax.Array
    epistemic_follows_size: jax.Array
    aleatoric_ignores_size: jax.Array


def disentanglement_error(
    noise_error: ArrayLike,
    noise_aleatoric: ArrayLike,
    noise_epistemic: ArrayLike,
    size_error: ArrayLike,
    size_aleatoric: ArrayLike,
    size_epistemic: ArrayLike,
) -> DisentanglementError:
    """Pearson correlations of mean uncertainties with the test error, over levels of noise and over training sizes.

    An uncertainty that is the same at every level correlates with nothing: 0. NaN where the error itself never changes,
    since then nothing was manipulated.

    Args:
      noise_error, noise_aleatoric, noise_epistemic: at each level of label noise `[r]`, r >= 2: the error rate on test
        (1 - accuracy), and the means over test of both uncertainties.
      size_error, size_aleatoric, size_epistemic: the same at each size of the training set.

    Raises:
      TypeError or ValueError: arrays that are not real `[r]`, differ in r, or have fewer than two levels.
    """
    of_noise = _correlations("noise", noise_error, noise_aleatoric, noise_epistemic)
    of_size = _correlations("size", size_error, size_aleatoric, size_epistemic)
    parts = 1 - of_noise[0], jnp.abs(of_noise[1]), 1 - of_size[1], jnp.abs(of_size[0])
    return DisentanglementError(jnp.mean(jnp.stack(parts)), *parts)


def _correlations(
    name: str, error: ArrayLike, aleatoric: ArrayLike, epistemic: ArrayLike
) -> tuple[jax.Array, jax.Array]:
    """Of aleatoric and of epistemic uncertainty with the error."""
    arrays = [
        _check.vector(values, f"{name}_{kind}")
        for kind, values in (("error", error), ("aleatoric", aleatoric), ("epistemic", epistemic))
    ]
    shapes = [values.shape for values in arrays]
    if len(set(shapes)) > 1 or shapes[0][0] < 2:
        raise ValueError(f"error, aleatoric and epistemic of {name} must agree in at least 2 levels, got {shapes}")
    cause, *uncertainties = (values - jnp.mean(values) for values in arrays)

    def correlation(uncertainty: jax.Array) -> jax.Array:
        size = jnp.sqrt(jnp.sum(cause**2)) * jnp.sqrt(jnp.sum(uncertainty**2))
        is_constant = jnp.all(uncertainty == uncertainty[0])
        value = jnp.sum(cause * uncertainty) / jnp.where(is_constant, 1, size)
        return jnp.where(jnp.all(cause == cause[0]), jnp.nan, jnp.where(is_constant, 0, value))

    return correlation(uncertainties[0]), correlation(uncertainties[1])
