"""The metrics a report shows: what they are called, their unit, how many decimals, and which way is better."""

import math
from typing import Literal, NamedTuple

from be_jax.metrics import registry
from be_jax.stats.fieller import Interval
from be_jax.stats.means import Estimate

DASH = "–"


class Metric(NamedTuple):
    """One metric as it is shown.

    Attributes:
      key: its name in the scores of a run.
      title: its name in a table.
      decimals: digits after the point.
      better: which way; "neither" for what is not good or bad in itself.
      percent: shown in percent.
      of_members: says something of methods with members only.
    """

    key: str
    title: str
    decimals: int
    better: Literal["higher", "lower", "neither"]
    percent: bool = False
    of_members: bool = False

    @property
    def scale(self) -> int:
        """From a score to the unit of the title."""
        return 100 if self.percent else 1

    def shown(self, estimate: Estimate) -> str:
        """Mean ± half-width in the unit of the title; without the interval where there is none, a dash for no value."""
        if estimate.n == 0 or math.isnan(estimate.mean):
            return DASH
        mean = f"{self.scale * estimate.mean:z.{self.decimals}f}".replace("-", "−")
        if math.isnan(estimate.half_width):
            return mean
        return f"{mean} ± {self.scale * estimate.half_width:.{self.decimals}f}"


def metric(key: str, title: str | None = None) -> Metric:
    """A score of `be_jax.metrics.registry` as a column, under its own title unless its table says half of that."""
    shown = of_score(registry.lookup(key))
    return shown._replace(title=title) if title else shown


def of_score(score: registry.Score) -> Metric:
    """A score as a column."""
    return Metric(score.key, score.heading, score.decimals, score.better, score.unit == "%", "members" in score.needs)


ACCURACY, NLL, ECE, BRIER, AURC = map(metric, ("accuracy", "nll", "ece", "brier", "aurc"))
MUTUAL_INFORMATION, DISAGREEMENT, PAIRWISE_JS = map(metric, ("epistemic", "disagreement", "pairwise_js"))
AUROC_TOTAL = metric("auroc_total", "total")
AUROC_ALEATORIC = metric("auroc_aleatoric", "aleatoric")
AUROC_EPISTEMIC = metric("auroc_epistemic", "AUROC epist.")
AUROC_MAX_PROBABILITY = metric("auroc_max_probability", "max prob.")
FPR95_EPISTEMIC = metric("fpr95_epistemic", "FPR95 epist.")
AUROC_ENERGY = metric("auroc_energy", "energy")
AUROC_MAX_LOGIT = metric("auroc_max_logit", "max logit")
TEMPERATURE = metric("temperature")

LOGIT_SCORES = {key: registry.DETECTION_SCORES[key] for key in registry.LOGIT_SCORES}
"""Scores by which OOD examples are detected and which need logits with their scale, and as they are shown."""
DETECTION_SCORES = {key: title for key, title in registry.DETECTION_SCORES.items() if key not in LOGIT_SCORES}
"""The same of those that all predictions have."""
DETECTION_MEASURES = ("AUROC", "AUPR", "FPR95")


def detection(measure: str, score: str) -> Metric:
    """One of `DETECTION_MEASURES` by one of `DETECTION_SCORES` or `LOGIT_SCORES`, under the measure's title."""
    return metric(f"{measure.lower()}_{score}", measure)


def scaled(metric: Metric) -> Metric:
    """The metric of predictions at the temperature that was fitted on validation data."""
    return metric._replace(key=f"{metric.key}_scaled", title=f"{metric.title} scaled")


def percent(position: Interval) -> str:
    """A position and its interval, such as "43 % [20, 61]"; a dash where there is none.

    An interval that is everything but a middle piece is told as two, "-63 % [−∞, 22] or [176, ∞]".
    """
    if not position.pieces:
        return DASH
    pieces = " or ".join(f"[{_whole(lower)}, {_whole(upper)}]" for lower, upper in position.pieces)
    return f"{_whole(position.value)} % {pieces}"


def _whole(fraction: float) -> str:
    """In whole percent, without a negative zero."""
    number = f"{100 * fraction:z,.0f}" if math.isfinite(fraction) else "∞" if fraction > 0 else "-∞"
    return number.replace("-", "−")
