"""The networks: parameter counts, shapes, types, and what makes them residual networks."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import be_jax
from be_jax.nn import models

X = jnp.zeros((2, 32, 32, 3))


def count(ensemble):
    return be_jax.count_parameters(jax.eval_shape(lambda: ensemble.init(jax.random.key(0), X)))


def test_parameters_of_resnet_18():
    model = models.ResNet18()
    assert count(be_jax.single(model)) == 11_173_962
    assert count(be_jax.batch_ensemble(model, 4)) == 11_210_662
    assert count(be_jax.deep_ensemble(model, 4)) == 44_695_848


def test_parameters_of_wide_resnet_28_10():
    model = models.WideResNet28x10()
    assert count(be_jax.single(model)) == 36_479_194  # 36.5 million, as published
    assert round(count(be_jax.batch_ensemble(model, 4)) / 1e6, 1) == 36.6
    assert round(count(be_jax.deep_ensemble(model, 4)) / 1e6) == 146


@pytest.mark.parametrize(("depth", "parameters"), [(8, 78_042), (20, 272_474), (56, 855_770)])
def test_parameters_of_the_cifar_resnets(depth, parameters):
    assert count(be_jax.single(models.cifar_resnet(depth))) == parameters


@pytest.mark.slow
@pytest.mark.parametrize(
    "model",
    [
        models.cifar_resnet(8, 4),
        models.cifar_resnet(8, 4, stem_stride=2, dropout_rate=0.1),
        models.ResNet18(widths=(4, 8, 8, 8)),
        models.WideResNet(depth=10, width=1, dropout_rate=0.1),
    ],
    ids=["resnet8", "resnet8_half", "resnet18", "wrn10"],
)
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16], ids=["float32", "bfloat16"])
def test_logits_and_types(model, dtype):
    ensemble = be_jax.batch_ensemble(model.clone(dtype=dtype), 2)
    variables = ensemble.init(jax.random.key(0), X)
    logits, updates = ensemble.apply(variables, X, train=True, key=jax.random.key(1), mutable=["batch_stats"])
    assert logits.shape == (2, 2, 10)
    assert logits.dtype == jnp.float32
    assert {leaf.dtype for leaf in jax.tree.leaves((variables, updates))} == {jnp.dtype("float32")}


@pytest.mark.slow
def test_a_member_of_a_deep_ensemble_in_turn_is_the_network_alone():
    model = models.cifar_resnet(8, 4)
    ensemble = be_jax.deep_ensemble(model, 3)
    x = jax.random.normal(jax.random.key(2), (4, 32, 32, 3))
    variables = ensemble.init(jax.random.key(0), x)
    key = jax.random.key(3)
    logits, updates = ensemble.apply(variables, x, train=True, key=key, mutable=["batch_stats"])
    for m in range(3):
        alone, stats = model.apply(ensemble.member(variables, m), x, True, mutable=["batch_stats"])
        np.testing.assert_allclose(logits[m], alone, rtol=1e-4, atol=1e-5)
        jax.tree.map(
            lambda mine, theirs, m=m: np.testing.assert_allclose(mine[m], theirs, rtol=1e-4, atol=1e-5),
            updates["batch_stats"],
            stats["batch_stats"],
        )
    text = jax.jit(ensemble.predict).lower(variables, x).as_text()
    assert "feature_group_count = 3" not in text
    assert "batch_group_count = 3" not in text


@pytest.mark.parametrize("depth", [2, 9, 19])
def test_depths_that_do_not_exist_are_refused(depth):
    with pytest.raises(ValueError, match=f"got {depth}"):
        models.cifar_resnet(depth)
    with pytest.raises(ValueError, match=f"got {depth}"):
        models.WideResNet(depth=depth).init(jax.random.key(0), X)


@pytest.mark.parametrize("shape", [(2, 32, 32), (2, 4, 32, 3)])
def test_inputs_that_are_not_images_are_refused(shape):
    with pytest.raises(ValueError, match="needs images"):
        models.ResNet18().init(jax.random.key(0), jnp.zeros(shape))


@pytest.mark.parametrize(
    ("model", "x"), [(models.ViT(), jnp.zeros((2, 28, 28, 1))), (models.GRU(), jnp.zeros((2, 28, 28)))]
)
def test_a_transformer_and_a_recurrent_network_are_lifted_whole(model, x):
    """Warnings are errors here: no kernel of theirs stays shared unasked."""
    ensemble = be_jax.batch_ensemble(model, 2)
    variables = jax.eval_shape(ensemble.init, jax.random.key(0), x)
    assert jax.eval_shape(ensemble.predict, variables, x).shape == (2, 2, 10)
    with pytest.raises(ValueError, match=r"needs (images|sequences)"):
        ensemble.init(jax.random.key(0), x[:, 0])


def test_widths():
    assert models.widen(models.MLP(features=(64, 32)), 0.5).features == (32, 16)
    assert models.widen(models.ViT(width=64, heads=4, mlp_width=128), 2**0.5).width == 92
    assert models.widen(models.ResNet18(), 2).widths == (128, 256, 512, 1024)
    lenet = models.widen(models.LeNet(), 2)
    assert (lenet.features, lenet.widths) == ((12, 32), (240, 168))
    with pytest.raises(ValueError, match="LayerNorm has none of the fields"):
        models.widen(nn.LayerNorm(), 2)
