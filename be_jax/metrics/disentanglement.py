"""Do aleatoric and epistemic uncertainty each follow their own cause? The disentanglement error."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Sweep(NamedTuple):
    """What was measured as one cause of error grew: lists of one length, an entry for each setting.

    Attributes:
      error: rate of errors, which stands for the cause: it must grow with it.
      aleatoric, epistemic: mean uncertainties over test examples, in nats.
    """

    error: Sequence[float]
    aleatoric: Sequence[float]
    epistemic: Sequence[float]


def disentanglement_error(label_noise: Sweep, data_scarcity: Sweep) -> float:
    """Mean over four correlations of how far each is from what it should be; 0 is a perfect split, at most 1.25.

    As labels become noisier, aleatoric uncertainty should grow with the error (correlation 1) and epistemic
    uncertainty should not care (0); as training examples become fewer, the other way round (de Jong et al. 2024, arXiv
    2408.12175). Pearson's correlation; with what does not vary at all it is 0. Unweighted.

    Args:
      label_noise: at several rates of label noise, in training and test labels alike.
      data_scarcity: at several sizes of the training set.

    Raises:
      ValueError: lists of different lengths, or of fewer than three settings.
    """
    follows = (label_noise.error, label_noise.aleatoric), (data_scarcity.error, data_scarcity.epistemic)
    ignores = (label_noise.error, label_noise.epistemic), (data_scarcity.error, data_scarcity.aleatoric)
    distances = [abs(1 - _correlation(*pair)) for pair in follows] + [abs(_correlation(*pair)) for pair in ignores]
    return float(np.mean(distances))


def _correlation(first: Sequence[float], second: Sequence[float]) -> float:
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if a.shape != b.shape or a.ndim != 1 or len(a) < 3:
        raise ValueError(f"a sweep needs lists of one length, at least 3; got shapes {a.shape} and {b.shape}")
    a, b = a - a.mean(), b - b.mean()
    scale = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / scale) if scale > 0 else 0.0
