"""What a reader must know before any figure: members that are copies, seeds that are one run, labels out of order."""

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from be_jax import metrics
from be_jax.audit.checks import AuditError
from be_jax.npz import Predictions

ROUNDING = 1e-5
"""How far probabilities of copies of one network differ, computed in float32 in batches of other sizes."""

_GLANCED_AT = 100  # examples, by which almost all that differ are told apart


def check_distinct(of: str, runs: Sequence[Predictions]) -> None:
    """Raises AuditError where two runs are the same one: intervals over such seeds would be of width 0, and wrong."""
    for (i, one), (k, other) in itertools.combinations(enumerate(runs), 2):
        if all(_equal(one[key], other[key]) for key in one if not key.endswith(("/labels", "/targets"))):
            raise AuditError(
                f"{of} {i} and {of} {k} hold the same predictions to the last bit; is one file given twice? Give each "
                "run once, for an interval needs runs that were trained apart"
            )


def caveats(name: str, runs: Sequence[Predictions]) -> list[str]:
    """Sentences, the gravest first; none where there is nothing to warn of."""
    return [*_copies(name, runs), *_chance(name, runs), *_impossible(runs)]


def _impossible(runs: Sequence[Predictions]) -> Iterator[str]:
    key = "validation/log_probs"
    counts = [int(np.sum(metrics.is_impossible(run[key], run["validation/labels"]))) for run in runs if key in run]
    if any(counts):
        yield (
            f"{max(counts)} of {runs[0][key].shape[1]:,} validation examples have probability 0 for their label in "
            "every member; the temperature is fitted without them."
        )


def copies(members: np.ndarray) -> list[list[int]]:
    """Groups of members `[m, n, ...]` of log-probabilities, or values, that differ by no more than rounding."""
    groups: list[list[int]] = []
    for k in range(len(members)):
        alike = next((group for group in groups if _alike(members[group[0]], members[k])), None)
        if alike is None:
            groups.append([k])
        else:
            alike.append(k)
    return groups


def _copies(name: str, runs: Sequence[Predictions]) -> Iterator[str]:
    key = "test/log_probs" if "test/log_probs" in runs[0] else "test/mean"
    groups = [copies(run[key]) for run in runs]
    members = len(runs[0][key])
    worst = min(groups, key=len)
    if len(worst) == 1:
        where = f" in {sum(len(each) == 1 for each in groups)} of its {len(runs)} runs" if len(runs) > 1 else ""
        yield (
            f"The {members} members of {name} are identical{where}: on no test example do their predictions differ by "
            "more than rounding, so this is one network, computed several times. Was anything made per member, and "
            "were the right weights loaded?"
        )
    elif len(worst) < members:
        told = "; ".join(" and ".join(map(str, group)) for group in worst if len(group) > 1)
        yield f"Some members of {name} are identical on test, so that it has {len(worst)} and not {members}: {told}."


def _chance(name: str, runs: Sequence[Predictions]) -> Iterator[str]:
    if "test/log_probs" not in runs[0]:
        return
    labels = runs[0]["test/labels"]
    right = np.mean([(run["test/log_probs"][0].argmax(-1) == labels).mean() for run in runs])
    most = float(np.max(np.bincount(labels))) / len(labels)
    if right <= most and len(labels) >= _GLANCED_AT:
        yield (
            f"{name} is right on {100 * right:.1f} % of test, no more often than who always says the commonest class: "
            "are the labels in the order of the predictions, and the classes in theirs?"
        )


def _equal(one: np.ndarray, other: np.ndarray) -> bool:
    return np.array_equal(one[:, :_GLANCED_AT], other[:, :_GLANCED_AT]) and np.array_equal(one, other)


def _alike(one: np.ndarray, other: np.ndarray) -> bool:
    """Of log-probabilities `[n, c]` by the probabilities; of values `[n]` relative to their spread."""

    def near(a: np.ndarray, b: np.ndarray) -> bool:
        if a.ndim == 2:
            return bool((np.abs(np.exp(a) - np.exp(b)) <= ROUNDING).all())
        return bool((np.abs(a - b) <= ROUNDING * np.std(one)).all())

    return near(one[:_GLANCED_AT], other[:_GLANCED_AT]) and near(one, other)
