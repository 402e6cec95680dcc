"""Scores of an ensemble of Gaussian predictions, by the mixture of its members: for tables, and for the judgement.

Arrays are those of `regression_arrays.to_gaussians`, in the target's unit. They are scored in units of the standard
deviation of the test targets, about their mean, so that float32 holds their differences whatever the unit is; results
are turned back.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.special import logsumexp

from be_jax import metrics
from be_jax.metrics import regression
from be_jax.npz import Predictions
from be_jax.scores import OOD, Scores
from be_jax.scores.blocks import BLOCKS, auroc_without_blocks, blocks_of, mean_without_blocks
from be_jax.scores.of_run import mean_over_sets, of_set, with_shifts_averaged

LEVELS = np.arange(1, 20) / 20
"""Quantiles of the calibration curve."""

COVERED = 0.95


class Gaussians(NamedTuple):
    """One set: members' means and variances `[m, n]` and targets `[n]` or None, in standard units."""

    mean: np.ndarray
    variance: np.ndarray
    targets: np.ndarray | None

    def scaled(self, factor: float) -> "Gaussians":
        """Every example's mixture stretched about its own mean, its standard deviation `factor` times as large."""
        centre = self.mean.mean(0)
        return Gaussians(centre + factor * (self.mean - centre), factor**2 * self.variance, self.targets)


class Examples(NamedTuple):
    """Of each example `[n]`, in standard units: scores, the mixture's probability below the target, and variances."""

    nll: np.ndarray
    crps: np.ndarray
    squared_error: np.ndarray
    below: np.ndarray
    covered: np.ndarray
    aleatoric: np.ndarray
    epistemic: np.ndarray


def unit_of(predictions: Predictions) -> tuple[float, float]:
    """Mean and standard deviation of the test targets; 1 where they are all the same."""
    targets = predictions["test/targets"]
    return float(targets.mean()), float(targets.std()) or 1.0


def sets_of(predictions: Predictions) -> dict[str, Gaussians]:
    """All sets, by name, in standard units."""
    centre, unit = unit_of(predictions)
    names = [key.removesuffix("/mean") for key in predictions if key.endswith("/mean")]
    return {
        name: Gaussians(
            (predictions[f"{name}/mean"] - centre) / unit,
            predictions[f"{name}/variance"] / unit**2,
            (predictions[f"{name}/targets"] - centre) / unit if f"{name}/targets" in predictions else None,
        )
        for name in names
    }


def score_predictions(predictions: Predictions) -> dict[str, dict[str, float]]:
    """Scores of a run, `{set: {metric: value}}`, in the target's unit.

    Of sets with targets `nll` (nats), `crps`, `rmse`, `coverage_95`, `calibration_error` (mean over `LEVELS` of how far
    observed frequencies are from them); of all `sharpness` (root of the mean variance), `aleatoric_std` (root of the
    mean of variances), `spread_of_means` (root of the mean variance of means, the epistemic part); of OOD sets
    `auroc_epistemic` and `auroc_total`. With a set `validation` a factor for the mixture's spread is fitted on it, its
    only score, and what it changes stands a second time, as `<metric>_scaled`.
    """
    sets, (_, unit) = sets_of(predictions), unit_of(predictions)
    factor = fit_scale(sets["validation"]) if "validation" in sets else math.nan
    scores: dict[str, dict[str, float]] = {}
    for name, gaussians in sets.items():
        if name == "validation":
            scores[name] = {"spread_factor": factor}
            continue
        values = _set_scores(gaussians, unit)
        if not math.isnan(factor):
            scaled = _set_scores(gaussians.scaled(factor), unit)
            values |= {f"{metric}_scaled": value for metric, value in scaled.items() if metric != "rmse"}
        if name.startswith("ood/"):
            values |= {metric: float(auroc) for metric, auroc in _detection(sets["test"], gaussians).items()}
        scores[name] = values
    return with_shifts_averaged(scores)


def score_test_members(predictions: Predictions) -> dict[str, float]:
    """Of the members on `test`: means of `OF_MEMBERS`; and `error_correlation`, the mean over pairs."""
    test, (_, unit) = sets_of(predictions)["test"], unit_of(predictions)
    each = [_set_scores(Gaussians(m[None], v[None], test.targets), unit) for m, v in zip(*test[:2], strict=True)]
    shown = {metric: float(np.mean([scores[metric] for scores in each])) for metric in OF_MEMBERS}
    return {**shown, "error_correlation": _error_correlation(test)}


OF_MEMBERS = ("nll", "crps", "rmse", "calibration_error")


def score_run(predictions: Predictions) -> Scores:
    """To be judged: `nll`, `crps`, `rmse`, `calibration_error`, and `spread_of_means` (root of the mean variance of
    means); OOD `auroc_epistemic`. With a set `validation` also `<metric>_scaled`, at the factor fitted on it.
    """
    sets, (_, unit) = sets_of(predictions), unit_of(predictions)
    factor = fit_scale(sets["validation"]) if "validation" in sets else math.nan
    test = score_examples(sets["test"])
    scores: Scores = {}
    means: dict[str, list[Mapping[str, np.ndarray]]] = {"shift": [], OOD: []}
    for name, gaussians in sets.items():
        if name == "validation":
            continue
        examples = test if name == "test" else score_examples(gaussians)
        values = {"spread_of_means": unit * np.sqrt(mean_without_blocks(examples.epistemic))}
        if gaussians.targets is not None:
            values |= _quality_without_blocks(examples, unit)
            if not math.isnan(factor):
                scaled = _quality_without_blocks(score_examples(gaussians.scaled(factor)), unit)
                values |= {f"{metric}_scaled": value for metric, value in scaled.items() if metric != "rmse"}
        if name.startswith("ood/"):
            values["auroc_epistemic"] = auroc_without_blocks(test.epistemic, examples.epistemic)
            means[OOD].append(values)
        if name.startswith("shift/"):
            means["shift"].append(values)
        else:
            scores |= of_set(name, values)
    for name, each in means.items():
        scores |= of_set(name, mean_over_sets(each))
    return scores


