"""Layers of one member: the plain layer where r = s = 1, and dropout that does not depend on devices."""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from be_jax.layers import Conv, Dense, Dropout
from be_jax.nn import fast_init

ONES = {"init_r": fast_init.ones(), "init_s": fast_init.ones()}


@pytest.mark.parametrize("use_bias", [True, False])
def test_dense_with_ones_is_the_flax_layer(use_bias):
    x = jax.random.normal(jax.random.key(0), (5, 2, 7))
    layer, plain = Dense(3, use_bias=use_bias, **ONES), nn.Dense(3, use_bias=use_bias)
    variables = layer.init({"params": jax.random.key(1), "fast": jax.random.key(2)}, x)
    params = dict(variables["params"])
    if use_bias:
        variables["fast"]["bias"] = params["bias"] = jnp.arange(3.0)
    np.testing.assert_allclose(layer.apply(variables, x), plain.apply({"params": params}, x), rtol=1e-6, atol=1e-6)
    assert jax.tree.map(jnp.shape, plain.init(jax.random.key(1), x)["params"]) == jax.tree.map(jnp.shape, params)


@pytest.mark.parametrize("strides", [1, (2, 1)])
@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_conv_with_ones_is_the_flax_layer(strides, padding):
    x = jax.random.normal(jax.random.key(0), (2, 9, 8, 3))
    shape = {"features": 4, "kernel_size": (3, 3), "strides": strides, "padding": padding, "use_bias": False}
    variables = Conv(**shape, **ONES).init({"params": jax.random.key(1), "fast": jax.random.key(2)}, x)
    expected = nn.Conv(**shape).apply({"params": variables["params"]}, x)
    np.testing.assert_allclose(Conv(**shape, **ONES).apply(variables, x), expected, rtol=1e-5, atol=1e-5)


def test_compute_type_is_the_given_one_and_weights_stay_float32():
    layer = Dense(3, dtype=jnp.bfloat16, **ONES)
    x = jnp.ones((2, 5))
    variables = layer.init({"params": jax.random.key(1), "fast": jax.random.key(2)}, x)
    assert layer.apply(variables, x).dtype == jnp.bfloat16
    assert {a.dtype for a in jax.tree.leaves(variables)} == {jnp.dtype("float32")}


def test_dropout_keeps_the_mean_and_drops_at_its_rate():
    x = jnp.ones((100, 1000))
    y = Dropout(0.3).apply({}, x, deterministic=False, rngs={"dropout": jax.random.key(0)})
    np.testing.assert_allclose((y == 0).mean(), 0.3, atol=0.005)
    np.testing.assert_allclose(y.mean(), 1.0, atol=0.01)
    np.testing.assert_array_equal(Dropout(0.3).apply({}, x, deterministic=True), x)


def test_dropout_at_prediction_needs_a_key_and_nothing_else():
    x = jnp.ones((4, 100))
    sampling = Dropout(0.5, at_prediction=True)
    assert (sampling.apply({}, x, deterministic=True, rngs={"dropout": jax.random.key(0)}) == 0).any()
    np.testing.assert_array_equal(sampling.apply({}, x, deterministic=True), x)


@pytest.mark.parametrize("num_devices", [1, 2, 4])
def test_dropout_mask_does_not_depend_on_the_number_of_devices(num_devices):
    x = jnp.ones((8, 50))
    drop = partial(Dropout(0.5, data_axis="d").apply, {}, deterministic=False, rngs={"dropout": jax.random.key(0)})
    split = jax.pmap(drop, axis_name="d")(x.reshape(num_devices, -1, 50)).reshape(8, 50)
    whole = Dropout(0.5).apply({}, x, deterministic=False, rngs={"dropout": jax.random.key(0)})
    np.testing.assert_array_equal(split, whole)
