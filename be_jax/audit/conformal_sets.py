"""Split-conformal sets of an ensemble beside those of its members: how large they are for the same coverage."""

import functools
from collections.abc import Iterator, Sequence

import jax
import numpy as np

from be_jax import metrics
from be_jax.audit.beside import Measured, Shown, beside, table
from be_jax.audit.task import Part, Rows
from be_jax.metrics import conformal
from be_jax.npz import Predictions
from be_jax.report.columns import metric
from be_jax.report.table import Table

LEVEL = 0.9
PENALTY, FREE = 0.05, 1
"""Of the regularised sets: for each rank after the first. Set beforehand, so that calibration stays valid."""
KINDS = {"APS": (0.0, 0), "RAPS": (PENALTY, FREE)}

_AT_ONCE = 2**22  # probabilities


def score_sets(run: Predictions) -> dict[str, dict[str, float]]:
    """`{"APS": scores, "RAPS": scores}` on `test` as of `beside`: `set_coverage` and `set_size`.

    Thresholds are those of `validation`, a member's of its own; nothing without that set. Sets are randomised, with the
    same numbers for all, so that coverage is as stated and not more, and sizes can be compared.
    """
    if "validation/log_probs" not in run:
        return {}
    held, test = run["validation/log_probs"], run["test/log_probs"]
    labels = run["validation/labels"], run["test/labels"]
    averages = metrics.mixture(held), metrics.mixture(test)
    return {
        name: beside(
            [_measured(one, other, *labels, *kind) for one, other in zip(held, test, strict=True)],
            _measured(*averages, *labels, *kind),
        )
        for name, kind in KINDS.items()
    }


def tables(runs: Sequence[Rows]) -> list[Table]:
    """One, or none without validation data."""
    shown = [Shown(metric(key)) for key in ("set_coverage", "set_size")]
    note = (
        f"Split-conformal sets of {100 * LEVEL:.0f} %, calibrated on validation data, a member's on its own "
        "predictions; size in classes. They are randomised, so that sizes compare at one coverage; a size below 1 has "
        f"empty sets. RAPS: {PENALTY} for each rank after the first."
    )
    return table("Conformal sets, on test", runs, shown, note)


CONFORMAL_SETS = Part("conformal", score_sets, lambda runs: [], tables)


def _measured(
    held: jax.Array,
    test: jax.Array,
    held_labels: np.ndarray,
    labels: np.ndarray,
    penalty: float,
    free: int,
) -> Measured:
    """Of predictions `[n, c]`: means over `test`."""
    of_held, of_test = jax.random.split(jax.random.key(0))
    options = {"penalty": penalty, "free": free}
    scores = [_label_scores(*part, **options) for part in _parts(held, held_labels, of_held)]
    threshold = conformal.threshold(np.concatenate(scores), LEVEL)
    found = [_covered(*part, threshold, **options) for part in _parts(test, labels, of_test)]
    covered, size = (np.concatenate(values).mean(dtype=np.float64) for values in zip(*found, strict=True))
    return {"set_coverage": float(covered), "set_size": float(size)}


def _parts(
    log_probs: jax.Array, labels: np.ndarray, key: jax.Array
) -> Iterator[tuple[jax.Array, np.ndarray, jax.Array]]:
    """So many examples at a time that memory stays bounded, each with random numbers of its own."""
    step = max(1, _AT_ONCE // log_probs.shape[1])
    for start in range(0, len(labels), step):
        part = slice(start, start + step)
        yield log_probs[part], labels[part], jax.random.fold_in(key, start)


@functools.partial(jax.jit, static_argnames=("penalty", "free"))
def _label_scores(log_probs: jax.Array, labels: jax.Array, key: jax.Array, *, penalty: float, free: int) -> jax.Array:
    return conformal.scores(log_probs, labels, penalty=penalty, free=free, key=key)


@functools.partial(jax.jit, static_argnames=("penalty", "free"))
def _covered(
    log_probs: jax.Array, labels: jax.Array, key: jax.Array, threshold: jax.Array, *, penalty: float, free: int
) -> tuple[jax.Array, jax.Array]:
    sets = conformal.sets(log_probs, threshold, penalty=penalty, free=free, key=key)
    return conformal.set_covers(sets, labels), sets.sum(1)
