"""Detection of OOD sets by scores of logits, which log-probabilities do not tell: energy and maximum logit."""

import numpy as np

from be_jax import metrics
from be_jax.metrics.registry import LOGIT_SCORES
from be_jax.npz import Predictions


def detected_by_logits(run: Predictions) -> dict[str, dict[str, float]]:
    """`{"ood/<name>": {"auroc_energy": ..}}` as `metrics.detection_by_logits`; nothing of sets without logits.

    A score of the ensemble is the mean of its members' (of energies: the geometric mean of the members' partition
    functions). One temperature for all members leaves the order by maximum logit as it is, and changes that by energy;
    neither is scored a second time.
    """
    found: dict[str, dict[str, float]] = {}
    for name in (
        key.removesuffix("/log_probs") for key in run if key.startswith("ood/") and key.endswith("/log_probs")
    ):
        scores = [score for score in LOGIT_SCORES if f"test/{score}" in run and f"{name}/{score}" in run]
        if scores:
            inside, outside = (
                {score: _of_ensemble(run[f"{each}/{score}"]) for score in scores} for each in ("test", name)
            )
            detections = metrics.detection_by(inside, outside)
            found[name] = {f"{m}_{s}": float(v) for s, d in detections.items() for m, v in d._asdict().items()}
    return found


def _of_ensemble(of_members: np.ndarray) -> np.ndarray:
    """From `[m, n]` to `[n]`, in the number that the metrics compare."""
    return of_members.mean(axis=0, dtype=np.float64).astype(np.float32)
