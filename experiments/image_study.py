"""What the studies of images share: the fields of their configuration, the sets they predict, and how they are run."""

import argparse
import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

import flax.linen as nn
import numpy as np
import tyro
from rich.progress import Progress

from be_jax.config import TrainConfig, check
from be_jax.data import Examples, StudyData, shifted_sets
from be_jax.evaluate import EvaluationSet
from be_jax.keys import Purpose, key_for
from be_jax.methods import TABLE, Method, Options
from be_jax.study import Execution, Planned, Study
from be_jax.train import Augment, Preprocess
from experiments.common import POOL_SEEDS_BELOW, check_chosen, check_seeds, planned

NOT_PART = (
    "preset",
    "data_dir",
    "out",
    "methods",
    "seeds",
    "more_seeds",
    "pool_size",
    "learning_rates",
    "hosts",
    "execution",
)
"""Fields that do not determine the numbers of a run; its own learning rate is recorded with it."""


def of_methods(kind: Callable[[str], float], such_as: str) -> Any:
    """How numbers by method are written on the command line; tyro would have an option for each name of the default."""

    def named(words: list[str]) -> dict[str, float]:
        if len(words) % 2:
            raise ValueError(f"a number for each method is wanted, such as: {such_as}; got {' '.join(words)}")
        return {name: kind(number) for name, number in zip(words[::2], words[1::2], strict=True)}

    return tyro.constructors.PrimitiveConstructorSpec(
        nargs="*",
        metavar="[METHOD NUMBER ...]",
        instance_from_str=named,
        is_instance=lambda value: isinstance(value, Mapping),
        str_from_instance=lambda value: [word for name, number in value.items() for word in (name, f"{number:g}")],
    )


Shifted = Callable[[Sequence[str], Sequence[int]], Iterable[tuple[str, Examples]]]
"""`(corruptions, severities)` to one corrupted test set after the other, by `<corruption>_<severity>`."""


@dataclasses.dataclass(frozen=True)
class ImageStudyConfig:
    """Everything that can be varied in each of these studies.

    Attributes:
      preset: where the defaults of all other fields come from.
      data_dir: TFDS folder; TFDS's default where it is not given.
      out: folder of the runs and the report; `runs/<study>_<preset>` where it is not given.
      methods: which methods to run, of `be_jax.methods`. The deep ensembles are made from the networks of `single`.
      seeds: one run of each method but `single` for each.
      more_seeds: how many seeds besides, the next ones, methods have that are to be told more finely than the others.
      pool_size: number of independent networks of `single`, with seeds 0, 1, ...
      members: m, of all ensembles.
      init_std: of r and s ~ N(1, init_std^2) in `batch_ensemble`; `batch_ensemble_sign` draws signs.
      dropout_rate: see the study.
      train: the training protocol.
      learning_rates: of methods that have one of their own, chosen on validation data by `experiments.learning_rates`;
        the others have that of `train`.
      corruptions: of the shifted test sets.
      severities: of each corruption, 1 to 5.
      execution: where and how runs are trained.
    """

    study: ClassVar[str]

    preset: str = ""
    data_dir: Path | None = None
    out: Path | None = None
    methods: tuple[str, ...] = ("single",)
    seeds: tuple[int, ...] = tuple(range(POOL_SEEDS_BELOW, POOL_SEEDS_BELOW + 10))
    more_seeds: Annotated[Mapping[str, int], of_methods(int, "batch_ensemble 5")] = dataclasses.field(
        default_factory=dict
    )
    pool_size: int = 20
    members: int = 4
    init_std: float = 0.5
    dropout_rate: float = 0.1
    train: TrainConfig = dataclasses.field(default_factory=TrainConfig)
    learning_rates: Annotated[Mapping[str, float], of_methods(float, "single 0.05 copies 0.1")] = dataclasses.field(
        default_factory=dict
    )
    corruptions: tuple[str, ...] = ()
    severities: tuple[int, ...] = (1, 2, 3, 4, 5)
    execution: Annotated[Execution, tyro.conf.arg(name="")] = dataclasses.field(default_factory=Execution)

    def __post_init__(self) -> None:
        check_chosen("methods", self.methods, tuple(TABLE))
        check_chosen("severities", self.severities, range(1, 6))
        self.check_positive("members", "pool_size")
        check_seeds(self.seeds, self.pool_size)
        init_std_fits = math.isfinite(self.init_std) and self.init_std >= 0
        check(init_std_fits, "init_std", self.init_std, "a finite number >= 0")
        check(0 <= self.dropout_rate < 1, "dropout_rate", self.dropout_rate, "in [0, 1)")
        numbers = self.learning_rates.values()
        rates_fit = set(self.learning_rates) <= set(self.known) and all(0 < rate < math.inf for rate in numbers)
        wanted = f"finite numbers > 0, of some of {', '.join(self.known)}"
        check(rates_fit, "learning_rates", dict(self.learning_rates), wanted)
        may = [name for name in self.known if name != "single"]
        more_fit = set(self.more_seeds) <= set(may) and all(count > 0 for count in self.more_seeds.values())
        wanted = f"integers > 0, of some of {', '.join(may)}; of single networks there are pool_size"
        check(more_fit, "more_seeds", dict(self.more_seeds), wanted)

    @property
    def folder(self) -> Path:
        return self.out or Path("runs") / f"{self.study}_{self.preset}"

    @property
    def known(self) -> tuple[str, ...]:
        """The methods that may have a learning rate, or seeds, of their own."""
        return tuple(TABLE)

    def check_positive(self, *names: str) -> None:
        """Raises ConfigError unless the integers of these names are at least 1."""
        for name in names:
            check(getattr(self, name) >= 1, name, getattr(self, name), "an integer >= 1")

    def planned(self, row: Method, model: nn.Module, options: Options, train: TrainConfig | None = None) -> Planned:
        """A method with its training protocol, at its own learning rate where it has one, and its seeds.

        A control that is one network takes a single network's rate: it has to train as one.
        """
        following = range(max(self.seeds) + 1, max(self.seeds) + 1 + self.more_seeds.get(row.name, 0))
        seeds = tuple(range(self.pool_size)) if row.name == "single" else (*self.seeds, *following)
        train = train or self.train
        rates, instead = self.learning_rates, "single" if row.is_control else row.name
        rate = rates.get(row.name, rates.get(instead, train.learning_rate))
        return planned(row, model, options, dataclasses.replace(train, learning_rate=rate), seeds)


