"""The convolution's own gradients against XLA's: every stride, padding and size, in a program and in a loop."""

import re
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from be_jax.nn import conv


def normal(seed, shape):
    return jax.random.normal(jax.random.key(seed), shape)


def gradients(function, x, kernel, *args):
    y, pull = jax.vjp(lambda x, kernel: function(x, kernel, *args), x, kernel)
    return y, *pull(normal(2, y.shape).astype(y.dtype))


@pytest.mark.slow
@pytest.mark.parametrize("padding", ["SAME", "VALID", ((1, 1), (1, 1)), ((0, 2), (1, 0))], ids=str)
@pytest.mark.parametrize("strides", [(1, 1), (2, 2), (1, 2)], ids=str)
@pytest.mark.parametrize(("kernel_size", "size"), [((3, 3), (7, 9)), ((1, 1), (8, 8)), ((2, 3), (8, 7))], ids=str)
def test_gradients_are_those_of_xla(padding, strides, kernel_size, size):
    images, channels = (1, 1) if padding == "VALID" else (5, 3)

    @jax.jit
    def both(x, kernel):
        return [gradients(function, x, kernel, strides, padding) for function in (conv.conv2d, conv.xla_conv)]

    for mine, theirs in zip(
        *both(normal(0, (images, *size, channels)), normal(1, (*kernel_size, channels, 4))), strict=True
    ):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=2e-5 * float(jnp.abs(theirs).max()))


@pytest.fixture(params=["small kernel", "kernel that outgrows the cache"])
def kernel_in_cache(request, monkeypatch):
    if request.param != "small kernel":
        monkeypatch.setattr(conv, "LARGE_KERNEL", 0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("image", "kernel", "options"),
    [
        ((7, 9, 3), (3, 3, 3, 4), {}),
        ((8, 8, 3), (1, 1, 3, 4), {}),
        ((7, 5, 1), (3, 3, 1, 1), {}),
        ((5, 5, 1), (2, 3, 1, 2), {"padding": "VALID"}),
        ((8, 7, 3), (3, 3, 3, 4), {"window_strides": (2, 2)}),
        ((9, 8, 2), (3, 3, 2, 2), {"window_strides": (1, 2), "padding": ((0, 2), (1, 0))}),
    ],
    ids=str,
)
@pytest.mark.usefixtures("kernel_in_cache")
def test_gradients_are_those_of_float64_differences(image, kernel, options):
    check_against_differences(image, kernel, options)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("image", "kernel", "options"),
    [
        ((8, 8, 2), (3, 3, 2, 2), {"rhs_dilation": (2, 2)}),
        ((8, 8, 2), (3, 3, 2, 2), {"lhs_dilation": (2, 1), "padding": ((1, 1), (1, 1))}),
        ((7, 7, 4), (3, 3, 2, 4), {"feature_group_count": 2}),
    ],
    ids=str,
)
def test_gradients_of_what_stays_with_xla_are_those_of_float64_differences(image, kernel, options):
    check_against_differences(image, kernel, options)


def check_against_differences(image, kernel, options):
    options = {"window_strides": (1, 1), "padding": "SAME", "dimension_numbers": conv.NHWC} | options
    function = partial(conv.conv_general_dilated, **options)
    with jax.enable_x64(True):
        x, kernel = (jax.random.normal(jax.random.key(0), shape, jnp.float64) for shape in ((3, *image), kernel))
        check_grads(function, (x, kernel), order=2, rtol=1e-6, atol=1e-6)


@pytest.mark.slow
def test_a_kernel_that_outgrows_the_cache_is_the_same_convolution():
    x, kernel = normal(0, (32, 4, 4, 242)), normal(1, (3, 3, 242, 242)) / 50
    assert kernel.size >= conv.LARGE_KERNEL
    compiled = jax.jit(conv.conv2d).lower(x, kernel).compile()
    assert " convolution(" not in compiled.as_text()
    assert " convolution(" in jax.jit(conv.conv2d).lower(x, kernel[..., 2:]).compile().as_text()
    for mine, theirs in zip(
        gradients(conv.conv2d, x, kernel),
        gradients(lambda x, kernel: conv.xla_conv(x, kernel, (1, 1), "SAME"), x, kernel),
        strict=True,
    ):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-5 * float(jnp.abs(theirs).max()))


@pytest.mark.usefixtures("kernel_in_cache")
def test_several_chunks_and_a_rest(monkeypatch):
    x, kernel = normal(0, (7, 6, 6, 3)), normal(1, (3, 3, 3, 4))
    whole = gradients(conv.conv2d, x, kernel)
    monkeypatch.setattr(conv, "CHUNK_SIZE", 2 * 6 * 6 * 3)
    for mine, other in zip(gradients(conv.conv2d, x, kernel), whole, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-5, atol=1e-5)


