"""Initialisers: their moments, and an output variance that does not depend on the rank."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from be_jax.nn import fast_init, rank1

INITS = [fast_init.random_sign(), fast_init.normal(0.5), fast_init.normal(0.0), fast_init.ones()]
INITS.append(fast_init.normal(0.7, preserve_scale=True))


@pytest.mark.parametrize("init", INITS, ids=lambda init: init.name)
def test_moments_are_those_of_the_samples(init):
    sample = init.sample(jax.random.key(0), (200_000,))
    assert sample.dtype == jnp.float32
    np.testing.assert_allclose(sample.mean(), init.mean, atol=0.01)
    np.testing.assert_allclose((sample**2).mean(), init.second_moment, atol=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("init_r", INITS, ids=lambda init: init.name)
@pytest.mark.parametrize("init_s", INITS, ids=lambda init: init.name)
def test_output_variance_does_not_grow_with_the_rank(init_r, init_s):
    def variance(rank):
        keys = jax.random.split(jax.random.key(rank), 4)
        scale = fast_init.rank_scale(init_r, init_s, rank) ** 0.5
        r, s = scale * init_r.sample(keys[0], (200, rank, 64)), scale * init_s.sample(keys[1], (200, rank, 64))
        x, kernel = jax.random.normal(keys[2], (200, 8, 64)), jax.random.normal(keys[3], (200, 64, 64)) / 8
        return jax.vmap(rank1.dense)(x, kernel, r, s).var()

    np.testing.assert_allclose(variance(7) / variance(1), 1.0, atol=0.05)


def test_rank_scale_by_hand():
    assert fast_init.rank_scale(fast_init.normal(), fast_init.normal(), 1) == 1
    assert fast_init.rank_scale(fast_init.random_sign(), fast_init.random_sign(), 4) == 0.5  # k independent terms
    assert fast_init.rank_scale(fast_init.ones(), fast_init.ones(), 4) == 0.25  # k equal terms


def test_unknown_and_impossible():
    with pytest.raises(ValueError, match="unknown init 'he'; choose one of random_sign, normal, ones"):
        fast_init.resolve("he")
    with pytest.raises(ValueError, match=r"got -0\.5"):
        fast_init.normal(-0.5)
    assert fast_init.resolve("normal").name == "normal(0.5)"


@pytest.mark.parametrize("rank", [1, 2, 4])
@pytest.mark.parametrize("init", [fast_init.normal(0.5), fast_init.random_sign(), fast_init.ones()])
def test_expected_cosine_is_that_of_drawn_masks(init, rank):
    def mask(key):
        r, s = (init.sample(k, (rank, 300)) for k in jax.random.split(key))
        return jnp.einsum("ki,ko->io", r, s)

    one, other = (mask(jax.random.key(i)) for i in range(2))
    cosine = (one * other).sum() / jnp.sqrt((one**2).sum() * (other**2).sum())
    assert float(cosine) == pytest.approx(fast_init.expected_cosine(init, init, rank), abs=0.03)


def test_a_higher_rank_starts_members_closer():
    study = fast_init.normal(0.5)
    cosines = [fast_init.expected_cosine(study, study, rank) for rank in (1, 2, 4, 7)]
    assert cosines == pytest.approx([k / (k + 0.5625) for k in (1, 2, 4, 7)])


def test_the_scale_may_be_kept_without_moving_members_together():
    for std in (0.25, 1.0):
        plain, kept = fast_init.normal(std), fast_init.normal(std, preserve_scale=True)
        assert kept.second_moment == 1
        assert kept.name == f"normal({std:g}, preserve_scale)"
        for rank in (1, 3):
            assert fast_init.expected_cosine(kept, kept, rank) == pytest.approx(
                fast_init.expected_cosine(plain, plain, rank)
            )


@pytest.mark.parametrize("rank", [1, 2, 4, 7])
def test_the_start_distance_can_be_held_at_every_rank(rank):
    for cosine in (0.3, 0.64, 1.0):
        init = fast_init.normal(fast_init.std_of_cosine(cosine, rank))
        assert fast_init.expected_cosine(init, init, rank) == pytest.approx(cosine)
    with pytest.raises(ValueError, match=r"a cosine in \(0, 1\]; got 0"):
        fast_init.std_of_cosine(0, rank)
