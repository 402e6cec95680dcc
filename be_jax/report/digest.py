"""What the figures need of single examples: read from the predictions once, one run at a time."""

import functools
import operator
from typing import NamedTuple

import jax
import numpy as np

from be_jax import metrics
from be_jax.report.predictions import Load
from be_jax.results import StudyResult

_EXAMPLES_AT_ONCE = 10_000


class Digest(NamedTuple):
    """By (method, set), over all runs that did not diverge.

    Attributes:
      bins: calibration bins of each run, of `test` and of `shift/severity_<k>`, its highest severity.
      epistemic: mutual information in nats of every example of every seed, of `test` and the OOD sets.
      disagreement: members by members `[m, m]`, mean over seeds, of the same.
    """

    bins: dict[tuple[str, str], list[metrics.Bins]]
    epistemic: dict[tuple[str, str], np.ndarray]
    disagreement: dict[tuple[str, str], np.ndarray]

    def sets(self, of: str) -> list[str]:
        """Names of the sets in one of the fields, in order."""
        return list(dict.fromkeys(set_name for _, set_name in getattr(self, of)))


def digest(result: StudyResult, load: Load) -> Digest:
    """Reads `test`, the shifted sets of the highest severity and the OOD sets of every run."""
    bins: dict[tuple[str, str], list[metrics.Bins]] = {}
    epistemic: dict[tuple[str, str], list[np.ndarray]] = {}
    disagreement: dict[tuple[str, str], list[np.ndarray]] = {}
    for method, seed in result.predicted:
        predictions = load(method, seed)
        names = [key.removesuffix("/log_probs") for key in predictions if key.endswith("/log_probs")]
        for name in names:
            if name == "test" or name.startswith("ood/"):
                information, matrix = _of_members(predictions[f"{name}/log_probs"])
                epistemic.setdefault((method, name), []).append(information)
                disagreement.setdefault((method, name), []).append(matrix)
        for group, members in _calibrated(names).items():
            filled = [_bins(predictions[f"{name}/log_probs"], predictions[f"{name}/labels"]) for name in members]
            bins.setdefault((method, group), []).append(functools.reduce(operator.add, filled))
    return Digest(
        bins,
        {key: np.concatenate(values) for key, values in epistemic.items()},
        {key: np.mean(values, axis=0) for key, values in disagreement.items()},
    )


def _of_members(member_log_probs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mutual information `[b]` and disagreement `[m, m]`, of so many examples at a time that memory stays bounded."""
    count = member_log_probs.shape[1]
    starts = range(0, count, _EXAMPLES_AT_ONCE)
    parts = [_of_chunk(member_log_probs[:, start : start + _EXAMPLES_AT_ONCE]) for start in starts]
    sizes = [min(_EXAMPLES_AT_ONCE, count - start) for start in starts]
    disagreement = sum(size * np.asarray(matrix) for size, (_, matrix) in zip(sizes, parts, strict=True)) / count
    return np.concatenate([np.asarray(information) for information, _ in parts]), np.asarray(disagreement)


@jax.jit
def _of_chunk(member_log_probs: jax.Array) -> tuple[jax.Array, jax.Array]:
    return metrics.decompose(member_log_probs).epistemic, metrics.disagreement_matrix(member_log_probs)


@jax.jit
def _bins(member_log_probs: jax.Array, labels: jax.Array) -> metrics.Bins:
    return metrics.calibration_bins(metrics.mixture(member_log_probs), labels)


def _calibrated(names: list[str]) -> dict[str, list[str]]:
    """The groups whose calibration is drawn, and the sets whose bins are summed in each."""
    severities = {name: int(name.rsplit("_", 1)[1]) for name in names if name.startswith("shift/")}
    highest = max(severities.values(), default=0)
    hardest = [name for name, severity in severities.items() if severity == highest]
    groups = {"test": [name for name in names if name == "test"], f"shift/severity_{highest}": hardest}
    return {group: members for group, members in groups.items() if members}
