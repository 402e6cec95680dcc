"""Dropout's bits: those of jax, of the reference, and drawn without a loop on a CPU."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import be_jax
from be_jax import models
from be_jax.nn.threefry import in_one_pass, threefry

DRAWS = {
    "bits": lambda key: jax.random.bits(key, (3, 5)),
    "one number": lambda key: jax.random.bits(key, ()),
    "none": lambda key: jax.random.bits(key, (0, 3)),
    "bytes": lambda key: jax.random.bits(key, (7,), "uint8"),
    "masks": lambda key: jax.random.bernoulli(key, 0.3, (100,)),
    "of a fold": lambda key: jax.random.normal(jax.random.fold_in(key, 7), (9,)),
    "of a split": lambda key: jax.random.uniform(jax.random.split(key, (2, 3))[1, 2], (4, 4)),
    "an order": lambda key: jax.random.permutation(key, 10),
}


@pytest.mark.parametrize(
    ("key", "counter", "words"),
    [
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_known_answers_of_the_reference(key, counter, words):
    made = threefry(jnp.asarray(key, jnp.uint32), tuple(jnp.uint32(word) for word in counter))
    assert tuple(map(int, made)) == words


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_the_same_numbers_as_jax_draws(draw):
    keys = jax.random.split(jax.random.key(5), 4)
    for way in (lambda f: f, jax.jit):
        np.testing.assert_array_equal(way(draw)(in_one_pass(keys[0])), draw(keys[0]))
        np.testing.assert_array_equal(way(jax.vmap(draw))(in_one_pass(keys)), jax.vmap(draw)(keys))


def test_before_keys_had_streams_that_can_be_split_up_too():
    key = jax.random.key(5)
    with jax.threefry_partitionable(False):
        np.testing.assert_array_equal(jax.random.bits(in_one_pass(key), (3, 5)), jax.random.bits(key, (3, 5)))


@pytest.mark.parametrize("key", [jax.random.PRNGKey(0), jax.random.key(0, impl="rbg")], ids=["raw", "rbg"])
def test_other_keys_stay_as_they_are(key):
    assert in_one_pass(key) is key


def test_what_is_no_key_is_refused_in_jax_s_words():
    ensemble, x = be_jax.mc_dropout(models.MLP(dropout_rate=0.5), 3), jnp.ones((2, 28, 28, 1))
    with pytest.raises(TypeError, match="key"):
        ensemble.init(0, x)
    with pytest.raises(TypeError, match="key"):
        ensemble.predict(ensemble.init(jax.random.key(0), x), x, 3)


def test_members_drop_what_jax_says():
    x, key = jnp.ones((6, 28, 28, 1)), jax.random.key(2)
    ensemble = be_jax.mc_dropout(models.MLP(dropout_rate=0.5), 3)
    variables = ensemble.init(jax.random.key(0), x)
    logits = ensemble.apply(variables, x, key=key)
    for member, of_member in zip(logits, jax.random.split(key, 3), strict=True):
        alone = ensemble.model.apply(variables, x, train=True, rngs={"dropout": of_member})
        np.testing.assert_allclose(member, alone, rtol=1e-5, atol=1e-5)


def test_written_out_on_a_cpu_and_as_jax_has_it_elsewhere():
    draw = jax.jit(lambda key: jax.random.bernoulli(in_one_pass(key), 0.5, (64, 32)))
    traced = draw.trace(jax.random.key(0))
    assert "while" not in traced.lower(lowering_platforms=("cpu",)).as_text()
    own = jax.jit(lambda key: jax.random.bernoulli(key, 0.5, (64, 32))).trace(jax.random.key(0))
    assert "while" in own.lower(lowering_platforms=("cpu",)).as_text()


def test_nothing_is_compiled_twice(caplog):
    key = in_one_pass(jax.random.key(0))
    jax.random.bernoulli(key, 0.5, (64, 32))
    with jax.log_compiles():
        jax.random.bernoulli(key, 0.5, (64, 32))
    assert "Compiling" not in caplog.text


def test_a_batch_of_unknown_size():
    def draw(key, x):
        return jax.random.uniform(in_one_pass(key), x.shape)

    (b,) = jax.export.symbolic_shape("b")
    exported = jax.export.export(jax.jit(draw))(jax.random.key(0), jax.ShapeDtypeStruct((b, 3), "float32"))
    np.testing.assert_array_equal(
        exported.call(jax.random.key(0), jnp.zeros((5, 3))), draw(jax.random.key(0), jnp.zeros((5, 3)))
    )
