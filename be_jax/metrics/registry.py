"""The one list of scores: what each is called and shown as, which way is better, and what it needs to be computed.

    >>> from be_jax.metrics import registry
    >>> registry.lookup("nll_scaled").better
    'lower'

A score's key is its name wherever scores are stored. `<key>_<recalibration>`, such as `nll_scaled`, is the same score
of predictions that were recalibrated on validation data, see `RECALIBRATIONS`.
"""

import dataclasses
import difflib
import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

Better = Literal["higher", "lower", "neither"]
Need = Literal["labels", "members", "logits", "validation", "gaussian", "ood"]
"""What a score takes beyond log-probabilities.

labels: what was true, classes or numbers. members: more than one, or it says nothing. logits: with their scale.
validation: a labelled set of its own. gaussian: means and variances of a regression, in the place of
log-probabilities. ood: a second set, out of distribution.
"""


@dataclasses.dataclass(frozen=True)
class Score:
    """One score.

    Attributes:
      key: its name where scores are stored.
      title: its name in a table, without the unit.
      unit: "%" for a fraction that is shown in percent (`scale`), "nats", "target" for the unit of a regression's
        targets, "target²", "classes", or "" for a number without one.
      better: which way; "neither" for what is not good or bad in itself.
      decimals: digits after the point, in the unit.
      needs: what it takes beyond log-probabilities, see `Need`.
    """

    key: str
    title: str
    unit: str
    better: Better
    decimals: int
    needs: frozenset[Need] = frozenset()

    @property
    def scale(self) -> int:
        """From the stored number to the unit."""
        return 100 if self.unit == "%" else 1

    @property
    def heading(self) -> str:
        """The title with its "%", as a column is headed."""
        return f"{self.title} %" if self.unit == "%" else self.title

    @property
    def sign(self) -> int:
        """1 where larger is better, -1 where smaller is; times a score, larger is better.

        Raises:
          ValueError: neither way is better.
        """
        if self.better == "neither":
            raise ValueError(f"{self.key!r} ({self.title}) is not better in one direction: it cannot rank methods")
        return 1 if self.better == "higher" else -1


def _scores(better: Better, needs: str, *rows: tuple[str, str, str, int]) -> list[Score]:
    """Rows of (key, title, unit, decimals) that agree in the rest."""
    return [Score(key, title, unit, better, decimals, frozenset(needs.split())) for key, title, unit, decimals in rows]  # type: ignore[arg-type]


_QUALITY = [
    *_scores(
        "higher", "labels", ("accuracy", "accuracy", "%", 2), ("coverage_at_5_risk", "coverage at 5 % risk", "%", 1)
    ),
    *_scores(
        "lower",
        "labels",
        ("nll", "NLL", "nats", 3),
        ("uncalibrated_nll", "NLL as given", "nats", 3),
        ("brier", "Brier", "", 3),
        ("ece", "ECE", "%", 2),
        ("adaptive_ece", "adaptive ECE", "%", 2),
        ("classwise_ece", "classwise ECE", "%", 2),
        ("smooth_ece", "smooth ECE", "%", 2),
        ("debiased_ece", "debiased ECE", "%", 2),
        ("aurc", "AURC", "", 4),
        ("augrc", "AUGRC", "", 4),
        ("risk_at_80_coverage", "risk at 80 % coverage", "%", 2),
        ("brier_reliability", "Brier reliability", "", 4),
    ),
    *_scores("higher", "labels", ("brier_resolution", "Brier resolution", "", 4)),
    *_scores("neither", "labels", ("brier_uncertainty", "Brier uncertainty", "", 4)),
    *_scores("lower", "labels members", ("nll_alone", "NLL of a member", "nats", 3)),
]

_UNCERTAINTY = [
    *_scores(
        "neither",
        "",
        ("total", "total entropy", "nats", 4),
        ("aleatoric", "aleatoric entropy", "nats", 4),
        ("max_probability", "1 - max prob.", "", 4),
        ("brier_total", "Gini total", "", 4),
        ("brier_aleatoric", "Gini aleatoric", "", 4),
        ("zero_one_total", "0-1 total", "", 4),
        ("zero_one_aleatoric", "0-1 aleatoric", "", 4),
    ),
    *_scores(
        "neither",
        "members",
        ("epistemic", "mutual inf.", "nats", 4),
        ("brier_epistemic", "Gini epistemic", "", 4),
        ("zero_one_epistemic", "0-1 epistemic", "", 4),
        ("variation_ratio", "variation ratio", "%", 2),
        ("disagreement", "disagr.", "%", 2),
        ("pairwise_kl", "pairwise KL", "nats", 4),
        ("pairwise_js", "pairwise JS", "nats", 4),
    ),
    *_scores(
        "neither",
        "labels members",
        ("same_error", "same error", "%", 2),
        ("error_kappa", "kappa of errors", "", 3),
        ("yules_q", "Yule's Q", "", 3),
    ),
    *_scores("neither", "logits", ("energy", "energy", "nats", 3), ("max_logit", "max logit", "nats", 3)),
]

