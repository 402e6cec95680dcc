"""Scores of a run on all examples and without each block: those that the package's metrics give of what is left."""

import numpy as np
import pytest

from be_jax.evaluate import score_predictions
from be_jax.stats import score_run, scores
from experiments.judge_simulation import draw_networks, draw_world

EXAMPLES = 330


@pytest.fixture(scope="module")
def predictions():
    random = np.random.default_rng(0)
    drawn = draw_networks(random, draw_world(random, EXAMPLES), 3)
    second = draw_networks(random, draw_world(random, EXAMPLES), 3)
    return drawn | {name.replace("noise_1", "fog_2"): array for name, array in second.items() if "shift" in name}


@pytest.fixture(scope="module")
def scored(predictions):
    return score_run(predictions)


def without_block(predictions, block):
    kept = scores.blocks_of(EXAMPLES) != block
    return {name: array[:, kept] if name.endswith("/log_probs") else array[kept] for name, array in predictions.items()}


def test_on_all_examples_they_are_the_scores_of_the_study(predictions, scored):
    expected = score_predictions(predictions)
    assert {set_name for set_name, _ in scored} == {"test", "shift", "ood/unseen"}
    for (set_name, metric), values in scored.items():
        assert values.shape == (1 + scores.BLOCKS,)
        assert values[0] == pytest.approx(expected[set_name][metric], rel=2e-5, abs=1e-7), (set_name, metric)


@pytest.mark.parametrize("block", [0, 17, 49])
def test_without_a_block_they_are_the_scores_of_the_rest(predictions, scored, block):
    expected = score_predictions(without_block(predictions, block))
    for (set_name, metric), values in scored.items():
        assert values[1 + block] == pytest.approx(expected[set_name][metric], rel=2e-5, abs=1e-7), (set_name, metric)


def test_ties_in_an_auroc_count_half():
    random = np.random.default_rng(0)
    inside, outside = random.integers(4, size=200).astype(float), random.integers(1, 6, size=130).astype(float)
    values = scores.auroc_without_blocks(inside, outside)
    kept_in, kept_out = scores.blocks_of(200) != 3, scores.blocks_of(130) != 3
    pairs = outside[kept_out][:, None] - inside[kept_in][None]
    assert values[4] == pytest.approx(((pairs > 0) + 0.5 * (pairs == 0)).mean())


def test_chunks_change_nothing(predictions, scored, monkeypatch):
    monkeypatch.setattr(scores, "_CHUNK_SIZE", 100 * 30)
    for place, values in score_run(predictions).items():
        np.testing.assert_allclose(values, scored[place], rtol=1e-6, atol=1e-9)


def test_blocks_are_as_equal_as_they_can_be():
    assert set(np.bincount(scores.blocks_of(330))) == {6, 7}


def test_validation_is_not_scored(predictions, scored):
    more = predictions | {f"validation/{kind}": predictions[f"test/{kind}"] for kind in ("log_probs", "labels")}
    assert score_run(more).keys() == scored.keys()


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
