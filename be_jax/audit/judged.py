"""The audited ensemble judged against its references: where it stands, and how many networks it is worth."""

from collections.abc import Sequence

from be_jax.audit.arrays import Predictions
from be_jax.audit.compared import References, count_members
from be_jax.stats import JudgeConfig, Judgement, Samples, judge, of_seeds, score_run, size_curve
from be_jax.stats.controls import positive
from be_jax.stats.equivalent import FEWEST_NETWORKS
from be_jax.stats.of_results import seeds_factor


def judged(name: str, runs: Sequence[Predictions], references: References, config: JudgeConfig) -> Judgement:
    """The judgement on the ensemble.

    Its runs have seeds of their own, and so have single networks and deep ensembles that are no pool. C4 needs weights
    and is not judged.
    """
    networks, size = references.networks, count_members(runs[0])
    curve = size_curve(networks, min(len(networks) - 1, 2 * size)) if len(networks) >= FEWEST_NETWORKS else {}
    control = None
    if references.pool:
        single, deep_ensemble = curve[1], curve[size]
        control = positive(networks, size, config if single.has(*config.primary) else config.raw())
    else:
        single, deep_ensemble = (
            of_seeds([score_run(run) for run in group], factor)
            for group, factor in ((references.single, "single networks"), (references.deep_ensemble, "deep ensembles"))
        )
    own = of_seeds([score_run(run) for run in runs], seeds_factor(name))
    samples = Samples({name: own}, single, deep_ensemble, positive=control, curve=curve)
    return judge(samples, config, {"data": references.described(runs[0])})
