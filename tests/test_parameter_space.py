"""Members as plain networks, and how far apart they are: known answers at both ends, for every method."""

import functools
import itertools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import be_jax
from be_jax import parameter_space as space
from be_jax.construct import full_rank
from be_jax.nn.models import MLP
from be_jax.nn.rank1 import effective_kernel


class ConvNet(nn.Module):
    """A convolution, batch normalisation, a flattened image and two dense layers, as in LeNet."""

    @nn.compact
    def __call__(self, x, train=False):
        x = nn.relu(nn.BatchNorm(use_running_average=not train)(nn.Conv(5, (3, 3), use_bias=False)(x)))
        x = nn.relu(nn.Dense(7)(x.reshape(x.shape[0], -1)))
        return nn.Dense(10)(x)


KEY = jax.random.key(0)
X = np.random.default_rng(1).normal(size=(40, 6, 6, 1)).astype(np.float32)
LABELS = np.random.default_rng(2).integers(0, 10, 40)
NETWORK = MLP(features=(24, 12), dropout_rate=0.2)
ENSEMBLES = {
    "batch_ensemble": be_jax.batch_ensemble(NETWORK, 3),
    "batch_ensemble of rank 2": be_jax.batch_ensemble(NETWORK, 3, 2),
    "full_rank": full_rank(NETWORK, 3),
    "deep_ensemble": be_jax.deep_ensemble(NETWORK, 3),
    "convolutional batch_ensemble": be_jax.batch_ensemble(ConvNet(), 3),
    "convolutional batch_ensemble, norm per member": be_jax.batch_ensemble(ConvNet(), 3, norm="per_member"),
    "convolutional deep_ensemble": be_jax.deep_ensemble(ConvNet(), 3),
}


def start(ensemble, x=X):
    return jax.jit(ensemble.init)(KEY, x)


def trained(init, x=X, seed=0):
    """Variables as `init` gives them, but with biases, statistics and fast weights that are not at their beginnings."""
    rng = np.random.default_rng(seed)

    def draw(path, shape):
        values = rng.normal(size=shape.shape).astype(np.float32)
        match path[-1].key:
            case "kernel":
                return values / np.prod(shape.shape[-3:-1]) ** 0.5
            case "var" | "scale":
                return 0.5 + np.abs(values)
            case _:
                return values

    return jax.tree_util.tree_map_with_path(draw, jax.eval_shape(init, KEY, x))


@functools.cache
def scores_of(name):
    ensemble = ENSEMBLES[name]
    return space.score_parameters(ensemble, trained(ensemble.init), X, LABELS)


@pytest.mark.slow
@pytest.mark.parametrize("name", ENSEMBLES)
def test_members_are_plain_networks(name):
    ensemble, plain = ENSEMBLES[name], ConvNet() if name.startswith("convolutional") else NETWORK
    variables = trained(ensemble.init)
    deep, networks = space.as_deep_ensemble(ensemble, variables)
    logits, apply = jax.jit(ensemble.apply)(variables, X), jax.jit(plain.apply)
    for k in range(3):
        own = deep.member(networks, k)
        assert jax.tree.map(jnp.shape, own) == jax.tree.map(jnp.shape, jax.eval_shape(plain.init, KEY, X))
        np.testing.assert_allclose(apply(own, X), logits[k], rtol=1e-3, atol=1e-3)
    again, same = space.as_deep_ensemble(deep, networks)
    assert again == deep
    jax.tree.map(np.testing.assert_array_equal, same, networks)


@pytest.mark.parametrize(
    "ensemble",
    [be_jax.batch_ensemble(NETWORK, 3, init="ones"), be_jax.mc_dropout(NETWORK, 3)],
    ids=["batch_ensemble of ones", "mc_dropout"],
)
def test_copies_of_one_network_have_no_diversity(ensemble):
    for score, value in space.score_parameters(ensemble, start(ensemble), X, LABELS).items():
        alike = "cosine" in score or "cka" in score
        np.testing.assert_allclose(value, 1 if alike else 0, atol=2e-6, err_msg=score)


