"""Training: it learns, its order and early stopping are as stated, and divergence stops it at a named step."""

import dataclasses
import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import be_jax
from be_jax.batches import epoch_order
from be_jax.config import ConfigError, TrainConfig
from be_jax.fit import pad
from be_jax.nn.models import MLP
from be_jax.optim import group_of_each, make_optimizer
from be_jax.train import DIVERGED, RUNNING, STOPPED, EpochMetrics, make_trainer

N, B, M = 96, 16, 3
KEY = jax.random.key(0)
IMAGES = np.asarray(jax.random.normal(KEY, (N, 5, 4, 1)))
LABELS = (IMAGES.sum((1, 2, 3)) > 0).astype(np.int32)
VALIDATION = pad(IMAGES[:40], LABELS[:40], 16)
MODEL = MLP(features=(8,), num_classes=2)
CONFIG = TrainConfig(epochs=3, batch_size=B, learning_rate=0.02, patience=0)


def identity(x):
    return x


def train(ensemble, config, epochs, seed=7, images=IMAGES, labels=LABELS):
    trainer = make_trainer(ensemble, config, len(labels), identity)
    state = trainer.init(jnp.uint32(seed), images[:1])
    step = jax.jit(trainer.epoch)
    history = []
    for _ in range(epochs):
        state, metrics = step(jnp.uint32(seed), state, images, labels, VALIDATION)
        history.append(metrics)
    return state, jax.tree.map(lambda *a: np.asarray(a), *history) if epochs > 1 else history[0]


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("batch_mode", ["repeat", "split", "independent"])
def test_it_learns(optimizer, batch_mode):
    config = dataclasses.replace(CONFIG, optimizer=optimizer, batch_mode=batch_mode, batch_size=24, epochs=30)
    state, history = train(be_jax.batch_ensemble(MODEL, M), config, 30)
    assert history.train_loss[-1] < 0.7 * history.train_loss[0]
    assert history.validation_accuracy[-1] > 0.85
    assert int(state.epoch) == 30


def test_an_epoch_is_traced_once():
    trainer = make_trainer(be_jax.batch_ensemble(MODEL, M), CONFIG, N, identity)
    step = jax.jit(chex.assert_max_traces(trainer.epoch, n=1))
    state = trainer.init(jnp.uint32(0), IMAGES[:1])
    for seed in (0, 1, 2):
        state, _ = step(jnp.uint32(seed), state, IMAGES, LABELS, VALIDATION)


@pytest.mark.slow
def test_members_of_a_deep_ensemble_train_as_if_alone():
    """Member k moves exactly as a single network does from the same start on the same batches."""
    state, _ = train(be_jax.deep_ensemble(MODEL, M), CONFIG, 2)
    start = be_jax.deep_ensemble(MODEL, M)
    trainer = make_trainer(be_jax.single(MODEL), CONFIG, N, identity)
    initial = make_trainer(start, CONFIG, N, identity).init(jnp.uint32(7), IMAGES[:1]).train.weights
    for k in range(M):
        alone = trainer.init(jnp.uint32(7), IMAGES[:1])
        weights = jax.tree.map(lambda a, k=k: a[k], initial)
        alone = alone._replace(train=alone.train._replace(weights=weights))
        for _ in range(2):
            alone, _ = jax.jit(trainer.epoch)(jnp.uint32(7), alone, IMAGES, LABELS, VALIDATION)
        chex.assert_trees_all_close(
            alone.train.weights, jax.tree.map(lambda a, k=k: a[k], state.train.weights), rtol=1e-4, atol=1e-5
        )