@pytest.mark.usefixtures("kernel_in_cache")
def test_a_batch_of_unknown_size_is_exported():
    kernel = normal(1, (3, 3, 3, 4))
    (b,) = jax.export.symbolic_shape("b")
    shape = jax.ShapeDtypeStruct((b, 6, 6, 3), jnp.float32)
    exported = jax.export.export(jax.jit(lambda x: conv.conv2d(x, kernel)), platforms=["cpu", "cuda"])(shape)
    for count in (1, 3):
        x = normal(0, (count, 6, 6, 3))
        np.testing.assert_allclose(exported.call(x), conv.conv2d(x, kernel), rtol=1e-5, atol=1e-5)


@pytest.mark.usefixtures("kernel_in_cache")
@pytest.mark.parametrize(("images", "size"), [(0, 6), (2, 2)])
def test_of_nothing_comes_nothing(images, size):
    x, kernel = normal(0, (images, size, size, 3)), normal(1, (3, 3, 3, 4))
    assert 0 in jax.eval_shape(lambda x: conv.conv2d(x, kernel, padding="VALID"), x).shape
    assert conv.conv2d(x, kernel, padding="VALID").size == 0


def test_bfloat16_is_accumulated_in_float32():
    x, kernel = normal(0, (64, 8, 8, 4)), normal(1, (3, 3, 4, 4))
    exact = gradients(conv.conv2d, x, kernel)[2]
    rough = gradients(conv.conv2d, *(a.astype(jnp.bfloat16) for a in (x, kernel)))[2]
    assert rough.dtype == jnp.bfloat16
    np.testing.assert_allclose(rough.astype(jnp.float32), exact, atol=0.02 * float(jnp.abs(exact).max()))


def test_in_a_scan_and_under_vmap_over_members_and_seeds():
    x, kernels = normal(0, (2, 3, 4, 6, 6, 5)), normal(1, (2, 3, 3, 5, 4))  # seeds, members, images

    def gradient(function):
        def of_seed(x, kernel):
            return jax.grad(lambda k: jnp.sin(jax.vmap(lambda x: function(x, k, (1, 1), "SAME"))(x)).sum())(kernel)

        def step(total, _):
            return total + jax.vmap(of_seed)(x, kernels + total), None

        return jax.jit(lambda: jax.lax.scan(step, jnp.zeros_like(kernels), None, length=2)[0])()

    np.testing.assert_allclose(gradient(conv.conv2d), gradient(conv.xla_conv), rtol=1e-3, atol=5e-3)


def test_forward_mode_and_second_derivatives():
    x, kernel = normal(0, (2, 6, 6, 3)), normal(1, (3, 3, 3, 2))

    def loss(function):
        return lambda k: jnp.sin(function(x, k, (1, 1), "SAME")).sum()

    ours, xla = (jax.jvp(jax.grad(loss(f)), (kernel,), (kernel,))[1] for f in (conv.conv2d, conv.xla_conv))
    np.testing.assert_allclose(ours, xla, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("platform", ["cuda", "tpu"])
def test_other_platforms_keep_the_library_s_convolutions(platform):
    def gradient(x, kernel):
        return jax.grad(lambda x, k: jnp.sin(conv.conv2d(x, k)).sum(), argnums=(0, 1))(x, kernel)

    exported = jax.export.export(jax.jit(gradient), platforms=[platform])(
        normal(0, (2, 6, 6, 3)), normal(1, (3, 3, 3, 2))
    )
    assert exported.mlir_module().count("stablehlo.convolution") == 3
    assert "dot_general" not in exported.mlir_module()


def test_flax_convolutions_use_it_where_it_covers_them():
    x = normal(0, (2, 8, 8, 4))
    for fields in ({}, {"strides": 2}, {"padding": "CIRCULAR"}, {"feature_group_count": 2}, {"kernel_dilation": 2}):
        theirs = nn.Conv(6, (3, 3), **fields)
        ours = theirs.clone(conv_general_dilated=conv.conv_general_dilated)
        variables = theirs.init(jax.random.key(0), x)
        np.testing.assert_allclose(ours.apply(variables, x), theirs.apply(variables, x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "function", [conv.conv2d, lambda x, k: conv.xla_conv(x, k, (1, 1), "SAME")], ids=["ours", "xla"]
)
def test_the_gradients_in_a_loop_have_the_form_of_the_fast_kernel(function):
    """The claim of the module, in the compiled program: in a loop, XLA leaves its own gradients in a slow form."""

    def loss(kernel, x):
        return jnp.sin(function(jnp.sin(function(x, kernel)), kernel)).sum()

    def epoch(kernel, images):
        return jax.lax.scan(lambda k, x: (k - jax.grad(loss)(k, x), None), kernel, images)[0]

    text = jax.jit(epoch).lower(normal(1, (3, 3, 4, 4)), normal(0, (3, 2, 8, 8, 4))).compile().as_text()
    forms = set(re.findall(r"dim_labels=(\S+?)[,\s]", text))
    assert (forms <= {"b01f_01io->b01f"}) == (function is conv.conv2d), forms
