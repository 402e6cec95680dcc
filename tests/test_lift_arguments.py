"""What the constructors and `init` take: globs, initialisers by path, trained networks, and what they refuse."""

import pickle
from contextlib import nullcontext

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict
from foreign_models import MODELS, Compact, Transformer

import be_jax
from be_jax.nn import fast_init
from be_jax.nn.globs import matches

KEY = jax.random.key(0)
MLP, FLAT = be_jax.models.MLP(features=(6, 5), num_classes=3), jnp.ones((4, 7))
IMAGES = MODELS["transformer"][1]


@pytest.mark.parametrize(
    ("glob", "path", "fits"),
    [
        ("Dense_3", "Dense_3", True),
        ("Dense_3", "Block_0/Dense_3", False),
        ("Dense_?", "Dense_12", False),
        ("head/*", "head/a", True),
        ("head/*", "head/a/b", False),
        ("head/**", "head/a/b", True),
        ("**", "", True),
        ("**/Dense_0", "Dense_0", True),
        ("**/Dense_0", "a/b/Dense_0", True),
        ("a.b", "axb", False),
    ],
)
def test_globs(glob, path, fits):
    assert matches(path, glob) is fits


def layers_of(variables):
    return {"/".join(path[:-1]) for path in flatten_dict(variables["fast"])}


def test_only_and_shared_choose_layers():
    every = {"embedding", "Dense_0", "Dense_1", "head"} | {
        f"MultiHeadDotProductAttention_0/{name}" for name in ("query", "key", "value", "out")
    }
    model, positions = Transformer(), "pos_embedding"

    def lifted(**choice):
        return layers_of(jax.eval_shape(be_jax.batch_ensemble(model, 2, **choice).init, KEY, IMAGES))

    assert lifted(shared=positions) == every
    assert lifted(only=("head", "Dense_?")) == {"head", "Dense_0", "Dense_1"}
    assert lifted(shared=(positions, "Multi*/*")) == {"embedding", "Dense_0", "Dense_1", "head"}
    assert lifted(only="Multi*/*", shared="**/out") == {
        f"MultiHeadDotProductAttention_0/{name}" for name in ("query", "key", "value")
    }


@pytest.mark.slow
def test_init_by_path_is_the_start_of_tabm():
    """The first r random, all else ones: members differ by which inputs they see the sign of."""
    ensemble = be_jax.batch_ensemble(MLP, 2, init={"Dense_0": "random_sign", "**": "ones"}, init_s="ones")
    fast = ensemble.init(KEY, FLAT)["fast"]
    assert set(np.unique(fast["Dense_0"]["r"])) == {-1, 1}
    others = [fast["Dense_1"]["r"], fast["Dense_2"]["r"], *(fast[layer]["s"] for layer in fast)]
    assert all((np.asarray(each) == 1).all() for each in others)


@pytest.mark.slow
@pytest.mark.parametrize("rank", [1, 3])
def test_ones_of_any_rank_are_the_plain_network(rank):
    variables = be_jax.batch_ensemble(MLP, 2, rank, "ones").init(KEY, FLAT)
    trained = jax.tree.map(lambda a: a + 0.5, {"params": variables["params"]})
    ensemble = be_jax.batch_ensemble(MLP, 2, rank, "ones")
    logits = ensemble.apply(ensemble.init(KEY, FLAT, trained), FLAT)
    np.testing.assert_allclose(logits, jnp.stack([MLP.apply(trained, FLAT)] * 2), rtol=1e-5, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: be_jax.batch_ensemble(MLP, 2, only="Dense_7"),
            "glob 'Dense_7' matches no layer; there are",
        ),
        (lambda: be_jax.batch_ensemble(MLP, 2, shared=("Dense_0", "nose")), "glob 'nose' matches no layer"),
        (lambda: be_jax.batch_ensemble(MLP, 2, shared="**"), "no layer was lifted"),
        (lambda: be_jax.batch_ensemble(nn.Sequential([nn.relu]), 2), "no layer was lifted.*its layers are none"),
        (
            lambda: be_jax.batch_ensemble(MLP, 2, init={"Dense_0": "ones"}),
            "has nothing for the layer 'Dense_1'",
        ),
        (lambda: be_jax.batch_ensemble(MLP, 2, init={"Dnse_0": "ones", "**": "normal"}), "init.*'Dnse_0' matches no"),
        (lambda: be_jax.last_layer(MLP, 2, "head"), "glob 'head' matches no layer"),
        (lambda: be_jax.norm_ensemble(MLP, 2), "no parameter is a member's own"),
        (lambda: be_jax.mc_dropout(MLP, 2), "mc_dropout needs dropout: no layer with a rate above 0"),
        (lambda: be_jax.masksembles(MLP, 2), "masksembles puts its masks in the place of dropout: no layer"),
    ],
)
def test_a_method_that_finds_nothing_is_an_error(build, message):
    with pytest.raises(ValueError, match=message):
        build().init(KEY, FLAT)