def test_independent_networks_are_orthogonal():
    ensemble = be_jax.deep_ensemble(MLP(features=(200,)), 4)
    similarity = space.kernel_similarity(ensemble, trained(ensemble.init))["Dense_0"]
    np.testing.assert_allclose(similarity.cosine, 0, atol=0.02)
    np.testing.assert_allclose(similarity.distance, 1, atol=0.01)
    np.testing.assert_allclose(similarity.cosine_to_mean, 1 / 4**0.5, atol=0.01)
    np.testing.assert_allclose(similarity.distance_to_mean, ((1 - 1 / 4) / (1 + 1 / 4)) ** 0.5, atol=0.01)


@pytest.mark.parametrize(("init", "mean", "square"), [("normal", 1, 1.25), ("random_sign", 0, 1)])
def test_the_initialiser_gives_the_cosine_of_a_batch_ensemble(init, mean, square):
    """E[m_i m_j] / E[m_i^2] over the masks m = r s of two members, who share the kernel that is masked."""
    ensemble = be_jax.batch_ensemble(MLP(features=(), num_classes=400), 8, init=init)
    x = np.ones((1, 500), np.float32)
    cosine = space.kernel_similarity(ensemble, start(ensemble, x))["Dense_0"].cosine
    np.testing.assert_allclose(cosine, (mean**2 / square) ** 2, atol=0.03)


def test_similarity_by_hand():
    kernels = jnp.array([[[3.0, 0.0]], [[0.0, 4.0]], [[3.0, 0.0]]])
    ensemble = be_jax.deep_ensemble(MLP(features=(), num_classes=2), 3)
    variables = {"params": {"Dense_0": {"kernel": kernels, "bias": jnp.zeros((3, 2))}}}
    similarity = space.kernel_similarity(ensemble, variables)["Dense_0"]
    np.testing.assert_allclose(similarity.cosine, 1 / 3, rtol=1e-6)
    np.testing.assert_allclose(similarity.distance, 2 / 3, rtol=1e-6)
    mean = np.array([2, 4 / 3])
    norm = np.linalg.norm(mean)
    np.testing.assert_allclose(similarity.cosine_to_mean, (2 * 2 / norm + mean[1] / norm) / 3, rtol=1e-6)
    distances = [np.hypot(1, 4 / 3) / np.hypot(3, norm), np.hypot(2, 8 / 3) / np.hypot(4, norm)]
    np.testing.assert_allclose(similarity.distance_to_mean, (2 * distances[0] + distances[1]) / 3, rtol=1e-6)


def test_scores_are_means_over_pairs_and_layers():
    name, layers = "convolutional batch_ensemble", ("Conv_0", "Dense_0", "Dense_1")
    ensemble, scores = ENSEMBLES[name], scores_of(name)
    variables = trained(ensemble.init)
    for score in ("kernel_cosine", "kernel_distance", "kernel_cosine_to_mean", "kernel_distance_to_mean", "cka"):
        assert {key for key in scores if key.startswith(f"{score}/")} == {f"{score}/{layer}" for layer in layers}
        np.testing.assert_allclose(scores[score], np.mean([scores[f"{score}/{layer}"] for layer in layers]), rtol=1e-5)
    fast, kernel = variables["fast"]["Conv_0"], jnp.asarray(variables["params"]["Conv_0"]["kernel"])
    folded = [np.ravel(effective_kernel(kernel, fast["r"][k], fast["s"][k])) for k in range(3)]
    cosines = [a @ b / np.sqrt((a @ a) * (b @ b)) for a, b in itertools.combinations(folded, 2)]
    np.testing.assert_allclose(scores["kernel_cosine/Conv_0"], np.mean(cosines), rtol=1e-4)
    barrier = space.barriers(ensemble, variables, X, LABELS)
    assert barrier.loss.shape == barrier.accuracy.shape == (3,)
    assert min(map(np.min, barrier)) >= 0
    np.testing.assert_allclose(scores["loss_barrier"], barrier.loss.mean(), rtol=1e-4)
    np.testing.assert_allclose(scores["accuracy_barrier"], barrier.accuracy.mean(), atol=1e-6)


def test_cka_against_its_definition():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(50, 7)), rng.normal(size=(50, 5))
    centred = [each - each.mean(0) for each in (a, b)]
    cross, own_a, own_b = (np.linalg.norm(p.T @ q) for p, q in (centred, centred[:1] * 2, centred[1:] * 2))
    np.testing.assert_allclose(space.linear_cka(jnp.asarray(a), jnp.asarray(b)), cross**2 / (own_a * own_b), rtol=1e-4)


