"""Dropout under the lift: flax's own masks, by an example's place in the global batch, or at prediction."""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import be_jax
from be_jax.nn.lift import Conditions, Lift, lifted

KEY = jax.random.key(0)


def drop(x, conditions, rate=0.5, deterministic=False, key=KEY, **fields):
    with lifted(Lift(), conditions):
        rngs = {} if key is None else {"dropout": key}
        return nn.Dropout(rate, **fields).apply({}, x, deterministic=deterministic, rngs=rngs)


def test_without_conditions_it_is_the_layer_of_flax():
    x = jnp.ones((100, 1000))
    theirs = nn.Dropout(0.3).apply({}, x, deterministic=False, rngs={"dropout": KEY})
    np.testing.assert_array_equal(drop(x, Conditions(), 0.3), theirs)
    np.testing.assert_allclose((theirs == 0).mean(), 0.3, atol=0.005)
    np.testing.assert_array_equal(drop(x, Conditions(), 0.3, deterministic=True), x)


def test_sampling_needs_a_key_and_nothing_else():
    x = jnp.ones((4, 100))
    assert (drop(x, Conditions(sampling=True), deterministic=True) == 0).any()
    np.testing.assert_array_equal(drop(x, Conditions(sampling=True), deterministic=True, key=None), x)


@pytest.mark.parametrize("num_devices", [1, 2, 4])
@pytest.mark.parametrize("broadcast_dims", [(), (1,), (0,)], ids=["", "features", "batch"])
def test_masks_do_not_depend_on_the_number_of_devices(num_devices, broadcast_dims):
    x = jnp.ones((8, 5, 50))
    fields = {"broadcast_dims": broadcast_dims}
    split = jax.pmap(lambda x: drop(x, Conditions(data_axis="d"), **fields), axis_name="d")
    whole = nn.Dropout(0.5, **fields).apply({}, x, deterministic=False, rngs={"dropout": KEY})
    np.testing.assert_array_equal(split(x.reshape(num_devices, -1, 5, 50)).reshape(8, 5, 50), whole)


class AttentionOnly(nn.Module):
    """Its only dropout is inside attention."""

    rate: float = 0.5
    broadcast: bool = True

    @nn.compact
    def __call__(self, x, deterministic=True):
        attend = nn.MultiHeadDotProductAttention(2, dropout_rate=self.rate, broadcast_dropout=self.broadcast)
        return nn.Dense(3)(attend(x, deterministic=deterministic).mean(1))


class NnxAttentionOnly(nnx.Module):
    """The same."""

    def __init__(self, rngs, broadcast=True):
        fields = {"broadcast_dropout": broadcast, "decode": False}
        self.attention = nnx.MultiHeadAttention(2, 8, dropout_rate=0.5, rngs=rngs, **fields)
        self.head = nnx.Linear(8, 3, rngs=rngs)

    def __call__(self, x, deterministic=True):
        return self.head(self.attention(x, deterministic=deterministic).mean(1))


@pytest.mark.slow
@pytest.mark.parametrize("model", [AttentionOnly, partial(partial, NnxAttentionOnly)], ids=["linen", "nnx"])
@pytest.mark.parametrize("num_devices", [1, 2])
def test_masks_of_attention_that_several_devices_would_repeat_are_refused(model, num_devices):
    x = jax.random.normal(KEY, (num_devices, 2, 5, 8))

    def apply(broadcast, train):
        ensemble = be_jax.deep_ensemble(model(broadcast=broadcast), 2)
        variables = ensemble.init(KEY, x[0])
        ours = ensemble.split_over("d")
        split = jax.pmap(lambda x: ours.apply(variables, x, train=train, key=KEY, mutable=["o"])[0], axis_name="d")
        return split(x)

    assert apply(True, True).shape == apply(False, False).shape == (num_devices, 2, 2, 3)
    if num_devices == 1:
        assert apply(False, True).shape == (1, 2, 2, 3)
    else:
        with pytest.raises(ValueError, match="broadcast_dropout=False, by the same mask on each of 2 devices"):
            apply(False, True)


@pytest.mark.slow
def test_dropout_of_attention_is_sampled():
    x = jax.random.normal(KEY, (4, 5, 8))
    ensemble = be_jax.mc_dropout(AttentionOnly(), 3)
    variables = ensemble.init(KEY, x)
    samples = ensemble.predict(variables, x, KEY)
    assert jnp.abs(samples[0] - samples[1]).max() > 1e-3
    plain = AttentionOnly().apply(variables, x)
    np.testing.assert_allclose(ensemble.apply(variables, x), jnp.stack([plain] * 3), rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="mc_dropout needs dropout"):
        be_jax.mc_dropout(AttentionOnly(rate=0.0), 3).init(KEY, x)
