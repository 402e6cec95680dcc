"""Time of a gradient step of a BatchEnsemble of ResNet-18 on a CPU, with our weight gradient and with XLA's own.

    python -m experiments.bench.conv                       # two CPU cores: half an hour, nearly all of it XLA's loop
    python -m experiments.bench.conv --images-in-loop 2    # some minutes

Two ratios, of medians in one run, the two forms taking turns (m = 4, float32, 32 images each). `alone`: one step as a
program of its own. `in a loop`: two steps inside a `lax.scan`, as an epoch runs them. All else is the same in both
forms, also the gradient with respect to the input. On GPU and TPU the two forms are the same program.
"""

import dataclasses
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import rich
import tyro

from be_jax import batch_ensemble, models
from be_jax.files import write_atomically
from be_jax.nn import conv
from be_jax.study import provenance
from experiments import command_line


@dataclasses.dataclass(frozen=True)
class Config:
    """Attributes:
    members: m.
    images: of each member, at a step alone.
    images_in_loop: the same, in the loop.
    rounds: how often each form is timed alone; once in the loop.
    out: where to write the result as JSON; nowhere where it is not given.
    """

    members: int = 4
    images: int = 32
    images_in_loop: int = 32
    rounds: int = 5
    out: Path | None = None


def make_step(config: Config, images: int, steps: int | None) -> tuple[Any, Any]:
    """A jitted gradient step, or a scan of `steps` gradient steps, and its arguments."""
    ensemble = batch_ensemble(models.ResNet18(), config.members)
    x = jax.random.normal(jax.random.key(0), (images, 32, 32, 3))
    variables = ensemble.init(jax.random.key(1), x)
    statistics = {"batch_stats": variables.pop("batch_stats")}

    def loss(weights: Any, x: jax.Array) -> jax.Array:
        logits, _ = ensemble.apply({**weights, **statistics}, x, train=True, mutable=["batch_stats"])
        return -jax.nn.log_softmax(logits)[..., 0].mean()

    def step(weights: Any, x: jax.Array) -> Any:
        return jax.tree.map(lambda w, g: w - 1e-3 * g, weights, jax.grad(loss)(weights, x))

    if steps is None:
        return jax.jit(step), (variables, x)
    return jax.jit(lambda w, x: jax.lax.scan(lambda w, _: (step(w, x), None), w, None, steps)[0]), (variables, x)


def with_xla(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, traced with XLA's own weight gradient."""
    ours = conv.patches_conv

    def form(x: jax.Array, kernel: jax.Array, strides: Any, padding: Any, swapped: bool = False) -> jax.Array:
        return conv.xla_conv(x, kernel, strides, padding) if swapped else ours(x, kernel, strides, padding)

    def traced(*args: Any) -> Any:
        conv.patches_conv = form
        try:
            return function(*args)
        finally:
            conv.patches_conv = ours

    return traced


def compare(config: Config, images: int, steps: int | None, rounds: int) -> dict[str, float]:
    """Median seconds of a step in both forms, and their ratio."""
    function, args = make_step(config, images, steps)
    forms = {
        "ours": function.lower(*args).compile(),
        "xla": with_xla(make_step(config, images, steps)[0].lower)(*args).compile(),
    }
    seconds: dict[str, list[float]] = {name: [] for name in forms}
    results = {}
    for _ in range(rounds):
        for name, form in forms.items():
            started = time.perf_counter()
            results[name] = jax.block_until_ready(form(*args))
            seconds[name].append((time.perf_counter() - started) / (steps or 1))
    leaves = zip(*map(jax.tree.leaves, results.values()), strict=True)
    farthest = max(float(jnp.abs(ours - xla).max()) for ours, xla in leaves)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    return {**medians, "ratio": medians["ours"] / medians["xla"], "largest_difference_of_weights": farthest}


def main() -> None:
    config = tyro.cli(Config, description=__doc__)
    result = {
        "alone": compare(config, config.images, None, config.rounds),
        "in a loop": compare(config, config.images_in_loop, 2, 1),
        "config": {k: v for k, v in dataclasses.asdict(config).items() if k != "out"},
        "provenance": provenance("experiments.bench.conv"),
    }
    rich.print(result)
    if config.out:
        write_atomically(config.out, json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    command_line.run(main, interrupted=command_line.NOTHING_KEPT)
