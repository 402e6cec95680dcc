"""Controls: a judgement that lets copies of one network gain, or independent networks not, is not to be trusted."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from be_jax.scores import Predictions, Scores, set_names
from be_jax.stats.config import Endpoint, JudgeConfig
from be_jax.stats.fieller import UNDEFINED, Interval
from be_jax.stats.rows import gain_row
from be_jax.stats.sample import Sample, of_pool

NEGATIVE, POSITIVE = "identical members", "independent networks"
EPISTEMIC_ROUNDING = 1e-6
"""Nats of mutual information that identical members may have by rounding."""


@dataclasses.dataclass(frozen=True)
class Control:
    """A method whose position is known.

    Attributes:
      name: `NEGATIVE` or `POSITIVE`.
      expected: its position.
      position: found, by the primary endpoint.
      passed: whether the interval has the expected position in it, and copies are copies; None where it was not run.
      reason: why it failed or was not run; empty otherwise.
    """

    name: str
    expected: float
    position: Interval = UNDEFINED
    passed: bool | None = None
    reason: str = ""


def checks_nothing(position: Interval) -> bool:
    """Whether a control that is at this position could not have failed: both a single model's and a deep ensemble's
    place are in its interval.
    """
    return position.holds(0.0) and position.holds(1.0)


def negative(
    copies: Sample | None, single: Sample, deep_ensemble: Sample, config: JudgeConfig, apart: str = ""
) -> Control:
    """m copies of one network, trained by the methods' code as one network is: their gain must be 0, and their members
    must not differ.

    Args:
      copies: None where there are none.
      single, deep_ensemble: what they are set against.
      config: its primary endpoint is asked.
      apart: how they trained otherwise than single networks (`convergence.copies_apart`); empty where they did not.
    """
    if copies is None:
        return Control(NEGATIVE, 0.0, reason="no ensemble of identical members was trained")
    if apart:
        return Control(NEGATIVE, 0.0, passed=False, reason=apart)
    if copies.has("test", "epistemic"):
        most = max(float(np.max(scores["test", "epistemic"])) for scores in copies.scores)
        if most > EPISTEMIC_ROUNDING:
            return Control(
                NEGATIVE,
                0.0,
                passed=False,
                reason=f"its members differ: {most:.2g} nats of mutual information on test, where rounding leaves 1e-6",
            )
    return control(NEGATIVE, 0.0, copies, single, deep_ensemble, config)


def elsewhere(copies: Sample | None, single: Sample, deep_ensemble: Sample, config: JudgeConfig) -> str:
    """A note on endpoints beside the primary one by which copies of one network are not at 0; empty without any."""
    rows = [gain_row(each, copies, single, deep_ensemble, config) for each in config.quality[1:] if copies]
    told = [row for row in rows if row.position.bounded and not row.position.holds(0.0)]
    if not told:
        return ""
    shown = "; ".join(
        f"{row.endpoint}, {100 * row.position.value:.0f} % [{100 * row.position.lower:.0f}, "
        f"{100 * row.position.upper:.0f}]"
        for row in told
    )
    return (
        f"Copies of one network, which pass by {config.primary}, are not at 0 by {shown}, as one endpoint in "
        f"{1 / config.level:.0f} is by chance: what is said of methods by it is to be set against that."
    )


def positive(
    networks: Sequence[Predictions], size: int, config: JudgeConfig, score: Callable[..., Scores] | None = None
) -> Control:
    """Deep ensembles of one half of a pool, against single networks and deep ensembles of the other half.

    Args:
      networks: of the pool, at least 2 (size + 1).
      size: members of a deep ensemble.
      config: its primary endpoint is scored.
      score: of predictions, where they are not of classes.
    """
    if len(networks) < 2 * (size + 1):
        return Control(
            POSITIVE,
            1.0,
            reason=f"a pool of {len(networks)} networks is too small to set deep ensembles of {size} from its one half "
            f"against the other; it takes {2 * (size + 1)}",
        )
    how = {"score": score} if score else {"sets": _sets(config.primary.set_name, networks[0])}
    first, second = networks[::2], networks[1::2]
    single, deep = (of_pool(first, each, "networks of one half", **how) for each in (1, size))
    return control(POSITIVE, 1.0, of_pool(second, size, "networks of the other", **how), single, deep, config)


def _sets(name: str, predictions: Predictions) -> set[str]:
    """The sets that make a set of this name, such as those of `shift`."""
    return {each for each in set_names(predictions) if each == name or each.startswith(f"{name}/")}


def control(
    name: str, expected: float, method: Sample, single: Sample, deep_ensemble: Sample, config: JudgeConfig
) -> Control:
    row = gain_row(Endpoint(*config.primary), method, single, deep_ensemble, config)
    if not row.position.pieces:
        return Control(name, expected, reason=row.reason)
    passed = row.position.holds(expected)
    return Control(name, expected, row.position, passed, "" if passed else f"by {config.primary}, not {expected:g}")
