"""What the figures need of single examples: read from the predictions once, one run at a time."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import numpy as np

from be_jax import metrics
from be_jax.results import StudyResult

Load = Callable[[str, int], Mapping[str, np.ndarray]]
"""(method, seed) to the arrays of its `predictions.npz`; `np.load` of that file reads only what is asked for."""


class Digest(NamedTuple):
    """By (method, set), over all runs that did not diverge.

    Attributes:
      bins: calibration bins summed over seeds, of `test` and of `shift/severity_<k>`, its highest severity.
      epistemic: mutual information in nats of every example of every seed, of `test` and the OOD sets.
      disagreement: members by members `[m, m]`, mean over seeds, of the same.
    """

    bins: dict[tuple[str, str], metrics.Bins]
    epistemic: dict[tuple[str, str], np.ndarray]
    disagreement: dict[tuple[str, str], np.ndarray]

    def sets(self, of: str) -> list[str]:
        """Names of the sets in one of the fields, in order."""
        return list(dict.fromkeys(set_name for _, set_name in getattr(self, of)))


def digest(result: StudyResult, load: Load) -> Digest:
    """Reads `test`, the shifted sets of the highest severity and the OOD sets of every run."""
    bins: dict[tuple[str, str], metrics.Bins] = {}
    epistemic: dict[tuple[str, str], list[np.ndarray]] = {}
    disagreement: dict[tuple[str, str], list[np.ndarray]] = {}
    for method, seed in result.predicted:
        predictions = load(method, seed)
        names = [key.removesuffix("/log_probs") for key in predictions if key.endswith("/log_probs")]
        for name in names:
            if name == "test" or name.startswith("ood/"):
                information, matrix = _of_members(predictions[f"{name}/log_probs"])
                epistemic.setdefault((method, name), []).append(np.asarray(information))
                disagreement.setdefault((method, name), []).append(np.asarray(matrix))
        for name, group in _calibrated(names).items():
            filled = _bins(predictions[f"{name}/log_probs"], predictions[f"{name}/labels"])
            known = bins.get((method, group))
            bins[method, group] = filled if known is None else known + filled
    return Digest(
        bins,
        {key: np.concatenate(values) for key, values in epistemic.items()},
        {key: np.mean(values, axis=0) for key, values in disagreement.items()},
    )


@jax.jit
def _of_members(member_log_probs: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Mutual information `[b]` and disagreement `[m, m]`."""
    return metrics.decompose(member_log_probs).epistemic, metrics.disagreement_matrix(member_log_probs)


@jax.jit
def _bins(member_log_probs: jax.Array, labels: jax.Array) -> metrics.Bins:
    return metrics.calibration_bins(metrics.mixture(member_log_probs), labels)


def _calibrated(names: list[str]) -> dict[str, str]:
    """The sets whose calibration is drawn, and the name under which their bins are summed."""
    severities = {name: int(name.rsplit("_", 1)[1]) for name in names if name.startswith("shift/")}
    highest = max(severities.values(), default=0)
    groups = {name: f"shift/severity_{k}" for name, k in severities.items() if k == highest}
    return {"test": "test"} | groups if "test" in names else groups
