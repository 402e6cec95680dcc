"""A dry run of the CIFAR-10 experiment: what it would compute and keep in memory, with neither its data nor a GPU.

    python -m experiments.bench.dry_run                 # the preset `paper`
    python -m experiments.bench.dry_run --preset cpu

For every method, the training step and the prediction of one chunk of images are, at the shapes that one device would
run them at, compiled for this machine and exported for CUDA and TPU; and two steps are taken on a few images of noise.
The deep ensembles have no column: they are made of the networks of `single`.

FLOPs and bytes are XLA's count (`be_jax.cost.count`). Memory is that of the program compiled for this machine. Its
arguments hold the training images and labels, the weights, statistics and optimiser; a compiler for GPU or TPU will
choose other temporaries.
"""

import dataclasses
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import rich
import tyro
from rich.progress import track
from rich.table import Table

from be_jax import methods
from be_jax.batches import epoch_order
from be_jax.config import check
from be_jax.cost import compiled, count
from be_jax.data import crop_and_flip
from be_jax.ensemble import Variables
from be_jax.evaluate import CHUNK
from be_jax.files import write_atomically
from be_jax.keys import Purpose, key_for
from be_jax.steps import count_parameters
from be_jax.study import Planned, provenance
from be_jax.train import Trainer, make_trainer
from experiments import cifar10, command_line

TRAIN_AND_VALIDATION = 50_000
PLATFORMS = ("cuda", "tpu")
QUICKLY = {"xla_backend_optimization_level": 0}
"""Options with which a program that runs once compiles ten times faster."""


@dataclasses.dataclass(frozen=True)
class Config:
    """Attributes:
    preset: of `experiments.cifar10`.
    images: in each of the two steps that are taken, for each member.
    out: where to write the result as JSON; nowhere where it is not given.
    """

    preset: Literal["paper", "cpu", "smoke"] = "paper"
    images: int = 4
    out: Path | None = None

    def __post_init__(self) -> None:
        check(self.images >= 1, "images", self.images, "an integer >= 1")


@dataclasses.dataclass(frozen=True)
class Program:
    """What a program would compute, and the memory that it takes, in bytes; see above.

    Attributes:
      flops: floating-point operations.
      bytes_accessed: read and written, if nothing is fused.
      arguments: what it is given.
      outputs: what it returns, less what it writes over its arguments.
      temporaries: what it needs in between.
      exported: size of the exported program, for each platform.
    """

    flops: float
    bytes_accessed: float
    arguments: int
    outputs: int
    temporaries: int
    exported: Mapping[str, int]


@dataclasses.dataclass(frozen=True)
class DryRun:
    """One method.

    Attributes:
      parameters: trained numbers, over all members.
      step: of training.
      prediction: of one chunk of images, by all members.
      losses: of two steps on noise, in nats, mean over members.
      runs: networks or ensembles to train.
      steps: of each run.
      flops: of the training of all runs, with a pass over the validation images after every epoch.
    """

    parameters: int
    step: Program
    prediction: Program
    losses: tuple[float, float]
    runs: int
    steps: int
    flops: float


def dry_run(study: cifar10.Config, name: str, images: int) -> DryRun:
    """The dry run of one method of `study`, with two steps on `images` images each."""
    method = cifar10.build_method(study, methods.find(name))
    examples = study.train_size or TRAIN_AND_VALIDATION - study.validation_size
    trainer = trainer_of(method, examples)
    seed, order = shaped(dtype=jnp.uint32), jax.eval_shape(lambda: epoch_order_of(method, examples))
    state = jax.eval_shape(trainer.init, seed, stored(1)).train
    data = stored(examples), shaped(examples)
    step = inspect(trainer.step, seed, shaped(), state, *data, shaped(*order.shape[1:]), donate=(2,))
    prediction = inspect(prediction_of(method), state.variables, stored(CHUNK), seed)
    runs, steps_per_epoch = len(method.seeds), len(order)
    flops_per_epoch = steps_per_epoch * step.flops + study.validation_size / CHUNK * prediction.flops
    return DryRun(
        parameters=count_parameters(state.variables),
        step=step,
        prediction=prediction,
        losses=take_two_steps(method, images),
        runs=runs,
        steps=method.train.epochs * steps_per_epoch,
        flops=runs * method.train.epochs * flops_per_epoch,
    )


def trainer_of(method: Planned, examples: int) -> Trainer:
    """As `cifar10.run` has it, on one device."""
    return make_trainer(method.ensemble, method.train, examples, cifar10.preprocess, augment=crop_and_flip)


