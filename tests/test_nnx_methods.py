"""Modules of flax.nnx in every method and in a trainer; and what is refused."""

import pickle
import re
import subprocess
import sys
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from jax import lax
from nnx_models import CNN, KEY, MLP, Attention, B, M, inputs, plain

import be_jax
from be_jax.config import TrainConfig
from be_jax.fit import pad
from be_jax.train import make_trainer


@pytest.mark.slow
@pytest.mark.parametrize("model", [CNN, Attention], ids=lambda model: model.__name__)
def test_mc_dropout_samples_a_trained_module(model):
    module, expected = plain(model)
    ensemble = be_jax.mc_dropout(module, M)
    variables = jax.jit(ensemble.init)(KEY, inputs(model))
    samples = ensemble.predict(variables, inputs(model), KEY)
    assert jnp.abs(samples[0] - samples[1]).max() > 1e-3
    np.testing.assert_allclose(ensemble.apply(variables, inputs(model))[1], expected, rtol=1e-5, atol=1e-5)
    with pytest.raises(ValueError, match="mc_dropout needs dropout"):
        be_jax.mc_dropout(MLP, M).init(KEY, inputs(MLP))


@pytest.mark.slow
def test_masks_do_not_depend_on_the_number_of_devices():
    ensemble = be_jax.batch_ensemble(CNN, 2)
    x = inputs(CNN, 8)
    variables = jax.jit(ensemble.init)(KEY, x)

    def trained(ensemble, x):
        return ensemble.apply(variables, x, train=True, key=KEY, mutable=["batch_stats"])

    whole, updates = trained(ensemble, x)
    split = jax.pmap(partial(trained, ensemble.split_over("d")), axis_name="d", out_axes=(1, None))
    shares, own_updates = split(x.reshape(4, 2, *x.shape[1:]))
    np.testing.assert_allclose(shares.reshape(whole.shape), whole, rtol=1e-4, atol=1e-5)
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6), updates, own_updates)


def test_a_function_draws_by_the_key_and_a_module_keeps_its_parameters():
    x = inputs(MLP)
    drawn, kept = be_jax.batch_ensemble(MLP, M), be_jax.batch_ensemble(MLP(nnx.Rngs(7)), M)
    first, second = (drawn.init(key, x)["params"]["head"]["kernel"] for key in jax.random.split(KEY))
    assert jnp.abs(first - second).max() > 0.01
    first, second = (kept.init(key, x) for key in jax.random.split(KEY))
    np.testing.assert_array_equal(first["params"]["head"]["kernel"], second["params"]["head"]["kernel"])
    assert (first["fast"]["head"]["s"] != second["fast"]["head"]["s"]).any()


def test_deep_ensemble_draws_members_anew():
    x = inputs(CNN)
    ensemble = be_jax.deep_ensemble(lambda rngs: CNN(rngs, rate=0.1), M)
    variables = jax.jit(ensemble.init)(KEY, x)
    y = jax.jit(ensemble.apply)(variables, x)
    assert jnp.abs(y[0] - y[1]).max() > 0.01
    for k in range(M):
        expected = ensemble.model.apply(ensemble.member(variables, k), x)
        np.testing.assert_allclose(y[k], expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match=r"this CNN has its parameters: give what makes one"):
        be_jax.deep_ensemble(CNN(nnx.Rngs(0)), M)


