"""Judgement: does a method behave like a single model or like a deep ensemble, with what certainty, worth how many?

Everything is a function of predictions in memory, from any framework (`score_run` says which arrays):

    method, single, deep = (of_seeds([score_run(p) for p in runs]) for runs in (batch_ensembles, singles, ensembles))
    for verdict in judge("BatchEnsemble", method, single, deep):
        print(sentence(verdict))

    worth = of_seeds([equivalent_scores(p) for p in batch_ensembles], factor="seeds of the BatchEnsemble")
    print(deep_ensemble_equivalent(worth, size_curve(networks)))
"""

from be_jax.stats.claims import PARAMETERS, STATEMENTS, Verdict, judge
from be_jax.stats.equivalent import Equivalent, deep_ensemble_equivalent, equivalent_scores, networks_of, size_curve
from be_jax.stats.evidence import Evidence
from be_jax.stats.gain import Interval, ratio
from be_jax.stats.jackknife import Statistic
from be_jax.stats.margins import JudgeConfig
from be_jax.stats.sample import Sample, of_pairs, of_pool, of_seeds
from be_jax.stats.scores import Scores, score_run
from be_jax.stats.table import (
    as_records,
    conditions,
    evidence_table,
    from_records,
    percent,
    sentence,
    verdict_table,
)

__all__ = [
    "PARAMETERS",
    "STATEMENTS",
    "Equivalent",
    "Evidence",
    "Interval",
    "JudgeConfig",
    "Sample",
    "Scores",
    "Statistic",
    "Verdict",
    "as_records",
    "conditions",
    "deep_ensemble_equivalent",
    "equivalent_scores",
    "evidence_table",
    "from_records",
    "judge",
    "networks_of",
    "of_pairs",
    "of_pool",
    "of_seeds",
    "percent",
    "ratio",
    "score_run",
    "sentence",
    "size_curve",
    "verdict_table",
]
