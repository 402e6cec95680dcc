"""Ablation: which choice, if any, makes a BatchEnsemble an ensemble, and at what price in accuracy?

Starts from the MNIST study's BatchEnsemble (N(1, 0.5) fast weights, rank 1, 4 members) and varies one switch at a time:
the start of r and s, what the members see at a step, the reduction of the loss, a repulsive term in it, the learning
rate and decay of the fast weights, the rank up to a full mask, and the number of members. Two rows vary the deep
ensemble instead: as one mean over members, and with the same batches for all. Everything is compared with single
networks and with deep ensembles of as many members. Batch normalisation, which the MLP has not, is varied on a LeNet,
compared with single LeNets and deep ensembles of them.

    python -m experiments.ablation                            # 4,000 embedded images
    python -m experiments.ablation --out experiments/results  # the committed figure

Ends with `ablation.json`, `ablation.png` and `ablation.md` in the output folder. Interrupt it at any moment: what was
finished is not trained again.
"""

import dataclasses
import re
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import rich
import tyro
from rich.progress import Progress

from be_jax import Ensemble, batch_ensemble, deep_ensemble, fast_init, models, single
from be_jax.config import TrainConfig, check
from be_jax.construct import full_rank
from be_jax.data import StudyData
from be_jax.report.methods import DEEP_ENSEMBLE, SINGLE
from be_jax.results import RunRecord, StudyResult
from be_jax.runs import exclusive
from be_jax.stats.config import MIN_UNITS
from be_jax.study import provenance
from be_jax.study.progress import progress_bars
from experiments import command_line, mnist
from experiments.ablation_figures import draw, to_markdown
from experiments.common import use_compilation_cache
from experiments.recovery import (
    Evaluation,
    draw_data,
    load_or_make,
    make_evaluation,
    save_record,
    summary_of,
    train_and_score,
)
from experiments.together import SeedData

REFERENCE_STD = 0.5
MLP, LENET = "MLP", "LeNet"


@dataclasses.dataclass(frozen=True)
class Config:
    """What the switches start from, and the values that they take.

    Attributes:
      data: "embedded" (4,000 real MNIST images that ship with a dependency; OOD: drawn letters) or "tfds" (all of
        MNIST; OOD: Fashion-MNIST).
      data_dir: TFDS folder, for "tfds".
      seeds: one run of each setting for each; at least 3, as the intervals need so many.
      members: m, where it is not varied.
      dropout_rate: in training of every network.
      train: the training protocol, where it is not varied; members of a deep ensemble see batches in orders of their
        own.
      lenet_train: of the LeNet, which takes longer on a CPU and fewer epochs.
      repulsions: weights of the repulsive term of the loss.
      init_stds: of r, s ~ N(1, std^2), beside 0.5.
      fast_learning_rates: multipliers of the fast weights' learning rate.
      fast_weight_decays: of r and s.
      ranks: of the fast weights; a full mask is trained beside them.
      other_members: numbers of members.
      folder: where the result of each program is kept as it is finished; `runs/ablation_<data>` where not given.
      out: folder of the table and the figure; `folder` where it is not given.
    """

    data: Literal["embedded", "tfds"] = "embedded"
    data_dir: Path | None = None
    seeds: tuple[int, ...] = (42, 69, 123, 456, 789)
    members: int = 4
    dropout_rate: float = 0.05
    train: TrainConfig = dataclasses.field(default_factory=TrainConfig)
    lenet_train: TrainConfig = dataclasses.field(default_factory=lambda: TrainConfig(epochs=20, milestones=(10, 15)))
    repulsions: tuple[float, ...] = (1.0, 10.0)
    init_stds: tuple[float, ...] = (0.0, 0.1, 0.25, 1.0)
    fast_learning_rates: tuple[float, ...] = (0.1, 0.5, 10.0)
    fast_weight_decays: tuple[float, ...] = (1e-4,)
    ranks: tuple[int, ...] = (2, 4)
    other_members: tuple[int, ...] = (2, 8, 16)
    folder: Path | None = None
    out: Path | None = None

    def __post_init__(self) -> None:
        enough = len(set(self.seeds)) == len(self.seeds) >= MIN_UNITS and min(self.seeds) >= 0
        check(enough, "seeds", self.seeds, f"at least {MIN_UNITS} different integers >= 0: an interval needs so many")
        check(REFERENCE_STD not in self.init_stds, "init_stds", self.init_stds, f"others than {REFERENCE_STD:g}")
        several = all(m >= 2 and m != self.members for m in self.other_members)
        check(several, "other_members", self.other_members, f"integers >= 2 other than members={self.members}")

    @property
    def results_folder(self) -> Path:
        return self.folder or Path("runs") / f"ablation_{self.data}"

    @property
    def model(self) -> models.MLP:
        return models.MLP(dropout_rate=self.dropout_rate)


