"""The audited ensemble judged against its references."""

from collections.abc import Sequence

from be_jax.audit.compared import References, count_members
from be_jax.audit.task import Task
from be_jax.npz import Predictions
from be_jax.stats import JudgeConfig, Judgement, Samples, judge, of_seeds, size_curve
from be_jax.stats.controls import positive
from be_jax.stats.equivalent import FEWEST_NETWORKS
from be_jax.stats.of_results import seeds_factor


def judged(
    task: Task, name: str, runs: Sequence[Predictions], references: References, config: JudgeConfig
) -> Judgement:
    """The judgement on the ensemble.

    Its runs have seeds of their own, and so have single networks and deep ensembles that are no pool. C4 needs weights
    and is not judged.
    """
    config, networks, size = task.judged(config), references.networks, count_members(runs[0])
    curve = {}
    if len(networks) >= FEWEST_NETWORKS:
        curve = size_curve(networks, min(len(networks) - 1, 2 * size), score=task.score_run)
    control = None
    if references.pool:
        single, deep_ensemble = curve[1], curve[size]
        control = positive(networks, size, config.as_measured(single.has), task.score_run)
    else:
        single, deep_ensemble = (
            of_seeds([task.score_run(run) for run in group], factor)
            for group, factor in ((references.single, "single networks"), (references.deep_ensemble, "deep ensembles"))
        )
    own = of_seeds([task.score_run(run) for run in runs], seeds_factor(name))
    samples = Samples({name: own}, single, deep_ensemble, positive=control, curve=curve, scales=task.scales)
    return judge(samples, config, {"data": task.described(runs[0])})
