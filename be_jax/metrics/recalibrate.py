"""Recalibration beyond one temperature, fitted on validation data: does an ensemble's gain outlast it?

Both maps are of the mixture `[b, c]` and fitted on the host in float64; fit them on validation data, never on test
data. `be_jax.metrics.fit_temperature` and `fit_member_temperatures` are their siblings that scale members.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from be_jax.metrics import _check
from be_jax.metrics.temperature import HIGHEST, LOWEST

FLOOR = float(np.log(np.finfo(np.float32).tiny))
"""What vector scaling takes a log-probability of -inf for."""
_LARGEST_BIAS = 20.0
_STEPS = 1000


class VectorScaling(NamedTuple):
    """log softmax(weight * log p + bias), each `[c]` (Guo et al. 2017, section 4.2)."""

    weight: jax.Array
    bias: jax.Array

    def __call__(self, log_probs: ArrayLike) -> jax.Array:
        """Recalibrated log-probabilities `[b, c]`; jittable."""
        log_probs = jnp.maximum(_check.log_probs(log_probs), FLOOR)
        return jax.nn.log_softmax(self.weight[None] * log_probs + self.bias[None], axis=1)


class Isotonic(NamedTuple):
    """For each class an increasing function of its probability, straight between `knots`; rows are then normalised.

    Zadrozny and Elkan 2002. Probabilities become 0 and 1 where all validation examples agree, so that NLL may be
    +inf: compare by Brier score or calibration error. A row of zeros becomes uniform.
    """

    knots: tuple[np.ndarray, ...]
    values: tuple[np.ndarray, ...]

    def __call__(self, log_probs: ArrayLike) -> np.ndarray:
        """Recalibrated log-probabilities, float32 `[b, c]`; on the host."""
        probs = np.exp(np.asarray(_check.log_probs(log_probs), np.float64))
        if probs.shape[1] != len(self.knots):
            raise ValueError(f"fitted on {len(self.knots)} classes, got log_probs of shape {probs.shape}")
        by_class = zip(probs.T, self.knots, self.values, strict=True)
        mapped = np.stack([np.interp(p, knots, values) for p, knots, values in by_class], axis=1)
        sums = mapped.sum(axis=1, keepdims=True)
        mapped = np.where(sums == 0, 1 / len(self.knots), mapped / np.where(sums == 0, 1, sums))
        with np.errstate(divide="ignore"):
            return np.where(np.isnan(probs).any(1, keepdims=True), np.nan, np.log(mapped)).astype(np.float32)


def fit_vector_scaling(log_probs: ArrayLike, labels: ArrayLike) -> VectorScaling:
    """The weights in [1/20, 20] and biases in ±20 that minimise the mean NLL: a convex problem, by L-BFGS-B.

    The bounds are reached where the minimum lies at infinity, as the bias of a class does that has no example.

    Args:
      log_probs: `[b, c]`.
      labels: integers `[b]`, each a class.

    Raises:
      TypeError or ValueError: as `accuracy` does, and for no examples, labels that are no class, or NaN.
    """
    from scipy.optimize import minimize

    exact, labels = _examples(log_probs, labels)
    exact = np.maximum(exact, FLOOR)
    count, classes = exact.shape
    rows = np.arange(count)

    def loss(weight_and_bias: np.ndarray) -> tuple[float, np.ndarray]:
        scaled = weight_and_bias[:classes] * exact + weight_and_bias[classes:]
        scaled -= scaled.max(axis=1, keepdims=True)
        excess = np.exp(scaled)
        sums = excess.sum(axis=1, keepdims=True)
        value = float(np.log(sums).mean() - scaled[rows, labels].mean())
        excess /= sums
        excess[rows, labels] -= 1
        return value, np.concatenate([(excess * exact).sum(0), excess.sum(0)]) / count

    start = np.concatenate([np.ones(classes), np.zeros(classes)])
    bounds = [(1 / HIGHEST, 1 / LOWEST)] * classes + [(-_LARGEST_BIAS, _LARGEST_BIAS)] * classes
    options = {"maxiter": _STEPS, "maxfun": 2 * _STEPS, "ftol": 1e-14, "gtol": 1e-9}
    best = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options).x
    return VectorScaling(*(jnp.asarray(part, jnp.float32) for part in np.split(best, 2)))


def fit_isotonic(log_probs: ArrayLike, labels: ArrayLike) -> Isotonic:
    """Isotonic regression of each class's indicator on its probability, equals taken together.

    Args and raises as of `fit_vector_scaling`.
    """
    from scipy.optimize import isotonic_regression

    exact, labels = _examples(log_probs, labels)
    knots, values = [], []
    for k, probs in enumerate(np.exp(exact).T):
        places, of_example, counts = np.unique(probs, return_inverse=True, return_counts=True)
        frequency = np.bincount(of_example, labels == k) / counts
        knots.append(places)
        values.append(np.asarray(isotonic_regression(frequency, weights=counts).x))
    return Isotonic(tuple(knots), tuple(values))


def _examples(log_probs: ArrayLike, labels: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """In float64, and labels that are classes."""
    exact = np.asarray(_check.log_probs(log_probs), np.float64)
    classes = np.asarray(_check.labels(labels, len(exact)))
    wrong = np.flatnonzero((classes < 0) | (classes >= exact.shape[1]))
    if not len(exact):
        raise ValueError(f"there is no example to fit on: log_probs has shape {exact.shape}")
    if len(wrong):
        raise ValueError(
            f"labels must be 0 to {exact.shape[1] - 1}; {len(wrong)} are not, the first labels[{wrong[0]}] = "
            f"{classes[wrong[0]]}"
        )
    if np.isnan(exact).any():
        raise ValueError(f"log_probs of {np.isnan(exact).any(1).sum()} examples hold NaN")
    return exact, classes
