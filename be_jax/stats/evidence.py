"""One row of evidence: a claim on one set, by one metric, with its estimate, interval, p-values and effect sizes."""

import dataclasses
import math
from typing import Literal, NamedTuple

import numpy as np

from be_jax.stats.gain import UNDEFINED, oriented, ratio
from be_jax.stats.hypotheses import Hypothesis, PValues
from be_jax.stats.jackknife import Statistic, p_above
from be_jax.stats.margins import JudgeConfig
from be_jax.stats.sample import Sample

Decision = Literal["supported", "contradicted", "undecided", "not judged"]

MIN_UNITS = 3
"""Seeds or networks below which nothing is decided: two leave one degree of freedom."""

_ROUNDING = 1e-9  # float32 leaves less than this of the mutual information of m copies


@dataclasses.dataclass(frozen=True)
class Evidence:
    """One row.

    Attributes:
      set_name: "parameters" for what is measured on weights.
      metric: name of the score.
      estimate, lower, upper: gain recovered (C1, C2) or ratio to the deep ensemble (C3, C4), with its 95 % bootstrap
        interval; NaN where there is nothing to be a part of.
      difference: method - what it is compared with (C2: single, otherwise deep ensemble), in the metric's unit.
      standardised: that difference in standard deviations between runs of what it is compared with (Glass's Delta).
      margin: of the tests.
      p_supports, p_contradicts: of the claim's null hypothesis and of its opposite's.
      adjusted_p: the smaller of the two, after Holm.
      decision: by the adjusted p-value; "not judged" where the deep ensemble has nothing to be a part of.
      reason: why it is not judged or cannot be decided; empty otherwise.
    """

    set_name: str
    metric: str
    estimate: float
    lower: float
    upper: float
    difference: float
    standardised: float
    margin: float
    p_supports: float
    p_contradicts: float
    adjusted_p: float = math.nan
    decision: Decision = "undecided"
    reason: str = ""

    @property
    def p(self) -> float:
        """The smaller p-value."""
        return min(self.p_supports, self.p_contradicts)

    def decided(self, adjusted_p: float, level: float) -> "Evidence":
        """The row with its adjusted p-value, and what follows from it."""
        decision = self.decision
        if not self.reason and adjusted_p <= level:
            decision = "supported" if self.p_supports <= self.p_contradicts else "contradicted"
        return dataclasses.replace(self, adjusted_p=adjusted_p, decision=decision)


class Compared(NamedTuple):
    """What a row compares.

    Attributes:
      set_name, metric: as of `Evidence`.
      part: what the method has, on a scale that begins at 0.
      whole: what a deep ensemble has.
      difference, spread: `difference` of `Evidence`, and the standard deviation that it is divided by.
    """

    set_name: str
    metric: str
    part: Statistic
    whole: Statistic
    difference: float
    spread: float


def gains(
    set_name: str, metric: str, method: Sample, single: Sample, deep_ensemble: Sample, against: Sample
) -> Compared:
    """The method's and the deep ensemble's gain over a single network; `against`: which the difference is to."""
    own, one, deep = (oriented(s.statistic(set_name, metric), metric) for s in (method, single, deep_ensemble))
    difference = method.statistic(set_name, metric).value - against.statistic(set_name, metric).value
    return Compared(set_name, metric, own - one, deep - one, difference, against.run_deviation(set_name, metric))


def diversities(set_name: str, metric: str, method: Sample, deep_ensemble: Sample) -> Compared:
    """How much the members differ, of the method and of deep ensembles."""
    own, deep = (sample.statistic(set_name, metric) for sample in (method, deep_ensemble))
    return Compared(set_name, metric, own, deep, own.value - deep.value, deep_ensemble.run_deviation(set_name, metric))


def weigh(compared: Compared, hypothesis: Hypothesis, margin: float, config: JudgeConfig) -> Evidence:
    """The row, before Holm's correction."""
    _, _, part, whole, difference, spread = compared
    estimate, p, decision, reason = UNDEFINED, PValues(1.0, 1.0), "undecided", ""
    contrast = part - whole
    few = [f"{count} {factor}" for factor, count in contrast.units.items() if count < MIN_UNITS]
    if few:
        reason = f"needs at least {MIN_UNITS} of each, got {' and '.join(few)}"
    elif not np.isfinite(contrast.whole).all():
        reason = "a score is not finite"
    elif whole.value < _ROUNDING or p_above(whole) > config.level:
        decision, reason = "not judged", "the deep ensemble has none, measurably"
    else:
        p = hypothesis(part, whole, margin)
        estimate = ratio(part, whole, resamples=config.resamples)
    return Evidence(
        compared.set_name,
        compared.metric,
        *estimate,
        difference,
        difference / spread if spread > 0 else math.nan,
        margin,
        *p,
        decision=decision,  # type: ignore[arg-type]
        reason=reason,
    )
