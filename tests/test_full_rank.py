"""Full-rank masks: rank 1 is a special case, ones are a plain network, members differ and share their kernels."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import be_jax
from be_jax.construct import full_rank
from be_jax.nn import models

M = 3
MODEL = models.MLP(features=(6,), num_classes=4)
KEY = jax.random.key(0)
X = jax.random.normal(jax.random.key(1), (5, 2))


def test_outer_products_as_masks_are_a_rank_one_batch_ensemble():
    of_rank_one = be_jax.batch_ensemble(MODEL, M, init="normal")
    variables = of_rank_one.init(KEY, X)
    fast = {
        layer: {"mask": jnp.einsum("mki,mko->mio", values["r"], values["s"]), "bias": values["bias"]}
        for layer, values in variables["fast"].items()
    }
    logits = full_rank(MODEL, M).apply({"params": variables["params"], "fast": fast}, X)
    np.testing.assert_allclose(logits, of_rank_one.apply(variables, X), rtol=1e-5, atol=1e-6)


def test_masks_of_ones_are_the_plain_network():
    ensemble = full_rank(MODEL, M, "ones")
    variables = ensemble.init(KEY, X)
    logits = ensemble.apply(variables, X)
    for member in logits:
        np.testing.assert_allclose(member, MODEL.apply({"params": variables["params"]}, X), rtol=1e-6)


def test_members_share_kernels_and_differ_in_masks():
    ensemble = full_rank(MODEL, M, be_jax.fast_init.normal(0.5))
    variables = ensemble.init(KEY, X)
    assert {a["kernel"].shape for a in variables["params"].values()} == {(2, 6), (6, 4)}
    mask = variables["fast"]["Dense_0"]["mask"]
    assert mask.shape == (M, 2, 6)
    assert np.abs(mask[0] - mask[1]).min() > 0
    assert be_jax.count_parameters(variables) == (1 + M) * (2 * 6 + 6 * 4 + 6 + 4)


def test_convolutions_are_refused():
    with pytest.raises(ValueError, match="full_rank is for models of dense layers"):
        full_rank(models.LeNet(), M).init(KEY, jnp.zeros((1, 28, 28, 1)))


def doubled(*args, **kwargs):
    return 2 * jax.lax.dot_general(*args, **kwargs)


@pytest.mark.parametrize(
    "field", [{"dot_general": doubled}, {"dot_general_cls": lambda: doubled}], ids=["function", "class"]
)
def test_how_the_user_multiplies_is_kept(field):
    layer, x = nn.Dense(3, **field), jnp.ones((2, 4))
    for build in (lambda model: be_jax.full_rank(model, 2, init="ones"), lambda model: be_jax.batch_ensemble(model, 2)):
        ensemble = build(layer)
        variables = ensemble.init(KEY, x)
        plain = layer.apply(ensemble.member(variables, 1), x)
        np.testing.assert_allclose(ensemble.apply(variables, x)[1], plain, rtol=1e-5)
