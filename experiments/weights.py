"""How far apart are the members of a finished study in their weights? Without it, C4 is not judged.

    python -m experiments.weights runs/mnist_embedded
    python -m experiments.weights runs/cifar10_cpu --data-dir ~/tensorflow_datasets

Reads the weights that the runs kept from their checkpoints, trains nothing, and ends with a table and `weights.json` in
the folder of the study, which `experiments.judge` reads. Effective kernels are compared by layer (cosine, relative
distance), what layers compute by linear CKA, and two members by the barrier on the line between them.
Deep ensembles are measured twice, as they are and after matching hidden units, for units in another order are no
difference; those from a pool of networks by all pairs of it. MC dropout has one network, and nothing to measure.
"""

import dataclasses
import itertools
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

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
from be_jax.ensemble import Ensemble, Variables
from be_jax.parameter_space import match, score_parameters
from be_jax.report.methods import DEEP_ENSEMBLE, label
from be_jax.results import StudyResult
from be_jax.runs import TRAINED_WITH, RunError, read_config, seed_folder
from be_jax.study import Method, kept_weights
from experiments import cifar10, mnist
from experiments.common import progress_bars, provenance, use_compilation_cache
from experiments.weights_report import MATCHED, Unit, Weights, table

STUDIES: Mapping[str, ModuleType] = {"mnist": mnist, "cifar10": cifar10}

Scores = dict[str, float]


@dataclasses.dataclass(frozen=True)
class Config:
    """Attributes:
    runs: folder of a finished study, with its checkpoints.
    data_dir: TFDS folder, for a study whose data come from there; TFDS's default where it is not given.
    num_inputs: test images on which members are compared, and training images for batch statistics on the line.
    """

    runs: tyro.conf.Positional[Path]
    data_dir: Path | None = None
    num_inputs: int = 1000

    def __post_init__(self) -> None:
        check(self.num_inputs >= 1, "num_inputs", self.num_inputs, "an integer >= 1")


class Study(NamedTuple):
    """A finished study, opened again: its result, its module, and that module's configuration and data."""

    result: StudyResult
    module: Any
    settings: Any
    data: StudyData

    def method(self, name: str) -> Method:
        return self.module.build_method(self.settings, name)  # type: ignore[no-any-return]

    def seeds(self, method: str) -> list[int]:
        """Of the runs that did not diverge."""
        return [run.seed for run in self.result.runs if run.method == method and run.status != "diverged"]

    def weights(self, method: Method, seed: int) -> Variables:
        """What this run kept."""
        folder = seed_folder(self.settings.folder / method.name, seed)
        return kept_weights(method, self.data, self.module.preprocess, folder)


class Inputs(NamedTuple):
    """What members are compared on: test images as the model takes them with labels, and training images."""

    x: jax.Array
    labels: jax.Array
    statistics_from: jax.Array


def reopened(config: Config) -> Study:
    """The study in a folder.

    Raises:
      ValueError: not a study of MNIST or CIFAR-10, or of other data than there are now.
      RunError: a run's folder is not there any more.
    """
    result = StudyResult.load(config.runs / "results.json")
    if result.experiment not in STUDIES:
        raise ValueError(
            f"weights can be measured in studies of {', '.join(STUDIES)}; this is one of {result.experiment}"
        )
    module, first = STUDIES[result.experiment], result.runs[0]
    record = read_config(seed_folder(config.runs / first.method, first.seed))
    if record is None:
        raise RunError(f"{config.runs} holds no runs; weights can be measured only where those of the study are")
    not_settings = ("data_sizes", "method", "seed", TRAINED_WITH)
    fields = {name: _hashable(value) for name, value in record.items() if name not in not_settings}
    train = TrainConfig(**{name: _hashable(value) for name, value in record["train"].items()})
    settings = module.Config(**{**fields, "train": train}, data_dir=config.data_dir, out=config.runs)
    data = module.load_data(settings)
    if data.describe() != record["data_sizes"]:
        raise ValueError(f"{config.runs} was trained on {record['data_sizes']}; here are {data.describe()}")
    return Study(result, module, settings, data)


