"""Small studies on MNIST: the network, data and controls that the ablation and its kin share, and how they are judged.

Of each training size the images are drawn once, stratified by class: all networks of a study see the same ones, and
intervals are over networks, seeds and test images.
"""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

import numpy as np
import rich
import tyro
from matplotlib.figure import Figure

from be_jax import methods, models
from be_jax.config import TrainConfig, check
from be_jax.data import Examples, StudyData, subset
from be_jax.files import replacing, seed_folder, write_atomically
from be_jax.results import StudyResult
from be_jax.run import conclude
from be_jax.stats import Endpoint, JudgeConfig, Judgement, MethodJudgement
from be_jax.stats.config import FUNCTIONS, QUALITY
from be_jax.stats.config import OOD as OOD_MEAN
from be_jax.stats.judgement import as_json
from be_jax.study import Execution, Planned, Study, provenance
from experiments import common, mnist
from experiments.common import POOL_SEEDS_BELOW
from experiments.image_study import evaluation_sets

VALIDATION, OOD = 2000, 2000
"""The most images of these sets that are used."""


def _unshifted(endpoints: tuple[Endpoint, ...]) -> tuple[Endpoint, ...]:
    return tuple(endpoint for endpoint in endpoints if endpoint.set_name != "shift")


JUDGE = JudgeConfig(quality=_unshifted(QUALITY), functions=_unshifted(FUNCTIONS))
"""As every study, but for shifted sets, which these do not have."""


@dataclasses.dataclass(frozen=True)
class Config:
    """What small studies share.

    Attributes:
      data: "embedded" (4,000 real MNIST images that ship with a dependency; OOD: drawn letters) or "tfds" (all of
        MNIST; OOD: Fashion-MNIST).
      data_dir: TFDS folder, for "tfds".
      seeds: of every method but `single`, one run for each.
      pool_size: number of independent networks, from which the deep ensembles are made.
      members: m, of all ensembles.
      width: of every hidden layer of the MLP, of the MNIST study's.
      dropout_rate: in training of every network.
      train: the training protocol.
      out: folder of the runs.
      execution: where and how runs are trained.
    """

    data: Literal["embedded", "tfds"] = "embedded"
    data_dir: Path | None = None
    seeds: tuple[int, ...] = tuple(range(POOL_SEEDS_BELOW, POOL_SEEDS_BELOW + 10))
    pool_size: int = 20
    members: int = 4
    width: float = 1.0
    dropout_rate: float = 0.05
    train: TrainConfig = dataclasses.field(default_factory=TrainConfig)
    out: Path | None = None
    execution: Annotated[Execution, tyro.conf.arg(name="")] = dataclasses.field(default_factory=Execution)

    def __post_init__(self) -> None:
        check(self.members >= 2, "members", self.members, "an integer >= 2")
        enough = self.pool_size > self.members
        check(enough, "pool_size", self.pool_size, f"more than members={self.members}: deep ensembles are made of it")
        common.check_seeds(self.seeds, self.pool_size)
        check(self.width > 0, "width", self.width, "a number > 0")

    @property
    def model(self) -> models.MLP:
        """For one member."""
        return models.widen(models.MLP(dropout_rate=self.dropout_rate), self.width)  # type: ignore[return-value]


NOT_PART = ("data_dir", "seeds", "pool_size", "out", "execution")
"""Fields that do not determine the numbers of a run."""


def load(config: Config, size: int | None = None) -> StudyData:
    """The data with `size` training images, drawn with the same share of each class; all of them where not given.

    Raises:
      ConfigError: there are not as many.
    """
    data = mnist.load_data(mnist.Config(data=config.data, data_dir=config.data_dir))
    available = len(data.train.labels)
    size = available if size is None else size
    check(1 <= size <= available, "size", size, f"an integer >= 1, at most {available}, the training images there are")
    data = subset(data, train=size, ood=OOD)
    return dataclasses.replace(data, validation=Examples(*(array[:VALIDATION] for array in data.validation)))


def repeated(data: StudyData, at_least: int) -> StudyData:
    """Fewer training images are repeated until there are so many: an epoch then has as many steps at every size."""
    count = len(data.train.labels)
    rows = np.arange(max(count, at_least)) % count
    return dataclasses.replace(data, train=Examples(*(array[rows] for array in data.train)))


def planned(config: Config, name: str, train: TrainConfig | None = None) -> Planned:
    """A method of the table, trained by this protocol, or by the configuration's."""
    options = methods.Options(members=config.members, input_shape=(28, 28, 1))
    seeds = tuple(range(config.pool_size)) if name == "single" else config.seeds
    return common.planned(methods.find(name), config.model, options, train or config.train, seeds)


