"""Judgement: where between a single model and a deep ensemble does a method stand, with what certainty?

The only place where an interval is made. Of a finished study:

    judgement = judge_study(Path("runs/mnist_embedded"))

Of predictions in memory, from any framework (`score_run` says which arrays):

    runs, networks = ...  # of a method, and of independent networks, each `{"test/log_probs": [m, n, c], ...}`
    method = of_seeds([score_run(run) for run in runs], "seeds of the method")
    judgement = judge(Samples({"method": method}, single=of_pool(networks, 1), deep_ensemble=of_pool(networks, 4)))
"""

from be_jax.scores import Scores, score_run
from be_jax.stats.claims import STATEMENTS, Stated, Verdict
from be_jax.stats.config import FUNCTIONS, OOD, PARAMETERS, QUALITY, ROOT, WEIGHTS, Endpoint, JudgeConfig
from be_jax.stats.controls import Control
from be_jax.stats.equivalent import Equivalent, deep_ensemble_equivalent, equivalents, networks_of, size_curve
from be_jax.stats.fieller import Interval, ratio
from be_jax.stats.jackknife import Statistic
from be_jax.stats.judge import Samples, judge
from be_jax.stats.judgement import Judgement, MethodJudgement
from be_jax.stats.of_results import difference, diversity_ratio, gain_recovered, judge_results, ratio_of_means
from be_jax.stats.rows import Row, diversity_row, gain_row
from be_jax.stats.sample import Sample, of_pairs, of_pool, of_seeds
from be_jax.stats.study import judge_study
from be_jax.stats.weights import Weights

__all__ = [
    "FUNCTIONS",
    "OOD",
    "PARAMETERS",
    "QUALITY",
    "ROOT",
    "STATEMENTS",
    "WEIGHTS",
    "Control",
    "Endpoint",
    "Equivalent",
    "Interval",
    "JudgeConfig",
    "Judgement",
    "MethodJudgement",
    "Row",
    "Sample",
    "Samples",
    "Scores",
    "Stated",
    "Statistic",
    "Verdict",
    "Weights",
    "deep_ensemble_equivalent",
    "difference",
    "diversity_ratio",
    "diversity_row",
    "equivalents",
    "gain_recovered",
    "gain_row",
    "judge",
    "judge_results",
    "judge_study",
    "networks_of",
    "of_pairs",
    "of_pool",
    "of_seeds",
    "ratio",
    "ratio_of_means",
    "score_run",
    "size_curve",
]
