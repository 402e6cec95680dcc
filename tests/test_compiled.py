"""What XLA compiles a BatchEnsemble to: one dot or convolution with the shared kernel, and no kernel per member.

But on a CPU, where a member has more examples than its kernel features: see `be_jax.nn.rank1.product`.
"""

import re

import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest

import be_jax

M, B = 4, 8
DENSE, CONV = jnp.ones((B, 48)), jnp.ones((B, 9, 9, 5))


def of_one_layer(layer, x, rank=1):
    """The lifted layer, and its variables."""
    ensemble = be_jax.batch_ensemble(layer, M, rank)
    return ensemble, ensemble.init(jax.random.key(0), x)


def lifted_text(layer, x, rank):
    """Optimised HLO of one layer under the member axis."""
    ensemble, variables = of_one_layer(layer, x, rank)
    return jax.jit(ensemble.apply).lower(variables, x).compile().as_text()


def operations(text, name):
    return re.findall(rf"= \S+ {name}\(.*", text)


@pytest.mark.parametrize("rank", [1, 3])
def test_dense_is_one_dot_with_the_shared_kernel(rank):
    text = lifted_text(nn.Dense(24), DENSE, rank)
    assert len(operations(text, "dot")) == 1
    assert f"f32[{M * B * rank},48]" in text.replace(" ", ""), "the dot's batch is members x examples x rank"
    assert not re.search(rf"f32\[({M},48,24|{M},24,48|{M},{rank},48,24)\]", text), "a kernel per member was formed"


@pytest.mark.parametrize("rank", [1, 3])
def test_small_kernels_are_formed_on_a_cpu_alone(rank):
    layer, x = nn.Dense(24), jnp.ones((32, 48))
    ensemble, variables = of_one_layer(layer, x, rank)
    gradient = jax.jit(jax.grad(lambda v, x: jnp.sin(ensemble.apply(v, x)).sum()))
    of_a_member = r"tensor<4x(3x)?(48x24|24x48)xf32>"
    lowered = {p: gradient.trace(variables, x).lower(lowering_platforms=(p,)).as_text() for p in ("cpu", "cuda", "tpu")}
    assert [platform for platform, text in lowered.items() if re.search(of_a_member, text)] == ["cpu"]


@pytest.mark.parametrize("rank", [1, 3])
def test_conv_is_one_ungrouped_convolution_with_the_shared_kernel(rank):
    text = lifted_text(nn.Conv(12, (3, 3)), CONV, rank)
    convolutions = operations(text, "convolution")
    assert len(convolutions) == 1
    assert "feature_group_count" not in convolutions[0]
    assert "batch_group_count" not in convolutions[0]
    assert not re.search(rf"f32\[{M},(\d+,)?3,3,5,12\]", text), "a kernel per member was formed"


@pytest.mark.parametrize(("layer", "x"), [(nn.Dense(24), DENSE), (nn.Conv(12, (3, 3)), CONV)], ids=["dense", "conv"])
@pytest.mark.parametrize("rank", [1, 3])
def test_gradient_has_no_grouped_convolution_and_no_kernel_per_member(layer, x, rank):
    ensemble, variables = of_one_layer(layer, x, rank)
    gradient = jax.grad(lambda v, x: jnp.sin(ensemble.apply(v, x)).sum(), argnums=(0, 1))
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


@pytest.mark.slow
def test_whole_network_has_one_dot_per_layer():
    ensemble = be_jax.batch_ensemble(be_jax.models.MLP(), M)
    x = jnp.ones((B, 28, 28, 1))
    text = jax.jit(ensemble.predict).lower(ensemble.init(jax.random.key(0), x), x).compile().as_text()
    assert len(operations(text, "dot")) == 4
