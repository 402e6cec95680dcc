"""Metrics of predictions as pure functions of log-probabilities in nats: jittable, fixed shapes, safe at probability 0.

Axes: m member, b example, c class. Scores are per example, larger = more uncertain; what is averaged takes a mask.
"""

from be_jax.metrics.calibration import Bins, Reliability, adaptive_ece, calibration_bins, classwise_ece, ece
from be_jax.metrics.debiased import Interval, debiased_ece
from be_jax.metrics.disentanglement import DisentanglementError, disentanglement_error
from be_jax.metrics.diversity import (
    disagreement,
    disagreement_matrix,
    error_kappa,
    pairwise_js,
    pairwise_kl,
    same_error,
    yules_q,
)
from be_jax.metrics.mean import Mean
from be_jax.metrics.murphy import BrierDecomposition, brier_decomposition
from be_jax.metrics.ood import Detection, detection, detection_by, detection_by_logits, energy, max_logit
from be_jax.metrics.ranking import aupr, auroc, fpr_at_tpr
from be_jax.metrics.scoring import accuracy, brier, nll
from be_jax.metrics.selective import augrc, aurc, coverage_at_risk, risk_at_coverage
from be_jax.metrics.smooth import smooth_ece
from be_jax.metrics.temperature import fit_member_temperatures, fit_temperature, is_impossible, temper
from be_jax.metrics.uncertainty import (
    Decomposition,
    decompose,
    decompose_brier,
    decompose_zero_one,
    max_probability_uncertainty,
    mixture,
    variation_ratio,
)

__all__ = [
    "Bins",
    "BrierDecomposition",
    "Decomposition",
    "Detection",
    "DisentanglementError",
    "Interval",
    "Mean",
    "Reliability",
    "accuracy",
    "adaptive_ece",
    "augrc",
    "aupr",
    "aurc",
    "auroc",
    "brier",
    "brier_decomposition",
    "calibration_bins",
    "classwise_ece",
    "coverage_at_risk",
    "debiased_ece",
    "decompose",
    "decompose_brier",
    "decompose_zero_one",
    "detection",
    "detection_by",
    "detection_by_logits",
    "disagreement",
    "disagreement_matrix",
    "disentanglement_error",
    "ece",
    "energy",
    "error_kappa",
    "fit_member_temperatures",
    "fit_temperature",
    "fpr_at_tpr",
    "is_impossible",
    "max_logit",
    "max_probability_uncertainty",
    "mixture",
    "nll",
    "pairwise_js",
    "pairwise_kl",
    "risk_at_coverage",
    "same_error",
    "smooth_ece",
    "temper",
    "variation_ratio",
    "yules_q",
]
