"""The same from a study's file of results alone: scores of runs, without test examples to resample."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from be_jax.results import COPIES, DEEP_ENSEMBLE, SINGLE, SINGLE_WIDE, StudyResult
from be_jax.scores import Scores
from be_jax.stats.config import MIN_UNITS, OOD, Endpoint, JudgeConfig
from be_jax.stats.convergence import copies_apart, undertrained
from be_jax.stats.fieller import Interval, ratio
from be_jax.stats.jackknife import quantile
from be_jax.stats.judge import Samples, judge
from be_jax.stats.judgement import Judgement
from be_jax.stats.means import Estimate
from be_jax.stats.rows import Row, diversity_row, gain_row
from be_jax.stats.sample import Sample, membership, of_seeds
from be_jax.stats.weights import Weights

NETWORKS = "networks"
PAIRED = "seeds"
"""The factor of runs that are paired by seed, since their seeds share more than a number: data, for one."""


def judge_results(
    result: StudyResult, config: JudgeConfig | None = None, weights: Weights | None = None
) -> Judgement | None:
    """The same from the scores of runs alone: intervals are over seeds and networks, and not over test examples.

    None where the study has no single networks, no deep ensembles or no other method. Equivalents, weights and the
    positive control need predictions.
    """
    runs = seeds_of(result)
    references = references_of(result, runs)
    names = judged_names(runs, result.pooled is not None)
    if references is None or not names:
        return None
    samples = Samples(
        {name: of_results(result, name) for name in names},
        *references,
        frozenset({SINGLE_WIDE}),
        of_results(result, COPIES) if COPIES in runs else None,
        weights=weights_of(weights, names, runs, result.pooled is not None),
        undertrained=undertrained(result),
        copies_apart=copies_apart(result),
    )
    notes = notes_on(result, result.pooled is not None, weights is not None)
    told = "From the scores of runs: intervals are over seeds and networks, and not over test examples."
    return judge(samples, config, about(result, len(runs[SINGLE])), [*notes, told])


def gain_recovered(result: StudyResult, method: str, set_name: str, metric: str, *, paired: bool = False) -> Row:
    """Where a method stands by one score between single networks (0) and deep ensembles (1).

    Args:
      result: of a study.
      method, set_name, metric: what is asked.
      paired: whether runs of one seed belong together, as those that drew their training data by it.
    """
    found = _compared(result, (method, SINGLE, DEEP_ENSEMBLE), paired)
    if isinstance(found, Row):
        return found
    own, single, deep_ensemble = found
    return gain_row(Endpoint(set_name, metric), own, single, deep_ensemble, JudgeConfig())


def diversity_ratio(result: StudyResult, method: str, set_name: str, metric: str, *, paired: bool = False) -> Row:
    """How much a method's members differ by one score, of how much a deep ensemble's do; see `gain_recovered`."""
    found = _compared(result, (method, DEEP_ENSEMBLE), paired)
    if isinstance(found, Row):
        return found
    own, deep_ensemble = found
    return diversity_row(Endpoint(set_name, metric), own, deep_ensemble, JudgeConfig())


def difference(
    result: StudyResult, method: str, other: str, set_name: str, metric: str, *, paired: bool = False
) -> Estimate:
    """Mean of method - other with its 95 % interval over the runs of both; n of the method's."""
    found = _compared(result, (method, other), paired)
    if isinstance(found, Row) or not all(sample.has(set_name, metric) for sample in found):
        return Estimate(float("nan"), float("nan"), 0)
    own, of = found
    return contrast(own, of, set_name, metric)


def contrast(method: Sample, other: Sample, set_name: str, metric: str) -> Estimate:
    """Mean of method - other with its 95 % interval over the runs of both and, where scores have blocks of them, over
    test examples; n of the method's units.
    """
    own, of = (sample.statistic(set_name, metric) for sample in (method, other))
    if any(sample.units < 2 for sample in (method, other)):
        return Estimate(own.value - of.value, float("nan"), method.units)
    error, freedom = (own - of).uncertainty()
    return Estimate(own.value - of.value, float(quantile(freedom, JudgeConfig().confidence)) * error, method.units)


