"""How far apart are the members of a finished study in their weights? Without it, C4 is not judged.

    python -m experiments.weights runs/mnist_embedded
    python -m experiments.weights runs/cifar10_cpu --data-dir ~/tensorflow_datasets

Reads the weights that the runs kept from their checkpoints, trains nothing, and ends with a table and `weights.json` in
the folder of the study, which `be_jax.judge` reads. Members are compared in pairs, as plain networks with the
kernels that they use in effect: kernels by layer (cosine, relative distance), what layers compute by linear CKA, and
two members by the barrier on the line between them. All of it is measured twice, as they are and after matching hidden
units, for units in another order are no difference. Deep ensembles from a pool of networks are measured by all pairs of
it. MC dropout has one network, and nothing to measure. Networks trained in bfloat16 are measured in float32.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import rich
import tyro

from be_jax.config import TrainConfig, check
from be_jax.files import seed_folder
from be_jax.report.methods import label
from be_jax.results import StudyResult
from be_jax.runs import TRAINED_WITH, RunError, read_config
from be_jax.stats.weights import Weights
from be_jax.study import Study
from be_jax.study.weights import FEW, measure_weights
from experiments import cifar10, command_line, mnist
from experiments.common import use_compilation_cache
from experiments.weights_report import table

STUDIES: Mapping[str, ModuleType] = {"mnist": mnist, "cifar10": cifar10}


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


def reopened(runs: Path, data_dir: Path | None, *, dtype: str | None = None) -> tuple[Study, StudyResult]:
    """The study in a folder, and its result; its networks compute in `dtype`, or as they did.

    Raises:
      ValueError: not a study of MNIST or CIFAR-10, of another version, or of other data than there are now.
      RunError: the runs are not there any more.
    """
    result = StudyResult.load(runs / "results.json")
    if result.experiment not in STUDIES or not result.runs:
        known = ", ".join(STUDIES)
        raise ValueError(f"weights can be measured in studies of {known}; {runs} is one of {result.experiment}")
    module, first = STUDIES[result.experiment], result.runs[0]
    record = read_config(seed_folder(runs / first.method, first.seed))
    if record is None:
        raise RunError(f"{runs} holds no runs; weights can be measured only where those of the study are")
    methods = tuple(dict.fromkeys(run.method for run in result.runs))
    settings = dataclasses.replace(_settings(module, record, dtype), data_dir=data_dir, out=runs, methods=methods)
    study: Study = module.make_study(settings)
    if study.data.describe() != record["data_sizes"]:
        raise ValueError(f"{runs} was trained on {record['data_sizes']}; here are {study.data.describe()}")
    return study, result


def _settings(module: Any, record: Mapping[str, Any], dtype: str | None) -> Any:
    """The configuration of a study from the record of one of its runs."""
    fields = {k: v for k, v in record.items() if k not in ("data_sizes", "data_hash", "method", "seed", TRAINED_WITH)}
    if dtype and "dtype" in fields:
        fields["dtype"] = dtype
    try:
        train = TrainConfig(**_with_tuples(fields.pop("train")))
        return module.Config(**_with_tuples(fields), train=train)
    except TypeError as error:
        raise ValueError(f"the study was made by another version of be_jax: {error}") from error


def measure(config: Config) -> Weights:
    """Measures every method whose members have weights of their own."""
    study, result = reopened(config.runs, config.data_dir, dtype="float32")
    return measure_weights(study, result, "experiments.weights", config.num_inputs)


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
    print(f"\nweights: {config.runs / 'weights.json'}\nTo have C4 judged: python -m be_jax.judge {config.runs}")


if __name__ == "__main__":
    command_line.run(main, ValueError, interrupted="interrupted")
