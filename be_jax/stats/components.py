"""How much scores vary, and with what: the variance components of a study, and studies drawn from them.

A score is taken as a mean plus the *influence* of each network, seed and block of test examples on it (jackknife
pseudo-values, less their mean). Influences on all endpoints, and on single networks, deep ensembles and methods that
share a factor, covary as they did in the study. Studies drawn from them are of any size, with a known position.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from be_jax.metrics import registry
from be_jax.runs import write_atomically
from be_jax.stats.config import Endpoint
from be_jax.stats.jackknife import Statistic
from be_jax.stats.sample import Sample

ROLES = ("single", "deep_ensemble", "method")
NETWORKS, SEEDS = "networks", "seeds"


class Components(NamedTuple):
    """Variance components of one study, larger scores being better.

    Attributes:
      source: the study.
      endpoints: E of them.
      gain: `[E]`, of deep ensembles over single networks.
      networks: `[2 E, 2 E]`, covariance of a network's influences on single networks and on deep ensembles.
      seeds: `[E, E]`, of a seed's influences on its method, mean over methods.
      examples: `[3 E, 3 E]`, of the influences of a block of examples on each of `ROLES`; empty where blocks are none.
      blocks: of examples.
      units: how many networks, and seeds of all methods together, they were estimated from.
    """

    source: str
    endpoints: tuple[Endpoint, ...]
    gain: np.ndarray
    networks: np.ndarray
    seeds: np.ndarray
    examples: np.ndarray
    blocks: int
    units: Mapping[str, int]

    def save(self, path: Path) -> None:
        """Writes JSON with six digits."""
        record = {name: _plain(value) for name, value in self._asdict().items()}
        write_atomically(path, json.dumps(record) + "\n")

    @classmethod
    def load(cls, path: Path) -> "Components":
        """Reads what `save` wrote."""
        record = json.loads(path.read_text())
        arrays = {name: np.array(record[name]) for name in ("gain", "networks", "seeds", "examples")}
        return cls(**{**record, **arrays, "endpoints": tuple(Endpoint(*each) for each in record["endpoints"])})


def measure(
    source: str,
    single: Sample,
    deep_ensemble: Sample,
    methods: Mapping[str, Sample],
    endpoints: Sequence[Endpoint],
    members: int,
) -> Components:
    """The components of a study, by those endpoints that all samples have.

    Where deep ensembles are runs of their own, a network's influence on them has `members` times the variance of a run,
    as m networks make one, and does not covary with that on single networks.

    Args:
      source: name of the study.
      single, deep_ensemble: of one pool, or each of runs of its own.
      methods: at least one, of two seeds or more.
      endpoints: to measure.
      members: of a deep ensemble.

    Raises:
      ValueError: no endpoint or no method is left.
    """
    varied = {name: sample for name, sample in methods.items() if sample.units > 1}
    everyone = (single, deep_ensemble, *varied.values())
    found = tuple(endpoint for endpoint in endpoints if all(sample.has(*endpoint) for sample in everyone))
    if not found or not varied:
        raise ValueError(f"{source} has no endpoint, or no method of two seeds, to measure variances by")
    one, deep = (_statistics(sample, found) for sample in (single, deep_ensemble))
    of_methods = [_statistics(sample, found) for sample in varied.values()]
    influences = [
        _influences(statistics, sample.factor) for statistics, sample in ((one, single), (deep, deep_ensemble))
    ]
    if single.factor == deep_ensemble.factor:
        networks = np.cov(np.concatenate(influences, axis=1), rowvar=False)
    else:
        networks = np.zeros((2 * len(found), 2 * len(found)))
        networks[: len(found), : len(found)] = np.cov(influences[0], rowvar=False)
        networks[len(found) :, len(found) :] = members * np.cov(influences[1], rowvar=False)
    blocks = len(one[0].whole) - 1
    examples = np.empty((0, 0))
    if blocks:
        by_block = [np.concatenate([_by_block(part) for part in (one, deep, own)], axis=1) for own in of_methods]
        examples = np.mean([np.cov(each, rowvar=False) for each in by_block], axis=0)
    seeds = [
        np.atleast_2d(np.cov(_influences(own, sample.factor), rowvar=False))
        for own, sample in zip(of_methods, varied.values(), strict=True)
    ]
    gain = np.array([d.value - s.value for d, s in zip(deep, one, strict=True)])
    units = {NETWORKS: single.units, SEEDS: sum(sample.units for sample in varied.values())}
    return Components(source, found, gain, networks, np.mean(seeds, axis=0), examples, blocks, units)


class Drawn(NamedTuple):
    """A study drawn from components: for each endpoint a statistic of each role."""

    single: tuple[Statistic, ...]
    deep_ensemble: tuple[Statistic, ...]
    method: tuple[Statistic, ...]

    def gains(self, endpoint: int) -> tuple[Statistic, Statistic]:
        """What the method gains over single networks, and what deep ensembles do."""
        one, deep, own = (statistics[endpoint] for statistics in self)
        return own - one, deep - one


def draw(
    components: Components, seeds: int, networks: int, position: float | np.ndarray, random: np.random.Generator
) -> Drawn:
    """A study of as many seeds and networks, whose method stands at a position by every endpoint, or at one by each."""
    count = len(components.endpoints)
    of_networks = _normal(random, components.networks, networks)
    of_seeds = _normal(random, components.seeds, seeds)
    of_blocks = (
        _normal(random, components.examples, components.blocks) if components.blocks else np.zeros((0, 3 * count))
    )
    single, deep, own = np.split(of_blocks, 3, axis=1)

    def made(means: np.ndarray, influences: np.ndarray, factor: str, by_block: np.ndarray) -> tuple[Statistic, ...]:
        return tuple(_additive(means[e], influences[:, e], factor, by_block[:, e]) for e in range(count))

    zero = np.zeros(count)
    return Drawn(
        made(zero, of_networks[:, :count], NETWORKS, single),
        made(components.gain, of_networks[:, count:], NETWORKS, deep),
        made(position * components.gain, of_seeds, SEEDS, own),
    )


def _additive(mean: float, influences: np.ndarray, factor: str, by_block: np.ndarray) -> Statistic:
    """A mean of influences on all units and blocks, and without each."""
    whole = np.array([mean + influences.mean()])
    if len(by_block):
        without_block = (by_block.sum() - by_block) / (len(by_block) - 1)
        whole = whole + np.concatenate([[by_block.mean()], without_block])
    without = (influences.sum() - influences) / (len(influences) - 1) - influences.mean()
    return Statistic(whole, {factor: whole[None] + without[:, None]})


def _statistics(sample: Sample, endpoints: Sequence[Endpoint]) -> list[Statistic]:
    """Oriented, so that larger is better."""
    return [float(registry.lookup(each.metric).sign) * sample.statistic(*each) for each in endpoints]


def _influences(statistics: Sequence[Statistic], factor: str) -> np.ndarray:
    """Of each unit on each statistic, `[units, k]`."""
    columns = [(len(s.without[factor]) - 1) * (s.value - s.without[factor][:, 0]) for s in statistics]
    return np.stack(columns, axis=1)


def _by_block(statistics: Sequence[Statistic]) -> np.ndarray:
    """Of each block of examples on each statistic, `[blocks, k]`."""
    return np.stack([(len(s.whole) - 2) * (s.value - s.whole[1:]) for s in statistics], axis=1)


def _normal(random: np.random.Generator, covariance: np.ndarray, count: int) -> np.ndarray:
    """Normal vectors `[count, k]`; the covariance may be singular."""
    values, vectors = np.linalg.eigh(np.atleast_2d(covariance))
    return random.standard_normal((count, len(values))) * np.sqrt(np.maximum(values, 0.0)) @ vectors.T


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return (
            [[float(f"{x:.6g}") for x in row] for row in value]
            if value.ndim == 2
            else [float(f"{x:.6g}") for x in value]
        )
    return value
