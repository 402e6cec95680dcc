"""Temperature scaling: against float64 and scipy, what must hold by definition, and where there is no temperature."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize, special

from be_jax import metrics
from be_jax.metrics import temperature
from be_jax.metrics.temperature import HIGHEST, LOWEST

fit = jax.jit(metrics.fit_temperature)


def draw(members, examples=500, classes=4, sharpness=3.0, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, examples)
    logits = rng.normal(size=(members, examples, classes)) + 0.8 * np.eye(classes)[labels]
    return jnp.asarray(special.log_softmax(sharpness * logits, -1), jnp.float32), labels


def best_temperature(log_probs, labels):
    """The root of the derivative of the mean NLL, in float64."""
    exact, rows = np.asarray(log_probs, np.float64), np.arange(len(labels))

    def slope(log_temperature):
        tempered = exact / np.exp(log_temperature)
        tempered = tempered - special.logsumexp(tempered, axis=-1, keepdims=True)
        mean = (np.exp(tempered) * np.where(np.isneginf(exact), 0, exact)).sum(-1)
        weight = np.exp(tempered[:, rows, labels])
        weight /= weight.sum(0)
        return (weight * (np.where(weight == 0, mean, exact[:, rows, labels]) - mean)).sum(0).mean()

    return np.exp(optimize.brentq(slope, np.log(LOWEST), np.log(HIGHEST), xtol=1e-14))


@pytest.mark.slow
@pytest.mark.parametrize("members", [1, 3])
@pytest.mark.parametrize("sharpness", [0.3, 1.0, 4.0])
@pytest.mark.parametrize("examples", [100, 30_000])
def test_against_the_root_in_float64(members, sharpness, examples):
    log_probs, labels = draw(members, examples, sharpness=sharpness)
    assert float(fit(log_probs, labels)) == pytest.approx(best_temperature(log_probs, labels), rel=1e-6)


def test_against_scipys_minimiser():
    log_probs, labels = draw(3)

    def loss(log_temperature):
        tempered = special.log_softmax(np.asarray(log_probs, np.float64) / np.exp(log_temperature), -1)
        mixed = special.logsumexp(tempered, 0) - np.log(3)
        return -mixed[np.arange(len(labels)), labels].mean()

    best = optimize.minimize_scalar(loss, bounds=(np.log(0.05), np.log(20)), method="bounded", options={"xatol": 1e-10})
    assert float(fit(log_probs, labels)) == pytest.approx(np.exp(best.x), rel=1e-6)


def test_jit_is_the_same():
    log_probs, labels = draw(2)
    np.testing.assert_allclose(fit(log_probs, labels), metrics.fit_temperature(log_probs, labels), rtol=1e-6)


def test_chunks_add_up_to_the_whole(monkeypatch):
    log_probs, labels = draw(2, examples=101)
    mask = np.arange(101) % 4 > 0
    whole = metrics.fit_temperature(log_probs, labels, mask)
    monkeypatch.setattr(temperature, "_AT_ONCE", 2 * 4 * 17)
    np.testing.assert_allclose(metrics.fit_temperature(log_probs, labels, mask), whole, rtol=1e-6)


def test_masked_examples_count_for_nothing():
    log_probs, labels = draw(2, examples=120)
    mask = np.arange(120) % 3 > 0
    expected = best_temperature(log_probs[:, mask], labels[mask])
    spoilt, labels = np.array(log_probs), labels.copy()
    spoilt[:, ~mask], labels[~mask] = np.nan, 9
    assert float(fit(spoilt, labels, mask)) == pytest.approx(expected, rel=1e-6)
    assert np.isnan(fit(spoilt, labels, np.zeros(120, bool)))
    assert np.isnan(metrics.fit_temperature(log_probs[:, :0], labels[:0]))


@pytest.mark.parametrize("bad", [4, -1, 255, 2**32])
def test_a_label_that_is_no_class_has_no_temperature(bad):
    log_probs, labels = draw(2)
    labels[7] = bad
    assert np.isnan(metrics.fit_temperature(log_probs, labels))
    assert bad == 2**32 or np.isnan(fit(log_probs, labels))  # jit cuts an argument to 32 bits before it is seen
    assert not metrics.is_impossible(log_probs, labels).any()


@pytest.mark.parametrize("members", [1, 3])
@pytest.mark.parametrize("wrong", [[3], [0, 499]])
def test_impossible_examples_are_named_and_left_out_on_request_only(members, wrong):
    log_probs, labels = draw(members)
    spoilt = np.array(log_probs)
    spoilt[:, wrong, labels[wrong]] = -np.inf
    impossible = metrics.is_impossible(spoilt, labels)
    np.testing.assert_array_equal(np.flatnonzero(impossible), wrong)
    assert np.isnan(fit(spoilt, labels))
    kept = np.delete(np.arange(500), wrong)
    expected = best_temperature(log_probs[:, kept], labels[kept])
    assert float(fit(spoilt, labels, ~impossible)) == pytest.approx(expected, rel=1e-6)


def test_probability_0_in_some_members_only_is_an_example_like_any_other():
    log_probs, labels = draw(3)
    some = np.array(log_probs)
    some[0, np.arange(50), labels[:50]] = -np.inf
    some[1, np.arange(50, 60), (labels[50:60] + 1) % 4] = -np.inf
    assert not metrics.is_impossible(some, labels).any()
    assert float(fit(some, labels)) == pytest.approx(best_temperature(some, labels), rel=1e-6)


def test_nan_in_a_prediction_has_no_temperature():
    log_probs, labels = draw(2)
    assert np.isnan(fit(log_probs.at[1, 3, 2].set(jnp.nan), labels))


@pytest.mark.parametrize("classes", [1, 4])
def test_where_temperature_changes_nothing_it_is_1(classes):
    uniform = jnp.full((2, 10, classes), -np.log(classes), jnp.float32)
    assert fit(uniform, np.arange(10) % classes) == 1


def test_predictions_that_are_always_right_go_to_the_lower_bound():
    labels = np.arange(40) % 4
    for lead in (1.0, 5.0, 60.0):
        right = jax.nn.log_softmax(lead * jax.nn.one_hot(labels, 4))[None]
        assert fit(right, labels) == np.float32(LOWEST)


def test_one_temperature_per_member():
    log_probs, labels = draw(3)
    log_probs = jnp.concatenate([metrics.temper(log_probs[:1], 3.0), log_probs[1:]])
    fitted = jax.jit(metrics.fit_member_temperatures)(log_probs, labels)
    expected = [best_temperature(log_probs[k : k + 1], labels) for k in range(3)]
    np.testing.assert_allclose(fitted, expected, rtol=1e-6)
    each = metrics.temper(log_probs, fitted)
    for k in range(3):
        np.testing.assert_allclose(each[k], metrics.temper(log_probs[k : k + 1], fitted[k])[0], atol=1e-6)


def test_temperature_1_changes_nothing():
    log_probs, _ = draw(2)
    np.testing.assert_allclose(metrics.temper(log_probs, 1.0), log_probs, atol=1e-6)


def test_probability_0_stays_0():
    tempered = metrics.temper(jnp.array([[[0.0, -jnp.inf]]]), 2.0)
    np.testing.assert_array_equal(tempered, jnp.array([[[0.0, -jnp.inf]]]))


def test_predictions_that_are_always_wrong_are_flattened_to_the_bound():
    labels = np.arange(40) % 4
    wrong = jax.nn.log_softmax(5.0 * jax.nn.one_hot((labels + 1) % 4, 4))[None]
    assert fit(wrong, labels) == HIGHEST


def test_wrong_shapes_are_refused():
    log_probs, labels = draw(2)
    with pytest.raises(ValueError, match="m, b, c"):
        metrics.temper(log_probs[0], 1.0)
    with pytest.raises(ValueError, match="labels must be"):
        metrics.fit_temperature(log_probs, labels[:-1])
    with pytest.raises(ValueError, match=r"one for each of 2 members; got shape \(3,\)"):
        metrics.temper(log_probs, np.ones(3))
    with pytest.raises(ValueError, match=r"mask must have shape \(500,\)"):
        metrics.fit_temperature(log_probs, labels, np.ones(499, bool))