class Program(NamedTuple):
    """Settings that are trained in one program: ensembles of one structure by value of the switch, and their protocol.

    `switch` is "single" or "deep_ensemble" for what the others are compared with.
    """

    switch: str
    ensembles: Mapping[str, Ensemble]
    train: TrainConfig
    network: str = MLP

    @property
    def members(self) -> int:
        return next(iter(self.ensembles.values())).members

    @property
    def file_name(self) -> str:
        """Of its result: no two programs begin with the same value of the same switch."""
        first, *_ = self.ensembles
        return re.sub(r"[^\w.]+", "_", f"{self.network} {self.switch} {first}") + ".json"


def programs(config: Config) -> list[Program]:
    """All settings, in the order of the table, those of each network after what they are compared with."""
    return [*of_mlp(config), *of_lenet(config)]


def of_mlp(config: Config) -> list[Program]:
    """Every switch but batch normalisation."""
    model, m, train = config.model, config.members, config.train
    reference = batch_ensemble(model, m, init=fast_init.normal(REFERENCE_STD))
    alone = dataclasses.replace(train, batch_mode="independent")

    def with_train(switch: str, field: str, *values: Any) -> list[Program]:
        return [Program(switch, {f"{v}": reference}, dataclasses.replace(train, **{field: v})) for v in values]

    ranks = {f"{rank}": batch_ensemble(model, m, rank, fast_init.normal(REFERENCE_STD)) for rank in config.ranks}
    ranks["full"] = full_rank(model, m, fast_init.normal(REFERENCE_STD))
    sizes = {n: batch_ensemble(model, n, init=fast_init.normal(REFERENCE_STD)) for n in config.other_members}
    deep = deep_ensemble(model, m)
    return [
        Program(SINGLE, {SINGLE: single(model)}, train),
        *(Program(DEEP_ENSEMBLE, {f"{n}": deep_ensemble(model, n)}, alone) for n in (m, *config.other_members)),
        Program("start of r, s", starts(config), train),
        *with_train("batches of members", "batch_mode", "split", "independent"),
        *with_train("loss over members", "gradient_rule", "mean"),
        *with_train("repulsive term x", "repulsion", *config.repulsions),
        *with_train("fast learning rate x", "fast_learning_rate_multiplier", *config.fast_learning_rates),
        *with_train("decay of r, s", "fast_weight_decay", *config.fast_weight_decays),
        *(Program("rank", {value: ensemble}, train) for value, ensemble in ranks.items()),
        *(Program("members", {f"{n}": ensemble}, train) for n, ensemble in sizes.items()),
        Program("deep ensemble with", {"mean loss": deep}, dataclasses.replace(alone, gradient_rule="mean")),
        Program("deep ensemble with", {"same batches": deep}, dataclasses.replace(train, batch_mode="repeat")),
    ]


def of_lenet(config: Config) -> list[Program]:
    """Batch statistics over all members' examples together, or over each member's own."""
    model, m, train = models.LeNet(), config.members, config.lenet_train
    alone = dataclasses.replace(train, batch_mode="independent")
    build = partial(batch_ensemble, model, m, init=fast_init.normal(REFERENCE_STD))
    return [
        Program(SINGLE, {SINGLE: single(model)}, train, LENET),
        Program(DEEP_ENSEMBLE, {f"{m}": deep_ensemble(model, m)}, alone, LENET),
        Program("batch statistics", {"shared": build(norm="shared")}, train, LENET),
        Program("batch statistics", {"per member": build(norm="per_member")}, train, LENET),
    ]


def starts(config: Config) -> dict[str, Ensemble]:
    """BatchEnsembles by start; the first is the reference, from which every other switch is varied."""
    normals = {f"N(1, {std:g})": fast_init.normal(std) for std in (REFERENCE_STD, *config.init_stds)}
    reference, ones = fast_init.normal(REFERENCE_STD), fast_init.ones()
    pairs = {
        **{name: (init, init) for name, init in normals.items()},
        "random signs": (fast_init.random_sign(), fast_init.random_sign()),
        f"N(1, {REFERENCE_STD:g}) for r, s = 1": (reference, ones),
        f"N(1, {REFERENCE_STD:g}) for s, r = 1": (ones, reference),
    }
    return {
        name: batch_ensemble(config.model, config.members, init=init_r, init_s=init_s)
        for name, (init_r, init_s) in pairs.items()
    }