def epoch_order_of(method: Planned, examples: int) -> jax.Array:
    """Rows of the training images that each step of the first epoch sees: `[steps, ...]`."""
    steps = examples // method.train.batch_size
    return epoch_order(key_for(0, Purpose.ORDER), examples, steps, method.ensemble.train_members, method.train)


def prediction_of(method: Planned) -> Callable[[Variables, jax.Array, jax.Array], jax.Array]:
    """Log-probabilities as a function of variables, stored images and seed."""
    return lambda variables, images, seed: method.ensemble.predict(
        variables, cifar10.preprocess(images), key_for(seed, Purpose.PREDICT)
    )


def inspect(function: Callable[..., Any], *args: Any, donate: tuple[int, ...] = ()) -> Program:
    """Compiles and exports `function` for arguments of these shapes; runs nothing."""
    jitted = jax.jit(function, donate_argnums=donate)
    exported = {p: jax.export.export(jitted, platforms=[p])(*args) for p in PLATFORMS}
    return Program(
        **count(function, *args)._asdict(),
        **dataclasses.asdict(compiled(function, *args, donate=donate).memory),
        exported={platform: len(program.mlir_module_serialized) for platform, program in exported.items()},
    )


def take_two_steps(method: Planned, images: int) -> tuple[float, float]:
    """The losses of two steps on noise.

    Raises:
      FloatingPointError: one of them is not finite.
    """
    method = dataclasses.replace(method, train=dataclasses.replace(method.train, batch_size=images))
    trainer, seed = trainer_of(method, 2 * images), jnp.uint32(0)
    noise = jax.random.bits(jax.random.key(0), stored(2 * images).shape, jnp.uint8)
    labels = jnp.arange(2 * images) % 10
    first, second = epoch_order_of(method, 2 * images)
    init, step = (jax.jit(f, compiler_options=QUICKLY) for f in (trainer.init, trainer.step))
    state, loss = step(seed, jnp.int32(0), init(seed, noise[:1]).train, noise, labels, first)
    _, next_loss = step(seed, jnp.int32(1), state, noise, labels, second)
    losses = float(loss), float(next_loss)
    if not all(map(math.isfinite, losses)):
        raise FloatingPointError(f"{method.name}: the losses of two steps are {losses}")
    return losses


def stored(count: int) -> jax.ShapeDtypeStruct:
    """So many images, as data sets keep them."""
    return shaped(count, 32, 32, 3, dtype=jnp.uint8)


def shaped(*shape: int, dtype: Any = jnp.int32) -> jax.ShapeDtypeStruct:
    """An array that is not there."""
    return jax.ShapeDtypeStruct(shape, dtype)


def print_table(title: str, runs: Mapping[str, DryRun]) -> None:
    table = Table("", *runs, title=title)
    figures = [figures_of(run) for run in runs.values()]
    for label in figures[0]:
        table.add_row(label, *(of_run[label] for of_run in figures))
    rich.print(table)


def figures_of(run: DryRun) -> dict[str, str]:
    return {
        "parameters": f"{run.parameters:,}",
        **{f"step: {label}": value for label, value in figures_of_program(run.step).items()},
        **{f"{CHUNK:,} predictions: {label}": value for label, value in figures_of_program(run.prediction).items()},
        "losses of two steps": f"{run.losses[0]:.2f}, {run.losses[1]:.2f}",
        "runs x steps": f"{run.runs} x {run.steps:,}",
        "training: EFLOPs": f"{run.flops / 1e18:,.3g}",
    }


def figures_of_program(program: Program) -> dict[str, str]:
    return {
        "GFLOPs": f"{program.flops / 1e9:,.1f}",
        "GB, unfused": f"{program.bytes_accessed / 1e9:,.1f}",
        "arguments, MB": f"{program.arguments / 1e6:,.0f}",
        "temporaries, MB": f"{program.temporaries / 1e6:,.0f}",
        **{f"for {platform}, kB": f"{size / 1e3:,.0f}" for platform, size in program.exported.items()},
    }


def main() -> None:
    config = tyro.cli(Config, description=__doc__)
    study = cifar10.PRESETS[config.preset]
    runs = {name: dry_run(study, name, config.images) for name in track(study.methods, "compiling")}
    print_table(f"{config.preset}: {study.network}, {study.dtype}, batches of {study.train.batch_size}", runs)
    if config.out:
        result = {
            "images": config.images,
            "study": dataclasses.asdict(study),
            "methods": {name: dataclasses.asdict(run) for name, run in runs.items()},
            "provenance": provenance("experiments.bench.dry_run"),
        }
        write_atomically(config.out, json.dumps(result, indent=1, default=str) + "\n")


if __name__ == "__main__":
    command_line.run(main, FloatingPointError, interrupted=command_line.NOTHING_KEPT)
