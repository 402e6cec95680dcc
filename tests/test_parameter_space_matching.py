"""Networks whose units have changed places: no barrier once they are matched."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict, unflatten_dict
from test_parameter_space import ENSEMBLES, LABELS, NETWORK, X, trained

import be_jax
from be_jax import parameter_space as space
from be_jax.nn.models import LeNet, ViT, WideResNet, cifar_resnet


class Residual(nn.Module):
    """A layer whose inputs and units are the same ones."""

    @nn.compact
    def __call__(self, x, train=False):
        x = nn.Dense(8)(x.reshape(x.shape[0], -1))
        return nn.Dense(10)(x + nn.Dense(8)(nn.relu(x)))


IMAGES = np.random.default_rng(3).normal(size=(20, 2, 2, 1)).astype(np.float32).repeat(8, 1).repeat(8, 2)


NETWORKS = {
    "mlp": (NETWORK, X),
    "lenet": (LeNet(), IMAGES),
    "residual": (Residual(), X),
    "resnet": (cifar_resnet(8, width=8), IMAGES),
    "wide_resnet": (WideResNet(depth=10, width=1), IMAGES),
}


@functools.cache
def permuted_network(name):
    """A network whose statistics are those of its inputs, and the same with its hidden units in another order."""
    model, x = NETWORKS[name]
    network = trained(model.init, x)
    if "batch_stats" in network:
        see = jax.jit(lambda network: model.apply(network, x, train=True, mutable=["batch_stats"])[1])
        for _ in range(60):
            network = {**network, **see(network)}
        params = {
            name: layer | {"bias": 0 * layer["bias"]} for name, layer in network["params"].items() if "bias" in layer
        }
        network["params"] |= {name: layer for name, layer in params.items() if name.startswith("Dense")}
    units, rng = space.hidden_units(model, network, x), np.random.default_rng(0)
    orders = [rng.permutation(order) for order in space.natural_orders(units)]
    return network, space.reorder(network, units, orders)


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_a_permuted_network_has_a_barrier_before_matching_and_none_after(name):
    (model, x), (network, permuted) = NETWORKS[name], permuted_network(name)
    logits = np.asarray(model.apply(network, x))
    np.testing.assert_allclose(model.apply(permuted, x), logits, rtol=1e-3, atol=1e-4 * np.abs(logits).max())

    labels = logits.argmax(-1)
    path = jax.jit(lambda other: space.line(model, network, other, x, labels))
    assert space.height_over_chord(path(permuted).loss) > 0.1
    matched = space.match(model, network, permuted, x)
    jax.tree.map(np.testing.assert_array_equal, matched, network)
    np.testing.assert_allclose(path(matched).loss, path(matched).loss[0], rtol=1e-5)


def test_layers_of_a_residual_stream_share_their_units():
    model, x = NETWORKS["resnet"]
    units = space.hidden_units(model, trained(model.init, x), x)
    assert [group.size for group in units] == [8, 8, 16, 16, 32, 32]
    stream, inner = ({"/".join(place.path) for place in group.places} for group in units[:2])
    assert {"params/Conv_0/kernel", "params/Conv_2/kernel", "batch_stats/BatchNorm_2/mean"} <= stream
    assert {path for path in inner if "kernel" in path} == {"params/Conv_1/kernel", "params/Conv_2/kernel"}


def test_batch_normalisation_is_repaired_between_networks_and_left_alone_at_them():
    """A kernel and its statistics of nine times the size are the same function; interpolated statistics are not."""
    ensemble = ENSEMBLES["convolutional deep_ensemble"]
    network = ensemble.member(trained(ensemble.init), 0)
    times = {("Conv_0", "kernel"): 9, ("BatchNorm_0", "mean"): 9, ("BatchNorm_0", "var"): 81}
    scaled = unflatten_dict({path: times.get(path[1:], 1) * a for path, a in flatten_dict(network).items()})
    halfway = jax.tree.map(lambda a, b: (a + b) / 2, network, scaled)
    logits = [ensemble.model.apply(each, X) for each in (network, scaled, halfway)]
    np.testing.assert_allclose(logits[1], logits[0], rtol=1e-3, atol=1e-3)
    assert np.abs(logits[2] - logits[0]).max() > 0.1

    labels = np.asarray(logits[0]).argmax(-1)
    path = space.line(ensemble.model, network, scaled, X, labels)
    np.testing.assert_allclose(path.loss, be_jax.metrics.nll(jax.nn.log_softmax(logits[0]), labels).mean(), rtol=1e-3)


@pytest.mark.parametrize("name", ["batch_ensemble", "deep_ensemble"])
def test_the_ends_of_a_line_with_batch_normalisation_are_the_members(name):
    ensemble = ENSEMBLES[f"convolutional {name}"]
    variables = trained(ensemble.init)
    deep, networks = space.as_deep_ensemble(ensemble, variables)
    path = space.line(deep.model, deep.member(networks, 0), deep.member(networks, 1), X, LABELS)
    expected = [be_jax.metrics.nll(log_probs, LABELS).mean() for log_probs in ensemble.predict(variables, X)[:2]]
    np.testing.assert_allclose(path.loss[np.array([0, -1])], expected, rtol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["deep_ensemble", "convolutional deep_ensemble"])
def test_matching_keeps_functions_and_brings_members_nearer(name):
    ensemble = ENSEMBLES[name]
    variables = trained(ensemble.init)
    matched, logits = space.matched_pairs(ensemble, variables, X), ensemble.apply(variables, X)
    pair_of = be_jax.deep_ensemble(ensemble.model, 2)
    for index, members in enumerate([(0, 1), (0, 2), (1, 2)]):
        after = jax.tree.map(lambda a, index=index: a[index], matched)
        before = jax.tree.map(lambda a, members=members: a[np.array(members)], variables)
        np.testing.assert_allclose(pair_of.apply(after, X), logits[np.array(members)], rtol=1e-3, atol=1e-3)
        cosines = [
            np.mean([layer.cosine for layer in space.kernel_similarity(pair_of, each).values()])
            for each in (before, after)
        ]
        assert cosines[1] > cosines[0] + 0.05


class Normalised(nn.Module):
    """Units that are normalised together: all of an example, or groups of them, which depend on their order."""

    groups: int
    relu_first: bool = False

    @nn.compact
    def __call__(self, x, train=False):
        x = nn.Dense(8)(x.reshape(x.shape[0], -1))
        x = nn.GroupNorm(num_groups=self.groups)(nn.relu(x) if self.relu_first else x)
        return nn.Dense(10)(nn.relu(x))


@pytest.mark.parametrize("relu_first", [False, True])
def test_units_that_cannot_change_places_are_named(relu_first):
    model = Normalised(2, relu_first)
    network = trained(model.init)
    with pytest.raises(ValueError, match=r"in Normalised: it is another function when the 8 units of .*Dense_1/kernel"):
        space.match(model, network, network, X)


@pytest.mark.slow
def test_heads_of_attention_cannot_change_places_and_indices_are_no_units():
    model = ViT(patch=3, width=8, depth=1, heads=2, mlp_width=8)
    with pytest.raises(ValueError, match=r"in ViT: it is another function when the 8 units of patches/kernel.* more"):
        space.hidden_units(model, model.init(jax.random.key(0), X), X)


def test_units_that_are_normalised_together_may_change_places():
    (units,) = space.hidden_units(Normalised(1), trained(Normalised(1).init), X)
    names = {"/".join(place.path[1:]) for place in units.places}
    assert names >= {"Dense_0/kernel", "GroupNorm_0/scale", "Dense_1/kernel"}


class Concatenated(nn.Module):
    """Two layers side by side: units of a joint order, if there are as many of both."""

    second: int

    @nn.compact
    def __call__(self, x, train=False):
        x = x.reshape(x.shape[0], -1)
        both = [nn.Dense(features)(x) for features in (8, self.second)]
        return nn.Dense(10)(nn.relu(jnp.concatenate(both, axis=-1)))


@pytest.mark.slow
def test_concatenated_layers_share_their_units_or_are_refused():
    (units,) = space.hidden_units(Concatenated(8), trained(Concatenated(8).init), X)
    assert (units.size, len(units.places)) == (8, 5)
    with pytest.raises(ValueError, match="hidden units cannot be matched in Concatenated"):
        space.hidden_units(Concatenated(6), trained(Concatenated(6).init), X)
