"""The rank-1 mathematics: equal to the effective kernel, and to the plain layer where r = s = 1."""

from functools import partial

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings

from be_jax.nn import rank1
from be_jax.nn.conv import conv2d
from be_jax.nn.dot import Dot


def draw(seed, *shapes):
    keys = jax.random.split(jax.random.key(seed), len(shapes))
    return [jax.random.normal(key, shape) for key, shape in zip(keys, shapes, strict=True)]


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 4), st.integers(0, 3), st.integers(0, 99))
def test_dense_equals_effective_kernel(inputs, outputs, rank, batch_axes, seed):
    x, kernel, r, s = draw(seed, (2,) * batch_axes + (inputs,), (inputs, outputs), (rank, inputs), (rank, outputs))
    expected = x @ rank1.effective_kernel(kernel, r, s)
    np.testing.assert_allclose(rank1.dense(x, kernel, r, s), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("rank", [1, 3])
@pytest.mark.parametrize("strides", [(1, 1), (2, 1)])
@pytest.mark.parametrize("padding", ["SAME", "VALID", ((0, 1), (2, 0))])
def test_conv_equals_effective_kernel(rank, strides, padding):
    x, kernel, r, s = draw(0, (2, 7, 6, 3), (3, 2, 3, 5), (rank, 3), (rank, 5))
    expected = jax.lax.conv_general_dilated(
        x, rank1.effective_kernel(kernel, r, s), strides, padding, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    actual = rank1.conv(x, kernel, r, s, strides=strides, padding=padding)
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)


def test_effective_kernel_by_hand():
    kernel = jnp.asarray([[1.0, 2.0], [3.0, 4.0]])
    r, s = jnp.asarray([[1.0, 2.0], [0.0, 1.0]]), jnp.asarray([[1.0, -1.0], [5.0, 0.0]])
    np.testing.assert_array_equal(rank1.effective_kernel(kernel, r, s), [[1, -2], [21, -8]])


def test_vectors_are_rank_one_and_ones_are_the_plain_layer():
    x, kernel, r, s = draw(1, (4, 3), (3, 5), (3,), (5,))
    np.testing.assert_array_equal(rank1.dense(x, kernel, r, s), rank1.dense(x, kernel, r[None], s[None]))
    np.testing.assert_array_equal(rank1.dense(x, kernel, jnp.ones(3), jnp.ones(5)), x @ kernel)


@pytest.mark.parametrize("examples", [1, 4], ids=["factored", "formed"])
@pytest.mark.parametrize("rank", [1, 2])
def test_gradients_equal_those_through_the_effective_kernel(examples, rank):
    x, kernel, r, s = draw(2, (examples, 3), (3, 5), (rank, 3), (rank, 5))

    def gradients(layer):
        return jax.grad(lambda *args: jnp.sin(layer(*args)).sum(), argnums=(0, 1, 2, 3))(x, kernel, r, s)

    direct = gradients(rank1.dense)
    through = gradients(lambda x, kernel, r, s: x @ rank1.effective_kernel(kernel, r, s))
    for a, b in zip(direct, through, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("rank", [1, 3])
def test_of_one_input_channel_the_layer_is_given_the_images_themselves(rank):
    x, kernel, r, s = draw(6, (2, 8, 8, 1), (3, 3, 1, 5), (rank, 1), (rank, 5))
    seen = []

    def layer(x):
        seen.append(x)
        return conv2d(x, kernel)

    def loss(r, s):
        return jnp.sin(rank1.modulate(layer, x, r, s)).sum()

    def through(r, s):
        return jnp.sin(conv2d(x, rank1.effective_kernel(kernel, r, s))).sum()

    for a, b in zip(*(jax.grad(each, argnums=(0, 1))(r, s) for each in (loss, through)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)
    assert [each is x for each in seen] == [True]  # so that the gradient of r takes none of them


def formed_and_factored(rank, *shapes):
    """`product` of a batch that is larger than the kernel, and the same without forming it."""
    *batch, inputs, outputs = shapes
    x, kernel, r, s = draw(5, (*batch, *inputs), (*inputs, *outputs), (rank, *inputs), (rank, *outputs))
    first, last = tuple(range(len(inputs))), tuple(range(len(batch), len(batch) + len(inputs)))
    dot = Dot(jax.lax.dot_general, ((last, first), ((), ())))
    formed = partial(rank1.product, dot)
    return formed, partial(rank1._factored, dot), (x, kernel, r, s)


@pytest.mark.parametrize("rank", [1, 2])
def test_both_orders_agree_for_several_axes_and_second_derivatives(rank):
    formed, factored, args = formed_and_factored(rank, 4, 9, (2, 3), (3, 2))
    np.testing.assert_allclose(formed(*args), factored(*args), rtol=1e-4, atol=1e-5)
    x, kernel, r, s = args

    def curvature(order):
        return jax.hessian(lambda r: jnp.sin(order(x, kernel, r, s)).sum())(r)

    np.testing.assert_allclose(curvature(formed), curvature(factored), rtol=1e-3, atol=1e-3)


def test_both_orders_agree_in_bfloat16():
    formed, factored, args = formed_and_factored(2, 40, (6,), (5,))
    args = [a.astype(jnp.bfloat16) for a in args]
    y = formed(*args)
    assert y.dtype == jnp.bfloat16
    np.testing.assert_allclose(*(np.float32(order(*args)) for order in (formed, factored)), rtol=0.1, atol=0.3)


def test_integers_are_inputs_and_nothing_is_compiled_twice(caplog):
    x, kernel, r, s = jnp.arange(60).reshape(20, 3), *draw(4, (3, 5), (1, 3), (1, 5))

    def gradient():
        return jax.grad(lambda r: rank1.dense(x, kernel, r, s).sum())(r)

    expected = gradient()
    with jax.log_compiles():
        np.testing.assert_allclose(gradient(), expected)
    assert "Compiling" not in caplog.text


def test_a_batch_of_unknown_size():
    x, kernel, r, s = draw(3, (4, 3), (3, 5), (2, 3), (2, 5))
    (b,) = jax.export.symbolic_shape("b")
    exported = jax.export.export(jax.jit(lambda x: rank1.dense(x, kernel, r, s)))(
        jax.ShapeDtypeStruct((b, 3), "float32")
    )
    np.testing.assert_allclose(exported.call(x), rank1.dense(x, kernel, r, s), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (((4, 2), (3, 5), (3,), (5,)), r"needs x \[..., 3\]; got x of shape \(4, 2\)"),
        (((4, 3), (3, 5), (4,), (5,)), r"r \(1, 4\)"),
        (((4, 3), (3, 5), (2, 3), (1, 5)), r"of one rank k >= 1; got r \(2, 3\) and s \(1, 5\)"),
        (((4, 3), (3, 5), (0, 3), (0, 5)), r"of one rank k >= 1"),
        (((4, 3), (3,), (3,), (5,)), r"the kernel needs 2 axes"),
    ],
)
def test_shapes_that_do_not_fit(shapes, message):
    with pytest.raises(ValueError, match=message):
        rank1.dense(*(jnp.zeros(shape) for shape in shapes))


def test_conv_needs_images():
    with pytest.raises(ValueError, match=r"needs images \[b, h, w, i\]; got x of shape \(7, 3\)"):
        rank1.conv(jnp.zeros((7, 3)), jnp.zeros((3, 3, 3, 5)), jnp.ones(3), jnp.ones(5))