def difference_of_means(values: Sequence[float], others: Sequence[float]) -> Estimate:
    """Mean of values less that of others, all of them independent, with its 95 % interval; n of the first."""
    own, of = (
        of_seeds([{("", ""): np.array([float(value)])} for value in each], factor)
        for factor, each in (("values", values), ("others", others))
    )
    return contrast(own, of, "", "")


def ratio_of_means(numerators: Sequence[float], denominators: Sequence[float]) -> Interval:
    """Of two lists of values, paired one by one."""
    part, whole = (
        of_seeds([{("", ""): np.array([float(v)])} for v in values]).statistic("", "")
        for values in (numerators, denominators)
    )
    return ratio(part, whole)


def of_results(result: StudyResult, method: str, factor: str = "", seeds: Collection[int] | None = None) -> Sample:
    """The runs of a method that did not diverge, or of some seeds, in their order, by the scores in the result.

    Of a factor of this name, or as `of_runs` has it.
    """
    whole = {run.seed: run for run in result.runs if run.method == method and run.status != "diverged"}
    wanted = list(whole) if seeds is None else sorted(seeds)
    scores = [_scalars(whole[seed].scores) for seed in wanted]
    return of_seeds(scores, factor) if factor else of_runs(result, method, wanted, scores)


def of_runs(result: StudyResult, method: str, seeds: Sequence[int], scores: Sequence[Scores]) -> Sample:
    """Scored runs of a method: their units are its seeds, or, where each starts from a network of the pool, that."""
    pool = seeds_of(result).get(SINGLE, [])
    started = {run.seed: run.start for run in result.runs if run.method == method}
    starts = [started[seed] for seed in seeds]
    if not result.pooled or len(seeds) < MIN_UNITS or not set(starts) <= set(pool):
        return of_seeds(scores, seeds_factor(method))
    return Sample(tuple(scores), NETWORKS, membership([[pool.index(start)] for start in starts], len(pool)))  # type: ignore[arg-type]


def of_pool_record(result: StudyResult, size: int) -> Sample | None:
    """Deep ensembles of a size from the pool, by the scores in the result; None where they were not scored.

    Of each network there is one run, without it; the mean over them has the jackknife of the pool's record.
    """
    record = next((record for record in result.pool if record.size == size), None)
    if record is None or size >= len(record.networks):
        return None
    count = len(record.networks)
    # Pseudo-values, of which the mean is the score and the mean without one the score without that network.
    runs = [
        _scalars(
            {
                name: {m: count * s.mean - (count - 1) * s.without[i] for m, s in metrics.items()}
                for name, metrics in record.scores.items()
            }
        )
        for i in range(count)
    ]
    return of_seeds(runs, NETWORKS)


def seeds_of(result: StudyResult) -> dict[str, list[int]]:
    """Seeds of the runs that did not diverge, by method, in the order of the study."""
    seeds: dict[str, list[int]] = {}
    for run in result.runs:
        if run.status != "diverged":
            seeds.setdefault(run.method, []).append(run.seed)
    return seeds


def seeds_factor(method: str) -> str:
    """The name of a method's seeds as units."""
    return f"seeds of {method.replace('_', ' ')}"


def references_of(result: StudyResult, runs: Mapping[str, Sequence[int]]) -> tuple[Sample, Sample] | None:
    """Single networks and deep ensembles by the scores in the result."""
    if SINGLE not in runs:
        return None
    if result.pooled:
        single, deep = of_pool_record(result, 1), of_pool_record(result, result.pooled.size)
        return (single or of_results(result, SINGLE, NETWORKS), deep) if deep else None
    if DEEP_ENSEMBLE not in runs:
        return None
    return of_results(result, SINGLE, "single networks"), of_results(result, DEEP_ENSEMBLE, "deep ensembles")


