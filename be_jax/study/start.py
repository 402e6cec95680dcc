"""How far members differ before they are trained: what training adds to diversity, or takes from it."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import jax
import numpy as np

from be_jax.evaluate import EvaluationSet, make_predict, predict_sets
from be_jax.files import write_atomically
from be_jax.keys import Purpose, key_for
from be_jax.stats import score_run
from be_jax.stats.config import FUNCTIONS, ROOT, Endpoint
from be_jax.stats.study import START
from be_jax.study.study import Study

SEEDS = 3


def score_start(study: Study, known: Mapping[str, Any] = MappingProxyType({})) -> dict[str, dict[str, float]]:
    """`{method: {"<set> <metric>": value}}` of the endpoints of diversity, of `SEEDS` untrained ensembles.

    Of methods that are not known: a study may have grown since. Roots are of the mean over ensembles.

    On the study's test and out-of-distribution data, and on this host's devices: of several hosts one calls this.
    Methods whose members come about by training, or at prediction, have none: single networks, pools, MC dropout; nor
    have those that start from trained networks.
    """
    sets = {"test": EvaluationSet(*study.data.test)}
    sets |= {f"ood/{name}": EvaluationSet(examples, None) for name, examples in study.data.ood.items()}
    own = [each for each in study.execution.devices if each.process_index == jax.process_index()]
    scores: dict[str, dict[str, float]] = {}
    for method in study.methods:
        ensemble = method.ensemble
        if ensemble.train_members < 2 or method.start or method.name in known:
            continue
        predict = make_predict(ensemble, study.preprocess, own)
        init = jax.jit(lambda key, x, ensemble=ensemble: ensemble.init(key, study.preprocess(x)))
        runs: list[Mapping[tuple[str, str], Any]] = []
        for seed in method.seeds[:SEEDS]:
            variables = init(key_for(seed, Purpose.INIT), study.data.train.images[:1])
            runs.append(score_run(predict_sets(predict, variables, seed, sets)))
        predicted = [e for e in FUNCTIONS if (e.set_name, e.metric.removeprefix(ROOT)) in runs[0]]
        scores[method.name] = {str(endpoint): _value(runs, endpoint) for endpoint in predicted}
    return scores


def _value(runs: Sequence[Mapping[tuple[str, str], Any]], endpoint: Endpoint) -> float:
    """Of all examples."""
    base = endpoint.metric.removeprefix(ROOT)
    value = float(np.mean([run[endpoint.set_name, base][0] for run in runs]))
    return value if base == endpoint.metric else math.sqrt(max(value, 0.0))


def save_start(scores: Mapping[str, Mapping[str, float]], folder: Path) -> None:
    """Writes `start.json`, which a judgement of the folder reads."""
    write_atomically(folder / START, json.dumps(scores, indent=1) + "\n")
