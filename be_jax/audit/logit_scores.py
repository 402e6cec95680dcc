"""Detection of OOD sets by scores of logits, which log-probabilities do not tell: energy and maximum logit."""

import numpy as np

from be_jax.audit.class_arrays import LOGIT_SCORES
from be_jax.audit.task import Predictions
from be_jax.metrics import ood


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
        for score in LOGIT_SCORES:
            if f"test/{score}" in run and f"{name}/{score}" in run:
                inside, outside = (_of_ensemble(run[f"{each}/{score}"]) for each in ("test", name))
                measured = ood.detect(inside, outside)._asdict()
                found.setdefault(name, {}).update({f"{m}_{score}": float(value) for m, value in measured.items()})
    return found


def _of_ensemble(of_members: np.ndarray) -> np.ndarray:
    """From `[m, n]` to `[n]`, in the number that the metrics compare."""
    return of_members.mean(axis=0, dtype=np.float64).astype(np.float32)
