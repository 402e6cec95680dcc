"""An audited ensemble beside its references, as a study: the record that all tables and figures are made of."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from be_jax.audit.caveats import check_distinct
from be_jax.audit.checks import AuditError
from be_jax.audit.task import Task
from be_jax.metrics.registry import LOGIT_SCORES
from be_jax.npz import Predictions
from be_jax.pool import OF_MEMBERS, disjoint, ensemble_of, score_pool
from be_jax.report.methods import DEEP_ENSEMBLE, SINGLE
from be_jax.report.predictions import Load
from be_jax.results import PoolRecord, RunRecord, StudyResult
from be_jax.scores import BLOCKS
from be_jax.stats import networks_of


class References(NamedTuple):
    """Networks trained apart from each other, on the same data; predictions as of `checked`.

    Attributes:
      single: runs of a single network, one member each.
      deep_ensemble: runs of deep ensembles, of as many members as the audited ensemble has.
      pool: instead of those two, runs whose members are independent networks, however they are spread over runs. They
        are the single networks, and every set of them is a deep ensemble.
    """

    single: Sequence[Predictions] = ()
    deep_ensemble: Sequence[Predictions] = ()
    pool: Sequence[Predictions] = ()

    @property
    def networks(self) -> list[dict[str, np.ndarray]]:
        """The networks of the pool, or else of the deep ensembles."""
        return networks_of(self.pool or self.deep_ensemble)

    def __bool__(self) -> bool:
        return bool(self.single or self.deep_ensemble or self.pool)


def with_the_same_scores(
    runs: Sequence[Predictions], references: References
) -> tuple[Sequence[Predictions], References]:
    """Runs and references, with scores of logits only of sets of which all of them give logits."""
    everything = [*runs, *references.single, *references.deep_ensemble, *references.pool]
    partial = {key for key in set().union(*everything) if key.endswith(LOGIT_SCORES)}
    partial = {key for key in partial if not all(key in run for run in everything)}

    def kept(group: Sequence[Predictions]) -> list[Predictions]:
        return [{key: array for key, array in run.items() if key not in partial} for run in group]

    return kept(runs), References(*map(kept, references))


def count_members(predictions: Predictions) -> int:
    """m, of `[m, n, c]` or `[m, n]`."""
    return len(next(array for key, array in predictions.items() if key.endswith(OF_MEMBERS)))


def check_comparable(name: str, runs: Sequence[Predictions], references: References) -> None:
    """Raises AuditError unless the runs are ones of an ensemble, and the references can be set beside them."""
    if name.replace("_", " ") in ("single", "single network", "single wide", "deep ensemble"):
        raise AuditError(f"{name!r} is the name of a reference; call the audited ensemble otherwise")
    if not runs:
        raise AuditError("there is no run to audit; give the predictions of at least one")
    members = count_members(runs[0])
    if members < 2:
        raise AuditError("an ensemble has at least 2 members; the audited predictions have 1")
    if references.pool and (references.single or references.deep_ensemble):
        raise AuditError("a pool is both kinds of reference; give it, or single networks and deep ensembles")
    if references:
        _check_sizes(runs[0])
    if bool(references.single) != bool(references.deep_ensemble):
        raise AuditError(
            "single networks and deep ensembles must be given together; independent networks on their own, or the "
            "members of deep ensembles, are a pool"
        )
    for of, group, wanted in (("run", runs, members), *_wanted(references, members)):
        for index, run in enumerate(group):
            _check_same(f"{of} {index}", run, runs[0])
            if count_members(run) != wanted:
                raise AuditError(f"{of} {index} has {count_members(run)} members where {wanted} are needed")
        check_distinct(of, group)
    if references.pool:
        for index, run in enumerate(references.pool):
            _check_same(f"pool {index}", run, runs[0])
        check_distinct("network", references.networks)
        networks = len(references.networks)
        if networks <= members:
            raise AuditError(
                f"a pool must have more networks than the audited ensemble has members, {members}, or no interval can "
                f"be given; it has {networks}"
            )


def as_study(task: Task, name: str, runs: Sequence[Predictions], references: References) -> StudyResult:
    """Scores of everything that was given. Of training nothing is known: zeros stand for that, shown in no table.

    Runs have their place in the list for a seed. References of another number have numbers of their own, so that no
    table pairs them.
    """
    networks = references.networks if references.pool else ()
    records = [
        *_records(task, SINGLE, networks or references.single, 0 if networks else _first(runs, references.single)),
        *_records(task, name, runs, 0),
        *_records(task, DEEP_ENSEMBLE, references.deep_ensemble, _first(runs, references.deep_ensemble)),
    ]
    members = count_members(runs[0])
    pool = tuple(
        PoolRecord(SINGLE, tuple(range(len(networks))), size, 0, score_pool(networks, size, task.score))
        for size in range(1, min(2 * members, len(networks)) + 1)
        if networks
    )
    config = {"members": members, "labels": {name: name.replace("_", " ")}}
    return StudyResult("audit", task.described(runs[0]), config, {}, tuple(records), pool)


def load_from(name: str, runs: Sequence[Predictions], references: References) -> Load:
    """(method, seed) of `as_study` to the predictions of that run, as the figures ask for them."""

    def load(method: str, seed: int) -> Predictions:
        if method == name:
            return runs[seed]
        if not references.pool:
            group = references.single if method == SINGLE else references.deep_ensemble
            return group[seed - _first(runs, group)]
        networks = references.networks
        if method == SINGLE:
            return networks[seed]
        return ensemble_of([networks[i] for i in list(disjoint(len(networks), count_members(runs[0])))[seed]])

    return load


def paired(runs: Sequence[Predictions], group: Sequence[Predictions]) -> bool:
    """Whether run k of both is of the same seed: where there are as many."""
    return len(runs) == len(group)


def _first(runs: Sequence[Predictions], group: Sequence[Predictions]) -> int:
    return 0 if paired(runs, group) else len(runs)


def _wanted(references: References, members: int) -> Iterator[tuple[str, Sequence[Predictions], int]]:
    yield "single", references.single, 1
    yield "deep-ensemble", references.deep_ensemble, members


def _check_sizes(run: Predictions) -> None:
    for key, array in run.items():
        if key.endswith(OF_MEMBERS) and not key.startswith("validation/") and array.shape[1] < BLOCKS:
            raise AuditError(f"{key} has {array.shape[1]} examples; a set must have at least {BLOCKS} to judge by")


def _records(task: Task, method: str, runs: Sequence[Predictions], first: int) -> Iterator[RunRecord]:
    for seed, run in enumerate(runs, first):
        yield RunRecord(method, seed, "finished", 0, 0.0, 0, 0, None, task.score(run))


def _check_same(name: str, run: Predictions, first: Predictions) -> None:
    """The same sets with the same examples, as far as labels, targets and numbers tell."""
    if ("test/mean" in run) != ("test/mean" in first):
        raise AuditError(f"{name} and run 0 are one a regression and one a classification")
    if run.keys() != first.keys():
        differ = ", ".join(sorted(run.keys() ^ first.keys()))
        raise AuditError(f"all runs must predict the same sets; {name} and run 0 differ in {differ}")
    for key, array in run.items():
        if key.endswith(OF_MEMBERS) and array.shape[1:] != first[key].shape[1:]:
            raise AuditError(f"{key} has shape {array.shape} in {name}, but {first[key].shape} in run 0")
        if not key.endswith(OF_MEMBERS) and not np.array_equal(array, first[key]):
            at, *others = np.flatnonzero(array != first[key])
            raise AuditError(
                f"{key} differs at {1 + len(others)} of {len(array)} examples: [{at}] is {array[at]} in {name}, but "
                f"{first[key][at]} in run 0; all runs must predict the same examples in the same order"
            )
