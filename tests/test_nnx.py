"""The lift of flax.nnx modules, written without us: what is asked of it is what is asked of linen's."""

import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from flax.traverse_util import flatten_dict
from nnx_models import CNN, KEY, MLP, MODELS, Attention, B, M, Scanned, inputs, plain

import be_jax
from be_jax.nn.rank1 import effective_kernel


@pytest.fixture(params=MODELS, ids=lambda model: model.__name__)
def model(request):
    return request.param


@pytest.fixture(params=[1, 3], ids=lambda rank: f"rank {rank}")
def rank(request):
    return request.param


@pytest.mark.slow
def test_ones_are_the_plain_module(model, rank):
    module, expected = plain(model)
    before = jax.tree.leaves(nnx.state(module))
    ensemble = be_jax.batch_ensemble(module, M, rank, "ones")
    variables = jax.jit(ensemble.init)(KEY, inputs(model))
    y = jax.jit(ensemble.apply)(variables, inputs(model))
    np.testing.assert_allclose(y, jnp.stack([expected] * M), rtol=1e-5, atol=1e-5)
    after = jax.tree.leaves(nnx.state(module))
    assert all(a is b for a, b in zip(before, after, strict=True)), "the user's module was touched"


@pytest.mark.slow
def test_lift_is_a_loop_over_members_and_over_plain_modules(model, rank):
    ensemble = be_jax.batch_ensemble(plain(model)[0], M, rank, "normal", init_s="random_sign")
    x = inputs(model)
    variables = jax.jit(ensemble.init)(KEY, x)
    y = jax.jit(ensemble.apply)(variables, x)
    assert (jnp.abs(y[:, None] - y[None]).max((-1, -2)) + jnp.eye(M) > 0.01).all(), "members are the same"
    for k in range(M):
        member = ensemble.member(variables, k)
        np.testing.assert_allclose(y[k], ensemble.model.apply(member, x), rtol=1e-4, atol=1e-5)
        module = ensemble.model.module(member)
        assert type(module) is model
        module.eval()
        np.testing.assert_allclose(y[k], module(x), rtol=1e-4, atol=1e-5)


def test_members_have_effective_kernels():
    module, _ = plain(CNN)
    ensemble = be_jax.batch_ensemble(module, M, 2, "normal")
    variables = jax.jit(ensemble.init)(KEY, inputs(CNN))
    fast = variables["fast"]["conv1"]
    assert fast["r"].shape == (M, 2, 2)
    assert fast["s"].shape == (M, 2, 6)
    kernel = effective_kernel(module.conv1.kernel[...], fast["r"][1], fast["s"][1])
    np.testing.assert_array_equal(ensemble.member(variables, 1)["params"]["conv1"]["kernel"], kernel)
    np.testing.assert_array_equal(variables["params"]["conv1"]["kernel"], module.conv1.kernel[...])
    assert "bias" not in variables["fast"]["conv2"]


def test_layers_of_a_scan_have_weights_of_their_own():
    ensemble = be_jax.batch_ensemble(Scanned, M)
    fast = jax.jit(ensemble.init)(KEY, inputs(Scanned))["fast"]
    assert fast["blocks"]["linear"]["r"].shape == (M, 4, 1, 8)
    assert len(np.unique(fast["blocks"]["linear"]["r"].reshape(-1, 8), axis=0)) > M, "the layers of a scan are copies"
    assert fast["last"]["linear"]["r"].shape == (M, 1, 8)


def compiled(function, *args):
    return jax.jit(function).lower(*args).compile().as_text()


def count(text, name):
    return len(re.findall(rf"= \S+ {name}\(", text))


@pytest.mark.slow
@pytest.mark.parametrize("model", [MLP, CNN, Attention], ids=lambda model: model.__name__)
def test_compiled_there_is_no_kernel_per_member(model, rank):
    ensemble, single = be_jax.batch_ensemble(model, M, rank), be_jax.single(model)
    x = inputs(model)
    variables = jax.jit(ensemble.init)(KEY, x)
    text = compiled(ensemble.apply, variables, x)
    of_plain = compiled(single.apply, single.init(KEY, x), inputs(model, M * B * rank))
    for operation in ("dot", "convolution"):
        assert count(text, operation) == count(of_plain, operation)
    assert count(text, "dot") + count(text, "convolution") > 0
    gradient = compiled(jax.grad(lambda v, x: jnp.sin(ensemble.apply(v, x)).sum()), variables, x)
    for program in (text, gradient):
        assert "feature_group_count" not in program
        assert "batch_group_count" not in program
        for path, kernel in flatten_dict(variables["params"]).items():
            if path[-1] == "kernel":
                shape = ",".join(map(str, kernel.shape))
                assert not re.search(rf"f32\[{M},({rank},)?{shape}\]", program), "a kernel per member was formed"


@pytest.mark.slow
def test_gradients_are_those_of_the_loop(model):
    ensemble = be_jax.batch_ensemble(model, M, 2, "normal")
    x = inputs(model)
    variables = jax.jit(ensemble.init)(KEY, x)
    others = {c: v for c, v in variables.items() if c not in ("params", "fast")}

    def lifted(weights):
        return jnp.sin(ensemble.apply({**others, **weights}, x)).sum()

    def looped(weights):
        of_member = [ensemble.member({**others, **weights}, k) for k in range(M)]
        return sum(jnp.sin(ensemble.model.apply(member, x)).sum() for member in of_member)

    weights = {c: variables[c] for c in ("params", "fast")}
    ours, theirs = jax.jit(jax.grad(lifted))(weights), jax.jit(jax.grad(looped))(weights)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4), ours, theirs)
    assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(ours))


