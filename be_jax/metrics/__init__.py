"""Metrics of predictions as pure functions of log-probabilities in nats: jittable, fixed shapes, safe at probability 0.

Axes: m member, b example, c class. Scores are per example, larger = more uncertain; what is averaged takes a mask.
"""

from be_jax.metrics.calibration import Bins, Reliability, adaptive_ece, calibration_bins, classwise_ece, ece
from be_jax.metrics.diversity import (
    disagreement,
    disagreement_matrix,
    error_kappa,
    pairwise_js,
    pairwise_kl,
    same_error,
)
from be_jax.metrics.mean import Mean
from be_jax.metrics.ood import Detection, detection
from be_jax.metrics.ranking import aupr, auroc, fpr_at_tpr
from be_jax.metrics.scoring import accuracy, brier, nll
from be_jax.metrics.selective import aurc, coverage_at_risk, risk_at_coverage
from be_jax.metrics.temperature import fit_member_temperatures, fit_temperature, is_impossible, temper
from be_jax.metrics.uncertainty import (
    Decomposition,
    decompose,
    max_probability_uncertainty,
    mixture,
    variation_ratio,
)

__all__ = [
    "Bins",
    "Decomposition",
    "Detection",
    "Mean",
    "Reliability",
    "accuracy",
    "adaptive_ece",
    "aupr",
    "aurc",
    "auroc",
    "brier",
    "calibration_bins",
    "classwise_ece",
    "coverage_at_risk",
    "decompose",
    "detection",
    "disagreement",
    "disagreement_matrix",
    "ece",
    "error_kappa",
    "fit_member_temperatures",
    "fit_temperature",
    "fpr_at_tpr",
    "is_impossible",
    "max_probability_uncertainty",
    "mixture",
    "nll",
    "pairwise_js",
    "pairwise_kl",
    "risk_at_coverage",
    "same_error",
    "temper",
    "variation_ratio",
]
