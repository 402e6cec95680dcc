"""The claims about the audited ensemble, judged against its references, and how many networks it is worth."""

from collections.abc import Sequence

from be_jax.audit.compared import References, count_members, paired
from be_jax.audit.task import Predictions, Task
from be_jax.judge import (
    Equivalent,
    JudgeConfig,
    Sample,
    Verdict,
    deep_ensemble_equivalent,
    judge,
    of_pool,
    of_seeds,
    size_curve,
)

SEEDS = "seeds"
FEWEST_NETWORKS = 3


def verdicts_on(
    task: Task, name: str, runs: Sequence[Predictions], references: References, config: JudgeConfig
) -> tuple[Verdict, ...]:
    """C1 to C4. Runs and references are paired where there are as many of both; C4 needs weights and is not judged."""
    single, deep_ensemble = _references(task, runs, references)
    own = of_seeds([task.score_run(run) for run in runs], SEEDS)
    return judge(name, own, single, deep_ensemble, config=task.judged(config))


def worth_in_networks(task: Task, runs: Sequence[Predictions], references: References) -> dict[str, Equivalent]:
    """`{"<set> <metric>": Equivalent}` on a scale of up to twice as many networks as there are members.

    Empty where there are too few networks for a scale.
    """
    networks = references.networks
    if len(networks) < FEWEST_NETWORKS:
        return {}
    largest = min(len(networks) - 1, 2 * count_members(runs[0]))
    curve = size_curve(networks, largest, score=task.score_equivalent)
    own = of_seeds([task.score_equivalent(run) for run in runs])
    detected = [place for place in own.scores[0] if place[1] == "auroc_epistemic"]
    places = [place for place in (*task.scales, *detected) if own.has(*place)]
    return {" ".join(place): deep_ensemble_equivalent(own, curve, *place) for place in places}


def _references(task: Task, runs: Sequence[Predictions], references: References) -> tuple[Sample, Sample]:
    """Single networks and deep ensembles."""
    if references.pool:
        one, several = (
            of_pool(references.networks, size, score=task.score_run) for size in (1, count_members(runs[0]))
        )
        return one, several
    single, deep_ensemble = (
        of_seeds([task.score_run(run) for run in group], SEEDS if paired(runs, group) else factor)
        for group, factor in ((references.single, "single networks"), (references.deep_ensemble, "deep ensembles"))
    )
    return single, deep_ensemble