@pytest.mark.slow
@pytest.mark.parametrize("norm", ["shared", "per_member"])
def test_training_updates_batch_statistics(norm):
    ensemble = be_jax.batch_ensemble(partial(CNN, rate=0.0), M, init="normal", norm=norm)
    x = inputs(CNN)
    variables = jax.jit(ensemble.init)(KEY, x)
    _, updates = jax.jit(partial(ensemble.apply, train=True, mutable=["batch_stats"]))(variables, x, key=KEY)
    assert list(updates) == ["batch_stats"]
    module = [ensemble.model.module(ensemble.member(variables, k)) for k in range(M)]
    convolved = jnp.stack([m.conv1(x) for m in module])
    means = convolved.mean((1, 2, 3)) if norm == "per_member" else convolved.mean((0, 1, 2, 3))
    np.testing.assert_allclose(updates["batch_stats"]["norm"]["mean"], 0.1 * means, rtol=1e-3, atol=1e-5)
    with pytest.raises(Exception, match='"batch_stats" is immutable'):
        ensemble.apply(variables, x, train=True, key=KEY)


@pytest.mark.parametrize("model", [CNN, Attention], ids=lambda model: model.__name__)
def test_dropout_masks_are_of_each_member_and_key(model):
    ensemble = be_jax.batch_ensemble(partial(model, rate=0.5), M, init="ones")
    x = inputs(model)
    variables = jax.jit(ensemble.init)(KEY, x)

    @jax.jit
    def trained(key):
        return ensemble.apply(variables, x, train=True, key=key, mutable=["batch_stats"])[0]

    y = trained(KEY)
    assert (jnp.abs(y[:, None] - y[None]).max((-1, -2)) + jnp.eye(M) > 1e-3).all()
    np.testing.assert_array_equal(y, trained(KEY))
    assert jnp.abs(y - trained(jax.random.key(1))).max() > 1e-3
    with pytest.raises(ValueError, match=r"draws random numbers .* give apply a key"):
        ensemble.apply(variables, x, train=True, mutable=["batch_stats"])


def test_convolutions_get_the_gradients_that_are_fast_on_a_cpu():
    for ensemble in (be_jax.single(CNN), be_jax.batch_ensemble(CNN, M)):
        program = str(jax.make_jaxpr(ensemble.apply)(ensemble.init(KEY, inputs(CNN)), inputs(CNN)))
        assert program.count("name=_conv") == 2


class Tied(nnx.Module):
    """A layer in two places, an embedding that is its own head, an output on the way, and layers of one kernel."""

    def __init__(self, rngs, one_kernel=False):
        self.embed = nnx.Embed(11, 8, rngs=rngs)
        self.first = nnx.Linear(8, 8, rngs=rngs)
        self.second = nnx.Linear(8, 8, rngs=rngs) if one_kernel else self.first
        if one_kernel:
            self.second.kernel = self.first.kernel

    def __call__(self, x):
        x = jnp.tanh(self.first(self.embed(x)))
        self.on_the_way = nnx.Intermediate(x)
        return self.embed.attend(self.second(x).mean(1))


def test_layers_in_two_places():
    x = jax.random.randint(KEY, (B, 4), 0, 11)
    ensemble = be_jax.batch_ensemble(Tied, M, init="normal")
    variables = ensemble.init(KEY, x)
    assert variables["fast"].keys() == {"embed", "first"}
    y, made = ensemble.apply(variables, x, mutable=["intermediates"])
    assert made["intermediates"]["on_the_way"].shape == (M, B, 4, 8)
    for k in range(M):
        np.testing.assert_allclose(y[k], ensemble.model.apply(ensemble.member(variables, k), x), rtol=1e-4, atol=1e-5)


def test_layers_of_one_kernel_are_no_plain_member():
    x = jax.random.randint(KEY, (B, 4), 0, 11)
    ensemble = be_jax.batch_ensemble(partial(Tied, one_kernel=True), M)
    variables = ensemble.init(KEY, x)
    assert jnp.isfinite(ensemble.apply(variables, x)).all()
    with pytest.raises(ValueError, match="'second' has its kernel from another"):
        ensemble.member(variables, 0)


class Recurrent(nnx.Module):
    """A cell under nnx's scan."""

    def __init__(self, rngs):
        self.rnn = nnx.RNN(nnx.GRUCell(4, 8, rngs=rngs))
        self.head = nnx.Linear(8, 5, rngs=rngs)

    def __call__(self, x):
        return self.head(self.rnn(x)[:, -1])


def test_recurrent_cells():
    x = inputs(Attention)
    ensemble = be_jax.batch_ensemble(Recurrent, M)
    variables = ensemble.init(KEY, x)
    assert "cell" in variables["fast"]["rnn"]
    y = ensemble.apply(variables, x)
    np.testing.assert_allclose(y[1], ensemble.model.apply(ensemble.member(variables, 1), x), rtol=1e-4, atol=1e-5)
