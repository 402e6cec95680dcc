"""What XLA compiles a BatchEnsemble to: one dot or convolution with the shared kernel, and no kernel per member."""

import re

import jax
import jax.numpy as jnp
import pytest

import be_jax
from be_jax.layers import Conv, Dense, Layers
from be_jax.nn import fast_init

M, B = 4, 32
INIT = {"init_r": fast_init.random_sign(), "init_s": fast_init.random_sign()}


def lifted_text(layer, x):
    """Optimised HLO of one layer under the member axis."""
    axes = {"params": None, "fast": 0}
    variables = jax.vmap(layer.init, ({"params": None, "fast": 0}, None), out_axes=0)(
        {"params": jax.random.key(0), "fast": jax.random.split(jax.random.key(1), M)}, x
    )
    variables["params"] = jax.tree.map(lambda a: a[0], variables["params"])
    apply = jax.vmap(layer.apply, (axes, None))
    return jax.jit(apply).lower(variables, x).compile().as_text()


def operations(text, name):
    return re.findall(rf"= \S+ {name}\(.*", text)


@pytest.mark.parametrize("rank", [1, 3])
def test_dense_is_one_dot_with_the_shared_kernel(rank):
    text = lifted_text(Dense(24, rank=rank, **INIT), jnp.ones((B, 48)))
    assert len(operations(text, "dot")) == 1
    assert f"f32[{M * B * rank},48]" in text.replace(" ", ""), "the dot's batch is members x examples x rank"
    assert not re.search(rf"f32\[({M},48,24|{M},24,48|{M},{rank},48,24)\]", text), "a kernel per member was formed"


@pytest.mark.parametrize("rank", [1, 3])
def test_conv_is_one_ungrouped_convolution_with_the_shared_kernel(rank):
    text = lifted_text(Conv(12, (3, 3), rank=rank, **INIT), jnp.ones((B, 9, 9, 5)))
    convolutions = operations(text, "convolution")
    assert len(convolutions) == 1
    assert "feature_group_count" not in convolutions[0]
    assert "batch_group_count" not in convolutions[0]
    assert not re.search(rf"f32\[{M},(\d+,)?3,3,5,12\]", text), "a kernel per member was formed"


@pytest.mark.parametrize("layer", [Dense(24, **INIT), Conv(12, (3, 3), **INIT)], ids=["dense", "conv"])
def test_gradient_has_no_grouped_convolution_and_no_kernel_per_member(layer):
    x = jnp.ones((B, 48)) if isinstance(layer, Dense) else jnp.ones((B, 9, 9, 5))
    axes = {"params": None, "fast": 0}
    variables = jax.vmap(layer.init, (axes, None))(
        {"params": jax.random.key(0), "fast": jax.random.split(jax.random.key(1), M)}, x
    )
    variables["params"] = jax.tree.map(lambda a: a[0], variables["params"])
    gradient = jax.grad(lambda v, x: jnp.sin(jax.vmap(layer.apply, (axes, None))(v, x)).sum(), argnums=(0, 1))
    text = jax.jit(gradient).lower(variables, x).compile().as_text()
    assert "feature_group_count" not in text
    assert "batch_group_count" not in text
    assert not re.search(rf"f32\[{M},(48,24|24,48|(\d+,)?3,3,5,12)\]", text)


def test_the_test_sees_grouped_convolutions():
    """A deep ensemble's kernels do become a grouped convolution: the assertion above can fail."""
    kernels, x = jnp.ones((M, 3, 3, 5, 12)), jnp.ones((M, B, 9, 9, 5))
    convolve = jax.vmap(
        lambda kernel, x: jax.lax.conv_general_dilated(
            x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        ),
        (0, 0),
    )
    text = jax.jit(convolve).lower(kernels, x).compile().as_text()
    assert any("feature_group_count" in op or "batch_group_count" in op for op in operations(text, "convolution"))


def test_whole_network_has_one_dot_per_layer():
    ensemble = be_jax.batch_ensemble(be_jax.models.MLP(), M)
    x = jnp.ones((B, 28, 28, 1))
    text = jax.jit(ensemble.predict).lower(ensemble.init(jax.random.key(0), x), x).compile().as_text()
    assert len(operations(text, "dot")) == 4


def test_default_layers_are_the_plain_ones():
    assert be_jax.models.MLP().layers == Layers() == be_jax.PLAIN
