"""What a study could have shown, and how large one that decides would have to be.

Of the position g = part / whole and a threshold: the contrast part - threshold x whole is a mean with a known standard
error, so that its power is that of a t-test. Variances over units shrink with their number; that over test examples
does not, for more seeds predict the same examples.
"""

import math

import numpy as np
from scipy import special

from be_jax.stats.jackknife import Statistic, Variances, quantile, variances

POWER = 0.8
MOST = 100_000
"""Units beyond which none suffice."""


def detectable(part: Statistic, whole: Statistic, confidence: float, threshold: float = 0.5) -> float:
    """The smallest distance of g from the threshold that this study would have shown with 80 % power."""
    if whole.value <= 0:
        return math.inf
    error, freedom = (part - threshold * whole).uncertainty()
    return float((quantile(freedom, confidence) + _power_quantile(freedom)) * error / whole.value)


def needed(
    part: Statistic, whole: Statistic, confidence: float, distance: float = 0.5, threshold: float = 0.5
) -> dict[str, int] | None:
    """How many units of each factor, in the proportion of this study, would show a g at this distance with 80 % power.

    None where no number would, since test examples alone leave too much doubt, or there is nothing to show.
    """
    if whole.value <= 0:
        return None
    parts, wanted = variances(part - threshold * whole), distance * whole.value
    low, high = 2 / min(parts.units.values()), MOST / min(parts.units.values())
    if not _enough(parts, high, wanted, confidence):
        return None
    if not _enough(parts, low, wanted, confidence):
        for _ in range(40):
            middle = math.sqrt(low * high)
            low, high = (low, middle) if _enough(parts, middle, wanted, confidence) else (middle, high)
        low = high
    return {factor: max(3, math.ceil(low * count - 1e-6)) for factor, count in parts.units.items()}


def _enough(parts: Variances, factor: float, wanted: float, confidence: float) -> bool:
    """Whether `factor` times the units show it."""
    counts = {name: factor * count for name, count in parts.units.items()}
    shared = max(0.0, float(parts.examples) - sum(map(float, parts.interactions.values())))
    of_units = {name: float(part) / factor for name, part in parts.factors.items()}
    total = shared + sum(of_units.values())
    if total == 0:
        return True
    squares = shared**2 / (parts.blocks - 1) if parts.blocks else 0.0
    squares += sum(of_units[name] ** 2 / max(counts[name] - 1, 1e-3) for name in counts)
    freedom = total**2 / squares
    return bool((quantile(freedom, confidence) + _power_quantile(freedom)) * math.sqrt(total) <= wanted)


def _power_quantile(freedom: float) -> float:
    return float(special.stdtrit(np.minimum(freedom, 1e9), POWER))
