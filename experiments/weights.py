"""How far apart are the members of a finished study in their weights? Without it, C4 is not judged.

    python -m experiments.weights runs/mnist_embedded
    python -m experiments.weights runs/cifar10_cpu --data-dir ~/tensorflow_datasets

Reads the weights that the runs kept from their checkpoints, trains nothing, and ends with a table and `weights.json` in
the folder of the study, which `experiments.judge` reads. Members are compared in pairs, as plain networks with the
kernels that they use in effect: kernels by layer (cosine, relative distance), what layers compute by linear CKA, and
two members by the barrier on the line between them. All of it is measured twice, as they are and after matching hidden
units, for units in another order are no difference. Deep ensembles from a pool of networks are measured by all pairs of
it. MC dropout has one network, and nothing to measure. Networks trained in bfloat16 are measured in float32.
"""

import dataclasses
import itertools
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import rich
import tyro
from rich.progress import Progress

from be_jax import deep_ensemble
from be_jax.checkpoint import CheckpointError
from be_jax.config import ConfigError, TrainConfig, check
from be_jax.data import DataUnavailableError, StudyData
from be_jax.ensemble import Variables
from be_jax.parameter_space import as_deep_ensemble, match, score_parameters
from be_jax.report.methods import DEEP_ENSEMBLE, label
from be_jax.results import PoolRecord, StudyResult
from be_jax.runs import TRAINED_WITH, RunError, read_config, seed_folder
from be_jax.stats.weights import MATCHED, Unit, Weights
from be_jax.study import Planned, kept_weights, provenance
from be_jax.study.progress import progress_bars
from experiments import cifar10, mnist
from experiments.common import use_compilation_cache
from experiments.weights_report import table

STUDIES: Mapping[str, ModuleType] = {"mnist": mnist, "cifar10": cifar10}

FEW = 10
"""Inputs by which hidden units are found."""

Scores = dict[str, float]


@dataclasses.dataclass(frozen=True)
class Config:
    """Attributes:
    runs: folder of a finished study, with its checkpoints.
    data_dir: TFDS folder, for a study whose data come from there; TFDS's default where it is not given.
    num_inputs: test images on which members are compared.
    """

    runs: tyro.conf.Positional[Path]
    data_dir: Path | None = None
    num_inputs: int = 1000

    def __post_init__(self) -> None:
        check(self.num_inputs >= FEW, "num_inputs", self.num_inputs, f"an integer >= {FEW}")


class Study(NamedTuple):
    """A finished study, opened again: its result, its module, and that module's configuration and data."""

    result: StudyResult
    module: Any
    settings: Any
    data: StudyData

    def method(self, name: str) -> Planned:
        return self.module.build_method(self.settings, name)  # type: ignore[no-any-return]

    def seeds(self, method: str) -> list[int]:
        """Of the runs that did not diverge."""
        return [run.seed for run in self.result.runs if run.method == method and run.status != "diverged"]

    def weights(self, method: Planned, seed: int) -> Variables:
        """What this run kept."""
        folder = seed_folder(self.settings.folder / method.name, seed)
        return kept_weights(method, self.data, self.module.preprocess, folder)


class Inputs(NamedTuple):
    """Test images as the model takes them, `[b, ...]`, and labels `[b]`, on which members are compared."""

    x: jax.Array
    labels: jax.Array


def reopened(config: Config) -> Study:
    """The study in a folder.

    Raises:
      ValueError: not a study of MNIST or CIFAR-10, of another version, or of other data than there are now.
      RunError: the runs are not there any more.
    """
    result = StudyResult.load(config.runs / "results.json")
    if result.experiment not in STUDIES or not result.runs:
        known = ", ".join(STUDIES)
        raise ValueError(f"weights can be measured in studies of {known}; {config.runs} is one of {result.experiment}")
    module, first = STUDIES[result.experiment], result.runs[0]
    record = read_config(seed_folder(config.runs / first.method, first.seed))
    if record is None:
        raise RunError(f"{config.runs} holds no runs; weights can be measured only where those of the study are")
    settings = dataclasses.replace(_settings(module, record), data_dir=config.data_dir, out=config.runs)
    data = module.load_data(settings)
    if data.describe() != record["data_sizes"]:
        raise ValueError(f"{config.runs} was trained on {record['data_sizes']}; here are {data.describe()}")
    return Study(result, module, settings, data)