def test_cka_does_not_see_rotations_scale_and_offset():
    rng = np.random.default_rng(1)
    a = rng.normal(size=(50, 7)).astype(np.float32)
    rotation = np.linalg.qr(rng.normal(size=(7, 7)))[0].astype(np.float32)
    np.testing.assert_allclose(space.linear_cka(jnp.asarray(a), jnp.asarray(3 * a @ rotation + 5)), 1, rtol=1e-4)
    images = rng.normal(size=(50, 2, 3, 4)).astype(np.float32)
    flat = jnp.asarray(images.reshape(50, -1))
    np.testing.assert_allclose(space.linear_cka(jnp.asarray(images), flat), 1, rtol=1e-5)
    assert np.isnan(space.linear_cka(jnp.ones((50, 3)), flat))


@pytest.mark.parametrize("name", ["batch_ensemble", "convolutional deep_ensemble"])
def test_hidden_representations(name):
    ensemble = ENSEMBLES[name]
    variables = trained(ensemble.init)
    outputs = space.hidden(ensemble, variables, X)
    *_, last = outputs
    np.testing.assert_allclose(outputs[last], ensemble.apply(variables, X), rtol=1e-3, atol=1e-3)
    if name == "batch_ensemble":
        first = space.as_deep_ensemble(ensemble, variables)[1]["params"]["Dense_0"]
        expected = jnp.einsum("bi,mio->mbo", X.reshape(40, -1), first["kernel"]) + first["bias"][:, None]
        np.testing.assert_allclose(outputs["Dense_0"], expected, rtol=1e-3, atol=1e-3)
    else:
        assert outputs["Conv_0"].shape == (3, 40, 6, 6, 5)


def test_height_over_the_chord_by_hand():
    np.testing.assert_allclose(space.height_over_chord(jnp.array([1.0, 4.0, 3.0])), 2)
    np.testing.assert_allclose(space.height_over_chord(jnp.array([3.0, 0.0, 1.0])), 0)


def test_the_line_of_a_linear_network_has_no_barrier_and_its_ends_are_the_members():
    """Cross-entropy is convex in the weights of one layer."""
    ensemble = be_jax.deep_ensemble(MLP(features=()), 3)
    variables = trained(ensemble.init)
    barrier = space.barriers(ensemble, variables, X, LABELS)
    np.testing.assert_allclose(barrier.loss, 0, atol=1e-6)
    path = space.line(ensemble.model, ensemble.member(variables, 0), ensemble.member(variables, 2), X, LABELS, 5)
    log_probs = ensemble.predict(variables, X)
    for metric, values in ((be_jax.metrics.nll, path.loss), (be_jax.metrics.accuracy, path.accuracy)):
        expected = [metric(log_probs[k], LABELS).mean() for k in (0, 2)]
        np.testing.assert_allclose(values[jnp.array([0, -1])], expected, rtol=1e-5)
    halfway = jax.tree.map(lambda a: (a[0] + a[2]) / 2, variables)
    expected = be_jax.metrics.nll(jax.nn.log_softmax(ensemble.model.apply(halfway, X)), LABELS).mean()
    np.testing.assert_allclose(path.loss[2], expected, rtol=1e-5)


def test_one_member_is_not_compared():
    ensemble = be_jax.single(NETWORK)
    with pytest.raises(ValueError, match="an ensemble of at least 2 is needed; got 1"):
        space.kernel_similarity(ensemble, trained(ensemble.init))


class Nested(nn.Module):
    """A model whose layers are in a module of their own."""

    @nn.compact
    def __call__(self, x, train=False):
        return MLP(features=(4,))(x, train)


def test_names_of_nested_layers():
    ensemble = be_jax.batch_ensemble(Nested(), 3)
    variables, layers = trained(ensemble.init), {"MLP_0/Dense_0", "MLP_0/Dense_1"}
    assert space.kernel_similarity(ensemble, variables).keys() == layers
    assert space.representation_similarity(ensemble, variables, X).keys() == layers
    (units,) = space.hidden_units(Nested(), trained(Nested().init), X)
    assert {"/".join(place.path[1:-1]) for place in units.places} == layers
