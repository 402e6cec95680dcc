"""Models that nobody here wrote: their own parameters, the plain network at ones, members that are plain networks."""

import re
from functools import partial

import foreign_models
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict
from foreign_models import MODELS

import be_jax
from be_jax.nn.signature import mode_arguments

KEY, M = jax.random.key(0), 3
PARAMS_KEY = jax.random.fold_in(KEY, 0)
QUICK = {"compact", "tokens", "keyword only", "deterministic"}
NAMES = [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in MODELS]
SHARED = {"transformer": ("pos_embedding",)}
UNFOLDABLE = {"standardised"}


def lifted(name, init="normal", rank=1, members=M):
    model, x = MODELS[name]
    ensemble = be_jax.batch_ensemble(model, members, rank, init, shared=SHARED.get(name, ()))
    return ensemble, jax.jit(ensemble.init)(KEY, x), x


def plain_apply(model, variables, x):
    args, kwargs = mode_arguments(model, train=False)
    return jax.jit(lambda v, x: model.apply(v, x, *args, **kwargs))(variables, x)


def alone(variables, k):
    """The variables of an ensemble of member k."""
    return {c: jax.tree.map(lambda a: a[k : k + 1], v) if c == "fast" else v for c, v in variables.items()}


@pytest.mark.parametrize("name", NAMES)
def test_params_are_the_plain_model_s(name):
    _, variables, x = lifted(name)
    model = MODELS[name][0]
    args, kwargs = mode_arguments(model, train=False)
    plain = jax.jit(lambda key: model.init(key, x, *args, **kwargs))(PARAMS_KEY)
    assert variables.keys() == plain.keys() | {"fast"}
    for collection in plain:
        jax.tree.map(np.testing.assert_array_equal, variables[collection], plain[collection])


@pytest.mark.parametrize("rank", [1, 3])
@pytest.mark.parametrize("name", NAMES)
def test_ones_are_the_plain_model_from_trained_variables_too(name, rank):
    model, x = MODELS[name]
    ensemble, variables, x = lifted(name, "ones", rank)
    plain = {c: v for c, v in variables.items() if c != "fast"}
    expected = plain_apply(model, plain, x)
    actual = jax.jit(ensemble.apply)(variables, x)
    np.testing.assert_allclose(actual, jnp.stack([expected] * M), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("rank", [1, 3])
@pytest.mark.parametrize("name", NAMES)
def test_lift_is_a_loop_over_members_and_over_effective_kernels(name, rank):
    ensemble, variables, x = lifted(name, rank=rank)
    together = jax.jit(ensemble.apply)(variables, x)
    one = be_jax.batch_ensemble(MODELS[name][0], 1, rank, shared=SHARED.get(name, ()))
    looped = jnp.concatenate([jax.jit(one.apply)(alone(variables, k), x) for k in range(M)])
    np.testing.assert_allclose(together, looped, rtol=1e-4, atol=1e-5)
    assert jnp.abs(together[0] - together[1]).max() > 1e-3
    if name in UNFOLDABLE:
        with pytest.raises(ValueError, match="'StdConv_0' computes its kernel from the stored one"):
            ensemble.member(variables, 0)
        return
    for k in range(M):
        plain = plain_apply(ensemble.model, ensemble.member(variables, k), x)
        np.testing.assert_allclose(together[k], plain, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_those_of_the_loop(name):
    ensemble, variables, x = lifted(name, rank=2)
    one = be_jax.batch_ensemble(MODELS[name][0], 1, 2, shared=SHARED.get(name, ()))

    def loss(apply, weights):
        return jnp.sin(apply({**variables, **weights}, x)).sum()

    def looped(weights):
        return sum(loss(one.apply, alone(weights, k)) for k in range(M))

    weights = {c: variables[c] for c in ("params", "fast")}
    together, apart = jax.jit(jax.grad(partial(loss, ensemble.apply)))(weights), jax.jit(jax.grad(looped))(weights)
    assert all(jnp.isfinite(g).all() for g in jax.tree.leaves(together))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-4), together, apart)


def operations(text, name):
    return re.findall(rf"stablehlo\.{name}\b", text)


def program_for_a_gpu(function, *args):
    """What XLA is given: that for a CPU forms kernels where they are small, see `test_compiled`."""
    return jax.jit(function).trace(*args).lower(lowering_platforms=("cuda",)).as_text()


@pytest.mark.parametrize("name", NAMES)
def test_no_kernel_per_member_and_no_more_products_than_the_plain_model(name):
    ensemble, variables, x = lifted(name, rank=17, members=13)
    x = jnp.concatenate([x] * 3)[:11]  # no two of members, examples, rank and features are as many
    plain = {c: v for c, v in variables.items() if c != "fast"}
    args, kwargs = mode_arguments(ensemble.model, train=False)
    theirs = program_for_a_gpu(lambda v, x: ensemble.model.apply(v, x, *args, **kwargs), plain, x)
    ours = program_for_a_gpu(ensemble.apply, variables, x)
    for operation in ("dot_general", "convolution"):
        assert len(operations(ours, operation)) <= len(operations(theirs, operation)), operation
    for path, kernel in flatten_dict(variables["params"]).items():
        if path[-1] == "kernel":
            assert f"tensor<13x{'x'.join(map(str, kernel.shape))}xf32>" not in ours, path
    grouped = [len(re.findall(r"feature_group_count = (?!1 )", text)) for text in (ours, theirs)]
    assert grouped[0] <= grouped[1]


@pytest.mark.parametrize("name", NAMES)
def test_members_of_the_other_methods(name):
    """A deep ensemble of foreign models is each of them; a single network is the model."""
    model, x = MODELS[name]
    deep = be_jax.deep_ensemble(model, 2)
    variables = jax.jit(deep.init)(KEY, x)
    expected = [plain_apply(model, deep.member(variables, k), x) for k in range(2)]
    np.testing.assert_allclose(jax.jit(deep.apply)(variables, x), jnp.stack(expected), rtol=1e-4, atol=1e-5)
    assert jnp.abs(expected[0] - expected[1]).max() > 1e-3


@pytest.mark.parametrize("rank", [1, 2])
def test_members_of_a_scan_with_low_rank_sums(rank):
    model, x = MODELS["scanned"]
    ensemble = be_jax.lora_ensemble(model, M, rank)
    variables = jax.jit(ensemble.init)(KEY, x)
    moved = jax.tree.map(lambda a: a + jax.random.normal(KEY, a.shape), variables["fast"])
    variables = {**variables, "fast": moved}
    expected = [plain_apply(model, ensemble.member(variables, k), x) for k in range(M)]
    np.testing.assert_allclose(jax.jit(ensemble.apply)(variables, x), jnp.stack(expected), rtol=1e-3, atol=1e-4)


def test_a_scan_that_keeps_fast_away_says_so():
    with pytest.raises(ValueError, match=r'does not reach Dense at .*variable_axes=\{"params": 0, "fast": 0\}'):
        be_jax.batch_ensemble(foreign_models.Scanned(("params",)), 2).init(KEY, MODELS["scanned"][1])


@pytest.mark.parametrize("name", ["compact", "transformer", "recurrent", "keyword only", "deterministic"])
def test_training_mode_reaches_dropout(name):
    ensemble, variables, x = lifted(name, "ones")
    apply = jax.jit(lambda key: ensemble.apply(variables, x, train=True, key=key, mutable=["batch_stats"])[0])
    first = apply(KEY)
    assert jnp.abs(first[0] - first[1]).max() > 1e-3
    assert jnp.abs(first - apply(jax.random.key(9))).max() > 1e-3
