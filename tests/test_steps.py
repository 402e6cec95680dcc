"""A loop of one's own: the gradient rule, batch statistics and dropout, for every method and for regression."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax.traverse_util import flatten_dict
from foreign_models import Compact

import be_jax
from be_jax import methods
from be_jax.likelihood import CATEGORICAL, GAUSSIAN

KEY = jax.random.key(0)
X, Y = jax.random.normal(KEY, (8, 7)), jnp.arange(8) % 3
PLAIN = be_jax.models.MLP(features=(6, 5), num_classes=3)
SGD = optax.sgd(0.1)


def one_step(ensemble, x=X, y=Y, trained=None, optimizer=SGD, **options):
    state = be_jax.create_state(ensemble, optimizer, KEY, X, trained)
    after, loss = be_jax.train_step(ensemble, optimizer, **options)(state, x, y, KEY)
    return state, after, loss


def close(actual, expected, **tolerance):
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, **{"rtol": 1e-4, "atol": 1e-6} | tolerance), actual, expected
    )


@pytest.mark.slow
def test_a_step_of_copies_is_a_step_of_a_single_network():
    _, single, loss = one_step(be_jax.single(PLAIN))
    trained = {"params": PLAIN.init(KEY, X)["params"]}
    _, alone, loss = one_step(be_jax.single(PLAIN), trained=trained)
    optimizer = be_jax.train_only(SGD, "params")
    for members in (1, 4):
        copies = be_jax.batch_ensemble(PLAIN, members, init="ones")
        before, after, their_loss = one_step(copies, trained=trained, optimizer=optimizer)
        close(after.weights["params"], alone.weights["params"])
        close(after.weights["fast"], before.weights["fast"], rtol=0, atol=0)
        np.testing.assert_allclose(their_loss, loss, rtol=1e-5)
    assert jax.tree.structure(single.weights) == jax.tree.structure(alone.weights)


@pytest.mark.slow
def test_members_of_a_deep_ensemble_step_as_if_alone():
    ensemble = be_jax.deep_ensemble(PLAIN, 3)
    before, after, loss = one_step(ensemble)
    losses = []
    for k in range(3):
        _, alone, its_loss = one_step(be_jax.single(PLAIN), trained=ensemble.member(before.variables, k))
        close(ensemble.member(after.variables, k)["params"], alone.weights["params"])
        losses.append(its_loss)
    np.testing.assert_allclose(loss, np.mean(losses), rtol=1e-5)


@pytest.mark.slow
def test_fast_weights_step_as_if_their_member_were_alone_and_kernels_by_the_mean():
    ensemble = be_jax.batch_ensemble(PLAIN, 3)
    before, after, _ = one_step(ensemble)
    one, kernels = be_jax.batch_ensemble(PLAIN, 1), []
    for k in range(3):
        weights = {
            "params": before.weights["params"],
            "fast": jax.tree.map(lambda a, k=k: a[k : k + 1], before.weights["fast"]),
        }
        state = before._replace(weights=weights, opt_state=SGD.init(weights))
        alone, _ = be_jax.train_step(one, SGD)(state, X, Y, KEY)
        close(jax.tree.map(lambda a, k=k: a[k : k + 1], after.weights["fast"]), alone.weights["fast"])
        kernels.append(alone.weights["params"])
    close(after.weights["params"], jax.tree.map(lambda *steps: sum(steps) / 3, *kernels))


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, row in methods.TABLE.items() if row.training != "cycles"])
def test_every_method_trains(name):
    """Five lines, a model with batch statistics and dropout: losses fall, statistics move, predictions are finite."""
    base = be_jax.models.MLP(features=(6, 5), num_classes=3, dropout_rate=0.1)
    model = Compact() if name not in ("single_wide", "packed", "full_rank") else base
    ensemble, optimizer = methods.find(name).build(model, methods.Options(members=2)), optax.adam(0.02)
    state = be_jax.create_state(ensemble, optimizer, KEY, X)
    before, step, losses = state, be_jax.train_step(ensemble, optimizer), []
    for i in range(15):
        state, loss = step(state, X, Y, jax.random.fold_in(KEY, i))
        losses.append(float(loss))
    assert losses[-1] < losses[0]
    for path, value in flatten_dict(before.statistics.get("batch_stats", {})).items():
        assert jnp.abs(value - flatten_dict(state.statistics["batch_stats"])[path]).max() > 1e-3
    assert jax.tree.all(
        jax.tree.map(lambda a, b: (a == b).all(), before.statistics.get("masks"), state.statistics.get("masks"))
    )
    log_probs = ensemble.predict(state.variables, X, KEY)
    assert jnp.isfinite(log_probs).all()
    apart = jnp.abs(log_probs[0] - log_probs[-1]).max() > 1e-4
    assert apart == (ensemble.members > 1 and name != "copies")


def test_regression():
    model = be_jax.models.MLP(features=(6,), num_classes=2)
    y = X.sum(-1)
    _, _, before = one_step(be_jax.batch_ensemble(model, 2), y=y, likelihood=GAUSSIAN)
    ensemble, optimizer = be_jax.batch_ensemble(model, 2), optax.adam(0.02)
    state, step = be_jax.create_state(ensemble, optimizer, KEY, X), be_jax.train_step(ensemble, optimizer, GAUSSIAN)
    for i in range(100):
        state, after = step(state, X, y, jax.random.fold_in(KEY, i))
    assert after < before - 0.5


@pytest.mark.parametrize(
    ("classes", "likelihood", "message"),
    [
        (1, CATEGORICAL, r"logits \[m, b, c\] of c >= 2 classes; the model's outputs are \[2, 8, 1\]"),
        (3, GAUSSIAN, r"outputs \[m, b, 2\], mean and log-variance; got \[2, 8, 3\]"),
    ],
)
def test_outputs_that_do_not_fit_the_targets_are_refused_at_the_first_step(classes, likelihood, message):
    model = be_jax.models.MLP(features=(6,), num_classes=classes)
    with pytest.raises(ValueError, match=message):
        one_step(be_jax.batch_ensemble(model, 2), likelihood=likelihood)


def test_what_are_no_variables_is_refused():
    ensemble = be_jax.batch_ensemble(PLAIN, 2)
    state = be_jax.create_state(ensemble, SGD, KEY, X)
    for wrong, got in ((state, "Got State"), (state.variables["params"], r"Got \['Dense_0'")):
        with pytest.raises(ValueError, match=rf"of a training state, state\.variables\. {got}"):
            ensemble.predict(wrong, X)


def test_members_that_see_examples_of_their_own():
    ensemble = be_jax.deep_ensemble(PLAIN, 2)
    before, after, _ = one_step(ensemble, X.reshape(2, 4, 7), Y.reshape(2, 4), x_per_member=True)
    for k in range(2):
        _, alone, _ = one_step(
            be_jax.single(PLAIN), X[4 * k : 4 * k + 4], Y[4 * k : 4 * k + 4], ensemble.member(before.variables, k)
        )
        close(ensemble.member(after.variables, k)["params"], alone.weights["params"])


def test_dropout_depends_on_the_key():
    model = be_jax.models.MLP(features=(6, 5), num_classes=3, dropout_rate=0.5)
    ensemble = be_jax.batch_ensemble(model, 2, init="ones")
    state, step = be_jax.create_state(ensemble, SGD, KEY, X), be_jax.train_step(ensemble, SGD)
    first, again, other = (step(state, X, Y, jax.random.key(seed))[1] for seed in (1, 1, 2))
    assert first == again != other


def test_what_does_not_fit():
    with pytest.raises(ValueError, match=r"one target for each example, \[8\]; got shape \(8, 1\)"):
        one_step(be_jax.single(PLAIN), y=Y[:, None])
    with pytest.raises(ValueError, match=r"train_only\('fast'\): the weights are \['params'\]"):
        one_step(be_jax.single(PLAIN), optimizer=be_jax.train_only(SGD, "fast"))


@pytest.mark.slow
def test_fast_weights_alone_adapt_a_trained_network_saved_by_orbax(tmp_path):
    """A trained network of ours becomes a BatchEnsemble: kernels keep their bits, the loss falls."""
    import orbax.checkpoint as ocp

    model = be_jax.models.cifar_resnet(8, width=4, num_classes=3)
    labels = jnp.arange(12) % 3
    images = jax.random.normal(KEY, (12, 8, 8, 3)) + labels[:, None, None, None]
    single, adam = be_jax.single(model), optax.adam(0.01)
    state, step = be_jax.create_state(single, adam, KEY, images), be_jax.train_step(single, adam)
    for i in range(10):
        state, _ = step(state, images, labels, jax.random.fold_in(KEY, i))
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(tmp_path / "network", state.variables)
    with ocp.StandardCheckpointer() as checkpointer:
        trained = checkpointer.restore(tmp_path / "network", jax.tree.map(jnp.zeros_like, state.variables))

    ensemble = be_jax.batch_ensemble(model, 3, init=be_jax.fast_init.normal(0.05))
    only_fast = be_jax.train_only(adam, "fast")
    state, step = be_jax.create_state(ensemble, only_fast, KEY, images, trained), be_jax.train_step(ensemble, only_fast)
    start, losses = state, []
    for i in range(10):
        state, loss = step(state, images, labels, jax.random.fold_in(KEY, i))
        losses.append(float(loss))
    close(state.weights["params"], trained["params"], rtol=0, atol=0)
    moved = jax.tree.map(lambda a, b: float(jnp.abs(a - b).max()), start.weights["fast"], state.weights["fast"])
    assert min(jax.tree.leaves(moved)) > 1e-3
    assert losses[-1] < losses[0]
    log_probs = ensemble.predict(state.variables, images)
    assert be_jax.metrics.pairwise_kl(log_probs).mean() > 0
    correct = be_jax.metrics.accuracy(be_jax.metrics.mixture(log_probs), labels).mean()
    assert correct >= be_jax.metrics.accuracy(single.predict(trained, images)[0], labels).mean() - 0.1