@pytest.mark.parametrize("draw", [True, False])
def test_last_layer_and_norm_ensemble(draw):
    x = inputs(CNN)
    for build in (partial(be_jax.last_layer, only="head"), be_jax.norm_ensemble):
        ensemble = build(CNN if draw else CNN(nnx.Rngs(0)), M)
        variables = jax.jit(ensemble.init)(KEY, x)
        y = jax.jit(ensemble.apply)(variables, x)
        assert jnp.abs(y[0] - y[1]).max() > 1e-3
        np.testing.assert_allclose(y[1], ensemble.model.apply(ensemble.member(variables, 1), x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("build", [be_jax.full_rank, partial(be_jax.lora_ensemble, rank=2)], ids=["full", "lora"])
def test_other_rules_of_linear_layers(build):
    x = inputs(MLP)
    ensemble = build(MLP, M)
    variables = jax.jit(ensemble.init)(KEY, x)
    y = jax.jit(ensemble.apply)(variables, x)
    assert jnp.abs(y[0] - y[1]).max() > 0.01
    np.testing.assert_allclose(y[1], ensemble.model.apply(ensemble.member(variables, 1), x), rtol=1e-4, atol=1e-5)


def test_masksembles_masks_where_dropout_is():
    ensemble = be_jax.masksembles(CNN, M)
    variables = jax.jit(ensemble.init)(KEY, inputs(CNN))
    assert variables["masks"]["dropout"]["mask"].shape == (M, 8)
    y = jax.jit(ensemble.apply)(variables, inputs(CNN))
    assert jnp.abs(y[0] - y[1]).max() > 1e-3


def test_globs_choose_layers_and_initialisers():
    x = inputs(MLP)
    ensemble = be_jax.batch_ensemble(MLP, M, only=("hidden/*",), init={"hidden/0": "normal", "**": "ones"})
    fast = jax.jit(ensemble.init)(KEY, x)["fast"]
    assert fast.keys() == {"hidden"}
    assert (fast["hidden"]["1"]["r"] == 1).all()
    assert len(np.unique(fast["hidden"]["0"]["r"])) > M
    with pytest.raises(ValueError, match=r"'hidden/7' matches no layer; there are 'hidden/0', 'hidden/1', 'head'"):
        be_jax.batch_ensemble(MLP, M, only="hidden/7").init(KEY, x)
    attention = be_jax.batch_ensemble(Attention, M, only="attention/query")
    assert attention.init(KEY, inputs(Attention))["fast"]["attention"]["query"]["s"].shape == (M, 1, 2, 4)


class Matrices(nnx.Module):
    """A kernel that no layer of flax's holds."""

    def __init__(self, rngs, linear=True):
        self.kernel = nnx.Param(rngs.params.normal((20, 20)))
        self.head = nnx.Linear(20, 5, rngs=rngs) if linear else None

    def __call__(self, x):
        x = x @ self.kernel[...]
        return x if self.head is None else self.head(x)


def test_nothing_is_shared_in_silence():
    x = inputs(MLP)
    with pytest.warns(UserWarning, match=r"all members share 'kernel' as it is"):
        be_jax.batch_ensemble(Matrices, M).init(KEY, x)
    be_jax.batch_ensemble(Matrices, M, shared="kernel").init(KEY, x)
    with pytest.raises(ValueError, match="no layer was lifted"):
        be_jax.batch_ensemble(partial(Matrices, linear=False), M).init(KEY, x)


def test_the_table_names_what_is_shared():
    table = be_jax.batch_ensemble(CNN, M).tabulate(inputs(CNN))
    (row,) = re.findall(r"^conv1 +Conv +(.*)$", table, re.MULTILINE)
    assert re.split(" {2,}", row) == ["bias [6], kernel [3, 3, 2, 6]", "bias [6], r [1, 2], s [1, 6]"]


class NeedsMask(nnx.Module):
    def __call__(self, x, mask):
        return x * mask


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: be_jax.single(NeedsMask()), r"NeedsMask.__call__ needs 'mask' beside its input"),
        (lambda: be_jax.single(lambda rngs: rngs), r"must return a flax.nnx module; got Rngs"),
        (lambda: be_jax.single(lambda: MLP(nnx.Rngs(0))), r"made from a flax.linen module .* flax.nnx will do"),
        (lambda: be_jax.batch_ensemble(MLP, M).init(KEY, jnp.ones((B, 19))), r"\(19,\)"),
    ],
)
def test_bad_modules(make, message):
    with pytest.raises(Exception, match=message):
        make()


def test_inputs_that_do_not_fit():
    ensemble = be_jax.single(MLP)
    variables = jax.jit(ensemble.init)(KEY, inputs(MLP))
    with pytest.raises(ValueError, match=r"x of shape \(6, 19\) does not fit the variables"):
        ensemble.apply(variables, jnp.ones((B, 19)))


