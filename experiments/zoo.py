"""Which cheap ensemble is an ensemble, and at what price? Every method's worth in networks, against what it costs.

The MNIST study, with every method of `be_jax.methods` that fits its network and some more BatchEnsembles: TabM's start
(one random r, the first layer's, and ones elsewhere), the last layers only, members that drop the same units, rank 4
with the start distance held, ensembles of 16, and fast weights trained alone around a trained network of the pool. What
a method is worth is the number of independent networks whose deep ensemble scores alike; what it costs is counted and
timed as `experiments.cost` does. The line of deep ensembles is the price of the real thing.

    python -m experiments.zoo                                                # 4,000 images that ship
    python -m experiments.zoo --preset full --data-dir ~/tensorflow_datasets # all 60,000 images: hours
    python -m experiments.zoo --method my_module:my_method                   # and a method of yours

A method of yours is a `be_jax.methods.Method`, a row as those of the table: the page of results shows one in ten lines,
the tutorial `experiments/notebooks/06_add_a_method.ipynb` makes one from nothing.
Ends as every study, and with `zoo.json`, three figures and a table to sort, `zoo.html`, in the run folder. Interrupt it
at any moment: the same command goes on from there.
"""

import dataclasses
import functools
import importlib
from pathlib import Path
from typing import Any, ClassVar

from be_jax.config import ConfigError, check
from be_jax.files import write_atomically
from be_jax.methods import TABLE, Method
from be_jax.results import StudyResult
from be_jax.run import conclude
from be_jax.stats import Equivalent, Judgement
from be_jax.stats.of_results import contrast, seeds_of
from be_jax.stats.study import of_folder
from be_jax.study import Study
from be_jax.study.progress import progress_bars
from experiments import command_line, mnist, small, zoo_report
from experiments.common import check_chosen, use_compilation_cache
from experiments.cost.measure import Settings, costs
from experiments.cost.subjects import Network
from experiments.image_study import parse_preset
from experiments.zoo_methods import VARIANTS

METHODS = (
    *("single", "copies", "single_wide", "mc_dropout", "batch_ensemble", "batch_ensemble_sign", "lora_ensemble"),
    *("last_layer", "masksembles", "full_rank", "packed", "snapshot"),
)


@dataclasses.dataclass(frozen=True)
class Config(mnist.Config):
    """What can be varied beside the study itself.

    Attributes:
      variants: BatchEnsembles beside those of `methods`.
      method: methods of your own, `module:name` each.
      rounds: of each timing; 0 counts and times nothing.
    """

    study: ClassVar[str] = "zoo"

    methods: tuple[str, ...] = METHODS
    variants: tuple[str, ...] = tuple(VARIANTS)
    method: tuple[str, ...] = ()
    rounds: int = 20

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self.model in ("mlp", "lenet"), "model", self.model, "'mlp' or 'lenet'")
        check({"single", "copies"} <= set(self.methods), "methods", self.methods, "with 'single' and 'copies'")
        if self.variants:
            check_chosen("variants", self.variants, tuple(VARIANTS))
        check(self.rounds >= 0, "rounds", self.rounds, "an integer >= 0")

    @property
    def rows(self) -> dict[str, Method]:
        """Every method by name."""
        users = [users_method(where) for where in self.method]
        rows = [TABLE[name] for name in self.methods] + [VARIANTS[name] for name in self.variants] + users
        return {row.name: row for row in rows}


def users_method(where: str) -> Method:
    """The method at `module:name`.

    Raises:
      ConfigError: there is none.
    """
    module, _, name = where.partition(":")
    try:
        row = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"method must be module:name, such as my_module:my_method; {where!r}: {error}") from error
    if not isinstance(row, Method):
        raise ConfigError(f"method {where!r} must be a be_jax.methods.Method; got {type(row).__name__}")
    return row


def make_study(config: Config) -> Study:
    """The MNIST study with every method."""
    study = mnist.make_study(dataclasses.replace(config, methods=("single", "copies")))
    planned = [mnist.build_method(config, row) for row in config.rows.values()]
    (single,) = (method for method in planned if method.name == "single")
    planned = [
        dataclasses.replace(method, start=single if method.train.trained == "fast" else None) for method in planned
    ]
    return dataclasses.replace(
        study, methods=tuple(planned), not_part=(*study.not_part, "variants", "method", "rounds")
    )


def costs_of(config: Config) -> dict[str, Any]:
    """Of each method, and of deep ensembles by size, as `experiments.cost` measures it, a step of the study's batch."""
    model = functools.partial(mnist.NETWORKS[config.model], dropout_rate=config.dropout_rate)
    network = Network(model, (28, 28, 1))
    sizes = {f"deep_ensemble_{size}": (TABLE["deep_ensemble"], size) for size in (2, 4, 8)}
    subjects = {name: (row, config.members) for name, row in config.rows.items()} | sizes
    found = {}
    with progress_bars() as progress:
        for name, (row, members) in progress.track(subjects.items(), description="measuring costs"):
            settings = Settings(members, config.train.batch_size, config.rounds > 0, max(config.rounds, 1))
            found[name] = dataclasses.asdict(costs(config.model, network, row, "float32", settings))
    return found


def against(folder: Path, result: StudyResult, other: str) -> dict[str, Any]:
    """Of each method its scaled test NLL less another's, over seeds and test examples; nothing without the other."""
    seeds = seeds_of(result)
    if other not in seeds:
        return {}
    of = of_folder(folder, other, seeds[other], {"test"})
    return {
        name: contrast(of_folder(folder, name, seeds[name], {"test"}), of, "test", "nll_scaled")._asdict()
        for name in seeds
        if name != other
    }


def record_of(config: Config, judgement: Judgement, result: StudyResult) -> dict[str, Any]:
    """Worth and cost of every method, its NLL less that of BatchEnsemble N(1, 0.5), and the judgement's words on it."""
    worth: dict[str, dict[str, Equivalent]] = {each.name: dict(each.equivalents) for each in judgement.methods}
    return small.record(
        "zoo",
        config,
        result.data,
        labels={name: row.label_of(dataclasses.asdict(config)) for name, row in config.rows.items()},
        styles={name: row.style._asdict() for name, row in config.rows.items()},
        equivalents={name: {k: dataclasses.asdict(v) for k, v in of.items()} for name, of in worth.items()},
        against_batch_ensemble=against(config.folder, result, "batch_ensemble"),
        costs=costs_of(config),
        **small.told(judgement),
    )


def main() -> None:
    config: Config = parse_preset(PRESETS, None, __doc__)
    use_compilation_cache()
    result, judgement = conclude(make_study(config), "experiments.zoo", weights=False, shift_equivalents=True)
    if judgement is None:
        raise ConfigError("a zoo is judged against deep ensembles: its pool needs more networks than members")
    record = record_of(config, judgement, result)
    write_atomically(config.folder / "zoo.html", zoo_report.to_html(record))
    small.reported(record, config.folder, zoo_report)


PRESETS = {
    name: Config(
        **{field.name: getattr(preset, field.name) for field in dataclasses.fields(preset)} | {"methods": METHODS}
    )
    for name, preset in mnist.PRESETS.items()
    if name != "published"
}

if __name__ == "__main__":
    command_line.run(main)
