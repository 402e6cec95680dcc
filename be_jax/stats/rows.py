"""One row of evidence: where a method stands, by one endpoint, between a single model (0) and a deep ensemble (1)."""

import dataclasses
import math
from collections.abc import Mapping

import numpy as np

from be_jax.metrics import registry
from be_jax.stats import power
from be_jax.stats.config import Endpoint, JudgeConfig
from be_jax.stats.fieller import UNDEFINED, Interval, ratio
from be_jax.stats.jackknife import Statistic
from be_jax.stats.sample import Sample

ROUNDING = 1e-9  # float32 leaves less than this of the mutual information of m copies

NO_GAIN = "the deep ensemble is not measurably better than a single model"
LOSS = "the deep ensemble is measurably worse than a single model"
NO_DIVERSITY = "the deep ensemble's members do not differ measurably"


@dataclasses.dataclass(frozen=True)
class Row:
    """What one endpoint says of a method.

    Attributes:
      endpoint: which.
      position: the gain recovered, (method - single) / (deep ensemble - single); of diversity and distances, method /
        deep ensemble. 0 is a single model, or copies of one; 1 a deep ensemble, or independent networks.
      method, single, deep_ensemble: the means that it is made of; NaN for the single model where it has none.
      at_start: the position before training, with the deep ensemble as trained; NaN where it was not measured.
      detectable: the distance from 0.5 at which this study would have told a position from 0.5 with 80 % power;
        infinite where it could tell none.
      needed: units of each factor at which a position of 0 or 1 would be told from 0.5 with 80 % power; None where none
        suffice.
      upper_corrected: the upper end of the position's interval, of a gain below -margin, at the level divided by the
        number of endpoints of quality; infinite otherwise.
      reason: why nothing is decided from it; empty otherwise.
      missing: whether a sample does not have the score.
    """

    endpoint: Endpoint
    position: Interval = UNDEFINED
    method: float = math.nan
    single: float = math.nan
    deep_ensemble: float = math.nan
    at_start: float = math.nan
    detectable: float = math.inf
    needed: Mapping[str, int] | None = None
    upper_corrected: float = math.inf
    reason: str = ""
    missing: bool = False


def gain_row(endpoint: Endpoint, method: Sample, single: Sample, deep_ensemble: Sample, config: JudgeConfig) -> Row:
    """The method's gain over a single model, of the deep ensemble's.

    Raises:
      ValueError: the registry has no such score, or neither way of it is better.
    """
    sign = registry.lookup(endpoint.metric).sign
    if missing := _missing(endpoint, method=method, single=single, deep_ensemble=deep_ensemble):
        return missing
    own, one, deep = (sample.statistic(*endpoint) for sample in (method, single, deep_ensemble))
    part, whole = float(sign) * (own - one), float(sign) * (deep - one)
    row = _row(endpoint, part, whole, config, none=NO_GAIN, negative=LOSS)
    corrected = upper_corrected(part, whole, row.position, config)
    row = dataclasses.replace(row, upper_corrected=corrected)
    return dataclasses.replace(row, method=own.value, single=one.value, deep_ensemble=deep.value)


def upper_corrected(part: Statistic, whole: Statistic, position: Interval, config: JudgeConfig) -> float:
    """See `Row`."""
    if not position.within(-math.inf, -config.margin):
        return math.inf
    wider = ratio(part, whole, 1 - config.level / len(config.quality))
    return wider.upper if wider.bounded else math.inf


def diversity_row(
    endpoint: Endpoint, method: Sample, deep_ensemble: Sample, config: JudgeConfig, at_start: float = math.nan
) -> Row:
    """How much the method's members differ, of how much a deep ensemble's do.

    Args:
      endpoint: of a score that is 0 for copies of one network.
      method, deep_ensemble: samples that have it.
      config: level.
      at_start: the method's own score before training, on the scale of the endpoint.
    """
    if missing := _missing(endpoint, method=method, deep_ensemble=deep_ensemble):
        return missing
    own, deep = (sample.statistic(*endpoint) for sample in (method, deep_ensemble))
    row = _row(endpoint, own, deep, config, none=NO_DIVERSITY, negative=NO_DIVERSITY)
    began = at_start / deep.value if deep.value > ROUNDING else math.nan
    return dataclasses.replace(row, method=own.value, deep_ensemble=deep.value, at_start=began)


def _missing(endpoint: Endpoint, **samples: Sample) -> Row | None:
    lacking = [name.replace("_", " ") for name, sample in samples.items() if not sample.has(*endpoint)]
    if not lacking:
        return None
    return Row(endpoint, reason=f"{endpoint} is missing ({', '.join(lacking)})", missing=True)


NOT_FINITE = "a score is not finite: a label has probability 0, or a prediction variance 0; smooth the predictions"


def _row(endpoint: Endpoint, part: Statistic, whole: Statistic, config: JudgeConfig, none: str, negative: str) -> Row:
    contrast = part - whole
    few = [f"{count} {factor}" for factor, count in contrast.units.items() if count < config.min_units]
    if few:
        return Row(endpoint, reason=f"needs at least {config.min_units} of each, got {' and '.join(few)}")
    numbers = [part.whole, whole.whole, *part.without.values(), *whole.without.values()]
    if not all(np.isfinite(each).all() for each in numbers):
        return Row(endpoint, reason=NOT_FINITE)
    if abs(whole.value) < ROUNDING:
        return Row(endpoint, reason=none)
    position = ratio(part, whole, config.confidence)
    if position.bounded and whole.value < 0:
        return Row(endpoint, reason=negative)
    return Row(
        endpoint,
        position,
        detectable=power.detectable(part, whole, config.confidence),
        needed=power.needed(part, whole, config.confidence),
        reason="" if position.bounded else none,
    )