def score_examples(gaussians: Gaussians) -> Examples:
    """Scores of each example; those that need targets are NaN without any."""
    mean, variance = (array.astype(np.float32) for array in gaussians[:2])
    targets = gaussians.targets
    split = regression.decompose(mean, variance)
    if targets is None:
        nothing = np.full(mean.shape[1], np.nan)
        return Examples(*(nothing,) * 5, *(np.asarray(part, np.float64) for part in (split.aleatoric, split.epistemic)))
    arguments = mean, variance, targets.astype(np.float32)
    scored = (
        regression.nll(*arguments),
        regression.crps(*arguments),
        regression.squared_error(*arguments),
        regression.cdf(*arguments),
        regression.is_covered(*arguments, level=COVERED),
        split.aleatoric,
        split.epistemic,
    )
    return Examples(*(np.asarray(values, np.float64) for values in scored))


def fit_scale(gaussians: Gaussians) -> float:
    """The factor in [e^-5, e^5] for the mixture's spread with the least mean NLL; NaN where a member is a point mass.

    With t = 1 / factor, e the error of the mixture's mean and d_k the member's distance from it, an example's NLL is
    -log t - log mean_k exp(-(t e - d_k)^2 / (2 v_k)) / sqrt(2 pi v_k): the least value on a grid of t, then the root
    of the derivative beside it.
    """
    mean, variance, targets = (np.asarray(part, np.float64) for part in gaussians)
    if (variance == 0).any():
        return math.nan
    error, apart = targets - mean.mean(0), mean - mean.mean(0)

    def terms(t: float) -> np.ndarray:
        return -((t * error - apart) ** 2) / (2 * variance) - np.log(variance) / 2

    def loss(log_t: float) -> float:
        return float(-log_t - logsumexp(terms(math.exp(log_t)), axis=0).mean())

    def slope(log_t: float) -> float:
        t = math.exp(log_t)
        logs = terms(t)
        weights = np.exp(logs - logsumexp(logs, axis=0))
        return float(-1 + t * (weights * (t * error - apart) * error / variance).sum(0).mean())

    grid = np.linspace(-5, 5, 41)
    best = int(np.argmin([loss(log_t) for log_t in grid]))
    low, high = grid[max(best - 1, 0)], grid[min(best + 1, 40)]
    root = brentq(slope, low, high, xtol=1e-10) if slope(low) < 0 < slope(high) else grid[best]
    return math.exp(-float(root))


def observed(below: np.ndarray) -> np.ndarray:
    """How often the target lies below each quantile of `LEVELS`, of the mixture's probabilities below it `[n]`."""
    return np.asarray((below[:, None] <= LEVELS + 1e-6).mean(0))


def _set_scores(gaussians: Gaussians, unit: float) -> dict[str, float]:
    examples = score_examples(gaussians)
    aleatoric, epistemic = examples.aleatoric.mean(), examples.epistemic.mean()
    uncertainty = {
        "sharpness": unit * math.sqrt(aleatoric + epistemic),
        "aleatoric_std": unit * math.sqrt(aleatoric),
        "spread_of_means": unit * math.sqrt(epistemic),
    }
    if gaussians.targets is None:
        return uncertainty
    return {
        "nll": float(examples.nll.mean()) + math.log(unit),
        "crps": unit * float(examples.crps.mean()),
        "rmse": unit * math.sqrt(examples.squared_error.mean()),
        "coverage_95": float(examples.covered.mean()),
        "calibration_error": float(np.abs(observed(examples.below) - LEVELS).mean()),
        **uncertainty,
    }


def _detection(test: Gaussians, ood: Gaussians) -> dict[str, float]:
    inside, outside = score_examples(test), score_examples(ood)
    total = inside.aleatoric + inside.epistemic, outside.aleatoric + outside.epistemic
    return {
        "auroc_epistemic": float(metrics.auroc(inside.epistemic, outside.epistemic)),
        "auroc_total": float(metrics.auroc(*total)),
    }


def _quality_without_blocks(examples: Examples, unit: float) -> dict[str, np.ndarray]:
    return {
        "nll": mean_without_blocks(examples.nll) + math.log(unit),
        "crps": unit * mean_without_blocks(examples.crps),
        "rmse": unit * np.sqrt(mean_without_blocks(examples.squared_error)),
        "calibration_error": _calibration_without_blocks(examples.below),
    }


def _calibration_without_blocks(below: np.ndarray) -> np.ndarray:
    blocks = blocks_of(len(below))
    hits = (below[:, None] <= LEVELS + 1e-6).astype(np.float64)
    sums = np.stack([np.bincount(blocks, column, BLOCKS) for column in hits.T], axis=1)
    counts = np.bincount(blocks, minlength=BLOCKS)[:, None]
    curves = np.concatenate([sums.sum(0)[None] / len(below), (sums.sum(0) - sums) / (len(below) - counts)])
    return np.asarray(np.abs(curves - LEVELS).mean(1))


def _error_correlation(test: Gaussians) -> float:
    errors = test.mean - test.targets
    if len(errors) < 2 or (errors.std(1) == 0).any():
        return math.nan
    return float(np.corrcoef(errors)[np.triu_indices(len(errors), 1)].mean())
