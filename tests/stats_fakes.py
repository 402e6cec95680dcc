"""Statistics and samples whose truth is known, for the tests of the judgement.

Networks are logits: a signal for the label, a difficulty of each example that all networks share, noise of each
network, and a skill of each network. A method of share q has, on a random part q of the examples, m independent members
and elsewhere m copies of one: its expected NLL, accuracy and diversity are at q between a single network and a deep
ensemble, exactly.
"""

from typing import NamedTuple

import numpy as np
from scipy import special

from be_jax.stats import Sample, Statistic, of_seeds, score_run

MEMBERS, CLASSES = 4, 10
SIGNALS = {"validation": 9.0, "test": 9.0, "shift/noise_1": 5.5, "ood/unseen": 0.0}
DIFFICULTY, NOISE, SKILL = 2.5, 1.05, 0.04


class World(NamedTuple):
    """Examples as all networks see them: logits without noise `{set: [n, c]}`, and the labels `[n]` of every set."""

    logits: dict[str, np.ndarray]
    labels: np.ndarray


def mean_of(values, factor="seeds"):
    """The mean over runs `[units]`, without examples, or over runs and blocks of examples `[units, B]`."""
    values = np.asarray(values, float)
    table = values[:, None] if values.ndim == 1 else with_blocks(values)
    without = (table.sum(0) - table) / (len(table) - 1)
    return Statistic(table.mean(0), {factor: without})


def with_blocks(values):
    blocks = values.shape[1]
    return np.concatenate([values.mean(1, keepdims=True), (values.sum(1, keepdims=True) - values) / (blocks - 1)], 1)


def world(examples: int = 1500, seed: int = 0, sets: tuple[str, ...] = tuple(SIGNALS)) -> World:
    random = np.random.default_rng(seed)
    labels = random.integers(CLASSES, size=examples)
    truth = np.eye(CLASSES, dtype=np.float32)[labels]
    drawn = {name: np.float32(SIGNALS[name]) * truth + _normal(random, DIFFICULTY, truth.shape) for name in sets}
    return World(drawn, labels)


def draw_networks(random: np.random.Generator, examples: World, count: int) -> dict[str, np.ndarray]:
    """Independent networks, as the members of one file of predictions."""
    skill = 1 + _normal(random, SKILL, (count, 1, 1))
    predictions = {}
    for name, logits in examples.logits.items():
        own = skill * logits + _normal(random, NOISE, (count, *logits.shape))
        predictions[f"{name}/log_probs"] = own - np.log(np.exp(own).sum(-1, keepdims=True))
        if not name.startswith("ood/"):
            predictions[f"{name}/labels"] = examples.labels
    return predictions


def with_share(random: np.random.Generator, networks: dict, share: float) -> dict[str, np.ndarray]:
    """The members on a random part `share` of the examples, and copies of the first of them on the others."""
    mixed = {}
    for name, array in networks.items():
        if name.endswith("/log_probs"):
            independent = np.less(random.random(array.shape[1]), share)
            array = np.where(independent[None, :, None], array, array[:1])
        mixed[name] = array
    return mixed


def runs(examples: World, share: float, seeds: int = 5, members: int = MEMBERS, seed: int = 1) -> list[dict]:
    """Predictions of a method at a share between m copies of one network (0) and independent ones (1)."""
    random = np.random.default_rng([seed, round(100 * share), members])
    return [with_share(random, draw_networks(random, examples, members), share) for _ in range(seeds)]


def sample(predictions: list[dict], factor: str = "seeds") -> Sample:
    return of_seeds([score_run(each) for each in predictions], factor)


def _normal(random: np.random.Generator, deviation: float, shape: tuple[int, ...]) -> np.ndarray:
    """Normal numbers in float32."""
    return np.float32(deviation) * random.standard_normal(shape, np.float32)


def p_above(statistic: Statistic) -> float:
    """One-sided p-value of the null hypothesis that the statistic's expectation is at most 0."""
    error, freedom = statistic.uncertainty()
    if error == 0:
        return 0.0 if statistic.value > 0 else 1.0
    return float(special.stdtr(freedom, -statistic.value / error))


def p_below(statistic: Statistic) -> float:
    """The same of the null hypothesis that it is at least 0."""
    return p_above(-1.0 * statistic)