@pytest.mark.slow
def test_kernels_that_stay_shared_are_named():
    with pytest.warns(UserWarning, match=r"share 'pos_embedding' as it is.*shared=\('pos_embedding',\)"):
        be_jax.batch_ensemble(Transformer(), 2).init(KEY, IMAGES)
    with pytest.warns(UserWarning, match="share 'Conv_0/kernel', 'Conv_1/kernel'"):
        be_jax.lora_ensemble(be_jax.models.LeNet(), 2, 1).init(KEY, jnp.ones((1, 28, 28, 1)))


class Needs(nn.Module):
    @nn.compact
    def __call__(self, x, mask):
        return nn.Dense(3)(x * mask)


class Output(nn.Module):
    """A model that returns what its field says."""

    form: str

    @nn.compact
    def __call__(self, x):
        z = nn.Dense(1)(x)
        return {
            "[b]": z[:, 0],
            "[b, 1]": z,
            "tuple": (z, z),
            "dict": {"logits": x, "features": z},
            "[b, t, 1]": x[..., None],
            "[b, t, c]": jnp.stack([x, x], -1),
        }[self.form]


def test_arguments_that_cannot_be_served():
    with pytest.raises(ValueError, match=r"Needs.__call__ needs 'mask' beside its input"):
        be_jax.batch_ensemble(Needs(), 2)


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ("[b]", r"Output returns \[4\]\. Of one logit z, return jnp.stack"),
        ("[b, 1]", r"Output returns \[4, 1\]"),
        ("tuple", "Output returns a tuple. Wrap it"),
        ("dict", "Output returns a dict. Wrap it"),
        ("[b, t, 1]", r"Output returns \[4, 7, 1\]"),
        ("[b, t, c]", r"Output returns \[4, 7, 2\]"),
    ],
)
def test_outputs_that_are_not_logits(form, message):
    ensemble = be_jax.batch_ensemble(Output(form), 2)
    variables = ensemble.init(KEY, FLAT)
    with pytest.raises(ValueError, match=message):
        ensemble.predict(variables, FLAT)
    assert jax.tree.leaves(ensemble.apply(variables, FLAT))[0].shape[:2] == (2, 4)


@pytest.mark.parametrize("index", [-1, 2, True])
def test_members_out_of_range(index):
    ensemble = be_jax.batch_ensemble(MLP, 2)
    with pytest.raises(ValueError, match=f"members 0 to 1; got {index}"):
        ensemble.member(ensemble.init(KEY, FLAT), index)


def test_ensembles_are_values():
    def build(std=0.5):
        return be_jax.batch_ensemble(
            MLP, 2, 3, {"Dense_0": fast_init.normal(std), "**": "random_sign"}, init_s="ones", shared="Dense_1"
        )

    assert build() == build() == pickle.loads(pickle.dumps(build())) != build(0.6)
    assert len({build(), build(), build(0.6)}) == 2
    for other in (be_jax.masksembles(MLP, 2), be_jax.norm_ensemble(MLP, 2), be_jax.lora_ensemble(MLP, 2, 1)):
        assert pickle.loads(pickle.dumps(other)) == other


class Counting(nn.Module):
    """A collection of its own, updated by what each member sees; and something that is sown."""

    @nn.compact
    def __call__(self, x, train=False):
        x = nn.Dense(3)(x)
        seen = self.variable("moments", "sum", jnp.zeros, ())
        if train:
            seen.value += x.sum()
        self.sow("intermediates", "hidden", x)
        return x


def test_collections_that_are_not_ours():
    ensemble = be_jax.batch_ensemble(Counting(), 2)
    variables = ensemble.init(KEY, FLAT)
    assert variables["moments"]["sum"].shape == (2,)
    logits, updates = ensemble.apply(variables, FLAT, train=True, mutable=["moments", "intermediates"])
    np.testing.assert_allclose(updates["moments"]["sum"], logits.sum((1, 2)), rtol=1e-5)
    np.testing.assert_array_equal(updates["intermediates"]["hidden"][0], logits)
    single = be_jax.single(Counting())
    variables = single.init(KEY, FLAT)
    logits, updates = single.apply(variables, FLAT, train=True, mutable=["moments"])
    np.testing.assert_allclose(updates["moments"]["sum"], logits.sum(), rtol=1e-5)