def judged_names(runs: Mapping[str, Sequence[int]], pooled: bool) -> list[str]:
    """All but single networks, the negative control, and deep ensembles where they are the reference."""
    references = {SINGLE, COPIES} if pooled else {SINGLE, COPIES, DEEP_ENSEMBLE}
    return [method for method in runs if method not in references]


def _compared(result: StudyResult, methods: Sequence[str], paired: bool) -> list[Sample] | Row:
    """Samples of methods, or why there are none."""
    runs = seeds_of(result)
    pooled = references_of(result, runs) if result.pooled else None
    if pooled and DEEP_ENSEMBLE in methods:
        by_name = dict(zip((SINGLE, DEEP_ENSEMBLE), pooled, strict=True))
        runs = {**runs, DEEP_ENSEMBLE: []}
    else:
        by_name = {}
    if lacking := [name for name in methods if name not in runs]:
        return Row(Endpoint("", ""), reason=f"there is no finished run of {' and '.join(lacking)}", missing=True)
    if paired and not by_name:
        common = set.intersection(*(set(runs[name]) for name in methods))
        if not common:
            return Row(Endpoint("", ""), reason="no seed is common to all", missing=True)
        return [of_results(result, name, PAIRED, common) for name in methods]
    return [by_name.get(name) or of_results(result, name) for name in methods]


def _scalars(scores: Mapping[str, Mapping[str, float]]) -> Scores:
    """Scores without blocks of examples; the mean over OOD sets is the set `ood`."""
    sets = dict(scores)
    if out := [values for name, values in scores.items() if name.startswith("ood/")]:
        common = set.intersection(*(set(values) for values in out))
        sets[OOD] = {
            metric: float(np.mean([values[metric] for values in out])) for metric in out[0] if metric in common
        }
    return {(name, metric): np.array([value]) for name, values in sets.items() for metric, value in values.items()}


def weights_of(
    weights: Weights | None, methods: Sequence[str], runs: Mapping[str, Sequence[int]], pooled: bool
) -> dict[str, tuple[Sample, Sample]]:
    """Of those methods whose weights were measured, their samples and the deep ensembles': of the pool, unless those
    that were measured are runs of their own.
    """
    if weights is None:
        return {}
    measured = weights.scores.get(DEEP_ENSEMBLE, {})
    networks = {seed for unit in measured for seed in unit}
    pooled = pooled and not all(len(unit) == 1 for unit in measured)
    pool = [seed for seed in runs[SINGLE] if seed in networks] if pooled else None
    found = {
        name: weights.samples(name, runs[name], seeds_factor(name), pool=pool, joint=runs.get(DEEP_ENSEMBLE, ()))
        for name in methods
    }
    return {name: each for name, each in found.items() if each is not None}


def about(result: StudyResult, networks: int) -> dict[str, object]:
    return {
        "experiment": result.experiment,
        "data": result.data,
        "study": {name: result.provenance[name] for name in ("command", "date") if name in result.provenance},
        "networks": networks,
    }


def notes_on(result: StudyResult, pooled: bool, weights: bool) -> list[str]:
    """What a reader must know besides: of diverged runs, and where references and measures of weights come from."""
    notes = []
    for method in dict.fromkeys(run.method for run in result.runs):
        seeds = [str(run.seed) for run in result.runs if run.method == method and run.status == "diverged"]
        if seeds:
            notes.append(f"Left out, since they diverged: {method.replace('_', ' ')}, seed {', '.join(seeds)}.")
    if not pooled:
        notes.append("The deep ensembles are runs of their own, whose members were trained together.")
    if weights:
        notes.append(
            "C4 is of members as trained or with hidden units matched, whichever are nearer, with intervals over seeds "
            "or networks only."
        )
    return notes
