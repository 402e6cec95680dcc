"""Time of a gradient step of a convolutional BatchEnsemble on a CPU, with our gradients and with XLA's own.

    python -m experiments.bench_conv     # two CPU cores: two minutes

Two figures. `alone`: one step as a program (ResNet-18, m = 4, 32 images each). `in a loop`: steps inside a `lax.scan`,
as an epoch runs them; XLA's own gradients are so slow there that ResNet-8 with few images must do. Both are ratios of
medians in one run, the two forms taking turns. On GPU and TPU the two are the same program.
"""

import dataclasses
import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import rich
import tyro

from be_jax import batch_ensemble, models, rank1
from be_jax.conv import Padding, conv2d, xla_conv
from experiments.common import provenance


@dataclasses.dataclass(frozen=True)
class Config:
    """Attributes:
    members: m.
    images: of each member, at a step.
    images_in_loop: the same, in the loop.
    rounds: how often each form is timed.
    out: where to write the result as JSON; nowhere where it is not given.
    """

    members: int = 4
    images: int = 32
    images_in_loop: int = 8
    rounds: int = 5
    out: Path | None = None


def make_step(model: nn.Module, config: Config, images: int, *, steps: int | None) -> tuple[Callable[..., Any], Any]:
    """A gradient step, or a scan of `steps` gradient steps, and its arguments."""
    ensemble = batch_ensemble(model, config.members)
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
    """`function`, traced with XLA's own gradients."""

    def xla_conv2d(x: jax.Array, kernel: jax.Array, strides: Sequence[int], padding: Padding) -> jax.Array:
        return xla_conv(x, kernel, tuple(strides), padding)

    def traced(*args: Any) -> Any:
        setattr(rank1, "conv2d", xla_conv2d)  # noqa: B010
        try:
            return function(*args)
        finally:
            setattr(rank1, "conv2d", conv2d)  # noqa: B010

    return traced


def compare(model: nn.Module, config: Config, images: int, steps: int | None, rounds: int) -> dict[str, float]:
    """Median seconds of a step in both forms, and their ratio."""
    seconds: dict[str, list[float]] = {"ours": [], "xla": []}
    ours, args = make_step(model, config, images, steps=steps)
    xla, _ = make_step(model, config, images, steps=steps)
    xla = with_xla(xla)
    results = [jax.block_until_ready(form(*args)) for form in (ours, xla)]
    farthest = max(float(jnp.abs(a - b).max()) for a, b in zip(*map(jax.tree.leaves, results), strict=True))
    for _ in range(rounds):
        for name, form in (("ours", ours), ("xla", xla)):
            started = time.perf_counter()
            jax.block_until_ready(form(*args))
            seconds[name].append((time.perf_counter() - started) / (steps or 1))
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    return {**medians, "ratio": medians["ours"] / medians["xla"], "largest_difference_of_weights": farthest}


def main() -> None:
    config = tyro.cli(Config, description=__doc__)
    result = {
        "alone, ResNet-18": compare(models.ResNet18(), config, config.images, None, config.rounds),
        "in a loop, ResNet-8": compare(models.cifar_resnet(8), config, config.images_in_loop, 2, min(2, config.rounds)),
        "config": {k: v for k, v in dataclasses.asdict(config).items() if k != "out"},
        "provenance": provenance("bench_conv"),
    }
    rich.print(result)
    if config.out:
        config.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
