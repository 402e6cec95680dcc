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

from be_jax.metrics._score import Better, Need, Score, rows
from be_jax.metrics.further import scores

__all__ = [
    "DETECTION_MEASURES",
    "DETECTION_SCORES",
    "RECALIBRATIONS",
    "SCORES",
    "Better",
    "Need",
    "Score",
    "lookup",
    "recalibrated",
]

_QUALITY = [
    *rows("higher", "labels", ("accuracy", "accuracy", "%", 2), ("coverage_at_5_risk", "coverage at 5 % risk", "%", 1)),
    *rows(
        "lower",
        "labels",
        ("nll", "NLL", "nats", 3),
        ("brier", "Brier", "", 3),
        ("ece", "ECE", "%", 2),
        ("adaptive_ece", "adaptive ECE", "%", 2),
        ("classwise_ece", "classwise ECE", "%", 2),
        ("aurc", "AURC", "", 4),
        ("risk_at_80_coverage", "risk at 80 % coverage", "%", 2),
    ),
    *rows("lower", "labels members", ("nll_alone", "NLL of a member", "nats", 3)),
]

_UNCERTAINTY = [
    *rows(
        "neither",
        "",
        ("total", "total entropy", "nats", 4),
        ("aleatoric", "aleatoric entropy", "nats", 4),
        ("max_probability", "1 - max prob.", "", 4),
    ),
    *rows(
        "neither",
        "members",
        ("epistemic", "mutual inf.", "nats", 4),
        ("variation_ratio", "variation ratio", "%", 2),
        ("disagreement", "disagr.", "%", 2),
        ("pairwise_kl", "pairwise KL", "nats", 4),
        ("pairwise_js", "pairwise JS", "nats", 4),
    ),
    *rows(
        "neither",
        "labels members",
        ("same_error", "same error", "%", 2),
        ("error_kappa", "kappa of errors", "", 3),
    ),
    *rows("neither", "logits", ("energy", "energy", "nats", 3), ("max_logit", "max logit", "nats", 3)),
]

_REGRESSION = [
    *rows(
        "lower",
        "labels gaussian",
        ("crps", "CRPS", "target", 4),
        ("rmse", "RMSE", "target", 4),
        ("calibration_error", "calibration error", "%", 2),
    ),
    *rows("neither", "labels gaussian", ("coverage_95", "in 95 % interval", "%", 2)),
    *rows(
        "neither",
        "gaussian",
        ("sharpness", "predicted std", "target", 4),
        ("aleatoric_std", "aleatoric std", "target", 4),
    ),
    *rows("neither", "gaussian members", ("spread_of_means", "epistemic std", "target", 4)),
    *rows("neither", "labels gaussian members", ("error_correlation", "correlation of errors", "", 3)),
]

_RECALIBRATION = [
    *rows("neither", "labels validation", ("temperature", "temperature", "", 3)),
    *rows("neither", "labels validation gaussian", ("spread_factor", "factor", "", 3)),
    *rows("neither", "labels validation", ("set_coverage", "set coverage", "%", 1)),
    *rows("lower", "labels validation", ("set_size", "set size", "classes", 2)),
    *rows("neither", "labels validation gaussian", ("interval_coverage", "interval coverage", "%", 1)),
    *rows("lower", "labels validation gaussian", ("interval_width", "interval width", "target", 3)),
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
            *scores(),
        ]
    }
)
"""All scores by key, but for the recalibrated ones."""

LOGIT_SCORES = tuple(key for key in DETECTION_SCORES if "logits" in SCORES[key].needs)
"""Those of `DETECTION_SCORES` that need logits with their scale, which not all predictions have."""


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