def run_program(
    config: Config, program: Program, data: StudyData, images: SeedData, evaluation: Evaluation, progress: Progress
) -> StudyResult:
    """The result of one program, trained where it is not in the folder yet."""
    settings = {
        "data": data.describe(),
        "network": program.network,
        "switch": program.switch,
        "values": list(program.ensembles),
        "seeds": config.seeds,
        "dropout_rate": config.dropout_rate if program.network == MLP else 0.0,
        "members": program.members,
        "train": dataclasses.asdict(program.train),
    }

    def make() -> StudyResult:
        started = time.monotonic()
        groups = [config.seeds] if program.network == MLP else [(seed,) for seed in config.seeds]
        name = f"{program.network}, {program.switch} {', '.join(program.ensembles)}"
        task = progress.add_task(name, total=len(groups) * program.train.epochs)
        records: list[RunRecord] = []
        for seeds in groups:
            own = images.of([config.seeds.index(seed) for seed in seeds])
            on_epoch = partial(progress.advance, task)
            records += train_and_score(program.ensembles, program.train, seeds, own, evaluation, on_epoch)
            progress.update(task, completed=len({r.seed for r in records}) * program.train.epochs)
        made = {**provenance("experiments.ablation"), "seconds": round(time.monotonic() - started)}
        return StudyResult("ablation", data.describe(), settings, made, tuple(records))

    return load_or_make(config.results_folder / program.file_name, settings, make)


def compared(result: StudyResult, single_network: StudyResult, deep: StudyResult) -> StudyResult:
    """One study of a program's settings, the single network and a deep ensemble."""
    own = () if result is single_network else result.runs
    deep_runs = (dataclasses.replace(run, method=DEEP_ENSEMBLE) for run in deep.runs)
    return dataclasses.replace(result, runs=(*own, *single_network.runs, *deep_runs))


def rows_of(config: Config, plan: Sequence[Program], results: Sequence[StudyResult]) -> list[dict[str, Any]]:
    """A record for each setting, compared with the deep ensemble of as many members."""
    pairs = list(zip(plan, results, strict=True))
    alone = {program.network: result for program, result in pairs if program.switch == SINGLE}
    deep = {(program.network, program.members): result for program, result in pairs if program.switch == DEEP_ENSEMBLE}
    rows = []
    for program, result in pairs:
        network = program.network
        reference = deep.get((network, program.members), deep[network, config.members])
        study = compared(result, alone[network], reference)
        for value in program.ensembles:
            about = {"network": network, "switch": program.switch, "value": value, "members": program.members}
            rows.append(about | summary_of(study, value))
    return rows


def run(config: Config) -> dict[str, Any]:
    """The record of the ablation: each setting's scores, and what it recovers of the deep ensemble."""
    data = mnist.load_data(mnist.Config(data=config.data, data_dir=config.data_dir))
    count = len(data.train.labels)
    images, evaluation = draw_data(data, count, count, config.seeds), make_evaluation(data)
    plan = programs(config)
    with exclusive(config.results_folder), progress_bars() as progress:
        whole = progress.add_task("all settings", total=len(plan))
        results = []
        for program in plan:
            results.append(run_program(config, program, data, images, evaluation, progress))
            progress.advance(whole)
    settings = {k: v for k, v in dataclasses.asdict(config).items() if k not in ("data_dir", "folder", "out")}
    made = {**provenance("experiments.ablation"), "seconds": sum(result.provenance["seconds"] for result in results)}
    return {
        "experiment": "ablation",
        "data": data.describe(),
        "config": settings,
        "provenance": made,
        "settings": rows_of(config, plan, results),
    }


def main() -> None:
    config = tyro.cli(Config, description=__doc__)
    use_compilation_cache()
    record = run(config)
    folder = config.out or config.results_folder
    save_record(record, "settings", folder, draw(record), to_markdown(record))
    rich.print(f"{record['provenance']['seconds']} s; {folder}/ablation.json, ablation.png, ablation.md")


if __name__ == "__main__":
    command_line.run(main, interrupted="interrupted: the same command goes on after the settings that are finished")
