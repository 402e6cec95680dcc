"""Which cheap ensemble is an ensemble, and at what price? Every method's worth in networks, against what it costs.

The MNIST study, or that of CIFAR-10, with every method of `be_jax.methods` that fits its network, and on MNIST some
more BatchEnsembles: TabM's start (one random r, the first layer's, and ones elsewhere), the last layers only, members
that drop the same units, rank 4 with the start distance held, ensembles of 16, and fast weights trained alone around a
trained network of the pool. A control of TabM's start has its fast weights held as drawn: one network. What a method is
worth is the number of independent networks whose deep ensemble scores alike; what it costs is counted and timed as
`experiments.cost` does. The line of deep ensembles is the price of the real thing.

    python -m experiments.zoo                                                   # 4,000 images that ship
    python -m experiments.zoo --preset full --data-dir ~/tensorflow_datasets    # all 60,000 images: hours
    python -m experiments.zoo --preset lenet --data-dir ~/tensorflow_datasets   # LeNet on these: hours
    python -m experiments.zoo --preset cifar10 --data-dir ~/tensorflow_datasets # ResNet-8 on CIFAR-10: hours
    python -m experiments.zoo --method my_module:my_method                      # and a method of yours

A method of yours is a `be_jax.methods.Method`, a row as those of the table: the page of results shows one in ten lines,
the tutorial `experiments/notebooks/06_add_a_method.ipynb` makes one from nothing.
Ends as every study, and with a JSON file, three figures and a table to sort, `zoo.html`, in the run folder. Interrupt
it at any moment: the same command goes on from there. In the folder of a finished study (`--out`) it trains the rest.
"""

import dataclasses
from pathlib import Path
from typing import Any

from be_jax import deep_ensemble
from be_jax.config import ConfigError
from be_jax.files import write_atomically
from be_jax.results import StudyResult
from be_jax.run import conclude
from be_jax.stats import Equivalent, Judgement
from be_jax.stats.of_results import contrast, seeds_of
from be_jax.stats.study import of_folder
from be_jax.study import Study
from be_jax.study.progress import progress_bars
from experiments import cifar10, command_line, mnist, small, zoo_report
from experiments.common import use_compilation_cache
from experiments.cost.measure import SGD, Settings, measured
from experiments.image_study import parse_preset
from experiments.members_alone import members_alone
from experiments.zoo_config import NOT_PART, PRESETS, Cifar10, Config


def make_study(config: Config | Cifar10) -> Study:
    """The study with every method."""
    of: Any = cifar10 if isinstance(config, Cifar10) else mnist
    study = of.make_study(dataclasses.replace(config, methods=("single", "copies")))
    planned = [of.build_method(config, row) for row in config.rows.values()]
    (single,) = (method for method in planned if method.name == "single")
    planned = [
        dataclasses.replace(method, start=single if method.train.trained == "fast" else None) for method in planned
    ]
    return dataclasses.replace(study, methods=tuple(planned), not_part=(*study.not_part, *NOT_PART))


def costs_of(config: Config | Cifar10, study: Study) -> dict[str, Any]:
    """Of each method, and of deep ensembles by size, as `experiments.cost` measures it, a step of the study's batch."""
    model = next(method.ensemble.model for method in study.methods if method.name == "single")
    built = {name: next(method.ensemble for method in study.methods if method.name == name) for name in config.rows}
    built |= {f"deep_ensemble_{size}": deep_ensemble(model, size) for size in (2, 4, 8)}
    settings = Settings(config.members, config.train.batch_size, config.rounds > 0, max(config.rounds, 1))
    found, shape = {}, study.data.train.images.shape[1:]
    with progress_bars() as progress:
        for name, ensemble in progress.track(built.items(), description="measuring costs"):
            train = config.rows[name].trained_with(SGD) if name in config.rows else SGD
            names = (type(model).__name__, name, "float32")
            found[name] = dataclasses.asdict(measured(ensemble, names, shape, train, settings))
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


def record_of(config: Config | Cifar10, study: Study, judgement: Judgement, result: StudyResult) -> dict[str, Any]:
    """Worth and cost of every method, where its members stand alone, its NLL less that of BatchEnsemble N(1, 0.5), and
    the judgement's words on it."""
    worth: dict[str, dict[str, Equivalent]] = {each.name: dict(each.equivalents) for each in judgement.methods}
    found = small.record(
        "zoo",
        config,
        result.data,
        labels={name: row.label_of(dataclasses.asdict(config)) for name, row in config.rows.items()},
        styles={name: row.style._asdict() for name, row in config.rows.items()},
        equivalents={name: {k: dataclasses.asdict(v) for k, v in of.items()} for name, of in worth.items()},
        alone=members_alone(config.folder, result),
        against_batch_ensemble=against(config.folder, result, "batch_ensemble"),
        costs=costs_of(config, study),
        **small.told(judgement),
    )
    return found | {"experiment": config.name}


def main() -> None:
    config: Config | Cifar10 = parse_preset(PRESETS, None, __doc__)
    use_compilation_cache()
    study = make_study(config)
    result, judgement = conclude(study, "experiments.zoo", weights=False, shift_equivalents=True)
    if judgement is None:
        raise ConfigError("a zoo is judged against deep ensembles: its pool needs more networks than members")
    record = record_of(config, study, judgement, result)
    write_atomically(config.folder / "zoo.html", zoo_report.to_html(record))
    small.reported(record, config.folder, zoo_report)


if __name__ == "__main__":
    command_line.run(main)
