"""The lift: equal to a loop over members, to effective kernels, and to what each row of its table says."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import be_jax
from be_jax.nn import fast_init, rank1
from be_jax.nn.models import MLP, LeNet

KEY = jax.random.key(0)
X = jax.random.normal(jax.random.key(1), (6, 28, 28, 1))
MLP_SMALL = MLP(features=(16, 8), dropout_rate=0.3)
LENET = LeNet(dropout_rate=0.3)

ROWS = {
    "single": lambda model: be_jax.single(model),
    "mc_dropout": lambda model: be_jax.mc_dropout(model, 3),
    "batch_ensemble": lambda model: be_jax.batch_ensemble(model, 3),
    "batch_ensemble rank 2, norm per member": lambda model: be_jax.batch_ensemble(
        model, 3, 2, "normal", init_s="random_sign", norm="per_member"
    ),
    "deep_ensemble": lambda model: be_jax.deep_ensemble(model, 3),
}


@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("model", [MLP_SMALL, LENET], ids=["mlp", "lenet"])
def test_lift_equals_loop_over_members(row, model):
    ensemble = ROWS[row](model)
    variables = ensemble.init(KEY, X)
    lifted = ensemble.apply(variables, X)
    looped = [ensemble.model.apply(ensemble.member(variables, k), X) for k in range(ensemble.members)]
    np.testing.assert_allclose(lifted, jnp.stack(looped), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("rank", [1, 3])
def test_members_are_plain_networks_with_effective_kernels(rank):
    ensemble = be_jax.batch_ensemble(MLP_SMALL, 3, rank, "normal")
    variables = ensemble.init(KEY, X)
    for k in range(3):
        params = {}
        for layer, fast in variables["fast"].items():
            shared = variables["params"][layer]
            kernel = rank1.effective_kernel(shared["kernel"], fast["r"][k], fast["s"][k])
            params[layer] = {"kernel": kernel, "bias": shared["bias"] + fast["bias"][k]}
        expected = MLP_SMALL.apply({"params": params}, X)
        np.testing.assert_allclose(ensemble.apply(variables, X)[k], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("row", ["batch_ensemble", "deep_ensemble"])
def test_members_differ_from_the_start(row):
    log_probs = ROWS[row](MLP_SMALL).predict(ROWS[row](MLP_SMALL).init(KEY, X), X)
    distances = jnp.abs(log_probs[:, None] - log_probs[None]).max((-1, -2))
    assert (distances + jnp.eye(3) > 0.01).all()


@pytest.mark.slow
def test_members_started_at_ones_are_one_network():
    ensemble = be_jax.batch_ensemble(MLP_SMALL, 3, init="ones")
    variables = ensemble.init(KEY, X)
    epistemic = be_jax.metrics.decompose(ensemble.predict(variables, X)).epistemic
    np.testing.assert_allclose(epistemic, 0, atol=1e-6)
    plain = MLP_SMALL.apply({"params": variables["params"]}, X)
    np.testing.assert_allclose(ensemble.apply(variables, X)[1], plain, rtol=1e-5, atol=1e-5)


def test_deep_ensemble_members_are_independent_draws():
    ensemble = be_jax.deep_ensemble(MLP_SMALL, 200)
    kernels = ensemble.init(KEY, X)["params"]["Dense_1"]["kernel"]
    correlation = np.corrcoef(kernels.reshape(200, -1))
    assert np.abs(correlation - np.eye(200)).max() < 0.5
    np.testing.assert_allclose(kernels.std(), (1 / 16) ** 0.5, rtol=0.02)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("row", "count"), [("single", 53_018), ("deep_ensemble", 4 * 53_018), ("batch_ensemble", 57_456 + 122)]
)
def test_parameter_counts_of_the_study_network(row, count):
    lift = {"single": be_jax.single, "deep_ensemble": lambda m: be_jax.deep_ensemble(m, 4)}
    ensemble = lift.get(row, lambda m: be_jax.batch_ensemble(m, 4))(MLP())
    assert be_jax.count_parameters(ensemble.init(KEY, X)) == count


def test_predictions_are_normalised_float32_log_probabilities():
    ensemble = be_jax.batch_ensemble(MLP_SMALL, 3)
    log_probs = jax.jit(ensemble.predict)(ensemble.init(KEY, X), X)
    assert log_probs.shape == (3, 6, 10)
    assert log_probs.dtype == jnp.float32
    np.testing.assert_allclose(jnp.exp(log_probs).sum(-1), 1, rtol=1e-6)


@pytest.mark.parametrize(("row", "shared", "own"), [("single", 1, 1), ("mc_dropout", 1, 1), ("batch_ensemble", 3, 1)])
def test_mean_over_users(row, shared, own):
    ensemble = ROWS[row](MLP_SMALL)
    mean = ensemble.mean_over_users({"params": {"kernel": jnp.float32(6)}, "fast": {"r": jnp.float32(6)}})
    assert mean["params"]["kernel"] == 6 / shared
    if row == "batch_ensemble":
        assert mean["fast"]["r"] == 6 / own
    assert (
        ROWS["deep_ensemble"](MLP_SMALL).mean_over_users({"params": {"kernel": jnp.float32(6)}})["params"]["kernel"]
        == 6
    )


def test_x_per_member_gives_each_member_its_own_examples():
    ensemble = be_jax.batch_ensemble(MLP_SMALL, 3)
    variables = ensemble.init(KEY, X)
    own = jnp.stack([X[:2], X[2:4], X[4:]])
    together = ensemble.apply(variables, X)
    apart = ensemble.apply(variables, own, x_per_member=True)
    for k in range(3):
        np.testing.assert_allclose(apart[k], together[k, 2 * k : 2 * k + 2], rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_mc_dropout_samples_at_prediction_and_trains_one_network():
    ensemble = be_jax.mc_dropout(LENET, 3)
    variables = ensemble.init(KEY, X)
    samples = ensemble.predict(variables, X, jax.random.key(5))
    assert jnp.abs(samples[0] - samples[1]).max() > 1e-3
    assert jnp.abs(samples[1] - samples[2]).max() > 1e-3
    np.testing.assert_array_equal(samples, ensemble.predict(variables, X, jax.random.key(5)))
    assert ensemble.apply(variables, X, train=True, key=KEY, mutable=["batch_stats"])[0].shape == (1, 6, 10)
    with pytest.raises(ValueError, match="mc_dropout draws its members at prediction"):
        ensemble.predict(variables, X)


def test_other_methods_need_no_key_and_ignore_it():
    for row in ("single", "batch_ensemble", "deep_ensemble"):
        ensemble = ROWS[row](MLP_SMALL)
        variables = ensemble.init(KEY, X)
        np.testing.assert_array_equal(ensemble.predict(variables, X), ensemble.predict(variables, X, KEY))


def test_dropout_masks_differ_between_members_in_training():
    ensemble = be_jax.batch_ensemble(MLP_SMALL, 3, init="ones")
    logits = ensemble.apply(ensemble.init(KEY, X), X, train=True, key=KEY)
    assert jnp.abs(logits[0] - logits[1]).max() > 1e-3


@pytest.mark.slow
def test_shared_norm_takes_statistics_over_all_members():
    ensemble = be_jax.batch_ensemble(LENET, 3, init="normal")
    variables = ensemble.init(KEY, X)
    _, updates = ensemble.apply(variables, X, train=True, key=KEY, mutable=["batch_stats"])
    per_member = be_jax.batch_ensemble(LENET, 3, init="normal", norm="per_member")
    own = per_member.init(KEY, X)
    _, own_updates = per_member.apply(own, X, train=True, key=KEY, mutable=["batch_stats"])
    first = updates["batch_stats"]["BatchNorm_0"]
    own_first = own_updates["batch_stats"]["BatchNorm_0"]
    assert first["mean"].shape == (6,)
    assert own_first["mean"].shape == (3, 6)
    np.testing.assert_allclose(first["mean"], own_first["mean"].mean(0), rtol=1e-4, atol=1e-6)
    assert (first["var"] >= own_first["var"].mean(0) - 1e-6).all(), "the whole varies more than its parts"


class DropThenNorm(nn.Module):
    """Statistics that depend on the dropout key of each member."""

    dropout_rate: float = 0.5

    @nn.compact
    def __call__(self, x, train=False):
        x = nn.Dropout(self.dropout_rate, deterministic=not train)(x.reshape(x.shape[0], -1))
        x = nn.BatchNorm(use_running_average=not train)(x)
        return nn.Dense(10)(x)


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("model", [LENET, DropThenNorm()], ids=["lenet", "drop then norm"])
@pytest.mark.parametrize("x_per_member", [False, True])
def test_training_updates_statistics_of_their_shape(row, model, x_per_member):
    ensemble = ROWS[row](model)
    variables = jax.eval_shape(ensemble.init, KEY, X)
    shape = (ensemble.train_members, *X.shape) if x_per_member else X.shape
    logits, updates = jax.eval_shape(
        lambda v, x: ensemble.apply(v, x, train=True, key=KEY, x_per_member=x_per_member, mutable=["batch_stats"]),
        variables,
        jax.ShapeDtypeStruct(shape, jnp.float32),
    )
    assert logits.shape == (ensemble.train_members, 6, 10)
    assert updates["batch_stats"] == variables["batch_stats"]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: be_jax.batch_ensemble(MLP(), 0), "members must be an integer >= 1; got 0"),
        (lambda: be_jax.deep_ensemble(MLP(), -2), "members must be an integer >= 1; got -2"),
        (lambda: be_jax.mc_dropout(MLP(dropout_rate=0.1), 2.0), r"members must be an integer >= 1; got 2\.0"),
        (lambda: be_jax.batch_ensemble(MLP(), 4, rank=0), "rank must be an integer >= 1; got 0"),
        (lambda: be_jax.batch_ensemble(MLP(), 4, init="xavier"), "unknown init 'xavier'"),
        (lambda: be_jax.batch_ensemble(MLP(), 4, norm="none"), "unknown norm 'none'; choose 'shared' or 'per_member'"),
        (lambda: be_jax.mc_dropout(MLP(), 4).init(KEY, X), "mc_dropout needs dropout: no layer with a rate above 0"),
        (lambda: be_jax.single(jax.tree_util), r"made from a flax.linen module `model\(x\)`; got <module"),
    ],
)
def test_bad_construction(build, message):
    with pytest.raises(ValueError, match=message):
        build()


@pytest.mark.parametrize("row", ["single", "batch_ensemble", "deep_ensemble"])
def test_x_that_does_not_fit(row):
    ensemble = ROWS[row](MLP_SMALL)
    variables = ensemble.init(KEY, X)
    with pytest.raises(ValueError, match=r"x of shape \(6, 20, 28, 1\) does not fit the variables"):
        ensemble.predict(variables, X[:, :20])
    with pytest.raises(ValueError, match=r"x needs a batch axis .* got shape \(784,\)"):
        ensemble.predict(variables, X[0].reshape(-1))


def test_x_per_member_needs_the_member_axis():
    ensemble = be_jax.batch_ensemble(MLP_SMALL, 3)
    with pytest.raises(ValueError, match=r"with m = 3; got x of shape \(6, 28, 28, 1\)"):
        ensemble.apply(ensemble.init(KEY, X), X, x_per_member=True)


def test_lenet_needs_images_of_its_size():
    with pytest.raises(ValueError, match=r"h, w >= 16; got x of shape \(6, 8, 8, 1\)"):
        be_jax.single(LENET).init(KEY, X[:, :8, :8])


@pytest.mark.slow
def test_normal_std_is_the_spread_of_the_members():
    def spread(std):
        ensemble = be_jax.batch_ensemble(MLP_SMALL, 8, init=fast_init.normal(std))
        return ensemble.predict(ensemble.init(KEY, X), X).std(0).mean()

    assert spread(0.0) < 1e-6 < spread(0.1) < spread(0.5)
