"""The claims about the audited ensemble, judged against its references, and how many networks it is worth."""

from collections.abc import Sequence

from be_jax.audit.arrays import Predictions
from be_jax.audit.compared import References, count_members, paired
from be_jax.stats import (
    Equivalent,
    JudgeConfig,
    Sample,
    Verdict,
    deep_ensemble_equivalent,
    equivalent_scores,
    judge,
    of_pool,
    of_seeds,
    score_run,
    size_curve,
)

SEEDS = "seeds"
SCALES = (("test", "nll"), ("test", "uncalibrated_nll"), ("test", "brier"), ("shift", "nll"))
FEWEST_NETWORKS = 3


def verdicts_on(
    name: str, runs: Sequence[Predictions], references: References, config: JudgeConfig
) -> tuple[Verdict, ...]:
    """C1 to C4. Runs and references are paired where there are as many of both; C4 needs weights and is not judged."""
    single, deep_ensemble = _references(runs, references)
    return judge(name, of_seeds([score_run(run) for run in runs], SEEDS), single, deep_ensemble, config=config)


def worth_in_networks(runs: Sequence[Predictions], references: References) -> dict[str, Equivalent]:
    """`{"<set> <metric>": Equivalent}` on a scale of up to twice as many networks as there are members.

    Empty where there are too few networks for a scale.
    """
    networks = references.networks
    if len(networks) < FEWEST_NETWORKS:
        return {}
    curve = size_curve(networks, min(len(networks) - 1, 2 * count_members(runs[0])))
    own = of_seeds([equivalent_scores(run) for run in runs])
    detected = [place for place in own.scores[0] if place[1] == "auroc_epistemic"]
    places = [place for place in (*SCALES, *detected) if own.has(*place)]
    return {" ".join(place): deep_ensemble_equivalent(own, curve, *place) for place in places}


def _references(runs: Sequence[Predictions], references: References) -> tuple[Sample, Sample]:
    """Single networks and deep ensembles."""
    if references.pool:
        return of_pool(references.networks, 1), of_pool(references.networks, count_members(runs[0]))
    single, deep_ensemble = (
        of_seeds([score_run(run) for run in group], SEEDS if paired(runs, group) else factor)
        for group, factor in ((references.single, "single networks"), (references.deep_ensemble, "deep ensembles"))
    )
    return single, deep_ensemble
