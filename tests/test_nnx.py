"""The lift of flax.nnx modules, written without us: what is asked of it is what is asked of linen's."""

import pickle
import re
import subprocess
import sys
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from flax.traverse_util import flatten_dict
from jax import lax

import be_jax
from be_jax.config import TrainConfig
from be_jax.fit import pad
from be_jax.nn.rank1 import effective_kernel
from be_jax.train import make_trainer

KEY = jax.random.key(0)
B, M = 6, 3


class MLP(nnx.Module):
    """A list of layers."""

    def __init__(self, rngs):
        self.hidden = nnx.List([nnx.Linear(20, 16, rngs=rngs), nnx.Linear(16, 16, rngs=rngs)])
        self.head = nnx.Linear(16, 5, rngs=rngs)

    def __call__(self, x):
        for layer in self.hidden:
            x = nnx.relu(layer(x))
        return self.head(x)


class CNN(nnx.Module):
    """Convolutions, batch normalisation, dropout."""

    def __init__(self, rngs, rate=0.3):
        self.conv1 = nnx.Conv(2, 6, (3, 3), strides=2, rngs=rngs)
        self.norm = nnx.BatchNorm(6, momentum=0.9, rngs=rngs)
        self.conv2 = nnx.Conv(6, 8, (3, 3), padding="VALID", use_bias=False, rngs=rngs)
        self.dropout = nnx.Dropout(rate, rngs=rngs)
        self.head = nnx.Linear(8, 5, rngs=rngs)

    def __call__(self, x):
        x = nnx.relu(self.norm(self.conv1(x)))
        x = nnx.relu(self.conv2(x)).mean((1, 2))
        return self.head(self.dropout(x))


class Attention(nnx.Module):
    """Linear layers of several axes, layer normalisation, an array that is no variable, an argument for the mode."""

    def __init__(self, rngs, rate=0.2):
        self.places = nnx.data(jnp.arange(28, dtype=jnp.float32).reshape(1, 7, 4) / 28)
        self.embed = nnx.LinearGeneral(4, (2, 4), rngs=rngs)
        self.norm = nnx.LayerNorm(8, rngs=rngs)
        self.attention = nnx.MultiHeadAttention(2, 8, dropout_rate=rate, decode=False, rngs=rngs)
        self.head = nnx.LinearGeneral((7, 8), 5, axis=(-2, -1), rngs=rngs)

    def __call__(self, x, deterministic=True):
        x = self.embed(x + self.places).reshape(-1, 7, 8)
        return self.head(x + self.attention(self.norm(x), deterministic=deterministic))


class Block(nnx.Module):
    """One of several that are scanned."""

    def __init__(self, rngs):
        self.linear = nnx.Linear(8, 8, rngs=rngs)

    def __call__(self, x):
        return x + jnp.tanh(self.linear(x))


class Scaled(nnx.Linear):
    """A user's own layer, around flax's."""

    def __call__(self, x):
        return 2 * super().__call__(x / 2)


class Scanned(nnx.Module):
    """Four blocks as one scan, and another block under remat."""

    def __init__(self, rngs):
        self.stem = Scaled(20, 8, rngs=rngs)
        self.blocks = nnx.vmap(Block, in_axes=0)(rngs.split(4) if hasattr(rngs, "split") else rngs.fork(split=4))
        self.last = Block(rngs)
        self.head = nnx.Linear(8, 5, rngs=rngs)

    def __call__(self, x):
        @nnx.scan(in_axes=(nnx.Carry, 0), out_axes=nnx.Carry)
        def through(x, block):
            return block(x)

        x = through(self.stem(x), self.blocks)
        return self.head(nnx.remat(lambda block, x: block(x))(self.last, x))


INPUTS = {MLP: (20,), CNN: (9, 9, 2), Attention: (7, 4), Scanned: (20,)}
MODELS = list(INPUTS)


def inputs(model, batch=B):
    return jax.random.normal(jax.random.key(1), (batch, *INPUTS[model]))


def plain(model, seed=0):
    """The module of the user, and what it computes in evaluation."""
    module = model(nnx.Rngs(seed))
    evaluated = nnx.clone(module)
    evaluated.eval()
    return module, evaluated(inputs(model))


@pytest.fixture(params=MODELS, ids=lambda model: model.__name__)
def model(request):
    return request.param


@pytest.fixture(params=[1, 3], ids=lambda rank: f"rank {rank}")
def rank(request):
    return request.param


def test_ones_are_the_plain_module(model, rank):
    module, expected = plain(model)
    before = jax.tree.leaves(nnx.state(module))
    ensemble = be_jax.batch_ensemble(module, M, rank, "ones")
    variables = jax.jit(ensemble.init)(KEY, inputs(model))
    y = jax.jit(ensemble.apply)(variables, inputs(model))
    np.testing.assert_allclose(y, jnp.stack([expected] * M), rtol=1e-5, atol=1e-5)
    after = jax.tree.leaves(nnx.state(module))
    assert all(a is b for a, b in zip(before, after, strict=True)), "the user's module was touched"


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


def test_nnx_is_imported_where_it_is_used():
    code = "import sys, flax.linen as nn, be_jax; be_jax.single(nn.Dense(3)); print('flax.nnx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"


@pytest.mark.parametrize("build", [be_jax.batch_ensemble, be_jax.deep_ensemble, be_jax.mc_dropout])
def test_a_trainer_trains_it(build):
    config = TrainConfig(epochs=12, batch_size=16, learning_rate=0.02)
    first, last, losses = trained(build(partial(CNN, rate=0.1), M), config, epochs=12)
    assert losses[-1] < 0.7 * losses[0]
    assert jnp.abs(last.statistics["batch_stats"]["norm"]["mean"]).max() > 1e-3
    assert jax.tree.structure(first) == jax.tree.structure(last)


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
