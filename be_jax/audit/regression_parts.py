"""What validation data tell of a regression: whether the gain outlasts scaling, and conformal intervals."""

import math
from collections.abc import Sequence

import numpy as np

from be_jax.audit.beside import Measured, Shown, beside, gain_estimate, interval_note, table
from be_jax.audit.regression_scores import Gaussians, fit_scale, score_examples, sets_of, unit_of
from be_jax.audit.task import Part, Rows
from be_jax.metrics import conformal
from be_jax.npz import Predictions
from be_jax.report.columns import metric
from be_jax.report.table import Table

LEVEL = 0.9
AS_GIVEN, SCALED = "as given", "one factor"
NLL, CRPS = map(metric, ("nll", "crps"))


def score_scaled(run: Predictions) -> dict[str, dict[str, float]]:
    """`{"as given": scores, "one factor": scores}` on `test` as of `beside`: `nll` and `crps`.

    The factor is that of `fit_scale` on `validation`, a member's of its own; nothing without that set, and no second
    row where a member predicts a variance of 0.
    """
    sets, unit = sets_of(run), unit_of(run)[1]
    if "validation" not in sets:
        return {}
    held, test = sets["validation"], sets["test"]
    factors = [fit_scale(each) for each in (*_alone(held), held)]
    found = {AS_GIVEN: beside([_losses(each, unit) for each in _alone(test)], _losses(test, unit))}
    if not any(map(math.isnan, factors)):
        *scaled, whole = (each.scaled(factor) for each, factor in zip((*_alone(test), test), factors, strict=True))
        found[SCALED] = beside([_losses(each, unit) for each in scaled], _losses(whole, unit))
    return found


def told_scaled(runs: Sequence[Rows]) -> list[str]:
    """One sentence, where there is something to tell."""
    if not all(SCALED in rows for rows in runs):
        return []
    given, left = (NLL.shown(gain_estimate(runs, name, "nll")) for name in (AS_GIVEN, SCALED))
    return [f"Its gain in NLL over a member is {given} as given, and {left} once both are scaled on validation data."]


def tables_of_scaled(runs: Sequence[Rows]) -> list[Table]:
    """One, or none without validation data."""
    note = (
        "Every member, and the ensemble, is stretched about its mean by a factor of its own, fitted on validation "
        f"data. Gain: a member's less the ensemble's; ± is {interval_note(runs)}."
    )
    shown = Shown(NLL, with_gain=True), Shown(CRPS, with_gain=True)
    return table("Is the gain still there after recalibration? On test", runs, shown, note)


def score_intervals(run: Predictions) -> dict[str, dict[str, float]]:
    """`{"conformal interval": scores}` on `test`, calibrated on `validation`, as of `beside`, in the target's unit."""
    sets, unit = sets_of(run), unit_of(run)[1]
    if "validation" not in sets:
        return {}
    pairs = [*zip(_alone(sets["validation"]), _alone(sets["test"]), strict=True), (sets["validation"], sets["test"])]
    *members, ensemble = (_interval(held, test, unit) for held, test in pairs)
    return {"mean ± q standard deviations": beside(members, ensemble)}


def tables_of_intervals(runs: Sequence[Rows]) -> list[Table]:
    """One, or none without validation data."""
    shown = [Shown(metric(key)) for key in ("interval_coverage", "interval_width")]
    note = (
        f"Split-conformal intervals of {100 * LEVEL:.0f} %, with q calibrated on validation data, a member's on its "
        "own predictions; mean width in the target's unit."
    )
    return table("Conformal intervals, on test", runs, shown, note)


SCALING = Part("recalibration", score_scaled, told_scaled, tables_of_scaled)
CONFORMAL_INTERVALS = Part("conformal", score_intervals, lambda runs: [], tables_of_intervals)


def _alone(gaussians: Gaussians) -> list[Gaussians]:
    return [Gaussians(m[None], v[None], gaussians.targets) for m, v in zip(*gaussians[:2], strict=True)]


def _losses(gaussians: Gaussians, unit: float) -> Measured:
    examples = score_examples(gaussians)
    return {"nll": examples.nll + math.log(unit), "crps": unit * examples.crps}


def _interval(held: Gaussians, test: Gaussians, unit: float) -> Measured:
    mean, variance, targets = (np.asarray(part, np.float32) for part in test)
    threshold = conformal.threshold(conformal.distances(*(np.asarray(part, np.float32) for part in held)), LEVEL)
    bounds = conformal.intervals(mean, variance, threshold)
    covered, width = (np.asarray(each, np.float64).mean() for each in (bounds.covers(targets), bounds.width))
    return {"interval_coverage": float(covered), "interval_width": unit * float(width)}