def measure(config: Config) -> Weights:
    """Measures every method whose members have weights of their own."""
    study = reopened(config)
    count, preprocess = config.num_inputs, study.module.preprocess
    images, labels = study.data.test
    train = jnp.asarray(study.data.train.images[:count])
    inputs = Inputs(preprocess(jnp.asarray(images[:count])), jnp.asarray(labels[:count]), preprocess(train))
    with progress_bars() as progress:
        scores = {
            method: dict(_runs(study, study.method(method), inputs, progress))
            for method in study.result.methods
            if method != DEEP_ENSEMBLE and study.method(method).ensemble.per_member
        }
        if DEEP_ENSEMBLE in study.result.methods:
            scores |= _deep_ensembles(study, inputs, progress)
    about = {
        "experiment": study.result.experiment,
        "data": study.result.data,
        "num_inputs": len(inputs.labels),
        "batch_statistics": _has_batch_statistics(study, inputs),
        "provenance": provenance("weights"),
    }
    return Weights(about, scores)


def _runs(study: Study, method: Method, inputs: Inputs, progress: Progress) -> Iterator[tuple[Unit, Scores]]:
    """Scores of each run of a method."""
    for seed in progress.track(study.seeds(method.name), description=label(study.result, method.name)):
        yield (seed,), score(method.ensemble, study.weights(method, seed), inputs)


def _deep_ensembles(study: Study, inputs: Inputs, progress: Progress) -> dict[str, dict[Unit, Scores]]:
    """Scores of deep ensembles, as trained and matched: of each run, or of each pair of networks of the pool."""
    measured: dict[str, dict[Unit, Scores]] = {DEEP_ENSEMBLE: {}, MATCHED: {}}
    if study.result.pooled:
        method, seeds = study.method(study.result.pooled.method), study.result.pooled.networks
        networks = [study.weights(method, seed) for seed in seeds]
        pairs = list(itertools.combinations(range(len(seeds)), 2))
        for i, j in progress.track(pairs, description="pairs of the pool"):
            for name, scores in score_pair(method.ensemble.model, networks[i], networks[j], inputs).items():
                measured[name][seeds[i], seeds[j]] = scores
        return measured
    method = study.method(DEEP_ENSEMBLE)
    for seed in progress.track(study.seeds(DEEP_ENSEMBLE), description="deep ensemble"):
        weights = study.weights(method, seed)
        networks = [method.ensemble.member(weights, k) for k in range(method.ensemble.members)]
        of_pairs = [score_pair(method.ensemble.model, *pair, inputs) for pair in itertools.combinations(networks, 2)]
        for name in measured:
            measured[name][seed,] = _mean([scores[name] for scores in of_pairs])
    return measured


def score_pair(model: Any, first: Variables, second: Variables, inputs: Inputs) -> dict[str, Scores]:
    """Scores of a deep ensemble of two, and of the same after matching the second network to the first."""
    pair = deep_ensemble(model, 2)
    seconds = {DEEP_ENSEMBLE: second, MATCHED: match(model, first, second, inputs.x[:10])}
    return {name: score(pair, jax.tree.map(_stacked, first, each), inputs) for name, each in seconds.items()}


def score(ensemble: Ensemble, variables: Variables, inputs: Inputs) -> Scores:
    """See `score_parameters`; without what depends on the number of members."""
    scores = score_parameters(ensemble, variables, *inputs)
    return {name: float(value) for name, value in jax.device_get(scores).items() if "_to_mean" not in name}


def _has_batch_statistics(study: Study, inputs: Inputs) -> bool:
    ensemble = study.method(study.result.runs[0].method).ensemble
    return "batch_stats" in jax.eval_shape(ensemble.init, jax.random.key(0), inputs.x[:1])


def _mean(scores: Sequence[Scores]) -> Scores:
    return {name: float(np.mean([each[name] for each in scores])) for name in scores[0]}


def _stacked(first: Any, second: Any) -> jax.Array:
    return jnp.stack([jnp.asarray(first), jnp.asarray(second)])


def _hashable(value: Any) -> Any:
    """JSON has lists for tuples."""
    return tuple(value) if isinstance(value, list) else value


def main() -> None:
    config = tyro.cli(Config, description=__doc__)
    use_compilation_cache(config.runs)
    weights = measure(config)
    weights.save(config.runs / "weights.json")
    result = StudyResult.load(config.runs / "results.json")
    rich.print(table(weights, {method: label(result, method) for method in result.methods}))
    rich.print(
        f"\nweights: {config.runs / 'weights.json'}\nTo have C4 judged by it: python -m experiments.judge {config.runs}"
    )


if __name__ == "__main__":
    try:
        main()
    except (ConfigError, DataUnavailableError, RunError, CheckpointError, ValueError, OSError) as error:
        sys.exit(f"error: {error}")