_REGRESSION = [
    *_scores(
        "lower",
        "labels gaussian",
        ("crps", "CRPS", "target", 3),
        ("rmse", "RMSE", "target", 3),
        ("calibration_error", "calibration error", "%", 2),
    ),
    *_scores("neither", "labels gaussian", ("coverage_95", "coverage of 95 %", "%", 1)),
    *_scores(
        "neither",
        "gaussian",
        ("sharpness", "sharpness", "target", 3),
        ("total_variance", "total variance", "target²", 4),
        ("aleatoric_variance", "aleatoric variance", "target²", 4),
    ),
    *_scores(
        "neither",
        "gaussian members",
        ("epistemic_variance", "epistemic variance", "target²", 4),
        ("spread_of_means", "spread of means", "target", 4),
    ),
]

_RECALIBRATION = [
    *_scores("neither", "labels validation", ("temperature", "temperature", "", 3)),
    *_scores("neither", "labels validation", ("set_coverage", "set coverage", "%", 1)),
    *_scores("lower", "labels validation", ("set_size", "set size", "classes", 2)),
    *_scores("neither", "labels validation gaussian", ("interval_coverage", "interval coverage", "%", 1)),
    *_scores("lower", "labels validation gaussian", ("interval_width", "interval width", "target", 3)),
]

DETECTION_MEASURES: Mapping[str, Better] = MappingProxyType({"auroc": "higher", "aupr": "higher", "fpr95": "lower"})
"""How well OOD examples are detected: `<measure>_<uncertainty>` are scores, with an uncertainty of the next mapping."""

DETECTION_SCORES: Mapping[str, str] = MappingProxyType(
    {
        "total": "total",
        "aleatoric": "aleatoric",
        "epistemic": "mutual inf.",
        "max_probability": "max prob.",
        "energy": "energy",
        "max_logit": "max logit",
    }
)
"""Uncertainties of an example by which it can be told from those in distribution, and as they are shown."""


def _detections(uncertainties: Mapping[str, Score]) -> list[Score]:
    return [
        Score(
            f"{measure}_{key}",
            f"{measure.upper()} {title}",
            "",
            better,
            3,
            uncertainties[key].needs | frozenset({"ood"}),
        )
        for measure, better in DETECTION_MEASURES.items()
        for key, title in DETECTION_SCORES.items()
    ]


RECALIBRATIONS: Mapping[str, str] = MappingProxyType(
    {
        "member_scaled": "scaled by member",
        "vector_scaled": "vector-scaled",
        "isotonic": "isotonic",
        "scaled": "scaled",
    }
)
"""Suffixes of scores of recalibrated predictions, and what they add to a title; "scaled" is by one temperature."""

SCORES: Mapping[str, Score] = MappingProxyType(
    {
        score.key: score
        for score in [
            *_QUALITY,
            *_UNCERTAINTY,
            *_detections({score.key: score for score in _UNCERTAINTY}),
            *_REGRESSION,
            *_RECALIBRATION,
        ]
    }
)
"""All scores by key, but for the recalibrated ones."""


def lookup(key: str) -> Score:
    """The score of a key of `SCORES`, or of such a key with a suffix of `RECALIBRATIONS`.

    Raises:
      ValueError: there is none; the message names the likely ones.
    """
    if key in SCORES:
        return SCORES[key]
    for suffix in RECALIBRATIONS:
        if key.endswith(f"_{suffix}") and (base := key.removesuffix(f"_{suffix}")) in SCORES:
            return recalibrated(SCORES[base], suffix)
    near = difflib.get_close_matches(key, _known(), n=3)
    advice = f"did you mean {' or '.join(map(repr, near))}?" if near else f"scores are {', '.join(SCORES)}"
    raise ValueError(f"there is no score {key!r}: {advice}")


def recalibrated(score: Score, suffix: str = "scaled") -> Score:
    """The score of predictions recalibrated on validation data, by a suffix of `RECALIBRATIONS`."""
    return dataclasses.replace(
        score,
        key=f"{score.key}_{suffix}",
        title=f"{score.title} {RECALIBRATIONS[suffix]}",
        needs=score.needs | frozenset({"validation"}),
    )


@functools.cache
def _known() -> tuple[str, ...]:
    return (*SCORES, *(f"{key}_{suffix}" for key in SCORES for suffix in RECALIBRATIONS))