@pytest.fixture(scope="module")
def trained():
    """Variables of a plain network that are not those of any start."""
    variables = Compact().init(jax.random.key(5), FLAT)
    return jax.tree.map(lambda a: a + 0.1 * jnp.arange(a.size, dtype=a.dtype).reshape(a.shape), variables)


BUILDS = {
    "single": be_jax.single,
    "mc_dropout": lambda model: be_jax.mc_dropout(model, 3),
    "batch_ensemble": lambda model: be_jax.batch_ensemble(model, 3, init="ones"),
    "batch_ensemble, norm per member": lambda model: be_jax.batch_ensemble(model, 3, init="ones", norm="per_member"),
    "deep_ensemble": lambda model: be_jax.deep_ensemble(model, 3),
    "lora_ensemble": lambda model: be_jax.lora_ensemble(model, 3, 2, std=0.0),
    "norm_ensemble": lambda model: be_jax.norm_ensemble(model, 3, spread=0.0),
    "last_layer": lambda model: be_jax.last_layer(model, 3, spread=0.0),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", BUILDS)
def test_members_of_a_trained_network_start_as_copies(name, trained):
    ensemble = BUILDS[name](Compact())
    before = jax.tree.map(np.array, trained)
    warned = pytest.warns(UserWarning, match="all 3 members start as copies") if "deep" in name else nullcontext()
    with warned:
        variables = ensemble.init(KEY, FLAT, trained)
    expected = Compact().apply(trained, FLAT)
    np.testing.assert_allclose(
        ensemble.apply(variables, FLAT), jnp.stack([expected] * ensemble.members), rtol=1e-5, atol=1e-5
    )
    for collection in ("params", "batch_stats"):
        theirs, ours = flatten_dict(trained[collection]), flatten_dict(variables[collection])
        for path, value in ours.items():
            copies = np.broadcast_to(theirs[path], value.shape)
            np.testing.assert_array_equal(value, copies, err_msg=str(path))
    moved = 0 if name not in ("norm_ensemble", "last_layer") else 2
    assert len(flatten_dict(variables["params"])) == len(flatten_dict(trained["params"])) - moved
    jax.tree.map(np.testing.assert_array_equal, trained, before)


@pytest.mark.parametrize("name", ["norm_ensemble", "last_layer", "lora_ensemble"])
def test_or_spread_around_it(name, trained):
    ensemble = getattr(be_jax, name)(Compact(), 3, *((2,) if name == "lora_ensemble" else ()))
    logits = ensemble.apply(ensemble.init(KEY, FLAT, trained), FLAT)
    assert jnp.abs(logits[0] - logits[1]).max() > 1e-3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: {"params": v["params"]}, "batch_stats/BatchNorm_0/mean is missing"),
        (lambda v: v["params"], r"must be the variables of the plain model, \{'params', 'batch_stats'\}"),
        (lambda v: {**v, "fast": v["params"]}, "fast/BatchNorm_0/bias is not of the model"),
        (
            lambda v: {**v, "params": {**v["params"], "Dense_0": {"kernel": jnp.ones((3, 6)), "bias": jnp.ones(6)}}},
            r"params/Dense_0/kernel has shape \(3, 6\), not \(7, 6\)",
        ),
    ],
)
def test_trained_variables_that_do_not_fit(change, message, trained):
    with pytest.raises(ValueError, match=message):
        be_jax.batch_ensemble(Compact(), 2, init="ones").init(KEY, FLAT, change(trained))


def test_a_start_that_undoes_training_is_said_to_do_so(trained):
    for build in (be_jax.batch_ensemble, be_jax.full_rank):
        with pytest.warns(UserWarning, match=r"start from random_sign, .* what the network has learned is lost"):
            build(Compact(), 2).init(KEY, FLAT, trained)
        build(Compact(), 2, init="ones").init(KEY, FLAT, trained)


def test_table_of_what_is_shared():
    table = be_jax.batch_ensemble(Compact(), 2, only="Dense_1").tabulate(FLAT)
    rows = {line.split()[0]: line for line in table.splitlines() if not line.startswith("-")}
    assert rows["Dense_0"].split("  ")[0] == "Dense_0"
    assert "r [1, 6]" not in rows["Dense_0"]
    assert "r [1, 6], s [1, 3]" in rows["Dense_1"]
    assert "batch_stats: mean [6]" in rows["BatchNorm_0"]
    assert rows["parameters"].split()[1:] == [str(7 * 6 + 6 + 12 + 6 * 3 + 3), str(6 + 3 + 3), "x", "2"]
