"""Was a method trained to the end? Judged by how well each of its members alone fits the training set.

A fit is measured on a scale on which a network that ignores its input is at 0 and a single network, at the end of its
training, at 1:

    learned = (NLL_ignorant - NLL_member) / (NLL_ignorant - NLL_single)

in training NLL without augmentation; of ensembles that are trained on the loss of their mixture, whose members need not
be good alone, in the mixture's. A method is *undertrained* if it has learned less than `MIN_LEARNED`, so that its
members differ from a single network in training and not only in kind, or if it still rose by more than `MAX_RISE` in
the last tenth of its epochs. What is undertrained is not judged.

Copies of one network must end where single networks do: they are the same network, trained by the same rule. Their fit
tells far smaller differences than the test set does, such as weaker dropout.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np

from be_jax.results import COPIES, SINGLE, StudyResult
from be_jax.stats.jackknife import quantile
from be_jax.stats.sample import of_seeds

MIN_LEARNED = 0.9
MAX_RISE = 0.01
FIT_CONFIDENCE = 0.99
_LAST_PART = 0.1

Curve = Mapping[str, Sequence[float]]
"""Of one run: `epoch` (1 after the first), and at these, in nats, `train_nll`, the mean over members, and
`train_minimised`, what training made small, where it is known.
"""


@dataclasses.dataclass(frozen=True)
class Convergence:
    """Where a method's training ended.

    Attributes:
      learned: at the end, of what a single network has learned; mean over runs; NaN where that is nothing.
      rise: of `learned` over the last tenth of the epochs; mean over runs.
    """

    learned: float
    rise: float

    @property
    def undertrained(self) -> str:
        """Why the method is not judged; empty where it was trained to the end."""
        if math.isnan(self.learned):
            return "single networks learned nothing of the training set, so that there is no scale"
        reasons = []
        if not self.learned >= MIN_LEARNED:
            reasons.append(
                f"its members have come down by {100 * self.learned:.3f} % of what a single network has in training "
                f"NLL, less than {100 * MIN_LEARNED:.0f} %"
            )
        if not self.rise <= MAX_RISE:
            reasons.append(
                f"they still came down by {100 * self.rise:.1f} % in the last tenth of the epochs, more than "
                f"{100 * MAX_RISE:.0f} %"
            )
        return " and ".join(reasons)


def convergence(method: Sequence[Curve], single: Sequence[Curve], ignorant_nll: float) -> Convergence:
    """How far the runs of a method were trained.

    Args:
      method: curves of its runs.
      single: curves of single networks, trained by the same protocol.
      ignorant_nll: of a predictor that ignores its input: the logarithm of the number of classes, in nats.

    Raises:
      ValueError: no curve.
    """
    if not method or not single:
        raise ValueError("convergence needs curves of at least one run of the method and of one single network")
    whole = ignorant_nll - float(np.mean([_minimised(curve)[-1] for curve in single]))
    if not whole > 0:
        return Convergence(math.nan, math.nan)
    ends, rises = [], []
    for curve in method:
        epochs, nll = np.asarray(curve["epoch"], np.float64), np.asarray(_minimised(curve), np.float64)
        before = float(np.interp((1 - _LAST_PART) * epochs[-1], epochs, nll))
        ends.append(ignorant_nll - nll[-1])
        rises.append(before - nll[-1])
    return Convergence(float(np.mean(ends)) / whole, float(np.mean(rises)) / whole)


def _minimised(curve: Curve) -> Sequence[float]:
    return curve.get("train_minimised", curve["train_nll"])


def copies_apart(result: StudyResult) -> str:
    """How copies of one network ended their training elsewhere than single networks, by Welch's test at 1 %; empty
    where that is not shown, or where there are not two of each.
    """
    ends = {name: [curve["train_nll"][-1] for curve in of] for name, of in _curves(result).items()}
    if any(len(ends.get(name, ())) < 2 for name in (COPIES, SINGLE)):
        return ""
    copies, single = (
        of_seeds([{("train", "nll"): np.array([end])} for end in ends[name]], name).statistic("train", "nll")
        for name in (COPIES, SINGLE)
    )
    error, freedom = (copies - single).uncertainty()
    if abs(copies.value - single.value) <= float(quantile(freedom, FIT_CONFIDENCE)) * error:
        return ""
    return (
        f"they end at a training NLL of {copies.value:.4f} and single networks at {single.value:.4f}: they were not "
        "trained as one network is"
    )


def _curves(result: StudyResult) -> dict[str, list[Curve]]:
    """Of the runs that did not diverge, by method."""
    curves: dict[str, list[Curve]] = {}
    for run in result.runs:
        if run.status != "diverged" and run.curve:
            curves.setdefault(run.method, []).append(run.curve)
    return curves


def undertrained(result: StudyResult) -> dict[str, str]:
    """The methods of a study that were not trained to the end, each with the reason; none where no curve was kept."""
    curves = _curves(result)
    if SINGLE not in curves or "num_classes" not in result.config:
        return {}
    ignorant = math.log(result.config["num_classes"])
    reasons = {
        name: convergence(of_method, curves[SINGLE], ignorant).undertrained for name, of_method in curves.items()
    }
    return {name: reason for name, reason in reasons.items() if reason}