def study(
    name: str,
    config: Config,
    folder: Path,
    data: StudyData,
    planned_methods: tuple[Planned, ...],
    not_part: tuple[str, ...] = NOT_PART,
) -> Study:
    """A study of these methods on these data, predicted on validation, test and out-of-distribution images."""

    return Study(
        name,
        folder,
        data,
        planned_methods,
        config.members,
        mnist.preprocess,
        lambda _: evaluation_sets(data, (), data.ood),
        config,
        not_part,
        execution=config.execution,
    )


def finished(study: Study) -> StudyResult | None:
    """The result in the study's folder, where it has every run and none of their folders was taken away.

    Raises:
      RunError: the folder holds other runs.
    """
    study.check()
    path = study.folder / "results.json"
    if not path.exists():
        return None
    result = StudyResult.load(path)
    wanted = {(method.name, seed) for method in study.methods for seed in method.seeds}
    there = all(seed_folder(study.folder / name, seed).exists() for name, seed in wanted)
    return result if there and {(run.method, run.seed) for run in result.runs} == wanted else None


def judged(study: Study, module: str) -> tuple[StudyResult, Judgement]:
    """A study's result and judgement, from its folder where it is finished and from nothing otherwise."""
    result, path = finished(study), study.folder / "verdicts.json"
    if result and path.exists() and (known := Judgement.load(path)).config == JUDGE:
        return result, known
    result, judgement = conclude(study, module, JUDGE, weights=False)
    if judgement is None:
        raise ValueError(f"{study.folder} was not judged: a judgement needs a pool and a method that did not diverge")
    return result, judgement


def told(judgement: Judgement) -> dict[str, Any]:
    """What a committed file keeps of a judgement: its controls, and of each method why it is not judged, or its rows.

    Where a control failed there are no rows.
    """
    failed = "; ".join(f"{control.name}: {control.reason}" for control in judgement.failed)
    kept = {
        "controls": {
            each.name: {"expected": each.expected, "passed": each.passed, **dataclasses.asdict(each.position)}
            for each in judgement.controls
        },
        "failed": failed,
        "units": {each.name: each.units for each in judgement.methods},
        "undertrained": {each.name: each.undertrained for each in judgement.methods if each.undertrained},
        "methods": {} if failed else {each.name: rows_of(each) for each in judgement.methods},
    }
    return as_json(kept)  # type: ignore[no-any-return]


def rows_of(method: MethodJudgement) -> dict[str, Any]:
    """At each endpoint a method's position with its interval, and the means that it is made of."""
    return {
        str(row.endpoint): {
            **dataclasses.asdict(row.position),
            "method": row.method,
            "single": row.single,
            "deep_ensemble": row.deep_ensemble,
            "at_start": row.at_start,
            "reason": row.reason,
        }
        for row in method.rows
        if row.endpoint.set_name in ("test", "shift", OOD_MEAN)
    }


def settings(config: Any) -> dict[str, Any]:
    """The fields of a configuration that say what was computed, JSON-compatible."""
    left_out = ("data_dir", "out", "execution")
    return as_json({name: value for name, value in dataclasses.asdict(config).items() if name not in left_out})  # type: ignore[no-any-return]


def record(experiment: str, config: Any, data: str, **found: Any) -> dict[str, Any]:
    """What an experiment of several studies commits: what was found, and how."""
    made = provenance(f"experiments.{experiment}")
    return as_json({"experiment": experiment, "data": data, "config": settings(config), "provenance": made, **found})  # type: ignore[no-any-return]


def save(record: Mapping[str, Any], folder: Path, figures: Mapping[str, Figure]) -> None:
    """Writes `<experiment>.json` and the figures `<name>.png` to the run folder: what `experiments.pages` commits."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{record['experiment']}.json"
    write_atomically(path, to_json(record))
    for name, figure in figures.items():
        with replacing(folder / f"{name}.png") as file:
            figure.savefig(file, dpi=110)
    rich.print(f"result: {path}")


class Report(Protocol):
    """A module that makes a record's figures and page."""

    def draw(self, record: Mapping[str, Any], /) -> Mapping[str, Figure]: ...
    def to_markdown(self, record: Mapping[str, Any], /) -> str: ...


def reported(record: Mapping[str, Any], folder: Path, report: Report) -> None:
    """Saves a record with its figures, and prints its page."""
    save(record, folder, report.draw(record))
    rich.print(report.to_markdown(record))


def to_json(record: Mapping[str, Any]) -> str:
    """JSON with a line for each entry of its lists."""
    parts = []
    for name, value in record.items():
        if isinstance(value, list):
            shown = "[\n" + ",\n".join(f"  {json.dumps(each)}" for each in value) + "\n ]"
        else:
            shown = json.dumps(value)
        parts.append(f" {json.dumps(name)}: {shown}")
    return "{\n" + ",\n".join(parts) + "\n}\n"
