"""How far apart are the members of a finished study in their weights? Measured on the weights that its runs kept."""

import itertools
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from be_jax.construct import deep_ensemble
from be_jax.ensemble import Variables
from be_jax.files import seed_folder
from be_jax.nn.masks import MASKS
from be_jax.parameter_space import Units, as_deep_ensemble, hidden_units, match, score_parameters
from be_jax.provenance import provenance
from be_jax.results import DEEP_ENSEMBLE, SINGLE, StudyResult
from be_jax.stats.weights import MATCHED, Unit, Weights
from be_jax.study.progress import progress_bars
from be_jax.study.study import Study
from be_jax.study.training import Planned, kept_weights

FEW = 10
"""Inputs by which hidden units are found."""

MOST_NETWORKS = 10
"""Of a pool: all pairs of them are 45."""

Scores = dict[str, float]


class Inputs(NamedTuple):
    """Test examples as the model takes them, `[b, ...]`, and labels `[b]`, on which members are compared."""

    x: jax.Array
    labels: jax.Array


class TooSlow(RuntimeError):
    """Measuring would take longer than it may."""


def measure_weights(
    study: Study,
    result: StudyResult,
    module: str,
    num_inputs: int = 1000,
    at_most_s: float | None = None,
    known: Weights | None = None,
) -> Weights:
    """Measures every method whose members have weights of their own, and pairs of at most `MOST_NETWORKS` of the pool.

    Members whose masks lie between layers have none.

    Args:
      study: whose folder holds the runs, with their checkpoints.
      result: of it.
      module: by which this was started, for the provenance.
      num_inputs: test examples on which members are compared.
      at_most_s: seconds that a method may take, as the first pairs tell; None for any time.
      known: what was measured of this study before, on as many inputs; it is not measured again.

    Raises:
      TooSlow: it would take longer.
      RunError or CheckpointError: a run has no checkpoint that can be read.
    """
    examples, labels = study.data.test
    inputs = Inputs(study.preprocess(jnp.asarray(examples[:num_inputs])), jnp.asarray(labels[:num_inputs]))
    scores: dict[str, dict[Unit, Scores]] = {}
    with progress_bars() as progress:
        for method in study.methods:
            seeds = [run.seed for run in result.runs if run.method == method.name and run.status != "diverged"]
            units: list[Unit] = [(seed,) for seed in seeds]
            of_pool = method.name == SINGLE and result.pooled is not None
            if of_pool:
                name = DEEP_ENSEMBLE
                units = list(itertools.combinations(seeds[:MOST_NETWORKS], 2))
            elif method.ensemble.per_member - {MASKS}:
                name = method.name
            else:
                continue
            before = known.scores.get(name, {}) if known else {}
            scores[name] = {unit: dict(before[unit]) for unit in units if unit in before}
            units = [unit for unit in units if unit not in before]
            count, started = len(units), 0.0
            task = progress.add_task(f"weights, {name}", total=count)
            measured = (_pairs_of_pool if of_pool else _runs)(study, method, units, inputs)
            for index, (unit, values) in enumerate(measured):
                scores[name][unit] = values
                progress.advance(task)
                if index == 1 and at_most_s is not None:
                    _check_time((time.monotonic() - started) * count, at_most_s)
                started = time.monotonic()
    about = {
        "experiment": result.experiment,
        "data": result.data,
        "config": result.config,
        "num_inputs": len(inputs.labels),
        "provenance": provenance(module),
    }
    return Weights(about, scores)


def score_pair(model: nn.Module, units: Sequence[Units], first: Variables, second: Variables, inputs: Inputs) -> Scores:
    """Scores of two plain networks, as they are and, as `matched_<name>`, after matching the second to the first.

    Args:
      model: of both.
      units: its hidden units.
      first: variables of one.
      second: variables of the other.
      inputs: on which they are compared.
    """
    ensemble = deep_ensemble(model, 2)

    def score(second: Variables) -> Scores:
        pair = jax.tree.map(lambda *leaves: jnp.stack(leaves), dict(first), dict(second))
        scores = jax.device_get(score_parameters(ensemble, pair, *inputs))
        return {name: float(value) for name, value in scores.items() if "_to_mean" not in name}

    matched = score(match(model, first, second, inputs.x[:FEW], units))
    return {**score(second), **{f"{MATCHED}{name}": value for name, value in matched.items()}}


def _kept(study: Study, method: Planned, seed: int) -> Variables:
    folder = seed_folder(study.folder / method.name, seed)
    return kept_weights(method, study.data, study.preprocess, folder, study.defaults)


def _runs(study: Study, method: Planned, runs: Sequence[Unit], inputs: Inputs) -> Iterator[tuple[Unit, Scores]]:
    """Of each run the means over pairs of its members."""
    units: list[Units] = []
    for (seed,) in runs:
        deep, networks = as_deep_ensemble(method.ensemble, _kept(study, method, seed))
        members = [deep.member(networks, k) for k in range(deep.members)]
        units = units or hidden_units(deep.model, members[0], inputs.x[:FEW])
        of_pairs = [score_pair(deep.model, units, *pair, inputs) for pair in itertools.combinations(members, 2)]
        yield (seed,), {name: float(np.mean([scores[name] for scores in of_pairs])) for name in of_pairs[0]}


def _pairs_of_pool(
    study: Study, method: Planned, pairs: Sequence[Unit], inputs: Inputs
) -> Iterator[tuple[Unit, Scores]]:
    if not pairs:
        return
    model, networks = method.ensemble.model, {seed: _kept(study, method, seed) for seed in {*sum(pairs, ())}}
    units = hidden_units(model, networks[pairs[0][0]], inputs.x[:FEW])
    for first, second in pairs:
        yield (first, second), score_pair(model, units, networks[first], networks[second], inputs)


def _check_time(seconds: float, at_most_s: float) -> None:
    if seconds > at_most_s:
        raise TooSlow(f"one method alone would take {seconds:.0f} s, and {at_most_s:.0f} s were given")