def test_the_model_pickles():
    ensemble = be_jax.batch_ensemble(MLP(nnx.Rngs(0)), M)
    variables = jax.jit(ensemble.init)(KEY, inputs(MLP))
    again = pickle.loads(pickle.dumps(ensemble))
    np.testing.assert_array_equal(again.apply(variables, inputs(MLP)), ensemble.apply(variables, inputs(MLP)))


class OwnConvolution(nnx.Module):
    """A hook of the user's own, which stays."""

    def __init__(self, rngs):
        self.conv = nnx.Conv(2, 5, (3, 3), conv_general_dilated=self.twice, rngs=rngs)

    @staticmethod
    def twice(*args, **kwargs):
        return 2 * lax.conv_general_dilated(*args, **kwargs)

    def __call__(self, x):
        return self.conv(x).mean((1, 2))


def test_hooks_of_the_user_stay():
    module = OwnConvolution(nnx.Rngs(0))
    ensemble = be_jax.batch_ensemble(module, M, init="ones")
    y = ensemble.apply(jax.jit(ensemble.init)(KEY, inputs(CNN)), inputs(CNN))
    np.testing.assert_allclose(y[0], module(inputs(CNN)), rtol=1e-5, atol=1e-5)


def trained(ensemble, config, epochs=1):
    """The state before and after training on labels that depend on the inputs, and the losses."""
    images = np.asarray(inputs(CNN, 48))
    labels = (images.sum((1, 2, 3)) > 0).astype(np.int32)
    trainer = make_trainer(ensemble, config, len(labels), lambda x: x)
    state = first = trainer.init(jnp.uint32(1), images[:1])
    epoch, losses = jax.jit(trainer.epoch), []
    for _ in range(epochs):
        state, metrics = epoch(jnp.uint32(1), state, images, labels, pad(images[:8], labels[:8], 8))
        losses.append(float(metrics.train_loss))
    return first.train, state.train, losses


def test_nnx_is_imported_where_it_is_used():
    code = "import sys, flax.linen as nn, be_jax; be_jax.single(nn.Dense(3)); print('flax.nnx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"


@pytest.mark.slow
@pytest.mark.parametrize("build", [be_jax.batch_ensemble, be_jax.deep_ensemble, be_jax.mc_dropout])
def test_a_trainer_trains_it(build):
    config = TrainConfig(epochs=12, batch_size=16, learning_rate=0.02)
    first, last, losses = trained(build(partial(CNN, rate=0.1), M), config, epochs=12)
    assert losses[-1] < 0.7 * losses[0]
    assert jnp.abs(last.statistics["batch_stats"]["norm"]["mean"]).max() > 1e-3
    assert jax.tree.structure(first) == jax.tree.structure(last)


@pytest.mark.slow
def test_a_shared_kernel_steps_as_that_of_a_single_network():
    """SGD from copies: the gradient rule reaches the parts of an nnx module by their collections."""
    module = CNN(nnx.Rngs(0), rate=0.0)
    config = TrainConfig(epochs=1, batch_size=48, optimizer="sgd", learning_rate=0.1, weight_decay=0.01)
    _, single, _ = trained(be_jax.single(module), config)
    _, several, _ = trained(be_jax.batch_ensemble(module, M, init="ones"), config)
    for layer in ("conv1", "conv2", "head"):
        before, after = (getattr(module, layer).kernel[...], single.weights["params"][layer]["kernel"])
        assert jnp.abs(after - before).max() > 1e-4
        np.testing.assert_allclose(several.weights["params"][layer]["kernel"], after, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_a_loop_of_ones_own_trains_a_module_and_leaves_it_as_it_is():
    module, before = plain(Attention)
    x, labels = inputs(Attention), jnp.arange(6) % 5
    ensemble, optimizer = be_jax.batch_ensemble(module, M), optax.adam(0.01)
    state = be_jax.create_state(ensemble, optimizer, KEY, x)
    step, losses = be_jax.train_step(ensemble, optimizer), []
    for i in range(20):
        state, loss = step(state, x, labels, jax.random.key(i))
        losses.append(float(loss))
    assert losses[-1] < 0.7 * losses[0]
    module.eval()
    np.testing.assert_array_equal(module(x), before)