@pytest.mark.slow
def test_the_published_rules_step_kernels_too_far_or_own_weights_too_little():
    """SGD, one step from one start: what the named rules differ by, m for kernels ("sum") or fast weights ("mean")."""
    config = dataclasses.replace(CONFIG, optimizer="sgd", weight_decay=0.0, batch_size=N)
    moved = {}
    for rule in ("mean_over_users", "sum", "mean"):
        trainer = make_trainer(
            be_jax.batch_ensemble(MODEL, M), dataclasses.replace(config, gradient_rule=rule), N, identity
        )
        start = trainer.init(jnp.uint32(1), IMAGES[:1])
        after, _ = jax.jit(trainer.epoch)(jnp.uint32(1), start, IMAGES, LABELS, VALIDATION)
        moved[rule] = jax.tree.map(jnp.subtract, after.train.weights, start.train.weights)
    ours, times_m = moved["mean_over_users"], functools.partial(jax.tree.map, lambda a: M * a)
    chex.assert_trees_all_close(moved["sum"]["params"], times_m(ours["params"]), rtol=1e-3, atol=1e-6)
    chex.assert_trees_all_close(moved["sum"]["fast"], ours["fast"], rtol=1e-3, atol=1e-6)
    chex.assert_trees_all_close(moved["mean"]["params"], ours["params"], rtol=1e-3, atol=1e-6)
    chex.assert_trees_all_close(times_m(moved["mean"]["fast"]), ours["fast"], rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("batch_mode", ["repeat", "split", "independent"])
def test_epoch_order(batch_mode):
    config = dataclasses.replace(CONFIG, batch_mode=batch_mode, batch_size=24)
    steps = N // 24
    order = np.asarray(epoch_order(KEY, N, steps, M, config))
    shapes = {"repeat": (steps, 24), "split": (steps, M, 8), "independent": (steps, M, 24)}
    assert order.shape == shapes[batch_mode]
    if batch_mode == "independent":
        for k in range(M):
            assert sorted(order[:, k].ravel()) == list(range(N))
        assert (order[:, 0] != order[:, 1]).any()
    else:
        assert sorted(order.ravel()) == list(range(N))
    assert (order != np.asarray(epoch_order(jax.random.key(1), N, steps, M, config))).any()


def test_short_last_batch_is_left_out():
    order = epoch_order(KEY, 50, 50 // B, M, CONFIG)
    assert order.shape == (3, B)
    assert len(np.unique(order)) == 48


def test_an_epoch_can_be_shorter_than_the_data_and_not_longer():
    network = be_jax.single(MLP(features=(2,), num_classes=2))
    trainer = make_trainer(network, CONFIG, N, identity, steps_per_epoch=1)
    validation = pad(IMAGES, LABELS, N)
    before = trainer.init(7, IMAGES[:1])
    after, _ = jax.jit(trainer.epoch)(7, before, IMAGES, LABELS, validation)
    rows = epoch_order(be_jax.keys.key_for(7, be_jax.keys.Purpose.ORDER, 0), N, 1, 1, CONFIG)
    by_hand, _ = jax.jit(trainer.step)(7, 0, before.train, IMAGES, LABELS, rows[0])
    chex.assert_trees_all_close(after.train.weights, by_hand.weights, rtol=1e-6)
    with pytest.raises(ValueError, match=f"an epoch of {N // B + 1} steps: {N} examples fill {N // B} batches of {B}"):
        make_trainer(network, CONFIG, N, identity, steps_per_epoch=N // B + 1)


def test_early_stopping_keeps_the_best_weights_and_then_nothing_changes():
    config = dataclasses.replace(CONFIG, patience=2, min_delta=10.0, keep="best")
    state, history = train(be_jax.batch_ensemble(MODEL, M), config, 5)
    assert int(state.status) == STOPPED
    assert int(state.epoch) == 3, "the first epoch improves on infinity; two that do not gain min_delta follow"
    best = int(np.argmin(history.validation_nll[:3]))
    assert int(state.kept_epoch) == best
    until_best, _ = train(be_jax.batch_ensemble(MODEL, M), config, best + 1)
    chex.assert_trees_all_equal(state.kept, until_best.train.variables)


def test_divergence_is_reported_with_its_step_and_stops_the_run():
    images = IMAGES.copy()
    images[N // 2] = np.nan  # one step of the epoch sees it
    state, history = train(be_jax.batch_ensemble(MODEL, M), CONFIG, 2, images=images)
    order = np.asarray(epoch_order(be_jax.keys.key_for(7, be_jax.keys.Purpose.ORDER, 0), N, N // B, M, CONFIG))
    assert int(state.status) == DIVERGED
    assert int(state.diverged_step) == int(np.argwhere(order == N // 2)[0, 0])
    assert int(state.epoch) == 1
    assert not np.isfinite(history.train_loss[0])


def test_a_finite_run_is_running():
    state, history = train(be_jax.single(MODEL), CONFIG, 1)
    assert int(state.status) == RUNNING
    assert int(state.diverged_step) == -1
    assert isinstance(history, EpochMetrics)


@pytest.mark.slow
def test_optimizer_groups_and_decay():
    variables = be_jax.batch_ensemble(be_jax.models.LeNet(), M).init(KEY, jnp.ones((1, 28, 28, 1)))
    weights = {c: variables[c] for c in ("params", "fast")}
    groups = group_of_each(weights)
    assert groups["params"]["Conv_0"]["kernel"] == "kernel"
    assert groups["params"]["BatchNorm_0"]["scale"] == "other"
    assert groups["fast"]["Dense_0"] == {"r": "fast", "s": "fast", "bias": "fast_bias"}

    config = TrainConfig(optimizer="sgd", weight_decay=0.5, fast_weight_decay=0.0, learning_rate=0.1)
    optimizer = make_optimizer(config, steps_per_epoch=10)
    zero = jax.tree.map(jnp.zeros_like, weights)
    updates, _ = optimizer.update(zero, optimizer.init(weights), weights)
    decayed = jax.tree.map(lambda u: bool(jnp.abs(u).max() > 0), updates)
    assert decayed["params"]["Dense_0"]["kernel"]
    assert not decayed["params"]["BatchNorm_0"]["scale"]
    assert not any(jax.tree.leaves(decayed["fast"]))


def test_fast_weights_have_their_own_learning_rate_and_all_decay_by_milestone():
    weights = {"params": {"a": {"kernel": jnp.ones(2)}}, "fast": {"a": {"r": jnp.ones(2)}}}
    config = TrainConfig(learning_rate=0.1, fast_learning_rate_multiplier=0.5, weight_decay=0.0, milestones=(2,))
    optimizer = make_optimizer(config, steps_per_epoch=3)
    state, steps = optimizer.init(weights), []
    for _ in range(8):
        updates, state = optimizer.update(jax.tree.map(jnp.ones_like, weights), state, weights)
        steps.append([-float(updates["params"]["a"]["kernel"][0]), -float(updates["fast"]["a"]["r"][0])])
    np.testing.assert_allclose(steps[5], [0.1, 0.05], rtol=1e-3)
    np.testing.assert_allclose(steps[6], [0.01, 0.005], rtol=1e-3)


def test_adam_decay_is_in_the_gradient_as_in_the_study():
    """Adam's first step has the size of the learning rate whatever the decay: the decay is not decoupled."""
    weights = {"params": {"a": {"kernel": jnp.asarray([3.0])}}}
    optimizer = make_optimizer(TrainConfig(weight_decay=0.1), steps_per_epoch=1000)
    updates, _ = optimizer.update(jax.tree.map(jnp.zeros_like, weights), optimizer.init(weights), weights)
    np.testing.assert_allclose(optax.apply_updates(weights, updates)["params"]["a"]["kernel"], 3 - 1e-3, rtol=1e-5)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("epochs", 0, "epochs must be an integer >= 1; got 0"),
        ("batch_size", 12.5, r"batch_size must be an integer >= 1; got 12\.5"),
        ("optimizer", "lion", "optimizer must be one of adam, sgd; got 'lion'"),
        ("batch_mode", "tile", "batch_mode must be one of repeat, split, independent; got 'tile'"),
        ("gradient_rule", "max", "gradient_rule must be one of mean_over_users, sum, mean; got 'max'"),
        ("keep", "first", "keep must be one of last, best; got 'first'"),
        ("learning_rate", float("nan"), "learning_rate must be a finite number > 0; got nan"),
        ("weight_decay", -1.0, r"weight_decay must be a finite number >= 0; got -1\.0"),
        ("milestones", (50, 25), r"milestones must be ascending epochs >= 1; got \(50, 25\)"),
        ("patience", -1, r"patience must be an integer >= 0 \(0 never stops early\); got -1"),
    ],
)
def test_bad_config(field, value, message):
    with pytest.raises(ConfigError, match=message):
        TrainConfig(**{field: value})


@pytest.mark.parametrize(
    ("config", "sizes", "message"),
    [
        (
            TrainConfig(batch_size=128),
            {"examples": 100, "members": 1, "devices": 1},
            "exceeds the 100 training examples",
        ),
        (TrainConfig(batch_size=10), {"examples": 100, "members": 1, "devices": 4}, "not divisible by 4 devices"),
        (
            TrainConfig(batch_size=12, batch_mode="split"),
            {"examples": 100, "members": 4, "devices": 2},
            r"not divisible by 2 devices x 4 members \(batch_mode='split'\)",
        ),
    ],
)
def test_batches_that_cannot_be_cut(config, sizes, message):
    with pytest.raises(ConfigError, match=message):
        config.check_fits(**sizes)


def test_padding_keeps_every_example_once():
    for devices, width in ((1, 4), (2, 4), (3, 6)):
        padded = pad(np.arange(10)[:, None], np.arange(10), 4, multiple_of=devices)
        assert padded.images.shape == (3, width, 1)
        assert padded.labels[padded.mask].tolist() == list(range(10))
        assert padded.mask[:, :4].sum() == 10, "an example's chunk and place do not depend on the devices"


def test_fit_is_each_members_own_mean():
    """NLL and accuracy of every member by itself, of all examples once, whatever the chunks."""
    ensemble = be_jax.batch_ensemble(MODEL, M)
    trainer = make_trainer(ensemble, CONFIG, N, identity)
    state = trainer.init(jnp.uint32(3), IMAGES[:1])
    fit = jax.jit(trainer.fit)(jnp.uint32(3), state, pad(IMAGES[:50], LABELS[:50], 16))
    log_probs = ensemble.predict(state.train.variables, IMAGES[:50])
    for k in range(M):
        np.testing.assert_allclose(fit.nll[k], be_jax.metrics.nll(log_probs[k], LABELS[:50]).mean(), rtol=1e-5)
        np.testing.assert_allclose(
            fit.accuracy[k], be_jax.metrics.accuracy(log_probs[k], LABELS[:50]).mean(), rtol=1e-6
        )


@pytest.mark.parametrize(
    ("ensemble", "expected"),
    [
        (be_jax.batch_ensemble(MODEL, M), {"fast", "fast_bias", "kernel", "other"}),
        (be_jax.last_layer(MODEL, M, "Dense_1"), {"kernel", "other", "fast_bias"}),
        (be_jax.lora_ensemble(MODEL, M, 2), {"fast", "fast_bias", "kernel", "other"}),
    ],
)
def test_a_weight_has_the_rule_of_what_it_is_wherever_it_is_kept(ensemble, expected):
    """The head's kernel of `last_layer` is each member's own, and decays as a kernel."""
    variables = ensemble.init(KEY, IMAGES[:1])
    groups = group_of_each({name: variables[name] for name in ("params", "fast")})
    assert set(jax.tree.leaves(groups)) <= expected
    for path, group in jax.tree_util.tree_leaves_with_path(groups):
        assert (group == "kernel") == (path[-1].key == "kernel")
