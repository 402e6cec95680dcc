"""What training makes small, and which weights it moves: the mixture's loss, fast weights alone."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from test_train import CONFIG, IMAGES, KEY, LABELS, MODEL, VALIDATION, B, M, N, identity, train

import be_jax
from be_jax.train import make_trainer


def test_the_loss_of_the_mixture_is_that_of_members_where_they_are_copies():
    config = dataclasses.replace(CONFIG, optimizer="sgd")
    mixture = dataclasses.replace(config, loss="mixture")
    copies, apart = (be_jax.batch_ensemble(MODEL, M, init=init) for init in ("ones", "random_sign"))

    def kernel(ensemble, config):
        return train(ensemble, config, 1)[0].train.weights["params"]["Dense_0"]["kernel"]

    np.testing.assert_allclose(kernel(copies, mixture), kernel(copies, config), rtol=1e-4, atol=1e-6)
    assert np.abs(kernel(apart, mixture) - kernel(apart, config)).max() > 1e-3


def test_the_gradient_of_the_mixture_is_that_of_members_by_their_share_of_it():
    ensemble = be_jax.deep_ensemble(MODEL, M)
    config = dataclasses.replace(CONFIG, optimizer="sgd", loss="mixture", weight_decay=0.0, learning_rate=1.0)
    trainer = make_trainer(ensemble, config, B, identity)
    state = trainer.init(jnp.uint32(0), IMAGES[:1]).train
    x, y = IMAGES[:B], LABELS[:B]
    after, _ = trainer.step(jnp.uint32(0), jnp.int32(0), state, x, y, jnp.arange(B))

    def per_example(weights):
        return ensemble.predict({**state.statistics, **weights}, x)[:, jnp.arange(B), y]

    probabilities = jnp.exp(per_example(state.weights))
    share = probabilities / probabilities.sum(
        0, keepdims=True
    )  # p_i(y) / sum_j p_j(y): of members, whose mean is 1 / m
    expected = jax.grad(lambda weights: -M * (share * per_example(weights)).mean(-1).sum())(state.weights)
    moved = jax.tree.map(lambda new, old: (old - new) / 1.9, after.weights, state.weights)  # Nesterov: 1 + 0.9
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5), moved, expected)


def test_shared_weights_alone_are_trained_and_members_stay_as_they_were_drawn():
    config = dataclasses.replace(CONFIG, trained="shared")
    trainer = make_trainer(be_jax.batch_ensemble(MODEL, M, init=be_jax.fast_init.normal(0.1)), config, N, identity)
    start = trainer.init(jnp.uint32(7), IMAGES[:1])
    end, _ = jax.jit(trainer.epoch)(jnp.uint32(7), start, IMAGES, LABELS, VALIDATION)
    before, after = (state.train.weights for state in (start, end))
    jax.tree.map(np.testing.assert_array_equal, before["fast"], after["fast"])
    moved = jax.tree.map(lambda a, b: np.abs(a - b).max() > 0, before["params"], after["params"])
    assert all(jax.tree.leaves(moved))


def test_fast_weights_alone_are_trained_from_a_trained_network():
    given = MODEL.init(KEY, IMAGES[:1])
    config = dataclasses.replace(CONFIG, trained="fast")
    trainer = make_trainer(be_jax.batch_ensemble(MODEL, M, init=be_jax.fast_init.normal(0.1)), config, N, identity)
    start = trainer.init(jnp.uint32(7), IMAGES[:1], given)
    end, _ = jax.jit(trainer.epoch)(jnp.uint32(7), start, IMAGES, LABELS, VALIDATION)
    kernels = {name: layer["kernel"] for name, layer in end.train.weights["params"].items()}
    for name, kernel in kernels.items():
        np.testing.assert_array_equal(kernel, given["params"][name]["kernel"])
    before, after = (jax.tree.leaves(state.train.weights["fast"]) for state in (start, end))
    assert all(np.abs(a - b).max() > 0 for a, b in zip(before, after, strict=True))