def _settings(module: Any, record: Mapping[str, Any]) -> Any:
    """The configuration of a study from the record of one of its runs; computing in float32."""
    fields = {k: v for k, v in record.items() if k not in ("data_sizes", "data_hash", "method", "seed", TRAINED_WITH)}
    if "dtype" in fields:
        fields["dtype"] = "float32"
    try:
        train = TrainConfig(**_with_tuples(fields.pop("train")))
        return module.Config(**_with_tuples(fields), train=train)
    except TypeError as error:
        raise ValueError(f"the study was made by another version of be_jax: {error}") from error


def measure(config: Config) -> Weights:
    """Measures every method whose members have weights of their own."""
    study = reopened(config)
    images, labels = study.data.test
    x = study.module.preprocess(jnp.asarray(images[: config.num_inputs]))
    inputs, pool = Inputs(x, jnp.asarray(labels[: config.num_inputs])), study.result.pooled
    scores: dict[str, dict[Unit, Scores]] = {}
    with progress_bars() as progress:
        for name in study.result.methods:
            if name == DEEP_ENSEMBLE and pool:
                scores[name] = dict(_pairs_of_pool(study, pool, inputs, progress))
            elif study.seeds(name) and study.method(name).ensemble.per_member:
                scores[name] = dict(_runs(study, study.method(name), inputs, progress))
    about = {
        "experiment": study.result.experiment,
        "data": study.result.data,
        "config": study.result.config,
        "num_inputs": len(inputs.labels),
        "provenance": provenance("experiments.weights"),
    }
    return Weights(about, scores)


def _runs(study: Study, method: Planned, inputs: Inputs, progress: Progress) -> Iterator[tuple[Unit, Scores]]:
    """Scores of each run of a method: means over pairs of its members."""
    for seed in progress.track(study.seeds(method.name), description=label(study.result, method.name)):
        deep, networks = as_deep_ensemble(method.ensemble, study.weights(method, seed))
        members = [deep.member(networks, k) for k in range(deep.members)]
        of_pairs = [score_pair(deep.model, *pair, inputs) for pair in itertools.combinations(members, 2)]
        yield (seed,), {name: float(np.mean([scores[name] for scores in of_pairs])) for name in of_pairs[0]}


def _pairs_of_pool(study: Study, pool: PoolRecord, inputs: Inputs, progress: Progress) -> Iterator[tuple[Unit, Scores]]:
    """Scores of each pair of networks of the pool."""
    method = study.method(pool.method)
    networks = {seed: study.weights(method, seed) for seed in pool.networks}
    pairs = list(itertools.combinations(pool.networks, 2))
    for first, second in progress.track(pairs, description="pairs of the pool"):
        yield (first, second), score_pair(method.ensemble.model, networks[first], networks[second], inputs)


def score_pair(model: nn.Module, first: Variables, second: Variables, inputs: Inputs) -> Scores:
    """Scores of two plain networks, as they are and, as `matched_<name>`, after matching the second to the first."""
    ensemble = deep_ensemble(model, 2)

    def score(second: Variables) -> Scores:
        pair = jax.tree.map(lambda *leaves: jnp.stack(leaves), dict(first), dict(second))
        scores = jax.device_get(score_parameters(ensemble, pair, *inputs))
        return {name: float(value) for name, value in scores.items() if "_to_mean" not in name}

    matched = score(match(model, first, second, inputs.x[:FEW]))
    return {**score(second), **{f"{MATCHED}{name}": value for name, value in matched.items()}}


def _with_tuples(fields: Mapping[str, Any]) -> dict[str, Any]:
    """JSON has lists for tuples."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}


def main() -> None:
    config = tyro.cli(Config, description=__doc__)
    use_compilation_cache()
    weights = measure(config)
    weights.save(config.runs / "weights.json")
    result = StudyResult.load(config.runs / "results.json")
    rich.print(table(weights, {method: label(result, method) for method in result.methods}))
    print(f"\nweights: {config.runs / 'weights.json'}\nTo have C4 judged: python -m experiments.judge {config.runs}")


if __name__ == "__main__":
    try:
        main()
    except (ConfigError, DataUnavailableError, RunError, CheckpointError, ValueError, OSError) as error:
        sys.exit(f"error: {error}")
