"""Scores of a run on all examples and without each block: those that the package's metrics give of what is left."""

import jax
import numpy as np
import pytest
from stats_fakes import draw_networks, world

from be_jax.metrics import chunks
from be_jax.scores import ScoredOnce, examples, of_run, score_predictions, temperature_of
from be_jax.scores import blocks as scores
from be_jax.stats import score_run

EXAMPLES = 330


@pytest.fixture(scope="module")
def predictions():
    random = np.random.default_rng(0)
    drawn, second = (draw_networks(random, world(EXAMPLES, seed), 3) for seed in (0, 1))
    return drawn | {name.replace("noise_1", "fog_2"): array for name, array in second.items() if "shift" in name}


@pytest.fixture(scope="module")
def scored(predictions):
    return score_run(predictions)


def without_block(predictions, block):
    kept = scores.blocks_of(EXAMPLES) != block
    return {name: array[:, kept] if name.endswith("/log_probs") else array[kept] for name, array in predictions.items()}


@pytest.mark.slow
def test_on_all_examples_they_are_the_scores_of_the_study(predictions, scored):
    expected = score_predictions(predictions)
    assert {set_name for set_name, _ in scored} == {"test", "shift", "ood/unseen", "ood"}
    expected["ood"] = expected["ood/unseen"]
    for (set_name, metric), values in scored.items():
        assert values.shape == (1 + scores.BLOCKS,)
        assert values[0] == pytest.approx(expected[set_name][metric], rel=2e-5, abs=1e-7), (set_name, metric)


@pytest.mark.slow
@pytest.mark.parametrize("block", [0, 17, 49])
def test_without_a_block_they_are_the_scores_of_the_rest(predictions, scored, block):
    kept = {name: array for name, array in predictions.items() if name.startswith("validation")}
    expected = score_predictions({**without_block(predictions, block), **kept})
    expected["ood"] = expected["ood/unseen"]
    for (set_name, metric), values in scored.items():
        assert values[1 + block] == pytest.approx(expected[set_name][metric], rel=2e-5, abs=1e-7), (set_name, metric)


def test_ties_in_an_auroc_count_half():
    random = np.random.default_rng(0)
    inside, outside = random.integers(4, size=200).astype(float), random.integers(1, 6, size=130).astype(float)
    values = scores.auroc_without_blocks(inside, outside)
    kept_in, kept_out = scores.blocks_of(200) != 3, scores.blocks_of(130) != 3
    pairs = outside[kept_out][:, None] - inside[kept_in][None]
    assert values[4] == pytest.approx(((pairs > 0) + 0.5 * (pairs == 0)).mean())


@pytest.mark.slow
def test_chunks_change_nothing(predictions, scored, monkeypatch):
    for module in (chunks, examples):
        monkeypatch.setattr(module, "SCORED_AT_ONCE", 100 * 30)
    jax.clear_caches()
    for place, values in score_run(predictions).items():
        np.testing.assert_allclose(values, scored[place], rtol=2e-5, atol=1e-7)


def test_blocks_are_as_equal_as_they_can_be():
    assert set(np.bincount(scores.blocks_of(330))) == {6, 7}


@pytest.mark.slow
def test_validation_gives_the_temperature_and_no_score(predictions, scored):
    assert not any(set_name == "validation" for set_name, _ in scored)
    raw = score_run({name: array for name, array in predictions.items() if "validation" not in name})
    assert {place for place in scored if place[1].endswith("_scaled")} == scored.keys() - raw.keys()
    for place, values in raw.items():
        np.testing.assert_array_equal(scored[place], values)
    temperature = temperature_of(predictions)
    assert temperature == pytest.approx(score_predictions(predictions)["validation"]["temperature"])


def test_ood_is_the_mean_over_ood_sets(predictions, scored):
    more = predictions | {"ood/other/log_probs": predictions["test/log_probs"]}
    both = score_run(more)
    for metric in ("auroc_max_probability", "epistemic"):
        mean = (both["ood/unseen", metric] + both["ood/other", metric]) / 2
        np.testing.assert_allclose(both["ood", metric], mean)
    np.testing.assert_allclose(both["ood/unseen", "epistemic"], scored["ood/unseen", "epistemic"], rtol=1e-6)


def test_only_the_sets_that_are_asked_for_are_scored(predictions, scored):
    some = score_run(predictions, {"test"})
    assert {set_name for set_name, _ in some} == {"test"}
    np.testing.assert_array_equal(some["test", "nll_scaled"], scored["test", "nll_scaled"])


def test_a_label_of_probability_0_makes_its_scores_undefined(predictions):
    with np.errstate(divide="ignore"):
        certain = np.log(np.eye(10, dtype=np.float32)[(predictions["test/labels"] + 1) % 10])[None]
    scored = score_run({"test/log_probs": certain, "test/labels": predictions["test/labels"]})
    assert np.isnan(scored["test", "nll"]).all()
    assert scored["test", "accuracy"][0] == 0


def test_what_cannot_be_scored_is_refused(predictions):
    with pytest.raises(ValueError, match="a set of 49 examples is too small to judge by; it needs at least 50"):
        score_run({"test/log_probs": predictions["test/log_probs"][:, :49], "test/labels": np.zeros(49, int)})
    with pytest.raises(ValueError, match="set 'other' has no labels"):
        score_run(predictions | {"other/log_probs": predictions["test/log_probs"]})


@pytest.mark.slow
def test_scored_once_gives_both_without_a_second_pass(predictions, scored, monkeypatch):
    once, expected = ScoredOnce(), score_predictions(predictions)
    few = {name: array for name, array in predictions.items() if not name.startswith("shift/")}
    means = once.score_predictions(predictions)
    assert means.keys() == expected.keys()
    for name, values in expected.items():
        assert means[name] == pytest.approx(values, rel=2e-5)
    once.score_predictions(few)
    monkeypatch.setattr(of_run, "_score_sets", None)
    assert once.score_predictions(dict(predictions))["test"]["nll"] == pytest.approx(expected["test"]["nll"])
    for place, values in once.score_run(predictions).items():
        np.testing.assert_allclose(values, scored[place], rtol=2e-5, atol=1e-7)
    assert {name for name, _ in once.score_run(predictions, {"test", "ood/unseen"})} == {"test", "ood/unseen", "ood"}


def test_other_predictions_are_scored_anew(predictions):
    once = ScoredOnce()
    other = predictions | {"test/labels": (predictions["test/labels"] + 1) % 10}
    accuracies = [once.score_predictions(each)["test"]["accuracy"] for each in (predictions, other)]
    assert accuracies[0] != accuracies[1]


def test_sets_too_small_to_judge_by_are_scored_all_the_same(predictions):
    few = {"test/log_probs": predictions["test/log_probs"][:, :49], "test/labels": predictions["test/labels"][:49]}
    once = ScoredOnce()
    assert 0 < once.score_predictions(few)["test"]["accuracy"] < 1
    with pytest.raises(ValueError, match="a set of 49 examples is too small"):
        once.score_run(few)
