"""The dry run knows what the real run would be: its parameters, its operations, and that two steps of it are finite."""

import dataclasses

import jax
import jax.numpy as jnp
import pytest
from command_line import answer

from be_jax.config import ConfigError
from experiments import cifar10
from experiments.bench import dry_run

pytestmark = pytest.mark.slow

SMOKE = dataclasses.replace(cifar10.PRESETS["smoke"], network="resnet8_half", validation_size=1000)


@pytest.fixture(scope="module")
def runs():
    return {name: dry_run.dry_run(SMOKE, name, images=4) for name in ("single", "batch_ensemble")}


def test_a_product_has_the_flops_that_it_should():
    program = dry_run.inspect(
        jnp.dot, jax.ShapeDtypeStruct((8, 16), "float32"), jax.ShapeDtypeStruct((16, 4), "float32")
    )
    assert program.flops == pytest.approx(2 * 8 * 16 * 4, rel=0.1)
    assert (program.arguments, program.outputs) == (4 * (8 * 16 + 16 * 4), 4 * 8 * 4)


def test_members_cost_what_networks_cost(runs):
    """Two members: twice the products of one network. They have 1,271 fast weights each, biases among them."""
    single, ensemble = runs["single"], runs["batch_ensemble"]
    assert single.parameters == 308_650
    assert ensemble.parameters == 308_650 + 2 * 1_271
    assert ensemble.step.flops == pytest.approx(2 * single.step.flops, rel=0.1)
    assert ensemble.prediction.flops == pytest.approx(2 * single.prediction.flops, rel=0.1)


def test_a_step_is_three_predictions(runs):
    """Forward, and the gradients of input and kernel."""
    per_image = {name: getattr(runs["single"], name).flops for name in ("step", "prediction")}
    ratio = (per_image["step"] / SMOKE.train.batch_size) / (per_image["prediction"] / dry_run.CHUNK)
    assert 2.5 < ratio < 3.5


def test_all_training(runs):
    run = runs["single"]
    steps = SMOKE.train.epochs * (SMOKE.train_size // SMOKE.train.batch_size)
    assert (run.runs, run.steps) == (SMOKE.pool_size, steps)
    passes = SMOKE.train.epochs * SMOKE.validation_size / dry_run.CHUNK
    assert run.flops == pytest.approx(run.runs * (steps * run.step.flops + passes * run.prediction.flops))


def test_it_is_exported_and_steps_are_finite(runs):
    for run in runs.values():
        assert set(run.step.exported) == {"cuda", "tpu"}
        assert min(run.step.exported.values()) > 1000
        assert all(0 < loss < 20 for loss in run.losses)


def test_bad_input(monkeypatch, capsys):
    with pytest.raises(ConfigError, match="images must be an integer >= 1; got 0"):
        dry_run.Config(images=0)
    assert "images must be" in answer("experiments.bench.dry_run", ["--images", "0"], monkeypatch, capsys)
