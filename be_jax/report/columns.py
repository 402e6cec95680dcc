"""The metrics a report shows: what they are called, their unit, how many decimals, and which way is better."""

import math
from typing import Literal, NamedTuple

from be_jax.metrics.registry import Score
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


ACCURACY = Metric("accuracy", "accuracy %", 2, "higher", percent=True)
NLL = Metric("nll", "NLL", 3, "lower")
ECE = Metric("ece", "ECE %", 2, "lower", percent=True)
BRIER = Metric("brier", "Brier", 3, "lower")
AURC = Metric("aurc", "AURC", 4, "lower")
MUTUAL_INFORMATION = Metric("epistemic", "mutual inf.", 4, "neither", of_members=True)
DISAGREEMENT = Metric("disagreement", "disagr. %", 2, "neither", percent=True, of_members=True)
PAIRWISE_JS = Metric("pairwise_js", "pairwise JS", 4, "neither", of_members=True)
AUROC_TOTAL = Metric("auroc_total", "total", 3, "higher")
AUROC_ALEATORIC = Metric("auroc_aleatoric", "aleatoric", 3, "higher")
AUROC_EPISTEMIC = Metric("auroc_epistemic", "AUROC epist.", 3, "higher", of_members=True)
AUROC_MAX_PROBABILITY = Metric("auroc_max_probability", "max prob.", 3, "higher")
FPR95_EPISTEMIC = Metric("fpr95_epistemic", "FPR95 epist.", 3, "lower", of_members=True)
AUROC_ENERGY = Metric("auroc_energy", "energy", 3, "higher")
AUROC_MAX_LOGIT = Metric("auroc_max_logit", "max logit", 3, "higher")
TEMPERATURE = Metric("temperature", "temperature", 3, "neither")

DETECTION_SCORES = {
    "total": "total",
    "aleatoric": "aleatoric",
    "epistemic": "mutual inf.",
    "max_probability": "max prob.",
}
"""Names of the scores by which OOD examples are detected, and as they are shown."""
LOGIT_SCORES = {"energy": "energy", "max_logit": "max logit"}
"""The same of scores that need logits with their scale, which not all predictions have."""
DETECTION_MEASURES = ("AUROC", "AUPR", "FPR95")


def of_score(score: Score) -> Metric:
    """A score as the one list of scores, `be_jax.metrics.registry`, has it."""
    return Metric(score.key, score.heading, score.decimals, score.better, score.unit == "%", "members" in score.needs)


def detection(measure: str, score: str) -> Metric:
    """One of `DETECTION_MEASURES` by one of `DETECTION_SCORES` or `LOGIT_SCORES`, under the measure's title."""
    better: Literal["higher", "lower"] = "lower" if measure == "FPR95" else "higher"
    return Metric(f"{measure.lower()}_{score}", measure, 3, better, of_members=score == "epistemic")


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