def parse_preset(presets: Mapping[str, Any], args: Sequence[str] | None, description: str | None) -> Any:
    """The configuration from the command line: a preset (the first one by default), and what differs from it."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--preset", choices=list(presets), default=next(iter(presets)))
    preset = presets[first.parse_known_args(args)[0].preset]
    return tyro.cli(type(preset), default=preset, args=args, description=description)


def generated(test: Examples, corruptions: Sequence[str], severities: Sequence[int]) -> Iterator[tuple[str, Examples]]:
    """The test images corrupted by the definitions in `be_jax.data`: the same for every seed and method."""
    key = key_for(0, Purpose.CORRUPT)
    for name, images in shifted_sets(test.images, key, corruptions=corruptions, severities=severities):
        yield name, Examples(images, test.labels)


def evaluation_sets(
    data: StudyData, shifted: Iterable[tuple[str, Examples]], ood: Mapping[str, np.ndarray]
) -> dict[str, EvaluationSet]:
    """Validation and test set, shifted test sets, and out-of-distribution images, by the names that are judged."""
    sets = {"validation": EvaluationSet(*data.validation), "test": EvaluationSet(*data.test)}
    sets |= {f"shift/{name}": EvaluationSet(*examples) for name, examples in shifted}
    return sets | {f"ood/{name}": EvaluationSet(images, None) for name, images in ood.items()}


def study_of(
    config: ImageStudyConfig,
    data: StudyData,
    methods: tuple[Planned, ...],
    preprocess: Preprocess,
    corruptions: Sequence[str],
    shifted: Shifted,
    augment: Augment | None = None,
) -> Study:
    """The study of these methods on these data."""

    def sets(progress: Progress) -> Mapping[str, EvaluationSet]:
        total = len(corruptions) * len(config.severities)
        made = shifted(corruptions, config.severities)
        return evaluation_sets(data, progress.track(made, total=total, description="shifted test sets"), data.ood)

    return Study(
        name=config.study,
        folder=config.folder,
        data=data,
        methods=methods,
        members=config.members,
        preprocess=preprocess,
        evaluation_sets=sets,
        config=config,
        not_part=NOT_PART,
        augment=augment,
        execution=config.execution,
    )
