"""Snapshot ensembles: one network, kept at the end of each cycle of its learning rate."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import be_jax
from be_jax.config import ConfigError, TrainConfig
from be_jax.fit import pad
from be_jax.optim import ends_of_cycles, make_optimizer
from be_jax.study import Execution, kept_weights
from be_jax.train import make_trainer
from experiments import mnist

pytestmark = pytest.mark.slow

MODEL = be_jax.models.MLP(features=(6,), num_classes=3)
ENSEMBLE = be_jax.snapshot(MODEL, 3)
CONFIG = TrainConfig(epochs=7, batch_size=8, learning_rate=0.05)
X, Y = jax.random.normal(jax.random.key(0), (40, 7)), jnp.arange(40) % 3
SEED = jnp.uint32(0)


def states(ensemble, config):
    """Of a run, after each epoch."""
    trainer = make_trainer(ensemble, config, len(Y), lambda x: x)
    state, epoch = trainer.init(SEED, X[:1]), jax.jit(trainer.epoch)
    for _ in range(config.epochs):
        state, _ = epoch(SEED, state, X, Y, pad(X[:10], Y[:10], 10))
        yield state


def test_members_are_the_network_at_the_ends_of_its_cycles():
    after = list(states(ENSEMBLE, CONFIG))
    for member, epoch in enumerate((2, 4, 7)):
        kept = jax.tree.map(lambda a, k=member: a[k], after[-1].kept)
        jax.tree.map(np.testing.assert_array_equal, kept, after[epoch - 1].train.variables)
    log_probs = ENSEMBLE.predict(after[-1].kept, X)
    assert log_probs.shape == (3, 40, 3)
    assert jnp.abs(log_probs[0] - log_probs[2]).max() > 1e-3


def test_the_learning_rate_falls_to_nothing_in_every_cycle():
    """Adam steps by the learning rate itself where the gradient is always the same."""
    config = dataclasses.replace(CONFIG, optimizer="adam", weight_decay=0.0)
    optimizer = make_optimizer(config, steps_per_epoch=5, cycles=3)
    weights = {"params": {"kernel": jnp.zeros(1)}}
    state, sizes = optimizer.init(weights), []
    for _ in range(35):
        updates, state = optimizer.update({"params": {"kernel": jnp.ones(1)}}, state, weights)
        sizes.append(float(-updates["params"]["kernel"][0]))
    assert ends_of_cycles(7, 3) == [2, 4, 7]
    starts, lengths = (0, 10, 20), (10, 10, 15)
    for start, length in zip(starts, lengths, strict=True):
        cosine = 0.025 * (1 + np.cos(np.pi * np.arange(length) / length))
        np.testing.assert_allclose(sizes[start : start + length], cosine, rtol=1e-3)


def test_one_snapshot_is_the_network_at_its_end():
    *_, last = states(be_jax.snapshot(MODEL, 1), CONFIG)
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a[0], b), last.kept, last.train.variables)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 2, "milestones": ()}, "epochs must be at least 3, one for each snapshot; got 2"),
        ({"keep": "best"}, "keep must be 'last'"),
        ({"patience": 3}, "patience must be 0"),
    ],
)
def test_a_protocol_without_ends_of_cycles_is_refused(change, message):
    config = dataclasses.replace(CONFIG, **change)
    with pytest.raises(ConfigError, match=message):
        config.check_fits(examples=40, members=1, devices=1, cycles=ENSEMBLE.cycles)


def test_a_loop_of_one_s_own_is_told_what_to_do_and_it_works():
    with pytest.raises(ValueError, match=r"train single\(model\), keep state.variables at each end"):
        be_jax.create_state(ENSEMBLE, optax.adam(0.05), jax.random.key(0), X)
    network, optimizer = be_jax.single(MODEL), optax.adam(optax.cosine_decay_schedule(0.05, 5))
    state = be_jax.create_state(network, optimizer, jax.random.key(0), X)
    step, kept = be_jax.train_step(network, optimizer), []
    for _ in range(2):
        for i in range(5):
            state, _ = step(state, X, Y, jax.random.key(i))
        kept.append(state.variables)
        state = state._replace(opt_state=optimizer.init(state.weights))
    variables = jax.tree.map(lambda *a: jnp.stack(a), *kept)
    log_probs = be_jax.deep_ensemble(MODEL, 2).predict(variables, X)
    np.testing.assert_allclose(log_probs[0], network.predict(kept[0], X)[0], rtol=1e-4, atol=1e-6)


def test_a_study_takes_it_like_any_other(tmp_path):
    config = mnist.Config(
        methods=("single", "snapshot"),
        seeds=(1000,),
        pool_size=1,
        members=2,
        train=TrainConfig(epochs=2),
        corruptions=("rotate",),
        severities=(3,),
        out=tmp_path / "mnist",
        execution=Execution(num_devices=2),
    )
    single, snapshot = mnist.run(config).runs
    assert snapshot.parameters == 2 * single.parameters
    assert 0 < snapshot.scores["test"]["epistemic"] < 0.5
    study = mnist.make_study(config)
    kept = kept_weights(study.methods[1], study.data, study.preprocess, config.folder / "snapshot" / "seed_1000")
    assert be_jax.count_parameters(kept) == snapshot.parameters
