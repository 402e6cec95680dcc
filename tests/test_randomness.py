"""Randomness is a function of (seed, purpose, step, example): each test fails where a key forgets one of them."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import be_jax
from be_jax.config import TrainConfig
from be_jax.evaluate import CHUNK, make_predict
from be_jax.fit import pad
from be_jax.nn.models import MLP
from be_jax.train import make_trainer

N, B = 64, 16
IMAGES = np.asarray(jax.random.normal(jax.random.key(0), (N, 4, 3, 1)))
LABELS = (IMAGES.sum((1, 2, 3)) > 0).astype(np.int32)
VALIDATION = pad(IMAGES[:32], LABELS[:32], 16)
PLAIN = MLP(features=(8,), num_classes=2)
DROPPING = MLP(features=(8,), num_classes=2, dropout_rate=0.5)
STILL = TrainConfig(epochs=5, batch_size=B, learning_rate=1e-30, milestones=(), weight_decay=0.0)
ROWS = np.arange(B, dtype=np.int32)


def trainer_of(ensemble, config=STILL, **options):
    return make_trainer(ensemble, config, N, lambda x: x, **options)


def losses_of_steps(trainer, seeds_and_steps):
    """Losses on one batch, from one start."""
    state = trainer.init(jnp.uint32(0), IMAGES[:1]).train
    step = jax.jit(trainer.step)
    return [float(step(np.uint32(s), np.int32(i), state, IMAGES, LABELS, ROWS)[1]) for s, i in seeds_and_steps]


def shifted(key, image):
    return image + jax.random.normal(key)


@pytest.mark.parametrize("options", [{}, {"augment": shifted}], ids=["dropout", "augmentation"])
def test_masks_and_augmentation_differ_by_step_and_seed(options):
    trainer = trainer_of(be_jax.single(PLAIN if options else DROPPING), **options)
    first, again, next_step, next_seed = losses_of_steps(trainer, [(1, 0), (1, 0), (1, 1), (2, 0)])
    assert first == again
    assert len({first, next_step, next_seed}) == 3


@pytest.mark.slow
def test_images_of_a_batch_are_augmented_apart():
    """All images of the batch are one image: were they augmented alike, the loss would be that of one of them."""
    trainer = trainer_of(be_jax.single(PLAIN), augment=shifted)
    state = trainer.init(jnp.uint32(0), IMAGES[:1]).train
    whole = trainer.step(1, 0, state, IMAGES, LABELS, np.zeros(B, np.int32))[1]
    one = trainer.step(1, 0, state, IMAGES, LABELS, np.zeros(1, np.int32))[1]
    assert abs(float(whole - one)) > 1e-3


def test_epochs_differ_in_their_order():
    config = dataclasses.replace(STILL, learning_rate=0.1)
    trainer = trainer_of(be_jax.single(PLAIN), config)
    start = trainer.init(jnp.uint32(0), IMAGES[:1])
    epoch = jax.jit(trainer.epoch)
    after = [
        epoch(np.uint32(1), start._replace(epoch=jnp.int32(number)), IMAGES, LABELS, VALIDATION)[0].train.weights
        for number in (0, 0, 1)
    ]
    first, again, other = (np.asarray(weights["params"]["Dense_0"]["kernel"]) for weights in after)
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-5


def validation_nll(ensemble, epoch):
    """With weights that stand still."""
    trainer = trainer_of(ensemble)
    start = trainer.init(jnp.uint32(0), IMAGES[:1])._replace(epoch=jnp.int32(epoch))
    return float(jax.jit(trainer.epoch)(np.uint32(1), start, IMAGES, LABELS, VALIDATION)[1].validation_nll)


@pytest.mark.slow
def test_samples_of_dropout_are_validated_as_they_predict_and_anew_in_each_epoch():
    sampled = be_jax.mc_dropout(DROPPING, 3)
    assert validation_nll(sampled, 0) == validation_nll(sampled, 0)
    assert validation_nll(sampled, 0) != validation_nll(sampled, 1)
    assert validation_nll(be_jax.single(DROPPING), 0) == pytest.approx(validation_nll(be_jax.single(DROPPING), 1))
    assert validation_nll(sampled, 0) != pytest.approx(validation_nll(be_jax.single(DROPPING), 0), rel=1e-3)


def test_chunks_of_a_validation_set_have_masks_of_their_own():
    """Twice the same chunk: with one mask for both, the mean over them would be that of one."""
    trainer = trainer_of(be_jax.mc_dropout(DROPPING, 3))
    state = trainer.init(jnp.uint32(0), IMAGES[:1])
    once, twice = (pad(np.tile(IMAGES[:16], (k, 1, 1, 1)), np.tile(LABELS[:16], k), 16) for k in (1, 2))
    one, both = (np.asarray(trainer.fit(jnp.uint32(0), state, data).nll) for data in (once, twice))
    assert (np.abs(one - both) > 1e-4).all()


def test_masks_at_prediction_differ_by_seed_set_and_chunk():
    ensemble = be_jax.mc_dropout(DROPPING, 2)
    variables = ensemble.init(jax.random.key(0), IMAGES[:1])
    predict = make_predict(ensemble, lambda x: x, jax.devices()[:1])
    twice = np.tile(IMAGES[:1], (2 * CHUNK, 1, 1, 1))
    first = predict(variables, 1, "test", twice)
    np.testing.assert_array_equal(first, predict(variables, 1, "test", twice))
    for other in (predict(variables, 2, "test", twice), predict(variables, 1, "ood/letters", twice)):
        assert (first[:, :20] != other[:, :20]).any()
    assert (first[:, :20] != first[:, CHUNK : CHUNK + 20]).any(), "chunks of one set"
    assert (first[0] != first[1]).any(), "members"


def test_sgd_has_nesterovs_momentum():
    """Three steps by hand: v = 0.9 v + g; w -= lr (g + 0.9 v)."""
    config = dataclasses.replace(STILL, optimizer="sgd", learning_rate=0.3, batch_size=N)
    trainer = trainer_of(be_jax.single(PLAIN), config)
    state = trainer.init(jnp.uint32(0), IMAGES[:1]).train
    rows = np.arange(N, dtype=np.int32)

    def loss(params):
        log_probs = jax.nn.log_softmax(PLAIN.apply({"params": params}, IMAGES))
        return -jnp.take_along_axis(log_probs, jnp.asarray(LABELS)[:, None], axis=1).mean()

    weights = state.weights["params"]
    speed = jax.tree.map(jnp.zeros_like, weights)
    for index in range(3):
        state, _ = trainer.step(np.uint32(0), np.int32(index), state, IMAGES, LABELS, rows)
        gradient = jax.grad(loss)(weights)
        speed = jax.tree.map(lambda v, g: 0.9 * v + g, speed, gradient)
        weights = jax.tree.map(lambda w, g, v: w - 0.3 * (g + 0.9 * v), weights, gradient, speed)
    for ours, by_hand in zip(jax.tree.leaves(state.weights["params"]), jax.tree.leaves(weights), strict=True):
        np.testing.assert_allclose(ours, by_hand, rtol=1e-4, atol=1e-6)


def test_biases_of_members_are_fast_weights_that_do_not_decay():
    """With no learning rate for fast weights they stand still, biases too; a decay of r and s is none of biases."""
    config = dataclasses.replace(STILL, learning_rate=0.1, fast_learning_rate_multiplier=0.0)
    ensemble = be_jax.batch_ensemble(PLAIN, 2)
    still = trainer_of(ensemble, config)
    start = still.init(jnp.uint32(0), IMAGES[:1]).train
    after, _ = jax.jit(still.step)(np.uint32(0), np.int32(0), start, IMAGES, LABELS, ROWS)
    for a, b in zip(jax.tree.leaves(start.weights["fast"]), jax.tree.leaves(after.weights["fast"]), strict=True):
        np.testing.assert_array_equal(a, b)

    def moved(decay):
        decaying = dataclasses.replace(STILL, optimizer="sgd", learning_rate=0.1, fast_weight_decay=decay)
        trainer = trainer_of(ensemble, decaying)
        biased = jax.tree_util.tree_map_with_path(
            lambda path, a: a + 1 if path[-1].key == "bias" else a, start.weights["fast"]
        )
        state = trainer.init(jnp.uint32(0), IMAGES[:1]).train
        state = state._replace(weights={**start.weights, "fast": biased})
        return jax.jit(trainer.step)(np.uint32(0), np.int32(0), state, IMAGES, LABELS, ROWS)[0].weights["fast"]

    without, decayed = moved(0.0)["Dense_0"], moved(0.5)["Dense_0"]
    np.testing.assert_array_equal(without["bias"], decayed["bias"])
    assert np.abs(without["r"] - decayed["r"]).max() > 1e-2
