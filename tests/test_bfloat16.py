"""bfloat16 against float32: the computation changes its type; what is kept and what is returned do not."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import be_jax
from be_jax.batches import epoch_order
from be_jax.config import TrainConfig
from be_jax.data import as_float
from be_jax.nn.models import cifar_resnet
from be_jax.steps import State
from be_jax.train import make_trainer

pytestmark = pytest.mark.slow

STEPS, BATCH = 30, 16
CONFIG = TrainConfig(optimizer="sgd", learning_rate=0.05, weight_decay=5e-4, batch_size=BATCH, patience=0)
WAVES = np.array([(0, 0), (1, 0), (0, 1), (1, 1)])
METHODS = {
    "single": be_jax.single,
    "batch_ensemble": functools.partial(be_jax.batch_ensemble, members=2, init="normal"),
}
QUICKLY = {"xla_backend_optimization_level": 0}
"""Compiles a program ten times faster, and changes none of its types."""


class Run(NamedTuple):
    """The loss of every step `[STEPS]`, the final state, and log-probabilities `[m, n, c]` for test images."""

    losses: jax.Array
    state: State
    log_probs: jax.Array


def examples(seed, count):
    """Images `[count, 16, 16, 3]`: noise, with waves in one of three directions, or none."""
    rng, labels = np.random.default_rng(seed), np.arange(count) % len(WAVES)
    row, column = np.indices((16, 16))
    waves = 30 * np.sin(np.tensordot(WAVES[labels], np.stack([row, column]), 1) * np.pi / 2)
    images = rng.normal(128 + waves[..., None], 40, (count, 16, 16, 3))
    return np.clip(images, 0, 255).astype(np.uint8), labels.astype(np.int32)


def preprocess(images):
    return 4 * (as_float(images) - 0.5)


TEST_IMAGES, TEST_LABELS = examples(2, 200)


@pytest.fixture(scope="module", params=METHODS)
def runs(request):
    """The same run, from the same weights, in either type."""
    images, labels = map(jnp.asarray, examples(1, STEPS * BATCH))

    def make(dtype):
        ensemble = METHODS[request.param](cifar_resnet(8, num_classes=len(WAVES), dtype=dtype))
        return ensemble, make_trainer(ensemble, CONFIG, len(labels), preprocess)

    def run(dtype):
        ensemble, trainer = make(dtype)
        order = epoch_order(jax.random.key(0), len(labels), STEPS, ensemble.train_members, CONFIG)

        def train_and_predict(state):
            def step(state, slot):
                return trainer.step(jnp.uint32(3), slot[0], state, images, labels, slot[1])

            state, losses = jax.lax.scan(step, state, (jnp.arange(STEPS), order))
            return Run(losses, state, ensemble.predict(state.variables, preprocess(jnp.asarray(TEST_IMAGES))))

        return jax.jit(train_and_predict, compiler_options=QUICKLY)(start)

    start = jax.jit(make("float32")[1].init, compiler_options=QUICKLY)(jnp.uint32(3), images[:1]).train
    return {dtype: run(dtype) for dtype in ("bfloat16", "float32")}


def floating(tree):
    return [np.asarray(leaf) for leaf in jax.tree.leaves(tree) if jnp.issubdtype(leaf.dtype, jnp.floating)]


def test_the_loss_of_the_same_step_is_within_one_percent(runs):
    low, high = (float(runs[dtype].losses[0]) for dtype in ("bfloat16", "float32"))
    assert low != high, "nothing was computed in bfloat16"
    assert low == pytest.approx(high, rel=0.01)


def test_what_is_kept_is_float32(runs):
    """Weights, batch statistics, and the momentum, which is a sum of gradients: in type and in content."""
    for part in runs["bfloat16"].state:
        arrays = floating(part)
        assert {a.dtype for a in arrays} == {np.dtype(np.float32)}
        assert all((a != a.astype(jnp.bfloat16)).any() for a in arrays if a.any()), "rounded to bfloat16"


def test_losses_and_predictions_are_float32(runs):
    assert runs["bfloat16"].losses.dtype == jnp.float32
    assert runs["bfloat16"].log_probs.dtype == jnp.float32
    np.testing.assert_allclose(np.exp(runs["bfloat16"].log_probs).sum(-1), 1, rtol=1e-5)


def test_a_short_run_learns_alike(runs):
    late = {dtype: float(run.losses[-10:].mean()) for dtype, run in runs.items()}
    correct = {
        dtype: float((be_jax.metrics.mixture(run.log_probs).argmax(-1) == TEST_LABELS).mean())
        for dtype, run in runs.items()
    }
    assert late["bfloat16"] == pytest.approx(late["float32"], rel=0.1)
    assert late["float32"] < 0.5 * np.log(len(WAVES)), "nothing was learnt"
    assert correct["bfloat16"] == pytest.approx(correct["float32"], abs=0.05)
