"""Statistics and samples whose truth is known, for the tests of the judgement."""

import numpy as np

from be_jax.stats import Sample, of_seeds, score_run
from be_jax.stats.jackknife import Statistic
from experiments.judge_simulation import World, draw_networks, draw_world, with_share

MEMBERS = 4


def mean_of(values, factor="seeds"):
    """The mean over runs `[units]`, without examples, or over runs and blocks of examples `[units, B]`."""
    values = np.asarray(values, float)
    table = values[:, None] if values.ndim == 1 else with_blocks(values)
    without = (table.sum(0) - table) / (len(table) - 1)
    return Statistic(table.mean(0), {factor: without})


def with_blocks(values):
    blocks = values.shape[1]
    return np.concatenate([values.mean(1, keepdims=True), (values.sum(1, keepdims=True) - values) / (blocks - 1)], 1)


def world(examples: int = 1500, seed: int = 0) -> World:
    return draw_world(np.random.default_rng(seed), examples)


def runs(examples: World, share: float, seeds: int = 5, members: int = MEMBERS, seed: int = 1) -> list[dict]:
    """Predictions of a method at a share between m copies of one network (0) and independent ones (1)."""
    random = np.random.default_rng([seed, round(100 * share), members])
    return [with_share(random, draw_networks(random, examples, members), share) for _ in range(seeds)]


def sample(predictions: list[dict], factor: str = "seeds") -> Sample:
    return of_seeds([score_run(each) for each in predictions], factor)
